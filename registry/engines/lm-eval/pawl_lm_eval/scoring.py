"""What lm-eval says of a document, as a score between 0 and 1 with what a blind answer would have scored."""

import math
from typing import Any

from .protocol import EngineError, invalid

# A model that knows nothing gives every byte of a text the same probability.
NATS_PER_BYTE = math.log(256)
ROLLING = ("word_perplexity", "byte_perplexity", "bits_per_byte")


class Scorer:
    """Reads the results of one task's documents; `filtered` are lm-eval's responses after the filter of the suite."""

    def __init__(self, task: Any, metric: str):
        self.task = task
        self.metric = metric
        self.kind = task.OUTPUT_TYPE
        if self.kind == "multiple_choice" and metric in ("acc_mutual_info", "f1", "mcc", "brier_score", "likelihood"):
            raise EngineError("unsupported", f"metric {metric}: it has no score of its own for each document")
        if self.kind == "loglikelihood" and metric != "acc":
            raise EngineError("unsupported", f"metric {metric}: of a log-likelihood task only acc is a score in 0...1")
        if self.kind != "loglikelihood_rolling" and not task.higher_is_better().get(metric, True):
            raise EngineError("unsupported", f"metric {metric}: lower is better, and a suite's score must rise")

    def score(self, document: Any, filtered: list[Any]) -> float:
        """The metric of a document.

        A perplexity is taken as its inverse, the geometric mean of the probability that the model gives to a word or a byte
        of the text, which is in 0...1 and rises.
        """
        value = self._metric(document, filtered)
        if self.kind == "loglikelihood_rolling" and self.metric in ROLLING:
            log_likelihood, units = value
            return math.exp(log_likelihood / units) if units else 0.0
        if isinstance(value, bool):
            value = float(value)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise EngineError("unsupported", f"metric {self.metric}: {value!r} is no number") from None
        if not 0 <= number <= 1:
            raise EngineError("unsupported", f"metric {self.metric}: {number} is not in 0...1")
        return number

    def blind(self, document: Any, filtered: list[Any], other: Any, other_filtered: list[Any]) -> float:
        """What the answer to another document would have scored here: the answer of a model that does not read."""
        if self.kind == "loglikelihood_rolling":
            text = self.task.doc_to_target(document)
            _, units = self._metric(document, filtered)
            return math.exp(-NATS_PER_BYTE * len(text.encode()) / units) if units else 0.0
        if self.kind == "multiple_choice":
            index = self.chosen(other, other_filtered) % len(filtered)
            # All weight on one choice: it wins by every rule that reads log-likelihoods.
            certain = [(0.0 if place == index else -1e6, place == index) for place in range(len(filtered))]
            return self.score(document, certain)
        if self.kind == "loglikelihood":
            # The continuation that is asked for, taken as what was said there.
            return float(str(self.task.doc_to_target(other)) == str(self.task.doc_to_target(document)))
        return self.score(document, other_filtered)

    def chosen(self, document: Any, filtered: list[Any]) -> int:
        """Index of the choice that the metric takes as the model's; the first among equals, as numpy's argmax."""
        values = [one[0] for one in filtered]
        choices = self.task.doc_to_choice(document)
        if self.metric == "acc_norm":
            values = [value / len(choice) for value, choice in zip(values, choices, strict=True)]
        elif self.metric == "acc_bytes":
            values = [value / len(choice.encode()) for value, choice in zip(values, choices, strict=True)]
        return max(range(len(values)), key=lambda place: values[place])

    def response(self, document: Any, raw: list[Any], filtered: list[Any]) -> str:
        """The answer for people."""
        if self.kind == "multiple_choice":
            return str(self.task.doc_to_choice(document)[self.chosen(document, filtered)])
        if self.kind == "loglikelihood_rolling":
            return f"log-likelihood {raw[0]!r}"
        if self.kind == "loglikelihood":
            return f"log-likelihood {raw[0][0]!r}, {'' if raw[0][1] else 'not '}the most likely continuation"
        return str(raw[0])

    def _metric(self, document: Any, filtered: list[Any]) -> Any:
        found = self.task.process_results(document, filtered)
        if self.metric not in found:
            raise invalid(f"task: no metric {self.metric!r}; there are {', '.join(sorted(found))}")
        return found[self.metric]
