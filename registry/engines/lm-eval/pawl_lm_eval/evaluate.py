"""Scores a suite: runs lm-eval's task on a model directory and writes a line for each item."""

import json
import os
import platform
from collections.abc import Callable
from typing import Any

from .protocol import EngineError, checked_bytes, invalid, sha256
from .scoring import Scorer
from .tasks import LoadedTask, Settings, installed_versions

Progress = Callable[[int, int], None]
# Documents that are computed between two messages of progress.
CHUNK = 32
_models: dict[tuple, Any] = {}


def evaluate(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    versions = installed_versions()
    workdir = request["workdir"]
    items = _items(request, workdir)
    settings, folder = _task(request, workdir)
    name = sha256(request["id"].encode())[:8]
    task = LoadedTask(settings, folder, os.path.join(workdir, f"datasets-{name}"))
    task.check_frozen()
    places = _places(items, task)
    lm = _model(request, settings)
    chat = (request.get("settings") or {}).get("template") == "chat"
    lines = Evaluation(task, lm, chat).run(items, places, progress)
    path = os.path.join(workdir, f"items-{name}.jsonl")
    data = "".join(json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n" for line in lines).encode()
    with open(path, "wb") as file:
        file.write(data)
    environment = {**versions, "python": platform.python_version(), "device": settings.device}
    return {
        "items": {"path": path, "sha256": sha256(data), "count": len(lines)},
        "environment": environment,
        "metrics": {"score": sum(line["score"] for line in lines) / len(lines)},
    }


def _items(request: dict[str, Any], workdir: str) -> list[dict[str, Any]]:
    reference = request.get("suite")
    if not isinstance(reference, dict) or not isinstance(reference.get("path"), str):
        raise invalid("evaluate: suite has no path")
    data = checked_bytes(os.path.join(workdir, reference["path"]), reference.get("sha256"), "suite")
    items = [json.loads(line) for line in data.decode().splitlines() if line.strip()]
    if not items:
        raise invalid("suite: the file holds no items")
    for item in items:
        if not isinstance(item.get("id"), str) or not isinstance(item.get("document"), str):
            raise invalid(f"suite: item {item.get('id')!r} names no document; run `run freeze` on the suite's folder")
    return items


def _task(request: dict[str, Any], workdir: str) -> tuple[Settings, str]:
    """The settings of the task, and the folder with its files, whose digests are checked."""
    task = request.get("task")
    if not isinstance(task, dict) or not isinstance(task.get("dir"), str):
        raise EngineError("unsupported", "this engine scores suites whose grader is an lm-eval task, and no others")
    folder = os.path.join(workdir, task["dir"])
    for file in task.get("files") or []:
        checked_bytes(os.path.join(folder, file["path"]), file["sha256"], "task")
    return Settings.read(task.get("parameters")), folder


def _places(items: list[dict[str, Any]], task: LoadedTask) -> list[int]:
    """Where each item's document stands in the task; of equal documents the first."""
    first = {value: place for place, value in reversed(list(enumerate(task.hashes)))}
    if unknown := [item for item in items if item["document"] not in first]:
        raise invalid(
            f"suite: {len(unknown)} of {len(items)} documents are not in task {task.settings.name}, "
            f"first \"{unknown[0]['id']}\" ({unknown[0]['document'][:12]})"
        )
    return [first[item["document"]] for item in items]


def _model(request: dict[str, Any], settings: Settings) -> Any:
    """lm-eval's own `hf` model on the directory; kept for the next suite of the session."""
    model = request.get("model")
    if not isinstance(model, dict) or not os.path.isdir(str(model.get("dir"))):
        raise invalid("evaluate: model has no directory")
    precision = (request.get("settings") or {}).get("precision", "float32")
    key = (model["dir"], model.get("digest"), precision, settings.device, settings.batch_size, settings.max_length)
    if key not in _models:
        import torch
        from lm_eval.models.huggingface import HFLM

        if settings.device.startswith("cuda") and not torch.cuda.is_available():
            raise EngineError("unsupported", f"task: device {settings.device}, but there is no GPU")
        _models.clear()
        _models[key] = HFLM(
            pretrained=model["dir"], backend="causal", dtype=precision, device=settings.device,
            batch_size=settings.batch_size, max_length=settings.max_length,
        )  # fmt: skip
    return _models[key]


class Evaluation:
    """One task on one model."""

    def __init__(self, task: LoadedTask, lm: Any, chat: bool):
        self.task = task
        self.lm = lm
        self.groups = task.instances(lm, chat)
        self.scorer = Scorer(task.task, task.settings.metric)

    def run(self, items: list[dict[str, Any]], places: list[int], progress: Progress) -> list[dict[str, Any]]:
        """A line for each item, in their order."""
        progress(0, len(items))
        for start in range(0, len(places), CHUNK):
            part = places[start : start + CHUNK]
            self._ask([instance for place in part for instance in self.groups[place]])
            progress(min(start + CHUNK, len(places)), len(items))
        self._filter(places)
        # Each document's successor in the order of the hashes, which is as good as random and always the same.
        order = sorted(places, key=lambda place: self.task.hashes[place])
        following = dict(zip(order, order[1:] + order[:1], strict=True))
        return [self._line(item["id"], place, following[place]) for item, place in zip(items, places, strict=True)]

    def _ask(self, instances: list[Any]) -> None:
        """As lm_eval.evaluator.evaluate: one call of the model for all requests, each as often as the task says."""
        clones = [instance for instance in instances for _ in range(instance.repeats or 1)]
        responses = getattr(self.lm, clones[0].request_type)(clones, disable_tqdm=True)
        for response, instance in zip(responses, clones, strict=True):
            instance.resps.append(response)

    def _filter(self, places: list[int]) -> None:
        """Applies the task's filters to what was asked."""
        asked = [instance for place in places for instance in self.groups[place]]
        self.task.task._instances = asked
        self.task.task.apply_filters()
        if self.task.settings.filter not in asked[0].filtered_resps:
            names = ", ".join(sorted(asked[0].filtered_resps))
            raise invalid(f"task: no filter {self.task.settings.filter!r}; there are {names}")

    def _filtered(self, place: int) -> list[Any]:
        return [instance.filtered_resps[self.task.settings.filter] for instance in self.groups[place]]

    def _line(self, identifier: str, place: int, other: int) -> dict[str, Any]:
        document, filtered = self.task.documents[place][1], self._filtered(place)
        raw = [instance.resps[0] for instance in self.groups[place]]
        return {
            "id": identifier,
            "score": self.scorer.score(document, filtered),
            "blind": self.scorer.blind(document, filtered, self.task.documents[other][1], self._filtered(other)),
            "response": self.scorer.response(document, raw, filtered),
            "prompt": sha256(self.groups[place][0].arguments[0].encode()),
        }
