"""The peers of the native engine: does one work of the benchmark again and again, each time when told to.

    peer.py JOB WORK PRECISION      PRECISION: fp32 or bf16

The same job, works and lines as the Swift program's (Sources/engine-work/Main.swift). What users of PyTorch run:
transformers' `generate` and forward pass, a plain training loop, and TRL's own SDFTTrainer with the settings of the
`trl` engine. bf16 means weights in bf16 where nothing is trained, and autocast where something is.
"""

import contextlib
import json
import os
import pathlib
import sys
import time
from collections.abc import Callable
from typing import Any

for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "TRL_EXPERIMENTAL_SILENCE"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch  # noqa: E402
import transformers  # noqa: E402

# Libraries print too: the lines get a channel of their own.
LINES = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)


def write(line: dict[str, Any]) -> None:
    LINES.write(json.dumps(line) + "\n")


def peak_bytes() -> int:
    """The largest resident set that the process had (VmHWM)."""
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def go() -> bool:
    return bool(sys.stdin.readline())


def done(seconds: float, facts: dict[str, Any]) -> None:
    write({**facts, "seconds": seconds, "peak_bytes": peak_bytes()})


def repeating(facts: dict[str, Any], work: Callable[[], dict[str, Any]]) -> None:
    """Does a work once to warm up, and then whenever the driver asks."""
    work()
    write(facts)
    while go():
        begin = time.perf_counter()
        line = work()
        done(time.perf_counter() - begin, line)


class Model:
    """A model as transformers loads it."""

    def __init__(self, job: dict[str, Any], folder: pathlib.Path, dtype: torch.dtype):
        self.directory = str(folder / job["model"])
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(self.directory)
        self.model = transformers.AutoModelForCausalLM.from_pretrained(self.directory, dtype=dtype)

    def tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def prompt(self, messages: list[dict[str, str]]) -> list[int]:
        return self.tokenizer.apply_chat_template(messages, add_generation_prompt=True)["input_ids"]


def weights(precision: str) -> torch.dtype:
    return torch.bfloat16 if precision == "bf16" else torch.float32


def decode(job: dict[str, Any], folder: pathlib.Path, precision: str) -> None:
    """`generate`, greedy, with its cache; no token ends an answer."""
    model = Model(job, folder, weights(precision))
    prompts = torch.tensor([model.tokens(text) for text in job["texts"]])
    settings = transformers.GenerationConfig(
        max_new_tokens=job["new_tokens"], do_sample=False, use_cache=True, eos_token_id=None, pad_token_id=0
    )

    def work() -> dict[str, Any]:
        with torch.inference_mode():
            rows = model.model.generate(prompts, attention_mask=torch.ones_like(prompts), generation_config=settings)
        answers = rows[:, prompts.shape[1] :].tolist()
        return {"tokens": sum(map(len, answers)), "answers": answers}

    repeating({"prompt_tokens": prompts.numel()}, work)


SCORED_TOGETHER = 8  # texts a forward pass: 400 MB of logits in fp32


def score(job: dict[str, Any], folder: pathlib.Path, precision: str) -> None:
    """A forward pass with logits, and the log-likelihood of each token but the first."""
    model = Model(job, folder, weights(precision))
    texts = torch.tensor([model.tokens(text) for text in job["texts"]])

    def work() -> dict[str, Any]:
        total = 0.0
        with torch.inference_mode():
            for rows in texts.split(SCORED_TOGETHER):
                logits = model.model(rows, use_cache=False).logits[:, :-1]
                losses = torch.nn.functional.cross_entropy(
                    logits.reshape(-1, logits.shape[-1]), rows[:, 1:].reshape(-1), reduction="none"
                )
                total -= losses.double().sum().item()
        return {"tokens": texts.numel(), "log_likelihood": total}

    repeating({"prompt_tokens": texts.numel()}, work)


def lines(path: pathlib.Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def train(job: dict[str, Any], folder: pathlib.Path, precision: str) -> None:
    recipe = json.loads((folder / job["recipe"]).read_text(encoding="utf-8"))
    records = lines(folder / job["records"])
    model = Model(job, folder, torch.float32)
    if recipe["method"] == "sft":
        train_sft(model, recipe, records, precision)
    else:
        train_sdft(model, recipe, records, precision)


def train_sft(model: Model, recipe: dict[str, Any], records: list[dict[str, Any]], precision: str) -> None:
    """A plain loop, which does no more than it must: logits where there is loss alone, AdamW in one kernel."""
    end = model.tokenizer.eos_token_id
    prompts = [model.prompt(record["prompt"]) for record in records]
    answers = [[*model.tokens(record["completion"]), end] for record in records]
    tokens = torch.tensor([prompt + answer for prompt, answer in zip(prompts, answers, strict=True)])
    kept = len(answers[0])
    targets = tokens[:, -kept:].reshape(-1)
    optimizer = torch.optim.AdamW(
        model.model.parameters(), lr=recipe["learning_rate"], weight_decay=recipe["weight_decay"], fused=True
    )
    model.model.train()

    def work() -> dict[str, Any]:
        rounded = torch.autocast("cpu", torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()
        with rounded:
            logits = model.model(tokens, use_cache=False, logits_to_keep=kept + 1).logits[:, :-1]
            loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.model.parameters(), recipe["max_gradient_norm"])
        optimizer.step()
        optimizer.zero_grad()
        return {"tokens": targets.numel(), "loss": loss.item(), "grad_norm": norm.item()}

    repeating({"prompt_tokens": sum(map(len, prompts)), "context_tokens": 0}, work)


def train_sdft(model: Model, recipe: dict[str, Any], records: list[dict[str, Any]], precision: str) -> None:
    """TRL's trainer as it is, with the settings that the `trl` engine gives it (pawl_trl/train_sdft.py, training.py).

    Only the teacher's prompt is composed as the record says, message by message, where TRL fills a template.
    """
    from datasets import Dataset
    from trl.experimental.sdft import SDFTConfig, SDFTTrainer
    from trl.experimental.sdft.sdft_trainer import DemonstrationTeacherContextBuilder

    class ConversationContext(DemonstrationTeacherContextBuilder):
        def _compose_teacher_prompt(self, prompt: Any, privileged_context: Any) -> Any:
            return privileged_context

    class Turns(transformers.TrainerCallback):
        """One turn is one step; the first one warms up."""

        def __init__(self) -> None:
            self.begin = self.seconds = 0.0

        def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step == 1:
                write(
                    {
                        "prompt_tokens": sum(len(model.prompt(record["prompt"])) for record in records),
                        "context_tokens": sum(len(model.prompt(record["teacher"])) for record in records),
                    }
                )
            if state.global_step > 0 and not go():
                sys.exit(0)
            self.begin = time.perf_counter()

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.seconds = time.perf_counter() - self.begin

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any], **_: Any) -> None:
            if state.global_step > 1:
                facts = {name: float(logs[name]) for name in ("loss", "grad_norm")}
                done(self.seconds, {"tokens": sum(self.lengths), **facts})

        lengths: list[int] = []

        def on_self_distillation_batch_prepared(self, completion_ids: torch.Tensor, **_: Any) -> None:
            ends = torch.isin(completion_ids, torch.tensor(trainer.eos_token_ids))
            Turns.lengths = [
                int(row.int().argmax()) + 1 if row.any() else completion_ids.shape[1] for row in ends
            ]

    config = SDFTConfig(
        output_dir=os.path.join(sys.argv[1], "trl"),
        max_steps=recipe["steps"],
        per_device_train_batch_size=recipe["prompts_per_step"],
        gradient_accumulation_steps=1,
        learning_rate=recipe["learning_rate"],
        lr_scheduler_type="constant",
        weight_decay=recipe["weight_decay"],
        max_grad_norm=recipe["max_gradient_norm"],
        adam_beta1=0.9,
        adam_beta2=0.999,
        adam_epsilon=1e-8,
        optim="adamw_torch_fused",
        bf16=precision == "bf16",
        fp16=False,
        use_cpu=True,
        activation_checkpointing=False,
        seed=recipe["seed"],
        logging_strategy="steps",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        max_prompt_length=None,
        max_completion_length=recipe["max_completion_tokens"],
        num_generations=1,
        temperature=recipe["temperature"],
        top_p=1.0,
        top_k=0,
        distillation_mode="full_logits",
        distillation_alpha=0.0,
        distillation_is_clip=None,
        num_loss_tokens_to_skip=recipe["skip_tokens"],
        teacher_model_kind="base",
        shuffle_dataset=False,
        remove_unused_columns=False,
    )
    trainer = SDFTTrainer(
        model=model.model,
        args=config,
        train_dataset=Dataset.from_list(
            [{"prompt": record["prompt"], "privileged_context": record["teacher"]} for record in records]
        ),
        processing_class=model.tokenizer,
        callbacks=[Turns()],
    )
    trainer.teacher_context_builder = ConversationContext(trainer)
    trainer.train()


def limits(job: dict[str, Any], folder: pathlib.Path, precision: str) -> None:
    """GFLOP/s of a large matrix product, and GB/s of reading memory, with torch's own libraries."""

    def fastest(work: Callable[[], Any]) -> float:
        work()
        times = []
        for _ in range(5):
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
        return min(times)

    def rate(dtype: torch.dtype) -> float:
        a, b = torch.ones(2048, 2048, dtype=dtype), torch.ones(2048, 2048, dtype=dtype)
        return 2e-9 * 2048**3 / fastest(lambda: a @ b)

    write({"torch": torch.__version__, "transformers": transformers.__version__})
    while go():
        begin = time.perf_counter()
        numbers = torch.ones(1 << 27)
        line = {
            "product_f32": rate(torch.float32),
            "product_bf16": rate(torch.bfloat16),
            "read": 4e-9 * numbers.numel() / fastest(numbers.sum),
        }
        del numbers
        done(time.perf_counter() - begin, line)


KINDS = {"decode": decode, "score": score, "train": train, "limits": limits}


def main() -> None:
    folder, work, precision = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    torch.set_num_threads(job["threads"])
    torch.manual_seed(1)
    chosen = job["works"][work]
    KINDS[chosen["kind"]](chosen, folder, precision)


if __name__ == "__main__":
    main()
