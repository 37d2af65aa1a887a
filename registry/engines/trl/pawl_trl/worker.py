"""The worker process: runs one job at a time and says what happens on its standard output."""

import argparse
import ctypes
import json
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from .errors import EngineError
from .protocol import Channel, error_message, take_stdout

Progress = Callable[..., None]


def die_with_parent() -> None:
    """Linux: the kernel kills this process when its parent ends, whatever way it ended."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)
    except (OSError, AttributeError):
        pass


def run(request: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """Runs one request and returns the fields of its result."""
    if request["type"] == "evaluate":
        from .evaluate import evaluate

        return evaluate(request, progress)
    from .training import train

    return train(request, progress)


def translated(error: BaseException) -> EngineError:
    """The protocol's word for a failure."""
    if isinstance(error, EngineError):
        return error
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, MemoryError) or "out of memory" in text.lower() or "can't allocate memory" in text:
        return EngineError("out_of_memory", text)
    return EngineError("internal", text)


def perform(request: dict[str, Any], channel: Channel | None) -> bool:
    """Runs a request and sends its answer; without a channel (ranks above 0) it only runs it."""
    identifier = request["id"]
    last = 0.0

    def progress(step: int, steps: int, metrics: dict[str, Any], phase: str, force: bool = True) -> None:
        nonlocal last
        if channel is None or (not force and time.monotonic() - last < 0.5):
            return
        last = time.monotonic()
        numbers = {name: value for name, value in metrics.items() if value == value and abs(value) != float("inf")}
        channel.send(
            {"type": "progress", "id": identifier, "step": step, "steps": steps, "metrics": numbers, "phase": phase}
        )

    try:
        result = run(request, progress)
    except Exception as error:  # noqa: BLE001 - the host must get an answer
        traceback.print_exc()
        if channel is not None:
            channel.send(error_message(identifier, translated(error)))
        return False
    if channel is not None:
        channel.send({"type": "result", "id": identifier, **result})
    return True


def watch_input(jobs: queue.Queue) -> None:
    """Collects jobs; ends the process as soon as the session is gone."""
    for line in sys.stdin.buffer:
        jobs.put(json.loads(line))
    os._exit(0)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--job")
    options = parser.parse_args(arguments)
    die_with_parent()
    stdout = take_stdout()
    channel = Channel(stdout) if os.environ.get("RANK", "0") == "0" else None
    jobs: queue.Queue[dict[str, Any]] = queue.Queue()
    threading.Thread(target=watch_input, args=(jobs,), daemon=True).start()
    if options.job:
        with open(options.job, encoding="utf-8") as file:
            request = json.load(file)
        # The thread on standard input may sit in a read: leave without waiting for it.
        os._exit(0 if perform(request, channel) else 1)
    while True:
        perform(jobs.get(), channel)
