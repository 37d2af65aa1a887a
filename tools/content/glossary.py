"""The documents of the general suite `glossary`: the right answers of the suite `definitions` as short texts.

lm-eval makes its items of them (`registry/engines/lm-eval/run freeze registry/suites/glossary`), after which the suite's version
must rise.
"""

from __future__ import annotations

from common import ROOT, jsonl, read_jsonl

FOLDER = ROOT / "registry/suites/glossary"
SOURCE = ROOT / "registry/suites/definitions/items.jsonl"
BEFORE, AFTER = "Definition: ", ". Word:"


def text(word: str, definition: str) -> str:
    """A word with its definition."""
    return f"{word[0].upper()}{word[1:]}: {definition}."


def files() -> dict[str, str]:
    """The generated files of the suite's folder."""
    texts = [
        text(record["choices"][record["answer"]].strip(), record["prompt"].removeprefix(BEFORE).removesuffix(AFTER))
        for record in read_jsonl(SOURCE)
    ]
    return {"documents.jsonl": jsonl({"text": one} for one in texts)}
