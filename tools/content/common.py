"""What the content generators share: a portable random stream, text normalisation, file writing.

Everything here is deterministic across Python versions and machines: the committed content is
checked byte for byte against a fresh run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from pathlib import Path
from typing import Any, TypeVar

Record = dict[str, Any]
T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
NGRAM = 8
"""Words in a row that count as an overlap between two pieces of text."""
REGISTER_NGRAM = 13
"""The same for `pawl register` (Contamination.sharedWords)."""


class Stream:
    """A random stream from SHA-256 in counter mode; `random` does not promise stable draws."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.count = 0

    def below(self, limit: int) -> int:
        """A whole number in 0..<limit (limits are tiny, so the modulo bias is below 2^-40)."""
        self.count += 1
        digest = hashlib.sha256(f"{self.seed}:{self.count}".encode()).digest()
        return int.from_bytes(digest[:8], "big") % limit

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[self.below(len(values))]

    def shuffled(self, values: Iterable[T]) -> list[T]:
        """Fisher-Yates on a copy."""
        result = list(values)
        for i in range(len(result) - 1, 0, -1):
            j = self.below(i + 1)
            result[i], result[j] = result[j], result[i]
        return result

    def sample(self, values: Iterable[T], count: int) -> list[T]:
        """`count` different positions."""
        return self.shuffled(values)[:count]


def words(text: str) -> list[str]:
    """Lower-case runs of letters and digits: what overlap is judged on."""
    return re.findall(r"[^\W_]+", text.lower())


def ngrams(text: str, size: int = NGRAM) -> set[tuple[str, ...]]:
    """All runs of `size` words."""
    found = words(text)
    return {tuple(found[i : i + size]) for i in range(len(found) - size + 1)}


def text_of(record: Record) -> str:
    """Every text of a demonstration, an item or a prompt, in reading order."""
    parts = [message["content"] for message in record.get("messages", [])]
    parts += [record[key] for key in ("prompt", "completion", "target") if key in record]
    return " ".join(parts + record.get("targets", []))


def asked(record: Record) -> str:
    """The question alone, normalised."""
    last = record["prompt"] if "prompt" in record else record["messages"][-1]["content"]
    return " ".join(words(last))


def shared_form(records: Iterable[Record], size: int = NGRAM) -> set[tuple[str, ...]]:
    """Runs of words that two records or more have: a suite's form (a phrasing, a long answer), not one item's content."""
    counts = Counter(run for record in records for run in ngrams(text_of(record), size))
    return {run for run, count in counts.items() if count > 1}


class Overlap:
    """Finds text that shares its question, or a long run of words, with what was added before.

    Runs of `form` do not count (`shared_form` of the suite), as in `pawl register`'s own check.
    """

    def __init__(self, records: Iterable[Record] = (), form: Set[tuple[str, ...]] = frozenset(), size: int = NGRAM) -> None:
        self.form = form
        self.size = size
        self.questions: set[str] = set()
        self.runs: set[tuple[str, ...]] = set()
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """Remember one record."""
        self.questions.add(asked(record))
        self.runs |= ngrams(text_of(record), self.size)

    def touches(self, record: Record) -> bool:
        """True when the record repeats something."""
        return asked(record) in self.questions or not self.runs.isdisjoint(ngrams(text_of(record), self.size) - self.form)


def clear_of(records: Iterable[Record], others: list[Record], form_of: list[Record]) -> list[Record]:
    """The records that share nothing with the others but the form of a suite, by our runs and by those of `pawl register`.

    Both lengths are asked: a long run can be one item's own where each of its parts is the form of several.
    """
    overlaps = [Overlap(others, shared_form(form_of, size), size) for size in (NGRAM, REGISTER_NGRAM)]
    return [record for record in records if not any(overlap.touches(record) for overlap in overlaps)]


def compact(value: Any) -> str:
    """JSON on one line, without spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def jsonl(records: Iterable[Record]) -> str:
    """One object a line."""
    return "".join(compact(record) + "\n" for record in records)


def pretty(value: Any) -> str:
    """A manifest, for people to read."""
    return json.dumps(value, ensure_ascii=False, indent=2) + "\n"


def read_jsonl(path: Path) -> list[Record]:
    """The records of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_files(folder: Path, files: dict[str, str]) -> None:
    """Write a content folder; the README beside it is written by hand."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
