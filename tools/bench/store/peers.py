"""The peers: each writes a safetensors file down, on its own or beside a base, and gives it back, on one thread.

    peers.py NAME FILE [BASE]    one peer, once; prints a JSON object, or one with `missing` when it cannot be had

`encode` and `decode` are seconds of processor time, user and system, those of programs that are started included;
`bytes` is what the file takes beyond the base. The bytes that come back are compared.
"""

import json
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import TypeVar

sys.dont_write_bytecode = True
WIDTHS = {"BF16": ("bfloat16", "bf16"), "F16": ("float16", "fp16"), "F32": ("float32", "fp32")}
Value = TypeVar("Value")
Files = tuple[pathlib.Path, pathlib.Path | None, pathlib.Path]


def dtype(path: pathlib.Path) -> str:
    """The type that most bytes of a safetensors file have."""
    with path.open("rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
    sizes: dict[str, int] = {}
    for name, tensor in header.items():
        if name != "__metadata__":
            begin, end = tensor["data_offsets"]
            sizes[tensor["dtype"]] = sizes.get(tensor["dtype"], 0) + end - begin
    return max(sizes, key=lambda name: sizes[name])


def seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def timed(work: Callable[[], Value]) -> tuple[Value, float]:
    start = seconds()
    value = work()
    return value, seconds() - start


def command(*arguments: object) -> None:
    subprocess.run([str(argument) for argument in arguments], check=True, capture_output=True)


def measure(encode: Callable[[], int], decode: Callable[[], bytes], file: pathlib.Path) -> dict[str, object]:
    size, encoding = timed(encode)
    back, decoding = timed(decode)
    if back != file.read_bytes():
        sys.exit(f"{sys.argv[1]}: what comes back is not what went in")
    return {"bytes": size, "encode": encoding, "decode": decoding}


def zstd(level: int) -> Callable[[Files], dict[str, object]]:
    def run(files: Files) -> dict[str, object]:
        file, base, work = files
        # A window as large as the base, or it is no reference.
        patch = ["--patch-from", base, "--long=31"] if base else []
        back = ["--patch-from", base, "--long=31", "--memory=2048MB"] if base else []

        def encode() -> int:
            command("zstd", "-q", "-f", f"-{level}", "-T1", "--single-thread", *patch, file, "-o", work / "zst")
            return (work / "zst").stat().st_size

        def decode() -> bytes:
            command("zstd", "-q", "-f", "-d", *back, work / "zst", "-o", work / "back")
            return (work / "back").read_bytes()

        return measure(encode, decode, file)

    return run


def xz(files: Files) -> dict[str, object]:
    file, _, work = files

    def encode() -> int:
        with (work / "xz").open("wb") as out:
            subprocess.run(["xz", "-6", "-T1", "-c", str(file)], check=True, stdout=out)
        return (work / "xz").stat().st_size

    return measure(encode, lambda: subprocess.run(["xz", "-dc", str(work / "xz")], check=True, capture_output=True).stdout, file)


def zipnn(files: Files) -> dict[str, object]:
    import numpy
    from zipnn import ZipNN

    file, base, _ = files
    kind = WIDTHS[dtype(file)][0]
    raw, old = file.read_bytes(), base.read_bytes() if base else None

    def exclusive(a: bytes) -> bytes:
        """Difference to the base by XOR, as its users make it; files of one layout are as long."""
        if old is None:
            return bytes(a)
        return (numpy.frombuffer(a, numpy.uint8) ^ numpy.frombuffer(old, numpy.uint8)).tobytes()

    held: list[bytes] = []

    def encode() -> int:
        held.append(bytes(ZipNN(input_format="byte", bytearray_dtype=kind, threads=1).compress(bytearray(exclusive(raw)))))
        return len(held[0])

    def decode() -> bytes:
        return exclusive(bytes(ZipNN(input_format="byte", bytearray_dtype=kind, threads=1).decompress(held[0])))

    return measure(encode, decode, file)


def lmzip(files: Files) -> dict[str, object]:
    import lmz

    file, base, work = files
    archive, target = work / "archive.lmz", work / "back.safetensors"

    if base is None:

        def whole() -> int:
            lmz.compress(str(file), str(archive), workers=1)
            return archive.stat().st_size

        def back() -> bytes:
            lmz.decompress(str(archive), str(target), workers=1)
            return target.read_bytes()

        return measure(whole, back, file)
    lmz.compress(str(base), str(archive), workers=1)
    before = archive.stat().st_size

    def append() -> int:
        lmz.append(str(archive), str(file), workers=1)
        return archive.stat().st_size - before

    def extract() -> bytes:
        lmz.extract(str(archive), file.name, str(target), workers=1)
        return target.read_bytes()

    return measure(append, extract, file)


def z4ai(files: Files) -> dict[str, object]:
    import z4ai as library
    from z4ai import model_delta

    file, base, _ = files
    raw, old = file.read_bytes(), base.read_bytes() if base else None
    held: list[bytes] = []

    def encode() -> int:
        if old is None:
            held.append(library.compress(raw, dtype=WIDTHS[dtype(file)][1], threads=1))
        else:
            held.append(model_delta.compress(raw, old, threads=1))
        return len(held[0])

    def decode() -> bytes:
        return bytes(library.decompress(held[0]) if old is None else model_delta.decompress(held[0], old))

    return measure(encode, decode, file)


def glyd(files: Files) -> dict[str, object]:
    import glyd as library

    file, base, _ = files
    raw, old = file.read_bytes(), base.read_bytes() if base else None
    held: list[bytes] = []

    def encode() -> int:
        packed = library.compress(raw, level="max", threads=1) if old is None else library.compress_with_base(old, raw)
        held.append(bytes(packed))
        return len(held[0])

    def decode() -> bytes:
        return bytes(library.decompress(held[0]) if old is None else library.decompress_with_base(old, held[0]))

    return measure(encode, decode, file)


PEERS: dict[str, Callable[[Files], dict[str, object]]] = {
    "zstd -1": zstd(1), "zstd -3": zstd(3), "ZipNN": zipnn, "lmzip": lmzip, "z4ai": z4ai, "glyd": glyd,
    "zstd -19": zstd(19), "xz -6": xz,
}  # fmt: skip
# A megabyte a second or less: asked for with --slow.
SLOW = {"zstd -19", "xz -6"}
# They have no way to use a base.
ALONE = {"xz -6"}


def main() -> None:
    name, file = sys.argv[1], pathlib.Path(sys.argv[2])
    base = pathlib.Path(sys.argv[3]) if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory(prefix="pawl-peer-") as work:
        try:
            result = PEERS[name]((file, base, pathlib.Path(work)))
        except (ImportError, FileNotFoundError) as error:
            result = {"missing": str(error)}
    print(json.dumps(result))


if __name__ == "__main__":
    main()
