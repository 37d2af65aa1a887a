"""Starting and ending the worker process, alone or as several ranks (`accelerate launch`; on CPUs torchrun)."""

import glob
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

from .errors import EngineError, invalid
from .protocol import messages

MAIN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "main.py")


def visible_gpus() -> int:
    listed = os.environ.get("CUDA_VISIBLE_DEVICES")
    if listed is not None:
        return len([name for name in listed.split(",") if name.strip() not in ("", "-1")])
    return len(glob.glob("/proc/driver/nvidia/gpus/*"))


def process_count() -> int:
    """How many ranks train: $PAWL_TRL_PROCESSES, else one a visible GPU."""
    wanted = os.environ.get("PAWL_TRL_PROCESSES", "").strip()
    if not wanted:
        return max(1, visible_gpus())
    if not wanted.isdigit() or int(wanted) < 1:
        raise invalid(f"PAWL_TRL_PROCESSES must be a positive number, not {wanted!r}")
    return int(wanted)


def environment() -> dict[str, str]:
    """What the worker sees: offline, and with kernels that do not depend on the batch around a row.

    MKL_CBWR in strict mode makes a row of a matrix product independent of the number of rows, at no measurable cost.
    A short spin keeps two OpenMP threads usable on cores that other processes share (5x on a busy machine).
    """
    result = dict(os.environ)
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE", "TRL_EXPERIMENTAL_SILENCE"):
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
        if "avx512f" in flags:
            result["MKL_CBWR"] = "AVX512,STRICT"
        elif "avx2" in flags:
            result["MKL_CBWR"] = "AVX2,STRICT"
    return result


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return server.getsockname()[1]


class Worker:
    """A worker process: takes jobs on its standard input, says what happens on its standard output."""

    def __init__(self, processes: int, request: dict[str, Any]):
        self.processes = processes
        self.job_file: str | None = None
        command = [sys.executable, "-u", MAIN, "worker"]
        if processes > 1:
            descriptor, self.job_file = tempfile.mkstemp(prefix="pawl-trl-", suffix=".json")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(request, file)
            # accelerate starts several ranks on GPUs only; on CPUs its own launcher, torchrun, does.
            launcher = [
                "-m", "torch.distributed.run", "--nproc_per_node", str(processes), "--nnodes", "1",
                "--master_port", str(free_port()),
            ] if visible_gpus() < processes else [
                "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", str(processes),
                "--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no",
                "--main_process_port", str(free_port()),
            ]  # fmt: skip
            command = [sys.executable, *launcher, MAIN, "worker", "--job", self.job_file]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(), bufsize=0
        )
        self.lock = threading.Lock()

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def submit(self, request: dict[str, Any]) -> None:
        if self.processes > 1:
            return
        try:
            self.process.stdin.write(json.dumps(request, ensure_ascii=False).encode() + b"\n")
        except (BrokenPipeError, ValueError):
            pass  # it died; the end of its events says so

    def events(self) -> Iterator[dict[str, Any]]:
        with os.fdopen(os.dup(self.process.stdout.fileno()), "rb") as stream:
            for message in messages(stream):
                if isinstance(message, EngineError) or "type" not in message:
                    continue  # noise that a launcher printed before its ranks took their output over
                yield message

    def wait(self) -> int:
        try:
            return self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()
            return self.process.wait()

    def finish(self) -> None:
        """Lets a one-job worker end by itself."""
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    def kill(self) -> None:
        """Ends the worker at once. Ranks under a launcher end when their standard input does."""
        with self.lock:
            try:
                self.process.stdin.close()
            except OSError:
                pass
            if self.processes > 1:
                try:
                    self.process.wait(timeout=2)
                except subprocess.TimeoutExpired:
                    pass
            if self.process.poll() is None:
                try:
                    self.process.send_signal(signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if self.job_file is not None:
                try:
                    os.unlink(self.job_file)
                except OSError:
                    pass
