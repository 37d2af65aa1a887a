"""The session with the host: needs nothing but the standard library, so it answers at once and never blocks.

The model lives in a worker process (worker.py). That makes a cancel immediate whatever the model is doing, turns a
crash or an out-of-memory kill into an error message, and keeps the heartbeat going through imports and loading.
"""

import importlib.util
import os
import queue
import signal
import sys
import threading
import time
from typing import Any

from . import NAME, PROTOCOL, VERSION
from .errors import EngineError, invalid
from .launch import Worker, process_count
from .protocol import Channel, error_message, messages, take_stdout

HEARTBEAT_SECONDS = 5.0
CAPABILITIES = {"train": ["sdft", "sft"], "evaluate": True, "resume": True, "updates": ["full", "low_rank"]}
REQUIRED = ("torch", "transformers", "trl", "datasets", "accelerate", "safetensors")


class Job:
    """A train or evaluate request, from its arrival to its one answer."""

    def __init__(self, request: dict[str, Any]):
        self.request = request
        self.id: str = request["id"]
        self.cancelled = False
        self.answered = False
        self.progress: dict[str, Any] = {"step": 0, "steps": 0, "metrics": {}, "phase": "waiting"}


class Session:
    def __init__(self, channel: Channel):
        self.channel = channel
        self.workdir: str | None = None
        self.lock = threading.Lock()
        self.jobs: dict[str, Job] = {}
        self.waiting: queue.Queue[Job | None] = queue.Queue()
        self.active: Job | None = None
        self.worker: Worker | None = None
        self.last_sent = 0.0
        self.closing = False

    # Reading

    def handle(self, message: dict[str, Any] | EngineError) -> bool:
        """Handles one line; false when the session is over."""
        if isinstance(message, EngineError):
            self.channel.send(error_message(None, message))
            return True
        kind = message.get("type")
        try:
            if kind == "shutdown":
                return False
            if kind == "init":
                self.initialise(message)
            elif kind in ("train", "evaluate"):
                self.accept(message)
            elif kind == "cancel":
                self.cancel(message.get("id"))
            else:
                raise EngineError("unsupported", f"unknown message type {kind!r}")
        except EngineError as error:
            self.channel.send(error_message(message.get("id"), error))
        return True

    def initialise(self, message: dict[str, Any]) -> None:
        if message.get("protocol") != PROTOCOL:
            raise EngineError("unsupported", f"this engine speaks protocol {PROTOCOL}, not {message.get('protocol')!r}")
        workdir = message.get("workdir")
        if not isinstance(workdir, str) or not os.path.isdir(workdir):
            raise invalid(f"init: workdir {workdir!r} is not a directory")
        missing = [name for name in REQUIRED if importlib.util.find_spec(name) is None]
        if missing:
            raise EngineError(
                "unsupported",
                f"{sys.executable} has no {', '.join(missing)}: install the engine's requirements.txt and name that "
                "Python in PAWL_TRL_PYTHON, or make a .venv beside the engine's run program",
            )
        self.workdir = os.path.realpath(workdir)
        self.channel.send(
            {"type": "ready", "protocol": PROTOCOL, "name": NAME, "version": VERSION, "capabilities": CAPABILITIES}
        )

    def accept(self, message: dict[str, Any]) -> None:
        identifier = message.get("id")
        if not isinstance(identifier, str) or not identifier:
            raise invalid(f"{message['type']}: id must be a string, not {identifier!r}")
        if self.workdir is None:
            raise invalid(f"{message['type']} before init")
        with self.lock:
            if identifier in self.jobs:
                raise invalid(f"id {identifier!r} is in use")
            job = self.jobs[identifier] = Job({**message, "workdir": self.workdir})
        self.waiting.put(job)

    def cancel(self, identifier: Any) -> None:
        """Ends a job at once; a job that has answered already is left alone."""
        with self.lock:
            job = self.jobs.get(identifier)
            if job is None or job.answered:
                return
            job.cancelled = True
            worker = self.worker if job is self.active else None
        if worker is not None:
            worker.kill()
        self.answer(job, error_message(job.id, EngineError("cancelled", "cancelled by the host")))

    # Running

    def answer(self, job: Job, message: dict[str, Any]) -> None:
        with self.lock:
            if job.answered:
                return
            job.answered = True
            self.jobs.pop(job.id, None)
            self.last_sent = time.monotonic()
        self.channel.send(message)

    def run_jobs(self) -> None:
        """The runner thread: one job after the other. It also is the parent of the worker process."""
        while (job := self.waiting.get()) is not None:
            with self.lock:
                if job.cancelled:
                    continue
                self.active = job
                job.progress["phase"] = "starting"
            try:
                self.run(job)
            except EngineError as error:
                self.answer(job, error_message(job.id, error))
            except Exception as error:  # noqa: BLE001 - the host must get an answer
                self.answer(job, error_message(job.id, EngineError("internal", f"{type(error).__name__}: {error}")))
            finally:
                with self.lock:
                    self.active = None

    def prepare_worker(self, processes: int, job: Job) -> Worker:
        """The worker that is there when it fits, else a new one. Several ranks serve one job only."""
        with self.lock:
            worker, self.worker = self.worker, None
        if worker is not None and (processes > 1 or not worker.is_alive()):
            worker.kill()
            worker = None
        if worker is None:
            worker = Worker(processes, job.request)
        with self.lock:
            self.worker = worker
            ended = job.cancelled or self.closing
        if ended:
            worker.kill()
        return worker

    def run(self, job: Job) -> None:
        processes = process_count() if job.request["type"] == "train" else 1
        worker = self.prepare_worker(processes, job)
        worker.submit(job.request)
        for event in worker.events():
            if event.get("id") != job.id:
                continue
            if event["type"] == "progress":
                self.progress(job, event)
                continue
            if processes > 1:
                worker.finish()
                with self.lock:
                    self.worker = None
            self.answer(job, event)
            return
        status = worker.wait()
        with self.lock:
            self.worker = None
        if job.cancelled or self.closing:
            raise EngineError("cancelled", "cancelled by the host")
        if status == -signal.SIGKILL:
            raise EngineError("out_of_memory", "the worker was killed by the system, most likely for lack of memory")
        raise EngineError("internal", f"the worker ended with status {status}; its messages are on standard error")

    def progress(self, job: Job, event: dict[str, Any]) -> None:
        with self.lock:
            if job.answered:
                return
            job.progress = {key: event[key] for key in ("step", "steps", "metrics", "phase") if key in event}
            self.last_sent = time.monotonic()
            self.channel.send({"type": "progress", "id": job.id, **job.progress})

    def heartbeat(self) -> None:
        """Repeats the last progress whenever nothing was said for a while."""
        while True:
            time.sleep(0.5)
            with self.lock:
                job = self.active
                if job is None or job.answered or time.monotonic() - self.last_sent < HEARTBEAT_SECONDS:
                    continue
                self.last_sent = time.monotonic()
                try:
                    self.channel.send({"type": "progress", "id": job.id, **job.progress})
                except OSError:
                    return

    def close(self) -> None:
        with self.lock:
            self.closing = True
            worker = self.worker
        if worker is not None:
            worker.kill()


def main(arguments: list[str]) -> int:
    if arguments:
        print("trl: takes no arguments; it speaks protocol 1 on standard input and output", file=sys.stderr)
        return 64
    session = Session(Channel(take_stdout()))

    def terminate(*_: Any) -> None:
        worker = session.worker
        if worker is not None:
            worker.kill()
        os._exit(143)

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, terminate)
    threading.Thread(target=session.run_jobs, daemon=True).start()
    threading.Thread(target=session.heartbeat, daemon=True).start()
    try:
        for message in messages(sys.stdin.buffer):
            if not session.handle(message):
                break
    except BrokenPipeError:
        pass
    session.close()
    # Daemon threads may sit in a read; leave without waiting for them.
    os._exit(0)
