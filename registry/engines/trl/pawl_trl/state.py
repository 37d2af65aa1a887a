"""Resumable state: one directory that is complete or absent, and belongs to exactly one request."""

import hashlib
import json
import os
import re
from typing import Any

from . import VERSION
from .files import publish, remove

IDENTITY = "request.json"
EMA = "teacher.safetensors"


class State:
    """Where a training's steps are kept. Only the newest is."""

    def __init__(self, directory: str | None, identity: dict[str, Any]):
        self.directory = directory
        text = json.dumps({"engine": VERSION, **identity}, sort_keys=True)
        self.identity = hashlib.sha256(text.encode()).hexdigest()

    def latest(self) -> str | None:
        """The newest complete step of this very request. What belongs to another request is ignored."""
        if self.directory is None or not os.path.isdir(self.directory):
            return None
        for step in sorted(self._steps(), reverse=True):
            path = self._path(step)
            try:
                with open(os.path.join(path, IDENTITY), encoding="utf-8") as file:
                    if json.load(file).get("identity") == self.identity:
                        return path
            except (OSError, ValueError):
                continue
        return None

    def clear(self) -> None:
        """Removes what other requests or unfinished writes left."""
        if self.directory is not None and os.path.isdir(self.directory):
            for name in os.listdir(self.directory):
                if re.fullmatch(r"step-\d+(\.partial)?|scratch", name):
                    remove(os.path.join(self.directory, name))

    def partial(self, step: int) -> str:
        path = self._path(step) + ".partial"
        remove(path)
        os.makedirs(path)
        return path

    def commit(self, step: int) -> None:
        path = self._path(step)
        with open(os.path.join(path + ".partial", IDENTITY), "w", encoding="utf-8") as file:
            json.dump({"identity": self.identity, "step": step}, file)
        remove(path)
        publish(path + ".partial", path)
        for other in self._steps():
            if other != step:
                remove(self._path(other))

    def _steps(self) -> list[int]:
        names = (re.fullmatch(r"step-(\d+)", name) for name in os.listdir(self.directory))
        return [int(match[1]) for match in names if match]

    def _path(self, step: int) -> str:
        return os.path.join(self.directory, f"step-{step:06d}")
