"""Training records: reading them, their tokens, and the order in which the steps take them."""

import random
from dataclasses import dataclass
from typing import Any

from .chat import Chat, checked_messages
from .errors import invalid
from .files import read_lines
from .recipe import Recipe

Messages = list[dict[str, str]]


@dataclass(frozen=True)
class Record:
    id: str
    role: str  # "skill" or "rehearsal"
    prompt: Messages
    teacher: Messages
    completion: str | None


def read(path: str) -> list[Record]:
    result = []
    seen: set[str] = set()
    for number, value in enumerate(read_lines(path, "demonstrations"), 1):
        where = f"record {value.get('id', number)!r}"
        if not isinstance(value.get("id"), str):
            raise invalid(f"{where}: no id")
        if value["id"] in seen:
            raise invalid(f"{where}: the id occurs twice")
        seen.add(value["id"])
        if value.get("role") not in ("skill", "rehearsal"):
            raise invalid(f"{where}: role must be skill or rehearsal, not {value.get('role')!r}")
        completion = value.get("completion")
        if completion is not None and not isinstance(completion, str):
            raise invalid(f"{where}: completion is not text")
        prompt = checked_messages(value.get("prompt"), where)
        teacher = checked_messages(value.get("teacher", value.get("prompt")), where)
        if prompt[-1]["role"] == "assistant" or teacher[-1]["role"] == "assistant":
            raise invalid(f"{where}: a prompt ends with an assistant turn")
        result.append(Record(value["id"], value["role"], prompt, teacher, completion))
    if not result:
        raise invalid("demonstrations: the file holds no records")
    return result


def check_lengths(records: list[Record], chat: Chat, recipe: Recipe) -> None:
    """Every prompt fits with its answer, or the record is named. Nothing is ever cut."""
    room = recipe.max_context_tokens - recipe.max_completion_tokens
    for record in records:
        where = f"record {record.id!r}"
        sides = {"prompt": record.prompt}
        if recipe.method == "sdft":
            sides["teacher prompt"] = record.teacher
        for side, messages in sides.items():
            length = len(chat.prompt_tokens(messages, where))
            if length > room:
                raise invalid(
                    f"{where}: its {side} has {length} tokens; with max_context_tokens {recipe.max_context_tokens} and "
                    f"max_completion_tokens {recipe.max_completion_tokens} only {room} fit"
                )
        # What is rehearsed the student answers itself, whatever answer the record has.
        given = recipe.method == "sdft" and recipe.on_policy_fraction < 1 and record.role == "skill"
        if given and record.completion is not None:
            length = len(chat.completion_tokens(record.prompt, record.completion, where))
            if length > recipe.max_completion_tokens:
                raise invalid(
                    f"{where}: its completion has {length} tokens, more than max_completion_tokens "
                    f"{recipe.max_completion_tokens}"
                )


class Order:
    """Which records each step takes: a function of the seed and the step alone.

    Each role is an endless walk through shuffled passes; the shuffle of a pass comes from (seed, role, pass).
    """

    def __init__(self, records: list[Record], recipe: Recipe):
        self.seed = recipe.seed
        self.indices = {
            role: [i for i, record in enumerate(records) if record.role == role] for role in ("skill", "rehearsal")
        }
        rehearsed = recipe.rehearsal_per_step if self.indices["rehearsal"] else 0
        self.counts = {"skill": recipe.prompts_per_step - rehearsed, "rehearsal": rehearsed}
        if self.counts["skill"] and not self.indices["skill"]:
            raise invalid("demonstrations: no record has the role skill")
        self._passes: dict[tuple[str, int], list[int]] = {}

    def _pass(self, role: str, number: int) -> list[int]:
        key = (role, number)
        if key not in self._passes:
            shuffled = list(self.indices[role])
            random.Random(f"{self.seed}/{role}/{number}").shuffle(shuffled)
            self._passes[key] = shuffled
        return self._passes[key]

    def step(self, step: int) -> list[int]:
        """The records of a step (counted from 0): skill first, then rehearsal."""
        result = []
        for role, count in self.counts.items():
            for position in range(step * count, (step + 1) * count):
                number, offset = divmod(position, len(self.indices[role]))
                result.append(self._pass(role, number)[offset])
        return result


def as_row(record: Record, chat: Chat) -> dict[str, Any]:
    """A record as a row of TRL's data set: the privileged context is the teacher's whole conversation."""
    answer = record.completion
    return {
        "id": record.id,
        "prompt": record.prompt,
        "privileged_context": record.teacher,
        "skill": record.role == "skill",
        "demonstration": [] if answer is None else chat.completion_tokens(record.prompt, answer, record.id),
    }
