"""Whether both sides did the same work."""

import statistics
from typing import Any


def problems(name: str, work: dict[str, Any], measured: dict[str, Any]) -> list[str]:
    """What does not agree, as sentences; none when all does."""
    ours, peer = measured["ours"], measured["peer"]
    result = []
    for side, values in (("ours", ours), ("peer", peer)):
        for turn in values["turns"]:
            known = {**values["facts"], **turn}
            for fact, number in work["expected"].items():
                if known[fact] != number:
                    result.append(f"{side}: {fact} is {known[fact]}, {number} expected")
    for fact in ("prompt_tokens", "context_tokens"):
        # The context is the teacher's: fine-tuning has none.
        if ours["facts"].get(fact, 0) != peer["facts"].get(fact, 0):
            result.append(f"{fact}: ours {ours['facts'].get(fact)}, peer {peer['facts'].get(fact)}")
    exact = peer["precision"] == "fp32" and ours["precision"] != "bf16"
    result += {"decode": answers, "score": likelihoods, "train": losses}[work["kind"]](name, ours, peer, exact)
    return list(dict.fromkeys(result))


def relative(a: float, b: float) -> float:
    return abs(a - b) / max(abs(b), 1e-30)


def answers(name: str, ours: dict[str, Any], peer: dict[str, Any], exact: bool) -> list[str]:
    """Greedy answers are the same in fp32, but for ties; rounding moves them."""
    pairs = list(zip(ours["turns"][0]["answers"], peer["turns"][0]["answers"], strict=True))
    same = sum(a == b for a, b in pairs)
    ours["equal_answers"] = same
    return [f"only {same} of {len(pairs)} answers are the same"] if exact and same < 0.75 * len(pairs) else []


def likelihoods(name: str, ours: dict[str, Any], peer: dict[str, Any], exact: bool) -> list[str]:
    off = relative(ours["turns"][0]["log_likelihood"], peer["turns"][0]["log_likelihood"])
    ours["relative_difference"] = off
    return [f"log-likelihoods differ by {off:.1e}"] if off > (1e-3 if exact else 1e-2) else []


def losses(name: str, ours: dict[str, Any], peer: dict[str, Any], exact: bool) -> list[str]:
    """Fine-tuning has the same losses step by step in fp32, and roughly so in bf16: AdamW's first steps make whole steps
    of small gradients' rounding. Rollouts are drawn from different random numbers, so that only the mean over all
    answers of all steps can be compared."""
    a, b = ([turn["loss"] for turn in side["turns"]] for side in (ours, peer))
    if name == "sdft":
        off, limit = relative(statistics.mean(a), statistics.mean(b)), 0.3
    else:
        off, limit = max(map(relative, a, b)), 1e-3 if exact else 0.3
    ours["relative_difference"] = off
    return [f"losses differ by {off:.1e}: {a} and {b}"] if off > limit else []


def forget_answers(measured: dict[str, Any]) -> None:
    """Tokens are for comparing; the result file does without them."""
    runs = [*measured["ours"]["turns"], *measured["peer"]["turns"]]
    for trials in measured["trials"].values():
        runs += trials.values()
    for run in runs:
        run.pop("answers", None)
