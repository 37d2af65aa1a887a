"""Model directories: reading one, and writing one with the same files, names, order and types."""

import glob
import json
import os
import shutil
import struct
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from .chat import Chat
from .errors import EngineError, invalid
from .files import publish, remove

FLOATS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "F64": torch.float64}


def device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    return torch.device("cpu")


def set_threads() -> int:
    """As many threads as OMP_NUM_THREADS says, else one a core that this process may use."""
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    threads = int(wanted) if wanted.isdigit() and int(wanted) > 0 else max(1, len(os.sched_getaffinity(0)) // ranks)
    torch.set_num_threads(threads)
    return threads


def model_directory(reference: Any, workdir: str) -> str:
    if not isinstance(reference, dict) or not isinstance(reference.get("dir"), str):
        raise invalid("model: no dir")
    directory = os.path.join(workdir, reference["dir"])
    if not os.path.isfile(os.path.join(directory, "config.json")):
        raise invalid(f"model: {directory} has no config.json")
    if not weight_files(directory):
        raise EngineError("unsupported", f"model: {directory} has no safetensors file")
    return directory


def weight_files(directory: str) -> list[str]:
    return sorted(glob.glob(os.path.join(glob.escape(directory), "*.safetensors")))


def load_model(directory: str, dtype: torch.dtype) -> PreTrainedModel:
    try:
        model = AutoModelForCausalLM.from_pretrained(
            directory, dtype=dtype, local_files_only=True, use_safetensors=True, attn_implementation="sdpa"
        )
    except (OSError, ValueError, KeyError) as error:
        raise EngineError("unsupported", f"model: {directory} cannot be loaded: {error}") from error
    model.eval()
    return model.to(device())


def load_chat(directory: str) -> Chat:
    try:
        tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise EngineError("unsupported", f"model: the tokenizer of {directory} cannot be loaded: {error}") from error
    ends = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    for name in ("generation_config.json", "config.json"):
        path = os.path.join(directory, name)
        if os.path.isfile(path):
            with open(path, encoding="utf-8") as file:
                declared = json.load(file).get("eos_token_id")
            ends += declared if isinstance(declared, list) else [declared]
    ends = list(dict.fromkeys(token for token in ends if isinstance(token, int)))
    if not ends:
        raise EngineError("unsupported", f"model: {directory} names no token that ends an answer")
    chat = Chat(tokenizer, ends)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token_id = chat.pad_token
    return chat


def read_header(path: str) -> tuple[bytes, dict[str, Any]]:
    """A safetensors file's header: its bytes with the length in front, and its entries in the order of the data."""
    with open(path, "rb") as file:
        prefix = file.read(8)
        length = struct.unpack("<Q", prefix)[0]
        text = file.read(length)
    entries = json.loads(text)
    entries.pop("__metadata__", None)
    return prefix + text, dict(sorted(entries.items(), key=lambda item: item[1]["data_offsets"]))


def write_model(model: PreTrainedModel, source: str, output: str) -> None:
    """Writes a complete directory: every file of the source, with the weights replaced by the model's.

    The header bytes are the source's own, so names, order, types and metadata are too; an untrained tensor keeps its
    bytes (a bfloat16 value survives the way through float32, and rounding is to nearest, ties to even).
    """
    if os.path.exists(output):
        raise invalid(f"output: {output} exists already")
    temporary = output + ".partial"
    remove(temporary)
    os.makedirs(os.path.dirname(output), exist_ok=True)
    weights = {os.path.basename(path) for path in weight_files(source)}
    shutil.copytree(source, temporary, ignore=lambda folder, names: weights if folder == source else ())
    state = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    used: set[str] = set()
    for name in sorted(weights):
        write_weights(os.path.join(source, name), os.path.join(temporary, name), state, used)
    missing = [name for name, _ in model.named_parameters() if name not in used and not tied(model, name, used)]
    if missing:
        raise EngineError("unsupported", f"the model's weights have no place in the source: {', '.join(missing[:3])}")
    publish(temporary, output)


def tied(model: PreTrainedModel, name: str, used: set[str]) -> bool:
    parameters = dict(model.named_parameters(remove_duplicate=False))
    return any(other in used and parameters[other] is parameters[name] for other in parameters)


def write_weights(source: str, target: str, state: dict[str, torch.Tensor], used: set[str]) -> None:
    header, entries = read_header(source)
    with open(source, "rb") as old, open(target, "wb") as new:
        new.write(header)
        for name, entry in entries.items():
            start, end = entry["data_offsets"]
            tensor = state.get(name)
            if tensor is None or entry["dtype"] not in FLOATS:
                old.seek(len(header) + start)
                new.write(old.read(end - start))
                continue
            if list(tensor.shape) != entry["shape"]:
                raise EngineError("internal", f"{name} has shape {list(tensor.shape)}, not {entry['shape']}")
            used.add(name)
            data = tensor.to("cpu", FLOATS[entry["dtype"]]).contiguous()
            new.write(data.flatten().view(torch.uint8).numpy().tobytes())
    shutil.copymode(source, target)


def environment(extra: dict[str, Any]) -> dict[str, Any]:
    """What could move a number: versions, device, threads."""
    import platform

    import tokenizers
    import transformers

    from . import VERSION

    where = device()
    result = {
        "engine": VERSION,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "tokenizers": tokenizers.__version__,
        "device": where.type,
        "threads": torch.get_num_threads(),
        "machine": platform.machine(),
    }
    if where.type == "cuda":
        result["gpu"] = torch.cuda.get_device_name(where)
    else:
        result["cpu"] = torch.backends.cpu.get_cpu_capability()
        result["mkl_cbwr"] = os.environ.get("MKL_CBWR", "")
    return {**result, **extra}
