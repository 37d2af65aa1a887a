"""The recipe: every setting of a training, complete and checked."""

import random
from dataclasses import dataclass, fields
from typing import Any

from .errors import EngineError, invalid

CHOICES = {
    "method": ("sdft", "sft"),
    "divergence": ("forward_kl", "reverse_kl", "jsd"),
    "teacher_weights": ("frozen", "ema"),
    "schedule": ("cosine", "constant", "linear"),
    "precision": ("bfloat16", "float32"),
    "update": ("full", "low_rank"),
}


@dataclass(frozen=True)
class Recipe:
    method: str = "sdft"
    steps: int = 80
    prompts_per_step: int = 16
    rehearsal_share: float = 0.375
    learning_rate: float = 2e-5
    warmup_steps: int = 8
    schedule: str = "cosine"
    weight_decay: float = 0.0
    max_gradient_norm: float = 1.0
    divergence: str = "forward_kl"
    top_k: int = 0
    temperature: float = 1.0
    on_policy_fraction: float = 1.0
    max_completion_tokens: int = 64
    skip_tokens: int = 3
    teacher_weights: str = "frozen"
    ema_rate: float = 0.01
    micro_batch: int = 16
    precision: str = "bfloat16"
    seed: int = 1
    save_every: int = 10
    max_context_tokens: int = 1024
    update: str = "full"
    rank: int = 16
    alpha: float = 32.0
    modules: tuple[str, ...] = ()

    def samples(self, step: int, record: str) -> bool:
        """Whether the answer to a skill record is the student's own at a step; if not, it is the demonstration's."""
        return random.Random(f"{self.seed}/source/{step}/{record}").random() < self.on_policy_fraction

    @property
    def rehearsal_per_step(self) -> int:
        return round(self.prompts_per_step * self.rehearsal_share)

    def factor(self, step: int) -> float:
        """The learning rate of a step (counted from 0) as a share of the peak."""
        import math

        if step < self.warmup_steps:
            return (step + 1) / self.warmup_steps
        if self.schedule == "constant":
            return 1.0
        done = (step - self.warmup_steps) / max(1, self.steps - self.warmup_steps)
        if self.schedule == "linear":
            return max(0.0, 1.0 - done)
        return 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


POSITIVE = ("steps", "prompts_per_step", "learning_rate", "temperature", "max_completion_tokens", "micro_batch",
            "save_every", "max_context_tokens", "rank", "alpha")  # fmt: skip
SHARES = ("rehearsal_share", "on_policy_fraction", "ema_rate")


def parse(value: Any) -> Recipe:
    """A checked recipe; unknown keys are ignored, missing ones take their default."""
    if not isinstance(value, dict):
        raise invalid("recipe: not an object")
    known: dict[str, Any] = {}
    for field in fields(Recipe):
        if field.name not in value or value[field.name] is None:
            continue
        given = value[field.name]
        numeric = isinstance(given, (int, float)) and not isinstance(given, bool)
        if field.type in (int, "int"):
            if not numeric or given != int(given):
                raise invalid(f"recipe: {field.name} must be a whole number, not {given!r}")
            given = int(given)
        elif field.type in (float, "float"):
            if not numeric or given != given or abs(given) == float("inf"):
                raise invalid(f"recipe: {field.name} must be a number, not {given!r}")
            given = float(given)
        elif field.name == "modules":
            if not isinstance(given, list) or not all(isinstance(name, str) and name for name in given):
                raise invalid(f"recipe: modules must be a list of names, not {given!r}")
            given = tuple(given)
        elif not isinstance(given, str):
            raise invalid(f"recipe: {field.name} must be a string, not {given!r}")
        known[field.name] = given
    recipe = Recipe(**known)
    for name, allowed in CHOICES.items():
        if getattr(recipe, name) not in allowed:
            raise EngineError(
                "unsupported", f"recipe: {name} {getattr(recipe, name)!r} is not one of {', '.join(allowed)}"
            )
    for name in POSITIVE:
        if getattr(recipe, name) <= 0:
            raise invalid(f"recipe: {name} must be above 0, not {getattr(recipe, name)!r}")
    for name in SHARES:
        if not 0 <= getattr(recipe, name) <= 1:
            raise invalid(f"recipe: {name} must lie between 0 and 1, not {getattr(recipe, name)!r}")
    for name in ("warmup_steps", "weight_decay", "max_gradient_norm", "top_k", "skip_tokens", "seed"):
        if getattr(recipe, name) < 0:
            raise invalid(f"recipe: {name} must not be negative, not {getattr(recipe, name)!r}")
    if recipe.max_completion_tokens >= recipe.max_context_tokens:
        raise invalid("recipe: max_completion_tokens leaves no room for a prompt in max_context_tokens")
    return recipe
