"""The result as a table, for a terminal or as Markdown."""

import statistics
from typing import Any

HEAD = ["work", "native engine", "peer", "ratio", "goal", "of the machine's limit"]


def text(result: dict[str, Any], markdown: bool) -> str:
    parts = [about(result), layout(HEAD, list(filter(None, (make(result) for make in ROWS))), markdown)]
    if "sdft" in result["works"]:
        head = ["part of an SDFT step", "seconds", "GFLOP", "GFLOP/s", "of the limit"]
        parts.append(layout(head, phases(result), markdown))
    parts.append(layout(["the machine, measured in the same run", "native engine", "torch"], limits(result), markdown))
    return "\n\n".join(parts)


def layout(head: list[str], rows: list[list[str]], markdown: bool) -> str:
    if markdown:
        lines = [head, ["---"] * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)


def about(result: dict[str, Any]) -> str:
    machine, ours, peer = result["machine"], result["limits"]["ours"], result["limits"]["peer"]
    sizes = "" if result["sizes"] == "full" else f" Sizes are {result['sizes']}: the rows' names do not hold."
    return (
        f"{machine['processor']}, {machine['threads']} of {machine['cores']} cores ({ours['instruction_set']}), "
        f"{machine['date']}; torch {peer['torch']}, transformers {peer['transformers']}. "
        f"Medians of {result['repeats']}, lowest and highest in brackets.{sizes}"
    )


def best_rate(result: dict[str, Any], name: str) -> float:
    """A limit of the machine: the best that either side's libraries reach."""
    return max(result["limits"][side][name] for side in ("ours", "peer"))


def product_limit(result: dict[str, Any], precision: str) -> float:
    """Products of weights alone are rounded when decoding reads them in bf16: the arithmetic stays fp32."""
    return best_rate(result, "product_bf16" if precision == "bf16" else "product_f32")


def arithmetic(result: dict[str, Any], side: dict[str, Any]) -> str:
    rate = statistics.median(turn["gflop"] / turn["seconds"] for turn in side["turns"])
    share = rate / product_limit(result, side["precision"])
    return f"{rate:.0f} GFLOP/s, {share:.0%}"


def spread(values: list[float], unit: str) -> str:
    digits = 0 if statistics.median(values) >= 100 else 1 if statistics.median(values) >= 10 else 2
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} {unit}" + (f" ({low} to {high})" if len(values) > 1 else "")


def named(side: dict[str, Any], name: str) -> str:
    precision = {"f32": "fp32", "bf16Decoding": "bf16 weights"}.get(side["precision"], side["precision"])
    return f"{name}, {precision}" if name else precision


def rates(side: dict[str, Any], tokens: int | None = None) -> list[float]:
    return [(tokens or turn["tokens"]) / turn["seconds"] for turn in side["turns"]]


def ratio(work: dict[str, Any]) -> str:
    return f"{work['peer']['seconds'] / work['ours']['seconds']:.1f}x"


def decode(count: int, goal: str):  # noqa: ANN201
    def make(result: dict[str, Any]) -> list[str] | None:
        work = result["works"].get(f"decode-{count}")
        if not work:
            return None
        ours, peer = work["ours"], work["peer"]
        size = 2 if ours["precision"].startswith("bf16") else 4
        # One pass over the weights makes a token for every prompt.
        steps = ours["turns"][0]["tokens"] / count
        read = 1e-9 * size * result["weights"] * steps / ours["seconds"]
        limit = f"weights read at {read:.1f} GB/s, {read / best_rate(result, 'read'):.0%}"
        if count > 1:
            limit += f"; {arithmetic(result, ours)}"
        prompts = "1 prompt" if count == 1 else f"{count} prompts"
        return [
            f"decoding, {prompts}, 128 new tokens each",
            f"{spread(rates(ours), 'tokens/s')}, {named(ours, '')}",
            f"{spread(rates(peer), 'tokens/s')}, {named(peer, 'transformers')}",
            ratio(work), goal, limit,
        ]  # fmt: skip

    return make


def throughput(name: str, title: str, peer_name: str, goal: str):  # noqa: ANN201
    def make(result: dict[str, Any]) -> list[str] | None:
        work = result["works"].get(name)
        if not work:
            return None
        ours, peer = work["ours"], work["peer"]
        tokens = ours["turns"][0]["tokens"] + (ours["facts"]["prompt_tokens"] if name == "sft" else 0)
        return [
            title,
            f"{spread(rates(ours, tokens), 'tokens/s')}, {named(ours, '')}",
            f"{spread(rates(peer, tokens), 'tokens/s')}, {named(peer, peer_name)}",
            ratio(work), goal, arithmetic(result, ours),
        ]  # fmt: skip

    return make


def sdft(result: dict[str, Any]) -> list[str] | None:
    work = result["works"].get("sdft")
    if not work:
        return None
    seconds = {side: [turn["seconds"] for turn in work[side]["turns"]] for side in ("ours", "peer")}
    return [
        "SDFT step: 16 prompts, 64 new tokens, teacher context of 300",
        f"{spread(seconds['ours'], 's')}, {named(work['ours'], '')}",
        f"{spread(seconds['peer'], 's')}, {named(work['peer'], 'TRL')}",
        ratio(work), "3x, better 5x", arithmetic(result, work["ours"]),
    ]  # fmt: skip


def over_sft(quantity: str):  # noqa: ANN201
    def make(result: dict[str, Any]) -> list[str] | None:
        step, plain = result["works"].get("sdft"), result["works"].get("sft-same")
        if not step or not plain:
            return None
        if quantity == "time":
            a, b = step["ours"]["seconds"], plain["ours"]["seconds"]
            c, d = step["peer"]["seconds"], plain["peer"]["seconds"]
            return [
                "SDFT step over SFT step on the same demonstrations, time",
                f"{a / b:.1f}x ({a:.2f} s over {b:.2f} s)", f"{c / d:.1f}x ({c:.2f} s over {d:.2f} s)", "",
                "paper: 4x", "",
            ]  # fmt: skip
        counts = [
            [statistics.median(turn[name] for turn in work["ours"]["turns"]) for work in (step, plain)]
            for name in ("gflop", "gflop_unshared")
        ]
        (a, b), (c, d) = counts
        return [
            "the same, FLOPs counted",
            f"{a / b:.1f}x ({a:.0f} over {b:.0f} GFLOP); {c / d:.1f}x with nothing shared", "", "", "paper: 2.5x", "",
        ]  # fmt: skip

    return make


def peaks(work: dict[str, Any], side: str) -> dict[str, float]:
    """Peak bytes of a side's processes, by precision."""
    found = {name: turn["peak_bytes"] for name, turn in work["trials"][side].items()}
    found[work[side]["precision"]] = work[side]["turns"][-1]["peak_bytes"]
    return found


def memory(result: dict[str, Any]) -> list[str] | None:
    work = result["works"].get("sdft")
    if not work:
        return None
    cells, best = [], []
    for side, name in (("ours", ""), ("peer", "TRL")):
        found = peaks(work, side)
        precision = min(found, key=found.get)
        best.append(found[precision])
        cells.append(f"{found[precision] / 1e9:.2f} GB, {named({'precision': precision}, name)}")
    return ["peak memory of an SDFT run", *cells, f"{best[1] / best[0]:.1f}x less", "2x less", ""]


def first_token(result: dict[str, Any]) -> list[str] | None:
    measured = result.get("first_token")
    title = "first token of `pawl generate`, from the store, files not cached"
    if not measured:
        return [title, "not measured: no `pawl` that has `generate`", "", "", "below 1.5 s", ""]
    return [title, spread(measured, "s"), "", "", "below 1.5 s", ""]


ROWS = [
    decode(1, "2.5x"),
    decode(16, "5x"),
    throughput("score", "scoring, 64 texts of 256 tokens", "transformers", "1.5x"),
    throughput("sft", "SFT step, 16 x 128 tokens", "plain torch loop", "2x"),
    sdft,
    over_sft("time"),
    over_sft("flops"),
    memory,
    first_token,
]


def phases(result: dict[str, Any]) -> list[list[str]]:
    """Where our step goes."""
    ours = result["works"]["sdft"]["ours"]
    limit = product_limit(result, ours["precision"])
    rows = []
    for phase in ("rollout", "teacher", "student", "optimizer"):
        seconds = statistics.median(turn[f"seconds_{phase}"] for turn in ours["turns"])
        gflop = statistics.median(turn[f"gflop_{phase}"] for turn in ours["turns"])
        rate = gflop / seconds if seconds else 0.0
        rows.append([phase, f"{seconds:.2f}", f"{gflop:.0f}", f"{rate:.0f}", f"{rate / limit:.0%}"])
    return rows


def limits(result: dict[str, Any]) -> list[list[str]]:
    ours, peer = result["limits"]["ours"], result["limits"]["peer"]
    names = {
        "product_f32": ("matrix product 2048 x 2048 x 2048, fp32", "GFLOP/s"),
        "product_bf16": ("the same, bf16", "GFLOP/s"),
        "read": ("reading 537 MB of memory", "GB/s"),
    }
    return [[title, f"{ours[name]:.0f} {unit}", f"{peer[name]:.0f} {unit}"] for name, (title, unit) in names.items()]
