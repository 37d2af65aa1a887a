"""What the two general suites share: four-choice items, scored by the likelihood of each choice."""

from __future__ import annotations

from collections.abc import Iterable

from common import Record, Stream

CHOICES = 4


def item(stream: Stream, prompt: str, answer: str, wrong: Iterable[str]) -> Record | None:
    """One item with shuffled choices, or nothing when there are too few distractors.

    The prompt is text to continue and each choice starts with the space before its first word:
    that is how the model's tokens fall.
    """
    others = stream.sample(sorted(set(wrong) - {answer}), CHOICES - 1)
    if len(others) < CHOICES - 1:
        return None
    choices = stream.shuffled([answer, *others])
    return {
        "prompt": prompt,
        "choices": [" " + choice for choice in choices],
        "answer": choices.index(answer),
    }


def numbered(kind: str, made: Iterable[Record | None], count: int) -> list[Record]:
    """The first `count` items of one kind, with ids."""
    kept = [record for record in made if record is not None][:count]
    return [{"id": f"{kind}-{i:03}", **record} for i, record in enumerate(kept, 1)]


def suite(name: str, family: str, description: str, licence: str, source: str, margin: float = 0.05) -> Record:
    """suite.json: raw continuation, for chat turns would score the same at several times the cost on a CPU."""
    return {
        "name": name,
        "version": "1.0.0",
        "description": description,
        "family": family,
        "metric": "accuracy",
        "margin": margin,
        "items": "items.jsonl",
        "decoding": {"template": "raw"},
        "grader": {"kind": "multiple_choice", "normalisation": "none"},
        "licence": licence,
        "source": source,
    }
