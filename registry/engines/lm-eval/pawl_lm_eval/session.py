"""The session with the host: needs nothing but the standard library, so it answers at once and never blocks.

Model and harness live in a worker process (worker.py): a cancel is immediate whatever they do, and the heartbeat goes on
through imports and loading.
"""

import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from . import NAME, PROTOCOL, VERSION
from .protocol import Channel, EngineError, error_message, invalid, messages, take_stdout

HEARTBEAT_SECONDS = 5.0
CAPABILITIES = {"train": [], "evaluate": False, "resume": False, "tasks": True}
REQUIRED = ("torch", "transformers", "lm_eval", "datasets")
MAIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "main.py")


def worker_environment() -> dict[str, str]:
    """What the worker sees: offline unless asked otherwise, and matrix products that do not depend on the batch."""
    result = dict(os.environ)
    if result.get("PAWL_LM_EVAL_NETWORK") != "1":
        for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE"):
            result[name] = "1"
    result["HF_HUB_DISABLE_TELEMETRY"] = "1"
    result["TOKENIZERS_PARALLELISM"] = "false"
    result["TQDM_DISABLE"] = "1"
    result["PYTHONDONTWRITEBYTECODE"] = "1"
    result.setdefault("GOMP_SPINCOUNT", "1000")
    result.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    if "MKL_CBWR" not in result:
        try:
            with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
                flags = next((line for line in file if line.startswith("flags")), "").split()
        except OSError:
            flags = []
        if kind := "AVX512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "":
            result["MKL_CBWR"] = f"{kind},STRICT"
    return result


class Job:
    """An evaluate request, from its arrival to its one answer."""

    def __init__(self, request: dict[str, Any]):
        self.request = request
        self.id: str = request["id"]
        self.cancelled = False
        self.answered = False
        self.progress: dict[str, Any] = {"step": 0, "steps": 0, "metrics": {}}


class Session:
    def __init__(self, channel: Channel):
        self.channel = channel
        self.workdir: str | None = None
        self.lock = threading.Lock()
        self.jobs: dict[str, Job] = {}
        self.waiting: queue.Queue[Job] = queue.Queue()
        self.active: Job | None = None
        self.worker: subprocess.Popen | None = None
        self.last_sent = 0.0
        self.closing = False

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
            elif kind == "evaluate":
                self.accept(message)
            elif kind == "cancel":
                self.cancel(message.get("id"))
            elif kind == "train":
                raise EngineError("unsupported", "this engine scores suites and does not train")
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
        if missing := [name for name in REQUIRED if importlib.util.find_spec(name) is None]:
            raise EngineError(
                "unsupported",
                f"{sys.executable} has no {', '.join(missing)}: run setup in the engine's folder, or name a Python that "
                "has its requirements.txt in PAWL_LM_EVAL_PYTHON",
            )
        self.workdir = os.path.realpath(workdir)
        self.channel.send(
            {"type": "ready", "protocol": PROTOCOL, "name": NAME, "version": VERSION, "capabilities": CAPABILITIES}
        )

    def accept(self, message: dict[str, Any]) -> None:
        identifier = message.get("id")
        if not isinstance(identifier, str) or not identifier:
            raise invalid(f"evaluate: id must be a string, not {identifier!r}")
        if self.workdir is None:
            raise invalid("evaluate before init")
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
            if job is self.active and self.worker is not None:
                self.worker.kill()
        self.answer(job, error_message(job.id, EngineError("cancelled", "cancelled by the host")))

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
        while True:
            job = self.waiting.get()
            with self.lock:
                if job.cancelled:
                    continue
                self.active = job
            try:
                self.run(job)
            except EngineError as error:
                self.answer(job, error_message(job.id, error))
            except Exception as error:  # noqa: BLE001 - the host must get an answer
                self.answer(job, error_message(job.id, EngineError("internal", f"{type(error).__name__}: {error}")))
            finally:
                with self.lock:
                    self.active = None

    def ready_worker(self, job: Job) -> subprocess.Popen:
        """The worker that is there, else a new one."""
        with self.lock:
            if self.worker is None or self.worker.poll() is not None:
                self.worker = subprocess.Popen(
                    [sys.executable, "-u", MAIN, "worker"],
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=worker_environment(), bufsize=0,
                )  # fmt: skip
            if job.cancelled or self.closing:
                self.worker.kill()
            return self.worker

    def run(self, job: Job) -> None:
        worker = self.ready_worker(job)
        try:
            worker.stdin.write(json.dumps(job.request, ensure_ascii=False).encode() + b"\n")
        except (BrokenPipeError, ValueError):
            pass  # it died; the end of its events says so
        while line := worker.stdout.readline():
            event = json.loads(line)
            if event.get("id") != job.id:
                continue
            if event["type"] == "progress":
                self.progress(job, event)
                continue
            self.answer(job, event)
            return
        status = worker.wait()
        if job.cancelled or self.closing:
            raise EngineError("cancelled", "cancelled by the host")
        if status == -signal.SIGKILL:
            raise EngineError("out_of_memory", "the worker was killed by the system, most likely for lack of memory")
        raise EngineError("internal", f"the worker ended with status {status}; its messages are on standard error")

    def progress(self, job: Job, event: dict[str, Any]) -> None:
        with self.lock:
            if job.answered:
                return
            job.progress = {key: event[key] for key in ("step", "steps", "metrics")}
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
            if self.worker is not None:
                self.worker.kill()


def main(arguments: list[str]) -> int:
    if arguments:
        print("lm-eval: commands are freeze and check; without one it speaks protocol 1", file=sys.stderr)
        return 64
    session = Session(Channel(take_stdout()))

    def terminate(*_: Any) -> None:
        if session.worker is not None:
            session.worker.kill()
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
