"""Evaluation: greedy answers and log-likelihoods of choices, each item as if it were alone in the file.

An item's numbers do not depend on its neighbours: prompts are padded to a width that follows from their own length,
batches hold equal widths only, and the matrix products do not depend on the number of rows (launch.environment).
"""

import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel

from . import model_io
from .chat import Chat, checked_messages
from .decoding import decode, greedy
from .errors import EngineError, invalid
from .files import checked_input, read_lines, sha256_file

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WIDTH = 16


@dataclass(frozen=True)
class Settings:
    template: str
    max_tokens: int
    stop: tuple[str, ...]
    precision: str
    batch_size: int

    @staticmethod
    def parse(value: Any) -> "Settings":
        value = {} if value is None else value
        if not isinstance(value, dict):
            raise invalid("settings: not an object")
        given = {**{"template": "chat", "max_tokens": 64, "stop": [], "precision": "float32", "batch_size": 32}, **value}
        if given["template"] not in ("chat", "raw"):
            raise EngineError("unsupported", f"settings: template {given['template']!r} is not chat or raw")
        if given["precision"] not in DTYPES:
            raise EngineError("unsupported", f"settings: precision {given['precision']!r} is not float32 or bfloat16")
        for name in ("max_tokens", "batch_size"):
            if not isinstance(given[name], int) or isinstance(given[name], bool) or given[name] < 1:
                raise invalid(f"settings: {name} must be a whole number above 0, not {given[name]!r}")
        stop = given["stop"]
        if not isinstance(stop, list) or not all(isinstance(text, str) and text for text in stop):
            raise invalid("settings: stop must be a list of texts")
        return Settings(given["template"], given["max_tokens"], tuple(stop), given["precision"], given["batch_size"])


@dataclass(frozen=True)
class Item:
    id: str
    prompt: list[int]
    choices: list[list[int]] | None


def read_items(path: str, chat: Chat, settings: Settings, room: int) -> tuple[list[Item], dict[str, str], list[str]]:
    """The items that can be run, an error for each that cannot, and all ids in the order of the file."""
    items: list[Item] = []
    failed: dict[str, str] = {}
    order: list[str] = []
    seen: set[str] = set()
    for number, value in enumerate(read_lines(path, "suite"), 1):
        identifier = value.get("id")
        if not isinstance(identifier, str):
            raise invalid(f"suite, line {number}: no id")
        if identifier in seen:
            raise invalid(f"suite, line {number}: the id {identifier!r} occurs twice")
        seen.add(identifier)
        order.append(identifier)
        try:
            item = read_item(value, chat, settings)
            longest = len(item.prompt) + (max(map(len, item.choices)) if item.choices else settings.max_tokens)
            if longest > room:
                raise invalid(f"item {identifier!r}: {longest} tokens do not fit the model's {room}")
            items.append(item)
        except EngineError as error:
            failed[identifier] = error.message
    if not order:
        raise invalid("suite: the file holds no items")
    return items, failed, order


def read_item(value: dict[str, Any], chat: Chat, settings: Settings) -> Item:
    where = f"item {value['id']!r}"
    if settings.template == "raw":
        if not isinstance(value.get("prompt"), str):
            raise invalid(f"{where}: the raw template takes a prompt, not messages")
        prompt = chat.raw_tokens(value["prompt"])
    else:
        messages = value.get("messages")
        if messages is None and isinstance(value.get("prompt"), str):
            messages = [{"role": "user", "content": value["prompt"]}]
        prompt = chat.prompt_tokens(checked_messages(messages, where), where)
    if not prompt:
        raise invalid(f"{where}: the prompt is empty")
    choices = value.get("choices")
    if choices is None:
        return Item(value["id"], prompt, None)
    if not isinstance(choices, list) or not choices or not all(isinstance(c, str) and c for c in choices):
        raise invalid(f"{where}: choices must be a list of texts")
    return Item(value["id"], prompt, [chat.text_tokens(choice) for choice in choices])


def batches(items: list[Item], length: Callable[[Item], int], size: int) -> Iterator[tuple[int, list[Item]]]:
    """Batches of items of one padded width, the widest first (what does not fit memory fails at once)."""
    groups: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        groups[-(-length(item) // WIDTH) * WIDTH].append(item)
    for width in sorted(groups, reverse=True):
        group = groups[width]
        for start in range(0, len(group), size):
            yield width, group[start : start + size]


def generate(model: PreTrainedModel, chat: Chat, width: int, items: list[Item], settings: Settings) -> Iterator[dict]:
    """Greedy answers: the end token or a stop text ends one, and is not part of it."""
    ends = set(chat.end_tokens)

    def finished(row: int, answer: list[int]) -> bool:
        if answer[-1] in ends:
            return True
        return bool(settings.stop) and any(stop in chat.text(answer) for stop in settings.stop)

    prompts = [item.prompt for item in items]
    answers = decode(model, prompts, settings.max_tokens, chat.pad_token, greedy, finished, width)
    for item, answer in zip(items, answers, strict=True):
        ended = answer[-1] in ends
        if ended:
            answer = answer[:-1]
        text = chat.text(answer)
        cuts = [place for place in (text.find(stop) for stop in settings.stop) if place >= 0]
        if cuts:
            text, ended = text[: min(cuts)], True
        yield {"id": item.id, "response": text, "finish": "stop" if ended else "length", "tokens": len(answer)}


@torch.no_grad()
def score(model: PreTrainedModel, chat: Chat, width: int, items: list[Item]) -> Iterator[dict]:
    """Log-likelihoods: the prompt and all its choices in one row, where a choice sees the prompt and itself only."""
    device = next(model.parameters()).device
    tokens = torch.full((len(items), width), chat.pad_token, dtype=torch.long)
    place = torch.zeros((len(items), width), dtype=torch.long)
    seen = torch.zeros((len(items), 1, width, width), dtype=torch.bool)
    sources: list[int] = []  # positions whose logits are wanted, flattened
    targets: list[int] = []
    counts: list[list[int]] = []
    for i, item in enumerate(items):
        length = len(item.prompt)
        tokens[i, :length] = torch.tensor(item.prompt)
        place[i, :length] = torch.arange(length)
        seen[i, 0, :length, :length] = torch.ones(length, length).tril().bool()
        start = length
        for choice in item.choices:
            end = start + len(choice)
            tokens[i, start:end] = torch.tensor(choice)
            place[i, start:end] = torch.arange(length, length + len(choice))
            seen[i, 0, start:end, :length] = True
            seen[i, 0, start:end, start:end] = torch.ones(len(choice), len(choice)).tril().bool()
            sources += [i * width + position for position in (length - 1, *range(start, end - 1))]
            targets += choice
            start = end
        seen[i, 0, range(start, width), range(start, width)] = True  # padding looks at itself: no empty row
        counts.append([len(choice) for choice in item.choices])
    bias = torch.zeros(seen.shape, dtype=model.dtype).masked_fill(~seen, torch.finfo(model.dtype).min)
    hidden = model.get_decoder()(
        input_ids=tokens.to(device), attention_mask=bias.to(device), position_ids=place.to(device), use_cache=False
    ).last_hidden_state.flatten(0, 1)
    values: list[float] = []
    for start in range(0, len(sources), 256):
        part = slice(start, start + 256)
        logits = model.get_output_embeddings()(hidden[torch.tensor(sources[part], device=device)]).float()
        likelihoods = torch.log_softmax(logits, dim=-1)
        wanted = torch.tensor(targets[part], device=device)[:, None]
        values += likelihoods.gather(-1, wanted)[:, 0].double().tolist()
    taken = 0
    for item, lengths in zip(items, counts, strict=True):
        sums = []
        for length in lengths:
            sums.append(sum(values[taken : taken + length]))
            taken += length
        yield {"id": item.id, "log_likelihoods": sums, "tokens": lengths}


def evaluate(request: dict[str, Any], progress: Any) -> dict[str, Any]:
    workdir = request["workdir"]
    settings = Settings.parse(request.get("settings"))
    directory = model_io.model_directory(request.get("model"), workdir)
    path = checked_input(request.get("suite"), "suite", workdir)
    threads = model_io.set_threads()
    progress(0, 0, {}, "loading")
    chat = model_io.load_chat(directory)
    model = model_io.load_model(directory, DTYPES[settings.precision])
    room = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 30
    items, failed, order = read_items(path, chat, settings, room)

    results: dict[str, dict] = {identifier: {"id": identifier, "error": text} for identifier, text in failed.items()}
    progress(len(results), len(order), {}, "evaluating")

    def done(result: dict) -> None:
        results[result["id"]] = result
        progress(len(results), len(order), {}, "evaluating", force=False)

    open_ended = [item for item in items if item.choices is None]
    for width, batch in batches(open_ended, lambda item: len(item.prompt), settings.batch_size):
        for result in generate(model, chat, width, batch, settings):
            done(result)
    scored = [item for item in items if item.choices is not None]
    for width, batch in batches(scored, lambda i: len(i.prompt) + sum(map(len, i.choices)), settings.batch_size):
        for result in score(model, chat, width, batch):
            done(result)

    name = f"items-{request['id'].encode().hex()[:32]}.jsonl"
    target = os.path.join(workdir, name)
    with open(target + ".partial", "w", encoding="utf-8") as file:
        for identifier in order:
            file.write(json.dumps(results[identifier], ensure_ascii=False) + "\n")
    os.replace(target + ".partial", target)
    return {
        "items": {"path": name, "sha256": sha256_file(target), "count": len(order)},
        "environment": model_io.environment({"threads": threads, "precision": settings.precision}),
    }
