"""`run freeze FOLDER`: writes the documents of a suite's task as items; `run check FOLDER` compares.

The gate plans, pairs and looks for contamination by the list of items, before any model has run.
"""

import contextlib
import json
import os
import sys
import tempfile
from typing import Any

from .protocol import EngineError, invalid, take_stdout
from .tasks import LoadedTask, Settings, installed_versions


def main(arguments: list[str]) -> int:
    if len(arguments) != 2:
        print("usage: run freeze|check FOLDER    (FOLDER holds suite.json)", file=sys.stderr)
        return 64
    command, folder = arguments
    # Libraries print; the outcome goes to the real standard output.
    output = take_stdout()
    try:
        installed_versions()
        manifest, items = frozen(folder)
        done = write(folder, manifest, items) if command == "freeze" else compare(folder, manifest, items)
    except EngineError as error:
        print(f"lm-eval: {error.message}", file=sys.stderr)
        return 1
    output.write(f"{done}\n".encode())
    return 0


def frozen(folder: str) -> tuple[dict[str, Any], str]:
    """suite.json with what pins the documents, and the bytes of the items."""
    path = os.path.join(folder, "suite.json")
    try:
        with open(path, encoding="utf-8") as file:
            manifest = json.load(file)
    except (OSError, ValueError) as error:
        raise invalid(f"{path}: {error}") from None
    grader = manifest.get("grader") or {}
    if grader.get("kind") != "engine" or grader.get("engine") != "lm-eval":
        raise invalid(f'{path}: its grader is not {{"kind": "engine", "engine": "lm-eval", "task": {{…}}}}')
    settings = Settings.read(grader.get("task"))
    with tempfile.TemporaryDirectory(prefix="pawl-lm-eval-") as cache:
        task = LoadedTask(settings, os.path.abspath(folder), cache)
        lines = items(task)
        grader["task"] = {**grader["task"], "frozen": task.frozen}
    return manifest, "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def items(task: LoadedTask) -> list[dict[str, Any]]:
    """An item for each document; of equal documents the first."""
    lines: dict[str, dict[str, Any]] = {}
    for (index, document), name in zip(task.documents, task.hashes, strict=True):
        if name not in lines:
            prompt, targets = texts(task.task, document)
            line = {"id": f"document-{index}", "prompt": prompt}
            lines[name] = {**line, **({"targets": targets} if targets else {}), "document": name}
    return list(lines.values())


def texts(task: Any, document: Any) -> tuple[str, list[str]]:
    """What is asked, without examples, and what counts as right: for people and for the check of demonstrations."""
    target = task.doc_to_target(document)
    choices = task.doc_to_choice(document) if task.config.doc_to_choice is not None else None
    if choices is not None:
        indices = target if isinstance(target, list) else [target]
        targets = [choices[value] if isinstance(value, int) else str(value) for value in indices]
    else:
        targets = [str(value) for value in target] if isinstance(target, list) else [str(target)]
    prompt = task.doc_to_text(document)
    if isinstance(prompt, int):
        # Tasks that choose between contexts (winogrande): the contexts are the question.
        prompt, targets = "\n".join(choices or []), targets
    prompt = str(prompt).strip()
    targets = [text for text in targets if text.strip()]
    # A task of perplexity has a text and no question.
    return (prompt, targets) if prompt else (targets[0], [])


def write(folder: str, manifest: dict[str, Any], items: str) -> str:
    for name, text in (
        (manifest.get("items", "items.jsonl"), items),
        ("suite.json", json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"),
    ):
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".freeze-")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, os.path.join(folder, name))
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
    return f"{folder}: {items.count(chr(10))} documents frozen"


def compare(folder: str, manifest: dict[str, Any], items: str) -> str:
    with open(os.path.join(folder, "suite.json"), encoding="utf-8") as file:
        same = json.load(file) == manifest
    with open(os.path.join(folder, manifest.get("items", "items.jsonl")), encoding="utf-8") as file:
        same = file.read() == items and same
    if not same:
        raise invalid(f"{folder}: the task's documents are not those of the suite; run freeze and raise its version")
    return f"{folder}: {items.count(chr(10))} documents as frozen"
