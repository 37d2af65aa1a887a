"""The teacher: the incumbent's weights (frozen, or a moving average kept in float32) behind the records' contexts."""

import torch
from transformers import PreTrainedModel

from .low_rank import moved
from .scoring import Layers, can_share, completion_logits, prefix_layers


class Teacher:
    """Scores completions. What its contexts begin with is run through the model once a run, not once a row."""

    def __init__(self, model: PreTrainedModel, prefixes: list[list[int]], master: dict[str, torch.Tensor] | None):
        self.model = model.eval().requires_grad_(False)
        self.master = master
        self.prefixes = sorted(filter(None, prefixes), key=len, reverse=True) if can_share(model) else []
        self._layers: list[Layers] | None = None

    @torch.no_grad()
    def update(self, student: PreTrainedModel, rate: float) -> None:
        """One step of the moving average."""
        weights = dict(moved(student))
        torch._foreach_lerp_(list(self.master.values()), [weights[name] for name in self.master], rate)
        self._use_master()

    def load_master(self, values: dict[str, torch.Tensor]) -> None:
        for name, value in self.master.items():
            value.copy_(values[name])
        self._use_master()

    @torch.no_grad()
    def _use_master(self) -> None:
        parameters = dict(self.model.named_parameters())
        for name, value in self.master.items():
            parameters[name].copy_(value)
        self._layers = None

    @torch.no_grad()
    def logits(self, contexts: list[list[int]], completions: list[list[int]], skip: int) -> torch.Tensor:
        if self._layers is None:
            self._layers = [prefix_layers(self.model, prefix) for prefix in self.prefixes]
        shared = list(zip(self.prefixes, self._layers, strict=True))
        return completion_logits(self.model, contexts, completions, skip, shared)
