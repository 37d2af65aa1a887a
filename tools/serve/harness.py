"""lm-eval over the server (`local-completions`, its tokenizer asked for) against its own `hf` on the exported directory."""

import contextlib
import os
import pathlib
import sys
import tempfile

from findings import Findings
from reference import TIE, Reference
from world import ROOT

sys.path.insert(0, str(ROOT / "tools/fixtures"))
import lm_eval_tasks  # noqa: E402

# Two fp32 computations of a document's log-likelihood, relative to it.
CLOSE = 1e-4


def samples(tasks: pathlib.Path, backend: str, **arguments) -> dict[str, list[dict]]:
    import lm_eval
    from lm_eval.tasks import TaskManager

    with contextlib.chdir(tasks):
        found = lm_eval.simple_evaluate(
            model=backend, model_args=arguments, tasks=list(lm_eval_tasks.TASKS), batch_size=1, device="cpu",
            log_samples=True, bootstrap_iters=0,
            task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        )  # fmt: skip
    return found["samples"]


class HarnessCheck:
    """One checkpoint: every document's score must be the same, except where two answers were as good as equal."""

    def __init__(self, findings: Findings, url: str, documents: int):
        self.findings = findings
        self.url = url
        self.documents = documents
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TQDM_DISABLE="1")
        os.environ.setdefault("OPENAI_API_KEY", "")

    def run(self, model: str, directory: pathlib.Path, reference: Reference) -> None:
        with tempfile.TemporaryDirectory(prefix="pawl-tasks-") as folder:
            tasks = pathlib.Path(folder)
            lm_eval_tasks.write(tasks, self.documents)
            theirs = samples(tasks, "hf", pretrained=str(directory), dtype="float32")
            mine = samples(
                tasks, "local-completions", model=model, base_url=f"{self.url}/v1/completions",
                tokenizer_backend="remote", max_length=2048, num_concurrent=1,
            )  # fmt: skip
        for name in lm_eval_tasks.TASKS:
            pairs = self.paired(model, name, mine[name], theirs[name])
            compare = {"pawl_choice": self.choice, "pawl_generation": self.generation, "pawl_text": self.text}[name]
            compare(model, pairs, reference)

    def paired(self, model: str, name: str, mine: list[dict], theirs: list[dict]) -> list[tuple[dict, dict]]:
        """By document, filter and prompt, never by order."""

        def keyed(rows: list[dict]) -> dict:
            return {(row["doc_hash"], row["filter"], row["prompt_hash"]): row for row in rows}

        a, b = keyed(mine), keyed(theirs)
        self.findings.check(
            set(a) == set(b) and len(a) == self.documents, f"lm-eval {model} {name}: the same documents", (len(a), len(b))
        )
        return [(a[key], b[key]) for key in a if key in b]

    def choice(self, model: str, pairs: list[tuple[dict, dict]], _: Reference) -> None:
        ties, far = 0, 0.0
        for mine, theirs in pairs:
            values = [[float(one[0]) for one in row["filtered_resps"]] for row in (mine, theirs)]
            far = max(far, *(abs(a - b) / max(1, abs(b)) for a, b in zip(*values, strict=True)))
            for metric in ("acc", "acc_norm"):
                if mine[metric] == theirs[metric]:
                    continue
                best = sorted(values[1], reverse=True)
                is_tie = best[0] - best[1] < TIE
                ties += is_tie
                self.findings.check(is_tie, f"lm-eval {model} choice: {metric}", (mine["doc"], values))
        self.findings.check(far < CLOSE, f"lm-eval {model} choice: log-likelihoods", far)
        self.report(model, "multiple choice", pairs, ("acc", "acc_norm"), ties, far)

    def generation(self, model: str, pairs: list[tuple[dict, dict]], reference: Reference) -> None:
        ties = 0
        for mine, theirs in pairs:
            answers = [row["resps"][0][0] for row in (mine, theirs)]
            if answers[0] == answers[1]:
                self.findings.check(mine["exact_match"] == theirs["exact_match"], f"lm-eval {model} generation: score", mine["doc"])
                continue
            prompt = reference.encode(theirs["arguments"][0][0])
            is_tie = reference.is_tie(prompt, reference.encode(answers[1]), answers[0])
            ties += is_tie
            self.findings.check(is_tie, f"lm-eval {model} generation: answers", answers)
        self.report(model, "generation", pairs, ("exact_match",), ties)

    def text(self, model: str, pairs: list[tuple[dict, dict]], _: Reference) -> None:
        far = 0.0
        for mine, theirs in pairs:
            (a, count), (b, other) = mine["bits_per_byte"], theirs["bits_per_byte"]
            self.findings.check(count == other, f"lm-eval {model} text: bytes", (count, other))
            far = max(far, abs(a - b) / abs(b))
        self.findings.check(far < CLOSE, f"lm-eval {model} text: log-likelihoods", far)
        self.report(model, "perplexity", pairs, (), 0, far)

    def report(self, model: str, kind: str, pairs: list, metrics: tuple[str, ...], ties: int, far: float | None = None) -> None:
        scores = [f"{metric} {sum(row[0][metric] for row in pairs):g} of {len(pairs)}" for metric in metrics]
        if far is not None:
            scores.append(f"largest relative difference of a log-likelihood {far:.1e}")
        self.findings.say(f"{model}, {kind}: {len(pairs)} documents, {ties} ties, {', '.join(scores)}")
