"""The report of tools/bench/sequential: from a directory's results to one document, and that document as Markdown."""

import json
import pathlib
import sys

METRICS = ["average_accuracy", "backward_transfer", "forward_transfer", "forgetting"]
NOTE = {
    False: "What the gate did not accept became main by a waiver, so that each method goes on with what it made.",
    True: "What the gate did not accept was kept out: the next skill started from main as it was.",
}


def collect(work: pathlib.Path) -> dict:
    """Every finished sequence below a directory: its cells, matrix, transfer and the plot's place."""
    found = []
    for folder in sorted((work / "sequences").glob("*")):
        if not (folder / "verdicts.json").exists():
            continue
        read = {name: json.loads((folder / f"{name}.json").read_text()) for name in ("matrix", "transfer")}
        files = sorted((work / "cells" / folder.name).glob("*.json"), key=lambda file: int(file.name.split("-")[0]))
        cells = [json.loads(file.read_text()) for file in files]
        found.append({"name": folder.name, "plot": f"sequences/{folder.name}/scores.svg", "cells": cells, **read})
    if not found:
        sys.exit(f"{work}: no sequence is finished yet")
    return {"sequences": found}


def row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def table(header: list[str], rows: list[list[str]]) -> list[str]:
    return [row(header), "|" + "---|" * len(header), *map(row, rows), ""]


def points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f}"


def percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"


def score_table(sequence: dict) -> list[str]:
    """Suite by checkpoint: the base, then main after each skill, and what was kept out."""
    matrix, cells = sequence["matrix"], sequence["cells"]
    scores = {(cell["checkpoint"], cell["suite"]): cell for cell in matrix["cells"]}
    base = next(c["digest"] for c in matrix["checkpoints"] if c["status"] == "base")
    lines = [("base", base)]
    lines += [(f"{cell['position']}. {cell['skill']} ({cell['fate']})", cell["candidate"]) for cell in cells]
    order = [cell["skill"] for cell in cells]
    suites = sorted(matrix["suites"], key=lambda s: order.index(s["skill"]) if s.get("skill") in order else -1)
    rows = []
    for name, digest in lines:
        values = [scores.get((digest, suite["digest"])) for suite in suites]
        rows.append([name, f"`{digest[:12]}`"] + [
            "" if v is None else f"{v['score']:.1%} [{100 * v['lower']:.1f}, {100 * v['upper']:.1f}]" for v in values
        ])  # fmt: skip
    return table(["after", "checkpoint"] + [suite["name"] for suite in suites], rows)


def verdict_tables(cell: dict) -> list[str]:
    """Every verdict of a cell: the training's, then those of points on the way to it."""
    result = []
    for number, verdict in enumerate(cell["verdicts"]):
        what = "training" if number == 0 else f"point {number} on the way to it"
        result += [f"**{cell['skill']}, {what}: {verdict['decision'].upper()}** {verdict['reasons'][0]}", ""]
        result += table(
            ["suite", "role", "state", "score", "anchor", "change", "interval", "margin", "n", "lost", "won", "attempt"],
            [[
                s["suite"], s["role"], s["state"], percent(s["candidate_score"]), percent(s["anchor_score"]),
                points(s["difference"]), f"[{points(s['lower'])}, {points(s['upper'])}]",
                "gain > 0" if s["role"] == "new" else f"{100 * s['margin']:.1f}", str(s["count"]), str(s["b"]),
                str(s["c"]), str(s["attempt"]),
            ] for s in verdict["suites"]],
        )  # fmt: skip
    return result


def summary(sequences: list[dict]) -> list[str]:
    """A line a sequence: the fate of each skill, the transfer figures, what training read and took."""
    rows = []
    for sequence in sequences:
        cells, metrics = sequence["cells"], sequence["transfer"]["metrics"]
        settings = cells[0]["settings"]
        # A training that was killed and went on does not know what it had read before.
        read = [cell["metrics"].get("tokens_read") for cell in cells]
        minutes = f"{sum(cell['seconds'] for cell in cells) / 60:.0f}"
        general = [delta["change"] for delta in sequence["transfer"]["general"]]
        rows.append([
            settings["method"].upper(), f"{settings['rehearsal_share']:.0%}", f"{settings['learning_rate']:g}",
            str(settings["seed"]), ", ".join(f"{c['skill']}: {c['decision']} ({c['fate']})" for c in cells),
            percent(metrics.get("average_accuracy")), *(points(metrics.get(name)) for name in METRICS[1:]),
            points(sum(general) / len(general)) if general else "",
            "" if None in read else f"{sum(read) / 1000:.0f}k",
            f"over {minutes}" if any(cell["resumed"] for cell in cells) else minutes,
        ])  # fmt: skip
    header = ["method", "rehearsal", "learning rate", "seed", "skills", "average accuracy", "backward transfer",
              "forward transfer", "forgetting", "mean change of general suites", "tokens read", "minutes"]  # fmt: skip
    return table(header, rows)


def markdown(found: dict) -> str:
    sequences = found["sequences"]
    first = sequences[0]["cells"][0]
    engine, settings = first["engine"], first["settings"]
    lines = [
        "# Skills in sequence", "",
        f"Skills in the order of learning: {', '.join(first['skills'])}. Engine {engine['name']} {engine['version']}; "
        f"{settings['steps']} steps a skill; the same number of records a step for every sequence. {NOTE[first['gate']]}"
        + (" Rejected trainings were given second chances (`--rescue`)." if first["rescue"] else ""), "",
        "Accuracy and intervals (95%) in per cent; transfer, forgetting and changes in points. The definitions are those "
        "of `pawl matrix --transfer`; they count the skills that became part of main.", "",
        *summary(sequences),
    ]  # fmt: skip
    for sequence in sequences:
        lines += [f"## {sequence['name']}", "", *score_table(sequence)]
        lines += [f"![scores along main's line]({sequence['plot']})", ""]
        for cell in sequence["cells"]:
            lines += verdict_tables(cell)
    return "\n".join(lines).rstrip() + "\n"
