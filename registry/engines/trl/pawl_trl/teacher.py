"""The teacher: the incumbent's weights (frozen, or a moving average kept in float32) behind the records' contexts."""

import torch
from transformers import DynamicCache, PreTrainedModel

from .decoding import positions

MINIMUM_PREFIX = 32


def common_prefix(rows: list[list[int]]) -> list[int]:
    """The tokens that all rows begin with; empty for fewer than two rows."""
    if len(rows) < 2:
        return []
    first, last = min(rows), max(rows)
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    return first[:length]


class Teacher:
    """Scores completions. What all contexts begin with is run through the model once, not once a row."""

    def __init__(self, model: PreTrainedModel, contexts: list[list[int]], ema_rate: float | None):
        self.model = model.eval().requires_grad_(False)
        self.ema_rate = ema_rate
        self.master: dict[str, torch.Tensor] | None = None
        if ema_rate is not None:
            self.master = {name: value.detach().float().clone() for name, value in model.named_parameters()}
        prefix = common_prefix(contexts)
        # The last token of a context must stay with its row: it is the one that predicts the answer's first.
        prefix = prefix[: min(map(len, contexts)) - 1] if contexts else []
        plain = getattr(model.config, "sliding_window", None) is None and all(
            kind == "full_attention" for kind in getattr(model.config, "layer_types", None) or []
        )
        self.prefix = prefix if plain and len(prefix) >= MINIMUM_PREFIX else []
        self._prefix_layers: list[tuple[torch.Tensor, torch.Tensor]] | None = None

    @torch.no_grad()
    def update(self, student: PreTrainedModel) -> None:
        """One step of the moving average; nothing for a frozen teacher."""
        if self.master is None:
            return
        names = dict(student.named_parameters())
        averages = list(self.master.values())
        torch._foreach_lerp_(averages, [names[name].detach() for name in self.master], self.ema_rate)
        self._use_master()

    @torch.no_grad()
    def _use_master(self) -> None:
        parameters = dict(self.model.named_parameters())
        for name, value in self.master.items():
            parameters[name].copy_(value)
        self._prefix_layers = None

    def load_master(self, values: dict[str, torch.Tensor]) -> None:
        for name, value in self.master.items():
            value.copy_(values[name])
        self._use_master()

    @torch.no_grad()
    def logits(self, tokens: torch.Tensor, mask: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        """(B, T) tokens, mask and the positions whose logits are wanted -> (kept.sum(), V), row by row."""
        length = len(self.prefix)
        starts = mask.argmax(1).tolist()
        shared = []
        for i, start in enumerate(starts):
            if length and tokens[i, start : start + length].tolist() == self.prefix:
                shared.append(i)
        others = [i for i in range(len(starts)) if i not in set(shared)]
        counts = kept.sum(1).tolist()
        pieces: dict[int, torch.Tensor] = {}
        for rows, skipped in ((shared, length), (others, 0)):
            if not rows:
                continue
            first = min(starts[i] for i in rows) + skipped
            part_mask = mask[rows].clone()
            for i, row in enumerate(rows):
                part_mask[i, : starts[row] + skipped] = 0
            result = self._run(tokens[rows, first:], part_mask[:, first:], kept[rows, first:], skipped)
            pieces.update(zip(rows, result.split([counts[i] for i in rows]), strict=True))
        return torch.cat([pieces[i] for i in range(len(starts))])

    def _run(self, tokens: torch.Tensor, mask: torch.Tensor, kept: torch.Tensor, skipped: int) -> torch.Tensor:
        place = positions(mask) + skipped
        cache = None
        if skipped:
            cache = DynamicCache(config=self.model.config)
            for layer, (keys, values) in enumerate(self._layers(tokens.device)):
                shape = (len(tokens), -1, -1, -1)
                cache.update(keys.expand(shape), values.expand(shape), layer)
            mask = torch.cat([mask.new_ones((len(mask), skipped)), mask], dim=1)
        return self.model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=place,
            past_key_values=cache,
            use_cache=cache is not None,
            logits_to_keep=kept,
        ).logits

    def _layers(self, device: torch.device) -> list[tuple[torch.Tensor, torch.Tensor]]:
        if self._prefix_layers is None:
            cache = DynamicCache(config=self.model.config)
            tokens = torch.tensor([self.prefix], device=device)
            self.model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
            self._prefix_layers = [(layer.keys, layer.values) for layer in cache.layers]
        return self._prefix_layers
