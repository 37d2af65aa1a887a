"""Self-distillation: TRL's SDFTTrainer with the context, the teacher and the loss that the protocol asks for.

What differs from TRL as shipped, and why:
- the teacher's prompt is a whole conversation that the host composed, not a template around the prompt;
- the teacher is the model of the request, kept as it was (or an average of the student in float32), and what all
  contexts begin with goes through it once;
- nothing is truncated;
- rollouts are drawn from (seed, step), with weights in the type of the matrix products;
- logits exist for the tokens that carry loss only; top-K is over the teacher's support.
"""

import copy
import os
import random
import re
from typing import Any

import torch
from datasets import Dataset
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel, TrainerCallback
from trl.experimental.sdft import SDFTConfig, SDFTTrainer
from trl.experimental.sdft.sdft_trainer import DemonstrationTeacherContextBuilder, DistillationLogits

from . import low_rank, model_io
from .chat import Chat
from .decoding import Sampler, decode
from .divergence import ALPHA, weighted_divergence
from .recipe import Recipe
from .records import Record, as_row
from .scoring import can_share, common_prefix, completion_logits, prefix_layers
from .state import EMA
from .teacher import Teacher
from .training import StepTrainer, no_dropout

LEAK = re.compile(
    r"(based on|following|according to|as shown in|as in|similar to) the (given |provided |above )?"
    r"(text|examples?|demonstrations?|response)|this is an example for a response|now answer with a response of your own",
    re.IGNORECASE,
)


def ragged(tokens: torch.Tensor, mask: torch.Tensor) -> list[list[int]]:
    """Padded rows without their padding."""
    return [row[kept].tolist() for row, kept in zip(tokens.cpu(), mask.cpu().bool(), strict=True)]


class ConversationContext(DemonstrationTeacherContextBuilder):
    """The record says what the teacher sees, message by message."""

    def _compose_teacher_prompt(self, prompt: Any, privileged_context: Any) -> Any:
        return privileged_context


class PawlSDFTTrainer(StepTrainer, SDFTTrainer):
    def __init__(
        self,
        recipe: Recipe,
        chat: Chat,
        teacher: Teacher,
        rollout: PreTrainedModel | None,
        prefix: list[int],
        **arguments: Any,
    ):
        self.recipe = recipe
        self.chat = chat
        self.teacher = teacher
        self.rollout_model = rollout
        self.prefix = prefix
        self.given: list[list[int] | None] = []
        super().__init__(**arguments)
        self.teacher_context_builder = ConversationContext(self)
        self.sampler_repeats = self.args.gradient_accumulation_steps
        self.eos_token_ids = chat.end_tokens

    def _setup_teacher_model(self) -> None:
        self.teacher_model = self.teacher.model

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["id", "prompt", "privileged_context", "skill", "demonstration"]

    # Rollouts

    def sample_rollouts(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        self.given = [self.demonstrated(row) for row in inputs]
        batch = super().sample_rollouts(inputs)
        sampled = torch.tensor([answer is None for answer in self.given])
        skill = torch.tensor([row["skill"] for row in inputs])
        lengths = batch["raw_completion_lengths"]
        completions = self._get_completion_ids_list(batch)
        ended = torch.tensor([ids[-1] in self.chat.end_tokens for ids in completions])
        metrics = self._metrics["train"]
        metrics["completion_tokens"].append(lengths.float().mean().item())
        metrics["truncated"].append(1.0 - ended.float().mean().item())
        own = (skill & sampled).tolist()
        texts = [self.chat.text(ids) for ids, wanted in zip(completions, own, strict=True) if wanted]
        metrics["leaked"].append(sum(bool(LEAK.search(text)) for text in texts) / max(1, len(texts)))
        batch["is_skill"] = skill.to(lengths.device)
        return batch

    def demonstrated(self, row: dict[str, Any]) -> list[int] | None:
        """The answer that a record brings along at this step; None where the student gives its own."""
        if not row["skill"] or not row["demonstration"] or self.recipe.samples(self.state.global_step, row["id"]):
            return None
        return row["demonstration"]

    def _generate_transformers(self, prompt_ids: list[list[int]]) -> tuple[list[list[int]], list[list[int]]]:
        asked = [ids for ids, answer in zip(prompt_ids, self.given, strict=True) if answer is None]
        own = iter(self.sampled(asked) if asked else [])
        return prompt_ids, [next(own) if answer is None else answer for answer in self.given]

    def sampled(self, prompt_ids: list[list[int]]) -> list[list[int]]:
        """The student's answers, drawn from (seed, step)."""
        student = self.accelerator.unwrap_model(self.model)
        model = student
        if self.rollout_model is not None:
            model = self.rollout_model
            with torch.no_grad():
                copies = dict(model.named_parameters())
                for moved, master in low_rank.moved(student):
                    copies[moved].copy_(master)
        name = f"{self.recipe.seed}/rollout/{self.state.global_step}/{self.accelerator.process_index}"
        sampler = Sampler(random.Random(name).getrandbits(62), len(prompt_ids), self.recipe.temperature)
        ends = set(self.chat.end_tokens)
        was_training = model.training
        model.eval()
        answers = decode(
            model,
            prompt_ids,
            self.recipe.max_completion_tokens,
            self.chat.pad_token,
            sampler,
            lambda row, answer: answer[-1] in ends,
            prefix=self.prefix,
        )
        model.train(was_training)
        self._metrics["train"]["entropy"].append(-sampler.log_likelihood / max(1, sampler.tokens))
        return answers

    def _record_completion_metrics(self, mode: str, batch: dict[str, Any]) -> None:
        pass

    # Loss

    def _compute_teacher_student_logits(
        self, model: Any, teacher_model: Any, inputs: dict[str, Any]
    ) -> DistillationLogits:
        skip = self.recipe.skip_tokens
        completion, mask = inputs["completion_ids"], inputs["completion_mask"]
        completions = ragged(completion, mask)
        width = inputs["teacher_input_ids"].shape[1] - completion.shape[1]
        contexts = ragged(inputs["teacher_input_ids"][:, :width], inputs["teacher_attention_mask"][:, :width])
        prompts = ragged(inputs["prompt_ids"], inputs["prompt_mask"])
        # Several ranks (one call a step, for their gradients' sake) and recomputation rule sharing out.
        alone = self.accelerator.num_processes == 1 and not self.args.activation_checkpointing
        shared = [(self.prefix, prefix_layers(model, self.prefix))] if alone and self.prefix else []
        student = completion_logits(model, prompts, completions, skip, shared, split=alone)
        with torch.autocast(student.device.type, enabled=False):
            teacher = self.teacher.logits(contexts, completions, skip)
        place = torch.arange(completion.shape[1], device=completion.device)
        return DistillationLogits(completion, mask * (place >= skip).long(), student, teacher)

    def _compute_self_distillation_loss(
        self, model: Any, inputs: dict[str, Any], distillation_logits: DistillationLogits
    ) -> torch.Tensor:
        mask = distillation_logits.loss_mask
        counts = mask.sum(1)
        row = torch.arange(len(mask), device=mask.device).repeat_interleave(counts)
        weights = (1.0 / (counts.clamp(min=1) * len(mask)).float())[row]
        loss, values = weighted_divergence(
            distillation_logits.student_logits,
            distillation_logits.teacher_logits,
            weights,
            ALPHA[self.recipe.divergence],
            self.recipe.temperature,
            self.recipe.top_k,
        )
        rows = torch.zeros(len(mask), device=mask.device).index_add_(0, row, values) / counts.clamp(min=1)
        skill = inputs["is_skill"]
        for name, chosen in (("loss_skill", rows[skill]), ("loss_rehearsal", rows[~skill])):
            if len(chosen):
                self._metrics["train"][name].append(chosen.mean().item())
        return loss

    # State and report

    def save_extra(self, path: str) -> None:
        if self.teacher.master is not None:
            save_file(self.teacher.master, os.path.join(path, EMA))

    def load_extra(self, path: str) -> None:
        if self.teacher.master is not None:
            self.teacher.load_master(load_file(os.path.join(path, EMA)))

    def report_metrics(self, values: dict[str, float]) -> dict[str, float]:
        names = ("loss_skill", "loss_rehearsal", "completion_tokens", "truncated", "leaked", "entropy")
        return {name: values[name] for name in names if name in values}


class UpdateTeacher(TrainerCallback):
    """Moves the average after every optimizer step, before the state is saved."""

    def __init__(self, teacher: Teacher, rate: float, accelerator: Any):
        self.teacher, self.rate, self.accelerator = teacher, rate, accelerator

    def on_step_end(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        self.teacher.update(self.accelerator.unwrap_model(model), self.rate)


def make_trainer(
    recipe: Recipe, settings: dict[str, Any], directory: str, chat: Chat, rows: list[Record]
) -> PawlSDFTTrainer:
    student = model_io.load_model(directory, torch.float32)
    no_dropout(student)
    compute = torch.bfloat16 if recipe.precision == "bfloat16" else torch.float32
    other = student if compute == torch.float32 else model_io.load_model(directory, compute)
    ema = recipe.teacher_weights == "ema"
    prompts = [chat.prompt_tokens(row.prompt, row.id) for row in rows]
    prefix = common_prefix(prompts) if can_share(student) else []
    contexts = common_prefix([chat.prompt_tokens(row.teacher, row.id) for row in rows if row.role == "skill"])
    incumbent = copy.deepcopy(other)
    if recipe.update == "low_rank":
        low_rank.inject(student, recipe)
    master = {name: value.clone() for name, value in low_rank.moved(student)} if ema else None
    teacher = Teacher(incumbent, [contexts, prefix], master)
    config = SDFTConfig(
        **settings,
        max_prompt_length=None,
        max_completion_length=recipe.max_completion_tokens,
        num_generations=1,
        temperature=recipe.temperature,
        top_p=1.0,
        top_k=0,
        distillation_mode="full_logits",
        distillation_alpha=ALPHA[recipe.divergence],
        distillation_is_clip=None,
        num_loss_tokens_to_skip=recipe.skip_tokens,
        teacher_model_kind="base",
        shuffle_dataset=False,
        remove_unused_columns=False,
    )
    trainer = PawlSDFTTrainer(
        recipe,
        chat,
        teacher,
        None if other is student else other.requires_grad_(False),
        prefix,
        model=student,
        args=config,
        train_dataset=Dataset.from_list([as_row(row, chat) for row in rows]),
        processing_class=chat.tokenizer,
    )
    if ema:
        trainer.add_callback(UpdateTeacher(teacher, recipe.ema_rate, trainer.accelerator))
    return trainer
