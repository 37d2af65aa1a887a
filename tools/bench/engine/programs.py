"""A side of the benchmark as a process that works when told to, and the lock of a shared machine."""

import fcntl
import json
import os
import pathlib
import subprocess
import sys
import time
from typing import Any


class Program:
    """Loads and warms up when made; then does its work once a turn, and nothing between turns."""

    def __init__(self, command: list[str], log: pathlib.Path):
        self.command, self.log = command, log
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True,
                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
            )  # fmt: skip
        self.facts = self.line()

    def line(self) -> dict[str, Any]:
        text = self.process.stdout.readline()
        if text:
            return json.loads(text)
        status = self.process.wait()
        errors = self.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
        sys.exit("\n".join([*errors, f"{' '.join(self.command)}: ended with status {status}"]))

    def turn(self) -> dict[str, Any]:
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.line()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


class Lock:
    """An exclusive lock on a file, held while anything is measured; without a file there is none."""

    LONGEST = 110.0  # seconds before it is let go at the next chance

    def __init__(self, path: pathlib.Path | None):
        self.file = open(path, "a") if path else None
        self.since: float | None = None

    def take(self) -> None:
        if self.file and self.since is None:
            fcntl.flock(self.file, fcntl.LOCK_EX)
            self.since = time.monotonic()

    def rest(self) -> None:
        """Lets others in when it was held for long."""
        if self.since is not None and time.monotonic() - self.since > self.LONGEST:
            self.release()
            time.sleep(2)

    def release(self) -> None:
        if self.file and self.since is not None:
            fcntl.flock(self.file, fcntl.LOCK_UN)
            self.since = None
