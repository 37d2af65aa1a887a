"""All shipped content in one go: the skills, the general suites, the rehearsal set.

With --check nothing is written: every committed file must equal a fresh run byte for byte, and what
is measured must be disjoint from what is trained on.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from types import ModuleType

import arithmetic
import chat_facts
import common_facts
import definitions
import disasters
import elements
import glossary
import medical
import rehearsal
import roman_numerals
import science
import tool_use
import word_relations
import world_facts
from common import ROOT, Record, clear_of, read_jsonl, text_of, write_files

MODULES: list[ModuleType] = [
    tool_use, roman_numerals, science, medical, disasters,
    world_facts, word_relations, chat_facts, common_facts, definitions, elements, arithmetic, glossary,
    rehearsal,
]  # fmt: skip
"""The rehearsal set comes last: it stays clear of all the others as they lie in the registry."""

LIMIT = 1 << 20


def stale(module: ModuleType) -> list[str]:
    """Files of one folder that differ from a fresh run, or are missing or too large."""
    found = []
    for name, text in module.files().items():
        path: Path = module.FOLDER / name
        shown = path.relative_to(ROOT)
        if not path.exists() or path.read_bytes() != text.encode():
            found.append(f"{shown}: differs from a fresh run")
        if len(text.encode()) >= LIMIT:
            found.append(f"{shown}: 1 MiB or more")
    return found


def repeated(records: list[Record], where: str) -> list[str]:
    """Ids and contents that come twice in one file."""
    contents = [text_of(record) + repr(record.get("choices")) for record in records]
    ids = [record["id"] for record in records]
    return [f"{where}: {what} not unique" for what, all_ in (("ids", ids), ("contents", contents)) if len(set(all_)) < len(all_)]


def overlapping(trained: list[Record], measured: list[Record], where: str) -> list[str]:
    """Measured records that a trained one shares its question or eight words in a row with."""
    clear = {id(record) for record in clear_of(measured, trained, form_of=measured)}
    return [f"{where}: {record['id']} overlaps training data" for record in measured if id(record) not in clear]


def problems() -> list[str]:
    """Everything that is wrong with the committed content."""
    found = [line for module in MODULES for line in stale(module)]
    registry = ROOT / "registry"
    trained_on = [*sorted(registry.glob("skills/*/demonstrations.jsonl")), *sorted(registry.glob("rehearsal/*/prompts.jsonl"))]
    measured_on = [*sorted(registry.glob("skills/*/items.jsonl")), *sorted(registry.glob("suites/*/items.jsonl"))]
    trained = [record for path in trained_on for record in read_jsonl(path)]
    for path in [*trained_on, *measured_on]:
        found += repeated(read_jsonl(path), str(path.relative_to(ROOT)))
    for path in measured_on:
        found += overlapping(trained, read_jsonl(path), str(path.relative_to(ROOT)))
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="generate", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail when anything differs or overlaps")
    if not parser.parse_args().check:
        for module in MODULES:
            write_files(module.FOLDER, module.files())
    found = problems()
    print("\n".join(found) if found else "content is up to date and disjoint")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
