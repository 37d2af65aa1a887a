"""The worker process: scores one suite at a time and says what happens on its standard output."""

import ctypes
import json
import os
import queue
import signal
import sys
import threading
import traceback
from typing import Any

from .protocol import Channel, EngineError, error_message, take_stdout


def die_with_parent() -> None:
    """Linux: the kernel kills this process when its parent ends, whatever way it ended."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        pass


def translated(error: BaseException) -> EngineError:
    """The protocol's word for a failure."""
    if isinstance(error, EngineError):
        return error
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text:
        return EngineError("out_of_memory", text)
    return EngineError("internal", text)


def perform(request: dict[str, Any], channel: Channel) -> None:
    identifier = request["id"]

    def progress(step: int, steps: int) -> None:
        channel.send({"type": "progress", "id": identifier, "step": step, "steps": steps, "metrics": {}})

    try:
        from .evaluate import evaluate

        result = evaluate(request, progress)
    except Exception as error:  # noqa: BLE001 - the host must get an answer
        traceback.print_exc()
        channel.send(error_message(identifier, translated(error)))
        return
    channel.send({"type": "result", "id": identifier, **result})


def main(_: list[str]) -> int:
    die_with_parent()
    channel = Channel(take_stdout())
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()

    def watch_input() -> None:
        """Collects jobs; ends the process as soon as the session is gone."""
        for line in sys.stdin.buffer:
            jobs.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=watch_input, daemon=True).start()
    while True:
        perform(jobs.get(), channel)
