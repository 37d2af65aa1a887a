"""What the comparisons of this folder share: running pawl, a registry to start from, learning a skill once however often
one is killed, and the file that keeps what came of it. Standard library only.
"""

import argparse
import fcntl
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
JUDGED = (0, 3, 4)  # exit statuses of accept, reject, inconclusive
BUSY = 11


def pawl(registry: pathlib.Path, *arguments: str, allowed: tuple[int, ...] = (0,)) -> tuple[int, str]:
    """Exit status and standard output; any other status than those allowed ends the program."""
    program = shutil.which(os.environ.get("PAWL") or ROOT / ".build/release/pawl")
    if program is None:
        sys.exit("no pawl: swift build -c release --product pawl, or name one in PAWL")
    run = subprocess.run(
        [program, *arguments, "--registry", str(registry)], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    if run.returncode not in allowed:
        sys.exit(f"pawl {' '.join(arguments)} ended with {run.returncode}")
    return run.returncode, run.stdout


def ask(registry: pathlib.Path, *arguments: str) -> dict:
    return json.loads(pawl(registry, *arguments, "--json")[1])


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def write(file: pathlib.Path, text: str) -> None:
    """The whole file or none of it, whenever the program is killed."""
    partial = file.with_name(file.name + ".partial")
    partial.write_text(text)
    partial.rename(file)


def write_json(file: pathlib.Path, value: object) -> None:
    write(file, json.dumps(value, indent=1) + "\n")


def numbers(kind):
    """An argument's type: values with commas between them."""
    return lambda text: [kind(part) for part in text.split(",")]


def absolute(text: str) -> pathlib.Path:
    """An argument's type: pawl runs in the repository, wherever the comparison was called."""
    return pathlib.Path(text).absolute()


def add_arguments(parser: argparse.ArgumentParser, rates: list[float]) -> None:
    """The arguments that every comparison of methods has."""
    parser.add_argument("--base", type=absolute, help="the base model's directory (tools/smollm2)")
    parser.add_argument("--work", type=absolute, required=True, help="where everything is kept")
    parser.add_argument("--engine", default="native")
    parser.add_argument("--rates", type=numbers(float), default=rates, help="learning rates")
    parser.add_argument("--seeds", type=numbers(int), default=[1])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--methods", type=numbers(str), default=["sdft", "sft"])
    parser.add_argument("--shares", type=numbers(float), default=[0.375, 0.0], help="shares of rehearsal")


def recipe(options: argparse.Namespace, method: str, share: float, rate: float, seed: int) -> dict:
    return {
        "method": method, "rehearsal_share": share, "learning_rate": rate, "seed": seed, "steps": options.steps,
        "warmup_steps": min(4, options.steps),
    }  # fmt: skip


def name_of(settings: dict) -> str:
    share = settings["rehearsal_share"]
    rehearsal = f"rehearsed-{share:g}" if share else "alone"
    return f"{settings['method']}-{rehearsal}-{settings['learning_rate']:g}-{settings['seed']}"


def lock(work: pathlib.Path):
    """Keeps a second run away from the same directory for as long as the result is referred to."""
    work.mkdir(parents=True, exist_ok=True)
    file = (work / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        sys.exit(f"{work}: another run is using it")
    return file


def start(options: argparse.Namespace, suites: list[str]) -> pathlib.Path:
    """A registry with the base, measured on these suites, from which all cells start."""
    registry = options.work / "start"
    if not registry.exists():
        if options.base is None:
            sys.exit("--base is needed to make the first registry")
        building = options.work / "start.building"
        shutil.rmtree(building, ignore_errors=True)
        initialise(building, options.base, suites)
        if suites:
            pawl(building, "eval", "main", "--engine", options.engine)
        building.rename(registry)
    return registry


def initialise(registry: pathlib.Path, base: pathlib.Path, suites: list[str]) -> None:
    words = [word for name in suites for word in ("--suite", name)]
    pawl(registry, "init", "--base", str(base), *(words or ["--no-suites"]))


def copy_registry(source: pathlib.Path, registry: pathlib.Path) -> None:
    """A copy that is either there whole or not at all."""
    if registry.exists():
        return
    copy = registry.with_name(registry.name + ".copying")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(source, copy, symlinks=True)
    copy.rename(registry)


def judged(registry: pathlib.Path, position: int) -> list[str]:
    """What the gate judged of a registry's skill at a position (1 is the first): the training, then points on the way to
    it. Empty while that skill's registration has not ended."""
    if ask(registry, "status")["unfinished"]:
        return []
    entries = [e for e in reversed(ask(registry, "log", "--limit", "0")["entries"]) if e["kind"] == "verdict"]
    entries = [e for e in entries if e["body"]["verdict"]["kind"] == "registration"]
    skills = list(dict.fromkeys(e["skill"] for e in entries))
    if len(skills) < position:
        return []
    return list(dict.fromkeys(e["checkpoint"] for e in entries if e["skill"] == skills[position - 1]))


def learn(
    registry: pathlib.Path, position: int, skill: str, settings: dict, recipe: pathlib.Path, engine: str, *flags: str
) -> list[str]:  # fmt: skip
    """Registers a skill unless it has been: killed after its verdict, a cell must not learn the skill once more. The
    settings are kept in the recipe's file."""
    if recipe.exists() and json.loads(recipe.read_text()) != settings and ask(registry, "status")["unfinished"]:
        # What an earlier run began with other settings would go on with those.
        say("  giving up what was begun with other settings")
        pawl(registry, "register", "--abandon")
    write_json(recipe, settings)
    waiting = False
    while not (found := judged(registry, position)):
        code, _ = pawl(
            registry, "register", skill, "--engine", engine, "--recipe", str(recipe), "--resume", "--force", *flags,
            allowed=(*JUDGED, BUSY),
        )  # fmt: skip
        if code == BUSY:
            # A run that was killed may have left its pawl at work: what that one makes is this cell's.
            if not waiting:
                say("  a registration of an earlier run is still going; waiting for it")
            waiting = True
            time.sleep(1)
    return found


def outcome(registry: pathlib.Path, training: str, candidate: str, settings: dict) -> dict:
    """What is kept of a judged candidate: its standing on every suite, and what its training took."""
    trained = ask(registry, "show", training)
    made = trained["checkpoint"]["recipe"]
    differing = [key for key, value in settings.items() if made.get(key) != value]
    if differing:
        sys.exit(f"{registry} was trained with another {' and '.join(differing)}; remove it, or give another --work")
    shown = trained if candidate == training else ask(registry, "show", candidate)
    details = trained["manifest"]["details"]["training"]
    keys = ("state", "score", "difference", "lower", "upper")
    return {
        "engine": details["engine"], "environment": details["environment"],
        "decision": shown["checkpoint"]["status"], "candidate": candidate,
        "recipe": made, "metrics": details["metrics"],
        "suites": {s["suite_name"]: {key: s.get(key) for key in keys} for s in shown["skills"]},
    }  # fmt: skip
