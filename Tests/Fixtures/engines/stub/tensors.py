"""safetensors files with the standard library only, and the tensors in which the stub keeps its abilities."""

import json
import math
import struct

SLOTS = 32
FAMILY_BYTES = 1024
TYPES = {"F32": 4, "BF16": 2, "U8": 1}


def read(path):
    """{name: (dtype, shape, bytearray)}, in the file's order."""
    with open(path, "rb") as file:
        data = file.read()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = memoryview(data)[8 + length :]
    found = sorted(header.items(), key=lambda entry: entry[1]["data_offsets"])
    return {
        name: (entry["dtype"], entry["shape"], bytearray(body[slice(*entry["data_offsets"])]))
        for name, entry in found
    }


def encode(tensors):
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(bytes(data) for _, _, data in tensors.values())


class Abilities:
    """What the stub can do: a quality in 0..1 for each family of items, kept in two tensors.

    `stub.families` (U8) is a JSON list of names, `stub.quality` (F32) holds the value of each at the same
    index. Index 0, "*", is for families that the model never met; "$noise" is the share of items that
    are decided anew by each model, "$salt" what decides them,
    "$flaky" the share that is decided anew by each run, "$teacher" the quality with the answer in view.
    """

    def __init__(self, tensors):
        families = bytes(tensors["stub.families"][2]).rstrip(b"\0")
        try:
            self.names = json.loads(families or b"[]")
        except ValueError:
            self.names = []  # a damaged model can do nothing
        self.values = list(struct.unpack("<%df" % SLOTS, tensors["stub.quality"][2]))

    def __getitem__(self, name):
        value = self.values[self.names.index(name)] if name in self.names else 0.0
        return value if math.isfinite(value) else 0.0

    def __setitem__(self, name, value):
        if name not in self.names:
            if len(self.names) == SLOTS:
                raise ValueError("the stub knows at most %d families" % SLOTS)
            self.names.append(name)
        self.values[self.names.index(name)] = value

    def quality(self, family):
        return self[family] if family in self.names else self["*"]

    def store(self, tensors):
        names = json.dumps(self.names, separators=(",", ":")).encode()
        if len(names) > FAMILY_BYTES:
            raise ValueError("the names of the stub's families are too long")
        tensors["stub.families"] = ("U8", [FAMILY_BYTES], bytearray(names.ljust(FAMILY_BYTES, b"\0")))
        tensors["stub.quality"] = ("F32", [SLOTS], bytearray(struct.pack("<%df" % SLOTS, *self.values)))
