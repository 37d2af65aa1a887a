"""How long `pawl generate` takes from its start to the first token, with nothing of the registry in memory."""

import os
import pathlib
import subprocess
import time

QUESTION = "What is the capital of France?"


def can_generate(pawl: pathlib.Path) -> bool:
    if not os.access(pawl, os.X_OK):
        return False
    shown = subprocess.run([pawl, "generate", "--help"], capture_output=True, text=True)
    return shown.returncode == 0 and "--max-tokens" in shown.stdout


def forget(path: pathlib.Path) -> None:
    """Asks the system to drop what it caches of a file."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def first_token(pawl: pathlib.Path, registry: pathlib.Path) -> float:
    """Seconds to the first byte of an answer."""
    for path in [pawl, *registry.rglob("*")]:
        if path.is_file():
            forget(path)
    command = [pawl, "generate", "--registry", registry, "--max-tokens", "8", QUESTION]
    begin = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        first = process.stdout.read(1)
        seconds = time.perf_counter() - begin
        process.stdout.read()
    if not first or process.returncode:
        raise RuntimeError(f"{pawl} generate ended with status {process.returncode}")
    return seconds


def measure(pawl: pathlib.Path, model: pathlib.Path, folder: pathlib.Path, repeats: int) -> list[float]:
    registry = folder / "registry"
    init = [pawl, "init", "--base", model, "--registry", registry, "--no-suites", "--quiet"]
    subprocess.run(init, check=True, stdout=subprocess.DEVNULL)
    return [first_token(pawl, registry) for _ in range(repeats)]
