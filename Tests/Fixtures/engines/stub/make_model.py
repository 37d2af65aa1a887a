#!/usr/bin/env python3
"""Makes the stub's base model: make_model.py DIR [FAMILY=QUALITY ...]

"*" is the quality for families that are not named (default 0.0), "$teacher" the one with a demonstration
in view (default 0.95). The same arguments give the same bytes.
"""

import json
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import tensors as safetensors  # noqa: E402
from stub import number  # noqa: E402


def main():
    directory = sys.argv[1]
    quality = {"*": 0.0, "$teacher": 0.95, "$noise": 0.0, "$salt": 0.0}
    quality.update((name, float(value)) for name, value in (text.split("=") for text in sys.argv[2:]))
    floats = [number("base", k) - 0.5 for k in range(2048)]
    weights = {
        "model.embed_tokens.weight": ("F32", [64, 16], bytearray(struct.pack("<1024f", *floats[:1024]))),
        "model.layers.0.mlp.weight": (
            "BF16", [32, 32], bytearray(b"".join(struct.pack("<f", x)[2:] for x in floats[1024:]))),
    }
    blank = {"stub.families": ("U8", [0], bytearray()), "stub.quality": ("F32", [32], bytearray(128))}
    abilities = safetensors.Abilities(blank)
    for name, value in quality.items():
        abilities[name] = value
    abilities.store(weights)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "model.safetensors"), "wb") as file:
        file.write(safetensors.encode(weights))
    for name, value in (
        ("config.json", {"model_type": "stub", "architectures": ["StubForCausalLM"], "vocab_size": 64}),
        ("tokenizer_config.json", {"chat_template": "{{ messages[-1]['content'] }}", "eos_token": "</s>"}),
    ):
        with open(os.path.join(directory, name), "w") as file:
            json.dump(value, file, indent=1, sort_keys=True)
            file.write("\n")


if __name__ == "__main__":
    main()
