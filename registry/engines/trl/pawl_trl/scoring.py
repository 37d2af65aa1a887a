"""Logits of given completions: no padding that can be avoided, and nothing run twice that rows have in common.

Rows are laid out without a gap and padded on the right, so no mask is needed; rows of like length go together; what
rows begin with goes through the model once and is handed to them as keys and values (with their gradient, if any).
"""

import torch
from transformers import DynamicCache, PreTrainedModel

Layers = list[tuple[torch.Tensor, torch.Tensor]]

MINIMUM_PREFIX = 8
GROUP_COST = 96  # what one more call of the model costs, in tokens


def common_prefix(rows: list[list[int]]) -> list[int]:
    """The tokens that all rows begin with, short of any row's last token; empty for fewer than two rows."""
    if len(rows) < 2:
        return []
    first, last = min(rows), max(rows)
    length = 0
    while length < min(len(first), len(last)) and first[length] == last[length]:
        length += 1
    length = min(length, min(map(len, rows)) - 1)
    return first[:length] if length >= MINIMUM_PREFIX else []


def can_share(model: PreTrainedModel) -> bool:
    """Whether keys and values of a prefix stand for it: plain attention over everything before."""
    config = model.config.get_text_config()
    kinds = getattr(config, "layer_types", None) or []
    return getattr(config, "sliding_window", None) is None and all(kind == "full_attention" for kind in kinds)


def prefix_layers(model: PreTrainedModel, prefix: list[int]) -> Layers:
    """Keys and values of a prefix, layer by layer."""
    cache = DynamicCache(config=model.config)
    tokens = torch.tensor([prefix], device=next(model.parameters()).device)
    model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
    return [(layer.keys, layer.values) for layer in cache.layers]


def expanded(model: PreTrainedModel, layers: Layers, rows: int) -> DynamicCache:
    """A cache that holds a prefix for that many rows."""
    cache = DynamicCache(config=model.config)
    for number, (keys, values) in enumerate(layers):
        cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), number)
    return cache


def groups(lengths: list[int]) -> list[list[int]]:
    """Splits rows so that padding plus the cost of a call is smallest."""
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    best: list[tuple[int, int]] = [(0, 0)]  # (cost of the first n rows, where their last group begins)
    for end in range(1, len(order) + 1):
        costs = [
            (best[start][0] + lengths[order[start]] * (end - start) + GROUP_COST, start) for start in range(end)
        ]
        best.append(min(costs))
    result = []
    end = len(order)
    while end:
        start = best[end][1]
        result.append(order[start:end])
        end = start
    return result


def completion_logits(
    model: PreTrainedModel,
    contexts: list[list[int]],
    completions: list[list[int]],
    skip: int,
    prefixes: list[tuple[list[int], Layers]],
    split: bool = True,
) -> torch.Tensor:
    """(N, V): for each row in order, the logits of its completion's tokens after the first `skip`."""
    device = next(model.parameters()).device
    shared: dict[int, list[int]] = {}  # number of a prefix (-1: none) -> rows
    for i, context in enumerate(contexts):
        fits = (n for n, (prefix, _) in enumerate(prefixes) if context[: len(prefix)] == prefix)
        shared.setdefault(next(fits, -1), []).append(i)
    order: list[int] = []
    pieces: list[torch.Tensor] = []
    for number, rows in shared.items():
        skipped = len(prefixes[number][0]) if number >= 0 else 0
        lengths = [len(contexts[i]) - skipped + len(completions[i]) for i in rows]
        for group in groups(lengths) if split else [list(range(len(rows)))]:
            width = max(lengths[j] for j in group)
            tokens = torch.zeros((len(group), width), dtype=torch.long)
            kept = torch.zeros((len(group), width), dtype=torch.bool)
            for line, j in enumerate(group):
                row = contexts[rows[j]][skipped:] + completions[rows[j]]
                tokens[line, : len(row)] = torch.tensor(row)
                # Each token is predicted one position earlier.
                kept[line, len(row) - len(completions[rows[j]]) + skip - 1 : len(row) - 1] = True
                order.append(rows[j])
            cache = expanded(model, prefixes[number][1], len(group)) if number >= 0 else None
            pieces.append(
                model(
                    input_ids=tokens.to(device),
                    past_key_values=cache,
                    use_cache=cache is not None,
                    logits_to_keep=kept.to(device),
                ).logits
            )
    logits = torch.cat(pieces) if len(pieces) > 1 else pieces[0]
    if order == sorted(order):
        return logits
    counts = [max(0, len(completions[i]) - skip) for i in order]
    starts = dict(zip(order, [sum(counts[:n]) for n in range(len(counts))], strict=True))
    sizes = dict(zip(order, counts, strict=True))
    index = [place for i in range(len(contexts)) for place in range(starts[i], starts[i] + sizes[i])]
    return logits[torch.tensor(index, dtype=torch.long, device=logits.device)]
