"""Files that cross the protocol: their digests, and directories that appear whole or not at all."""

import hashlib
import json
import os
import shutil
from typing import Any

from .errors import invalid


def sha256_file(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def checked_input(reference: Any, what: str, workdir: str) -> str:
    """The path of a {"path","sha256"} reference, once its bytes are what the host said."""
    if not isinstance(reference, dict) or not isinstance(reference.get("path"), str):
        raise invalid(f"{what}: no path")
    path = os.path.join(workdir, reference["path"])
    if not os.path.isfile(path):
        raise invalid(f"{what}: no file at {path}")
    expected = reference.get("sha256")
    if expected is not None and sha256_file(path) != str(expected).removeprefix("sha256:"):
        raise invalid(f"{what}: the bytes of {path} do not have the digest {expected}")
    return path


def read_lines(path: str, what: str) -> list[dict[str, Any]]:
    """The objects of a JSONL file; an error names the line."""
    result = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                value = json.loads(line.decode("utf-8"))
            except (UnicodeDecodeError, ValueError) as error:
                raise invalid(f"{what}, line {number}: not JSON in UTF-8: {error}") from None
            if not isinstance(value, dict):
                raise invalid(f"{what}, line {number}: not a JSON object")
            result.append(value)
    return result


def fsync_path(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(temporary: str, final: str) -> None:
    """Makes a finished directory durable, then moves it to its name."""
    for directory, _, names in os.walk(temporary):
        for name in names:
            fsync_path(os.path.join(directory, name))
        fsync_path(directory)
    os.rename(temporary, final)
    fsync_path(os.path.dirname(final))


def described(directory: str) -> list[dict[str, Any]]:
    """Path, digest and size of every file below a directory, in order."""
    result = []
    for folder, folders, names in os.walk(directory):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            result.append(
                {"path": os.path.relpath(path, directory), "sha256": sha256_file(path), "size": os.path.getsize(path)}
            )
    return sorted(result, key=lambda file: file["path"])


def remove(path: str) -> None:
    shutil.rmtree(path, ignore_errors=True)
