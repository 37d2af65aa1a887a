"""Token by token: the one generation loop, for rollouts and for evaluation.

`generate` of transformers is not used: this loop draws from (seed, step, row) alone, drops finished rows as it goes,
and lets the caller decide when an answer is over.
"""

from collections.abc import Callable

import torch
from transformers import DynamicCache, PreTrainedModel

from .scoring import expanded, prefix_layers

# Chooses the next token of the given rows: (logits (rows, V), rows) -> tokens (rows,)
Choose = Callable[[torch.Tensor, list[int]], torch.Tensor]
# Says whether a row's answer is over: (row, its tokens so far) -> bool
Finished = Callable[[int, list[int]], bool]


def left_padded(rows: list[list[int]], pad_token: int, width: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    """(B, T) tokens and mask, padding on the left."""
    width = max(width or 0, max(len(row) for row in rows))
    tokens = torch.full((len(rows), width), pad_token, dtype=torch.long)
    mask = torch.zeros((len(rows), width), dtype=torch.long)
    for i, row in enumerate(rows):
        tokens[i, width - len(row) :] = torch.tensor(row, dtype=torch.long)
        mask[i, width - len(row) :] = 1
    return tokens, mask


def positions(mask: torch.Tensor) -> torch.Tensor:
    """Positions that count real tokens only, so that padding on the left moves nothing."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


@torch.no_grad()
def decode(
    model: PreTrainedModel,
    prompts: list[list[int]],
    limit: int,
    pad_token: int,
    choose: Choose,
    finished: Finished,
    width: int | None = None,
    prefix: list[int] | None = None,
) -> list[list[int]]:
    """Continues every prompt until it is finished or has `limit` tokens; the last token is included.

    With a prefix, all prompts begin with it, and it goes through the model once.
    """
    device = next(model.parameters()).device
    skipped = len(prefix or [])
    tokens, mask = left_padded([prompt[skipped:] for prompt in prompts], pad_token, width)
    tokens, mask = tokens.to(device), mask.to(device)
    place = positions(mask) + skipped
    cache = DynamicCache(config=model.config)
    if prefix:
        cache = expanded(model, prefix_layers(model, prefix), len(prompts))
        mask = torch.cat([mask.new_ones((len(prompts), skipped)), mask], dim=1)
    answers: list[list[int]] = [[] for _ in prompts]
    rows = list(range(len(prompts)))
    while True:
        logits = model(
            input_ids=tokens,
            attention_mask=mask,
            position_ids=place,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        chosen = choose(logits, rows)
        kept = []
        for i, token in enumerate(chosen.tolist()):
            answer = answers[rows[i]]
            answer.append(token)
            if len(answer) < limit and not finished(rows[i], answer):
                kept.append(i)
        if not kept:
            return answers
        place = place[:, -1:] + 1
        mask = torch.cat([mask, mask.new_ones((len(rows), 1))], dim=1)
        tokens = chosen[:, None]
        if len(kept) < len(rows):
            index = torch.tensor(kept, device=device)
            cache.batch_select_indices(index)
            tokens, mask, place = tokens[index], mask[index], place[index]
            rows = [rows[i] for i in kept]


def greedy(logits: torch.Tensor, rows: list[int]) -> torch.Tensor:
    return logits.argmax(-1)


class Sampler:
    """Draws at a temperature from a generator of its own; `count` numbers a token whatever rows are left."""

    def __init__(self, seed: int, count: int, temperature: float):
        self.generator = torch.Generator().manual_seed(seed)
        self.count = count
        self.temperature = temperature
        self.log_likelihood = 0.0
        self.tokens = 0

    def __call__(self, logits: torch.Tensor, rows: list[int]) -> torch.Tensor:
        draws = torch.rand(self.count, generator=self.generator, dtype=torch.float64)[rows]
        likelihoods = torch.log_softmax(logits.float() / self.temperature, dim=-1)
        sums = likelihoods.exp().cumsum(-1)
        targets = draws.to(sums.device, sums.dtype)[:, None] * sums[:, -1:]
        chosen = torch.searchsorted(sums, targets, right=True)[:, 0].clamp(max=logits.shape[-1] - 1)
        self.log_likelihood += likelihoods.gather(-1, chosen[:, None]).sum().item()
        self.tokens += len(rows)
        return chosen
