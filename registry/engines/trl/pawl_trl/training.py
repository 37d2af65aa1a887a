"""What both methods share: the request, the arguments, the order of the data, the state, the report."""

import os
import tempfile
from typing import Any

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.utils.data import Sampler
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from . import low_rank, model_io, records
from .errors import EngineError, invalid
from .files import checked_input, described
from .recipe import Recipe, parse
from .state import State

WEIGHTS = "weights.safetensors"


class StepSampler(Sampler[int]):
    """Every step's records, in the order of the steps; the same list again for each gradient accumulation."""

    def __init__(self, order: records.Order, steps: int, repeats: int):
        self.order, self.steps, self.repeats = order, steps, repeats
        self.size = sum(order.counts.values()) * repeats * steps

    def __len__(self) -> int:
        return self.size

    def __iter__(self):
        for step in range(self.steps):
            for _ in range(self.repeats):
                yield from self.order.step(step)


class StepTrainer:
    """Mixed into TRL's trainers: our data order, schedule, resumable state and progress."""

    recipe: Recipe
    order: records.Order
    saved: State
    report: Any
    sampler_repeats = 1

    def prepare_steps(self, recipe: Recipe, order: records.Order, saved: State, report: Any) -> None:
        self.recipe, self.order, self.saved, self.report = recipe, order, saved, report
        self.totals: dict[str, float] = {}

    def _get_train_sampler(self, dataset: Any = None) -> Sampler:
        return StepSampler(self.order, self.recipe.steps, self.sampler_repeats)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        if self.lr_scheduler is None:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer or self.optimizer, self.recipe.factor)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Every step's numbers go to the host, under the protocol's names."""
        collected = self._metrics["train"]
        values = {name: sum(numbers) / len(numbers) for name, numbers in collected.items() if numbers}
        collected.clear()
        values |= {name: float(value) for name, value in logs.items() if isinstance(value, (int, float, str))}
        if "loss" not in values or "learning_rate" not in values:
            return  # the summary at the end
        metrics = {"loss": values["loss"], "lr": values["learning_rate"]} | self.report_metrics(values)
        if "grad_norm" in values:
            metrics["grad_norm"] = values["grad_norm"]
        if any(value != value or abs(value) == float("inf") for value in metrics.values()):
            raise EngineError("internal", f"step {self.state.global_step}: the training diverged: {metrics}")
        self.totals = metrics
        self.report(self.state.global_step, self.recipe.steps, metrics, "training")

    def report_metrics(self, values: dict[str, float]) -> dict[str, float]:
        return {}

    # State

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        step = self.state.global_step
        if self.saved.directory is None or step >= self.recipe.steps:
            return
        path = self.saved.directory
        if self.is_world_process_zero():
            path = self.saved.partial(step)
        self.accelerator.wait_for_everyone()
        if not self.is_world_process_zero():
            path = os.path.join(self.saved.directory, f"step-{step:06d}.partial")
        self._save_optimizer_and_scheduler(path)
        self._save_rng_state(path)
        if self.is_world_process_zero():
            learning = learning_parameters(self.accelerator.unwrap_model(self.model))
            save_file({name: value.detach().contiguous() for name, value in learning}, os.path.join(path, WEIGHTS))
            self.save_extra(path)
            self.state.log_history = []
            self.state.save_to_json(os.path.join(path, "trainer_state.json"))
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            self.saved.commit(step)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        values = load_file(os.path.join(resume_from_checkpoint, WEIGHTS))
        with torch.no_grad():
            for name, parameter in learning_parameters(self.accelerator.unwrap_model(self.model)):
                parameter.copy_(values[name])
        self.load_extra(resume_from_checkpoint)

    def save_extra(self, path: str) -> None:
        pass

    def load_extra(self, path: str) -> None:
        pass


def arguments(recipe: Recipe, scratch: str, save: bool) -> dict[str, Any]:
    """The settings that both trainers take from the recipe."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if recipe.prompts_per_step % world:
        raise invalid(f"recipe: prompts_per_step {recipe.prompts_per_step} does not divide among {world} processes")
    share = recipe.prompts_per_step // world
    micro = next(size for size in range(min(recipe.micro_batch, share), 0, -1) if share % size == 0)
    cuda = torch.cuda.is_available()
    return {
        "output_dir": scratch,
        "max_steps": recipe.steps,
        "per_device_train_batch_size": micro,
        "gradient_accumulation_steps": share // micro,
        "learning_rate": recipe.learning_rate,
        "weight_decay": recipe.weight_decay,
        "max_grad_norm": recipe.max_gradient_norm,
        "adam_beta1": 0.9,
        "adam_beta2": 0.999,
        "adam_epsilon": 1e-8,
        "optim": "adamw_torch_fused",
        "bf16": recipe.precision == "bfloat16",
        "fp16": False,
        "tf32": False if cuda else None,
        "use_cpu": not cuda,
        "activation_checkpointing": cuda,
        "seed": recipe.seed,
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "save_strategy": "steps" if save else "no",
        "save_steps": recipe.save_every,
        "report_to": "none",
        "disable_tqdm": True,
        "push_to_hub": False,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": False,
        "ddp_find_unused_parameters": False,
    }


def learning_parameters(model: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    """All weights, or the factors of a low-rank update."""
    return [(name, value) for name, value in model.named_parameters() if value.requires_grad]


def no_dropout(model: torch.nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(getattr(module, "attention_dropout", None), float):
            module.attention_dropout = 0.0


def train(request: dict[str, Any], progress: Any) -> dict[str, Any]:
    """Answers a train request: checks everything first, then trains, then writes the directory."""
    workdir = request["workdir"]
    recipe = parse(request.get("recipe"))
    directory = model_io.model_directory(request.get("model"), workdir)
    path = checked_input(request.get("demonstrations"), "demonstrations", workdir)
    output, state = request.get("output"), request.get("state")
    if not isinstance(output, str):
        raise invalid("train: no output directory")
    output = os.path.realpath(os.path.join(workdir, output))
    if os.path.commonpath([output, workdir]) != workdir or output == workdir:
        raise invalid(f"output: {output} is not below the working directory")
    if os.path.exists(output):
        raise invalid(f"output: {output} exists already")
    if state is not None and not isinstance(state, str):
        raise invalid("state: not a path")

    threads = model_io.set_threads()
    progress(0, recipe.steps, {}, "loading")
    chat = model_io.load_chat(directory)
    rows = records.read(path)
    if recipe.method == "sft":
        rows = [row for row in rows if row.completion is not None]
        if not rows:
            raise invalid("demonstrations: SFT needs records with a completion")
    records.check_lengths(rows, chat, recipe)

    world = int(os.environ.get("WORLD_SIZE", "1"))
    identity = {
        "model": request["model"].get("digest") or request["model"]["dir"],
        "demonstrations": request["demonstrations"].get("sha256") or path,
        "recipe": request["recipe"],
        "processes": world,
    }
    saved = State(None if state is None else os.path.join(workdir, state), identity)
    resume = saved.latest()
    if saved.directory is not None and os.environ.get("RANK", "0") == "0":
        os.makedirs(saved.directory, exist_ok=True)
        if resume is None:
            saved.clear()

    if recipe.method == "sdft":
        from .train_sdft import make_trainer
    else:
        from .train_sft import make_trainer

    transformers.set_seed(recipe.seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    with tempfile.TemporaryDirectory(prefix="pawl-trl-") as scratch:
        settings = arguments(recipe, scratch, saved.directory is not None)
        trainer = make_trainer(recipe, settings, directory, chat, rows)
        trainer.prepare_steps(recipe, records.Order(rows, recipe), saved, progress)
        for callback in (PrinterCallback, ProgressCallback):
            trainer.remove_callback(callback)
        trainer.train(resume_from_checkpoint=resume)
        if not trainer.is_world_process_zero():
            trainer.accelerator.wait_for_everyone()
            return {}
        progress(recipe.steps, recipe.steps, trainer.totals, "writing")
        trained = trainer.accelerator.unwrap_model(trainer.model)
        if recipe.update == "low_rank":
            low_rank.write_adapter(trained, output)
        else:
            model_io.write_model(trained, directory, output)
        trainer.accelerator.wait_for_everyone()
        totals = trainer.totals
    import trl

    return {
        "output": output,
        "files": described(output),
        "environment": model_io.environment(
            {"trl": trl.__version__, "threads": threads, "processes": world, "precision": recipe.precision}
        ),
        "metrics": {**totals, "steps": recipe.steps, "resumed": 0 if resume is None else 1},
    }
