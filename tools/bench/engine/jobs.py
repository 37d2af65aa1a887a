"""What is measured: the works with their inputs, written into a folder that both programs read.

Texts are common words, each of them one token of SmolLM2, so that lengths are exact: what a model says about them does
not matter to the time it takes. Both programs count their tokens, and the driver compares the counts.
"""

import json
import pathlib
import random
from dataclasses import dataclass
from typing import Any

WORDS = """time people way water day man world school house hand part place week case point company number group
problem fact night room mother area money story month book eye job word business issue side kind head friend father
power hour game line end member law car city name president team minute idea kid body information back parent face
others level office door health person art war history party result change reason research girl moment air teacher
force education""".split()


@dataclass(frozen=True)
class Sizes:
    """How much work it is; token counts of SmolLM2's template: a question of 12 words is a prompt of 42 tokens, a
    turn of 12 and 63 words has 86, so that 42 + 3 * 86 = 300."""

    prompt: int = 32
    new_tokens: int = 128
    batches: tuple[int, ...] = (1, 16)
    texts: int = 64
    text: int = 256
    records: int = 16
    question: int = 12
    demonstration: int = 64
    sft_question: int = 2
    sft_answer: int = 96
    shots: int = 2


FULL = Sizes()
QUICK = Sizes(
    prompt=8, new_tokens=6, batches=(1, 2), texts=4, text=24, records=2, question=3, demonstration=8, sft_answer=6,
    shots=1,
)  # fmt: skip

# Steps go on until the driver has enough. Settings of the loss are the official ones (docs/engine.md).
RECIPE: dict[str, Any] = {
    "method": "sdft", "steps": 100000, "rehearsal_share": 0, "learning_rate": 2e-5, "warmup_steps": 0,
    "schedule": "constant", "weight_decay": 0, "max_gradient_norm": 1, "divergence": "forward_kl", "top_k": 0,
    "temperature": 1, "on_policy_fraction": 1, "skip_tokens": 3, "teacher_weights": "frozen", "ema_rate": 0.01,
    "precision": "float32", "seed": 1, "save_every": 100000, "max_context_tokens": 1024,
}  # fmt: skip


class Writer:
    """Random words, the same at every run."""

    def __init__(self) -> None:
        self.random = random.Random(20261123)

    def words(self, count: int) -> str:
        return " ".join(self.random.choices(WORDS, k=count))

    def turn(self, question: int, answer: int) -> list[dict[str, str]]:
        return [
            {"role": "user", "content": self.words(question)},
            # The token that ends an answer counts.
            {"role": "assistant", "content": self.words(answer - 1)},
        ]


def records(writer: Writer, count: int, question: int, answer: int, shots: int) -> list[dict[str, Any]]:
    """Demonstrations, each with a few-shot teacher: turns that all share, its own demonstration, its question."""
    shared = [message for _ in range(shots) for message in writer.turn(question, answer)]
    result = []
    for number in range(count):
        own = writer.turn(question, answer)
        prompt = own[:1]
        result.append(
            {
                "id": str(number), "role": "skill", "prompt": prompt, "completion": own[1]["content"],
                "teacher": [*shared, *own, *prompt],
            }  # fmt: skip
        )
    return result


def linked(model: pathlib.Path, folder: pathlib.Path) -> None:
    folder.mkdir()
    for file in model.iterdir():
        (folder / file.name).symlink_to(file.resolve())


def unending(model: pathlib.Path, folder: pathlib.Path) -> None:
    """The model with another token as the one that ends an answer: one that is never drawn, so that all answers have
    the length that is asked for."""
    linked(model, folder)
    settings = json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8"))
    special = {int(number): token["content"] for number, token in settings["added_tokens_decoder"].items()}
    number = max(special)
    changes = {
        "config.json": {"eos_token_id": number},
        "generation_config.json": {"eos_token_id": number},
        "tokenizer_config.json": {"eos_token": special[number]},
        "special_tokens_map.json": {"eos_token": special[number]},
    }
    for name, change in changes.items():
        if (model / name).exists():
            value = json.loads((model / name).read_text(encoding="utf-8"))
            (folder / name).unlink()
            (folder / name).write_text(json.dumps({**value, **change}, indent=2), encoding="utf-8")


def write_job(folder: pathlib.Path, model: pathlib.Path, threads: int, sizes: Sizes) -> dict[str, dict[str, Any]]:
    """Writes everything that the programs read. Returns the works, each with the numbers of tokens to expect."""
    writer = Writer()
    linked(model, folder / "model")
    unending(model, folder / "unending")

    def file(name: str, rows: list[dict[str, Any]]) -> str:
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return name

    def training(name: str, model: str, rows: list[dict[str, Any]], method: str, length: int) -> dict[str, Any]:
        recipe = {
            **RECIPE, "method": method, "prompts_per_step": len(rows), "micro_batch": len(rows),
            "max_completion_tokens": length,
        }  # fmt: skip
        file(f"{name}.recipe.json", [recipe])
        return {
            "kind": "train", "model": model, "records": file(f"{name}.jsonl", rows), "recipe": f"{name}.recipe.json",
            "expected": {"tokens": len(rows) * length},
        }  # fmt: skip

    works: dict[str, dict[str, Any]] = {"limits": {"kind": "limits"}}
    for count in sizes.batches:
        works[f"decode-{count}"] = {
            "kind": "decode", "model": "model", "texts": [writer.words(sizes.prompt) for _ in range(count)],
            "new_tokens": sizes.new_tokens,
            "expected": {"prompt_tokens": count * sizes.prompt, "tokens": count * sizes.new_tokens},
        }  # fmt: skip
    works["score"] = {
        "kind": "score", "model": "model", "texts": [writer.words(sizes.text) for _ in range(sizes.texts)],
        "expected": {"tokens": sizes.texts * sizes.text},
    }  # fmt: skip
    rows = records(writer, sizes.records, sizes.sft_question, sizes.sft_answer, 0)
    works["sft"] = training("sft", "model", rows, "sft", sizes.sft_answer)
    rows = records(writer, sizes.records, sizes.question, sizes.demonstration, sizes.shots)
    works["sdft"] = training("sdft", "unending", rows, "sdft", sizes.demonstration)
    works["sft-same"] = training("sft-same", "unending", rows, "sft", sizes.demonstration)
    if sizes == FULL:
        works["sft"]["expected"]["prompt_tokens"] = sizes.records * (128 - sizes.sft_answer)
        works["sdft"]["expected"]["context_tokens"] = sizes.records * 300
    (folder / "job.json").write_text(json.dumps({"threads": threads, "works": works}), encoding="utf-8")
    return works
