#!/usr/bin/env python3
"""Tries a recipe on an engine without the host: composes the records, trains, scores suites before and after.

    recipe.py probe  MODEL SKILL --work DIR                     the teacher's contexts against the bare student
    recipe.py score  MODEL SUITE... --work DIR [--limit N]      a model on suites (folders)
    recipe.py train  MODEL SKILL --work DIR [--set key=value]   a training; prints seconds per step

Standard library only. Everything goes to DIR; each verb prints one JSON line a result.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
OFFICIAL = (
    "\n{prompt}\n\nThis is an example for a response to the question:\n{demonstration}\n\n"
    "Now answer with a response of your own, including the thinking process.\n"
)
RECIPE = {
    "method": "sdft", "steps": 80, "prompts_per_step": 16, "rehearsal_share": 0.375, "learning_rate": 2e-5,
    "warmup_steps": 8, "schedule": "cosine", "weight_decay": 0.0, "max_gradient_norm": 1.0,
    "divergence": "forward_kl", "top_k": 0, "temperature": 1.0, "on_policy_fraction": 1.0, "max_completion_tokens": 48, "skip_tokens": 3,
    "teacher_weights": "frozen", "ema_rate": 0.01, "micro_batch": 16, "precision": "float32", "seed": 1,
    "save_every": 20, "max_context_tokens": 1024,
}  # fmt: skip


def sha256(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def lines(path: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def write_lines(path: pathlib.Path, rows: list[dict]) -> pathlib.Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def turns(row: dict) -> tuple[list[dict], str | None]:
    """A demonstration's or prompt's messages, and the response if it has one."""
    if "messages" in row:
        messages = row["messages"]
        if messages[-1]["role"] == "assistant":
            return messages[:-1], messages[-1]["content"]
        return messages, None
    return [{"role": "user", "content": row["prompt"]}], row.get("completion")


def teacher(context: dict, prompt: list[dict], completion: str, shots: list[dict]) -> list[dict]:
    """The teacher's conversation as the host composes it."""
    if context["kind"] == "demonstration":
        text = context.get("template", OFFICIAL).replace("{prompt}", prompt[-1]["content"])
        return [*prompt[:-1], {"role": "user", "content": text.replace("{demonstration}", completion)}]
    result = []
    for shot in shots[: context["shots"]]:
        messages, answer = turns(shot)
        result += [*messages, {"role": "assistant", "content": answer}]
    if context.get("own_demonstration", True):
        result += [*prompt, {"role": "assistant", "content": completion}]
    return [*result, *prompt]


def compose(skill: pathlib.Path, context: dict, rehearsal: pathlib.Path | None) -> list[dict]:
    demonstrations = lines(skill / "demonstrations.jsonl")
    shots = context.get("shots", 0) if context["kind"] == "few_shot" else 0
    records = []
    for number, row in enumerate(demonstrations[shots:]):
        prompt, completion = turns(row)
        own = teacher(context, prompt, completion, demonstrations[:shots])
        records.append(
            {"id": row.get("id", str(number)), "role": "skill", "prompt": prompt, "completion": completion, "teacher": own}
        )
    for row in lines(rehearsal / "prompts.jsonl") if rehearsal else []:
        prompt, _ = turns(row)
        records.append({"id": row["id"], "role": "rehearsal", "prompt": prompt, "teacher": prompt})
    return records


class Engine:
    """A session with an engine's program."""

    def __init__(self, folder: pathlib.Path, work: pathlib.Path):
        self.process = subprocess.Popen([folder / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.work = work
        self.count = 0
        self.ask({"type": "init", "protocol": 1, "session": "bench", "workdir": str(work), "host": {"name": "bench"}})

    def ask(self, message: dict, progress=None) -> dict:
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
        while line := self.process.stdout.readline():
            answer = json.loads(line)
            if answer["type"] == "error":
                raise SystemExit(f"{answer['code']}: {answer['message']}")
            if answer["type"] != "progress":
                return answer
            if progress:
                progress(answer)
        raise SystemExit("the engine ended")

    def evaluate(self, model: str, rows: list[dict], settings: dict) -> list[dict]:
        self.count += 1
        path = write_lines(self.work / f"requests-{os.getpid()}-{self.count}.jsonl", rows)
        answer = self.ask(
            {
                "type": "evaluate", "id": f"{os.getpid()}-{self.count}", "model": {"dir": model},
                "suite": {"path": str(path), "sha256": sha256(path)}, "settings": settings,
            }
        )  # fmt: skip
        return lines(self.work / answer["items"]["path"])


def function_call(text: str) -> object:
    text = text.strip()
    if text.startswith("```"):
        text = text.strip("`").removeprefix("json").strip()
    try:
        return json.loads(text)
    except ValueError:
        return None


def grade(suite: dict, item: dict, answer: dict) -> bool:
    kind = suite["grader"]["kind"]
    if kind == "multiple_choice":
        scores = answer["log_likelihoods"]
        if suite["grader"].get("normalisation") == "bytes":
            scores = [s / len(c.encode()) for s, c in zip(scores, item["choices"], strict=True)]
        return max(range(len(scores)), key=scores.__getitem__) == item["answer"]
    targets = item.get("targets") or [item["target"]]
    if kind in ("function_call", "json_equality"):
        return any(function_call(answer["response"]) == json.loads(target) for target in targets)
    if kind == "contains":
        text = " ".join(answer["response"].lower().split())
        return any(" ".join(target.lower().split()) in text for target in targets)
    raise SystemExit(f"no grader for {kind} here")


def settings_of(suite: dict, options: argparse.Namespace) -> dict:
    return {"precision": options.precision, "batch_size": options.batch, **suite.get("decoding", {})}


def score(engine: Engine, model: str, folder: pathlib.Path, options: argparse.Namespace) -> dict:
    suite = json.loads((folder / "suite.json").read_text())
    items = lines(folder / suite["items"])
    if options.limit and len(items) > options.limit:
        items = sorted(items, key=lambda item: hashlib.sha256(item["id"].encode()).hexdigest())[: options.limit]
    keys = ("id", "prompt", "messages", "choices")
    rows = [{key: item[key] for key in keys if key in item} for item in items]
    start = time.time()
    answers = engine.evaluate(model, rows, settings_of(suite, options))
    right = [grade(suite, item, answer) for item, answer in zip(items, answers, strict=True)]
    result = {"suite": suite["name"], "items": len(items), "accuracy": round(sum(right) / len(right), 4),
              "seconds": round(time.time() - start, 1), "model": model}  # fmt: skip
    if options.keep:
        result["right"] = [item["id"] for item, good in zip(items, right, strict=True) if good]
    if options.show:
        for item, answer, good in list(zip(items, answers, right, strict=True))[: options.show]:
            print(good, item.get("prompt"), "->", answer.get("response", answer.get("log_likelihoods")), file=sys.stderr)
    return result


def probe(engine: Engine, options: argparse.Namespace) -> list[dict]:
    skill = options.target[0]
    manifest = json.loads((skill / "skill.json").read_text())
    suite = json.loads((skill / manifest["suite"]).read_text())
    demonstrations = lines(skill / "demonstrations.jsonl")
    contexts = [{"kind": "none"}, *manifest["teacher"]["contexts"]]
    sample = random.Random(1).sample(demonstrations[8:], options.limit or 24)
    results = []
    for context in contexts:
        rows = []
        for number, row in enumerate(sample):
            prompt, completion = turns(row)
            messages = prompt if context["kind"] == "none" else teacher(context, prompt, completion, demonstrations)
            rows.append({"id": str(number), "messages": messages})
        answers = engine.evaluate(options.model, rows, settings_of(suite, options))
        right = sum(
            grade(suite, {"target": turns(row)[1]}, answer) for row, answer in zip(sample, answers, strict=True)
        )
        results.append({"context": context, "right": right, "of": len(sample)})
        for row, answer in list(zip(sample, answers, strict=True))[: options.show]:
            print(row["prompt"], "->", answer["response"], file=sys.stderr)
    return results


def train(engine: Engine, options: argparse.Namespace) -> dict:
    skill = options.target[0]
    manifest = json.loads((skill / "skill.json").read_text())
    recipe = {**RECIPE, **manifest.get("recipe", {})}
    for text in options.set:
        name, value = text.split("=", 1)
        recipe[name] = json.loads(value) if name in RECIPE and not isinstance(RECIPE[name], str) else value
    rehearsal = ROOT / "registry/rehearsal/general" if recipe["rehearsal_share"] else None
    records = compose(skill, manifest["teacher"]["contexts"][options.context], rehearsal)
    path = write_lines(engine.work / f"records-{options.name}.jsonl", records)
    log = (engine.work / f"{options.name}.progress.jsonl").open("a")
    times: dict[int, float] = {}

    def progress(message: dict) -> None:
        if message["step"] not in times and message.get("phase") in ("training", "loading"):
            times[message["step"]] = time.time()
            log.write(json.dumps({"step": message["step"], "time": time.time(), **message["metrics"]}) + "\n")
            log.flush()

    start = time.time()
    answer = engine.ask(
        {
            "type": "train", "id": options.name, "model": {"dir": options.model, "digest": "bench"},
            "demonstrations": {"path": str(path), "sha256": sha256(path)}, "recipe": recipe,
            "output": options.name, "state": options.name + ".state",
        },
        progress,
    )  # fmt: skip
    steps = sorted(times)
    deltas = [times[b] - times[a] for a, b in zip(steps, steps[1:]) if b == a + 1]
    return {"name": options.name, "seconds": round(time.time() - start, 1), "recipe": recipe,
            "seconds_per_step": round(statistics.median(deltas), 2) if deltas else None,
            "metrics": answer["metrics"], "environment": answer["environment"], "output": answer["output"]}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["probe", "score", "train"])
    parser.add_argument("model")
    parser.add_argument("target", nargs="+", type=pathlib.Path)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--engine", type=pathlib.Path, default=ROOT / "registry/engines/trl")
    parser.add_argument("--limit", type=int, default=0)
    parser.add_argument("--precision", default="float32")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--show", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="keep the ids of the right answers")
    parser.add_argument("--context", type=int, default=0)
    parser.add_argument("--name", default="run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    options.model = str(pathlib.Path(options.model).resolve())
    options.work = options.work.resolve()
    options.work.mkdir(parents=True, exist_ok=True)
    engine = Engine(options.engine, options.work)
    results = {
        "probe": lambda: probe(engine, options),
        "score": lambda: [score(engine, options.model, folder, options) for folder in options.target],
        "train": lambda: [train(engine, options)],
    }[options.verb]()
    for result in results:
        print(json.dumps(result), flush=True)
    engine.process.stdin.close()
    engine.process.wait()


if __name__ == "__main__":
    main()
