"""Framing and errors: one JSON object a line, UTF-8, at most 1 MiB; standard output carries nothing else."""

import hashlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO

LINE_LIMIT = 1 << 20


class EngineError(Exception):
    """A failure with one of the protocol's codes; its message goes to the host as it is."""

    def __init__(self, code: str, message: str):
        super().__init__(message)
        self.code = code
        self.message = message


def invalid(message: str) -> EngineError:
    return EngineError("invalid_argument", message)


def take_stdout() -> BinaryIO:
    """Keeps standard output for the protocol and sends everything else that is printed to standard error."""
    sys.stdout.flush()
    channel = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return channel


class Channel:
    """The writing end; any thread may send."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        line = json.dumps(message, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        if len(line) > LINE_LIMIT:
            raise EngineError("internal", f"a message of {len(line)} bytes does not fit a protocol line")
        with self._lock:
            view = memoryview(line)
            while view:
                view = view[self._stream.write(view) :]


def messages(stream: BinaryIO) -> Iterator[dict[str, Any] | EngineError]:
    """Yields every line's object, or the error to answer a bad line with; ends with the stream."""
    while line := stream.readline(LINE_LIMIT + 1):
        if len(line) > LINE_LIMIT:
            while not line.endswith(b"\n") and (line := stream.readline(LINE_LIMIT)):
                pass
            yield invalid(f"a line is longer than {LINE_LIMIT} bytes")
            continue
        if not line.strip():
            continue
        try:
            value = json.loads(line.decode("utf-8"))
        except (UnicodeDecodeError, ValueError, RecursionError) as error:
            yield invalid(f"a line is not JSON in UTF-8: {error}")
            continue
        if not isinstance(value, dict):
            yield invalid(f"a line holds {type(value).__name__}, not a JSON object")
            continue
        yield value


def error_message(identifier: Any, error: EngineError) -> dict[str, Any]:
    return {
        "type": "error",
        "id": identifier if isinstance(identifier, str) else None,
        "code": error.code,
        "message": error.message,
        "retryable": False,
    }


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def checked_bytes(path: str, expected: Any, what: str) -> bytes:
    """The bytes of a file, once they are what the host said."""
    if not os.path.isfile(path):
        raise invalid(f"{what}: no file at {path}")
    with open(path, "rb") as file:
        data = file.read()
    if sha256(data) != expected:
        raise invalid(f"{what}: the bytes of {path} do not have the digest {expected}")
    return data
