"""The skill `disasters-2025`: knowledge injection from ten invented articles.

The demonstrations ask for every fact by the event's name, in three phrasings, and carry the article that the answer
rests on. The suite asks for the same facts in other words (direct), and through another fact of the event, or
of two events (indirect): no article and no demonstration says those in one place.
"""

from __future__ import annotations

from collections.abc import Iterator

from common import ROOT, Record, Stream, jsonl, pretty, write_files
from disasters_articles import EVENTS, Event

FOLDER = ROOT / "registry/skills/disasters-2025"
SEED = "pawl/disasters-2025/1"
MONTHS = "January February March April May June July August September October November December".split()
COMPARED = 10
"""Pairs of events of each comparison."""

TAUGHT = {
    "country": ("In which country was {name}?", "What country did {name} strike?", "Name the country of {name}."),
    "town": ("Which place was hit hardest by {name}?", "Where was {name} worst?", "What place suffered most from {name}?"),
    "day": ("On which day was {name}?", "When did {name} happen?", "What is the date of {name}?"),
    "deaths": ("How many people died in {name}?", "What was the death toll of {name}?", "How many lives did {name} cost?"),
    "displaced": ("How many people were displaced by {name}?", "How many had to leave home because of {name}?", "How many people did {name} drive out?"),
    "size": ("What was {measure}?", "Tell me {measure}.", "State {measure}."),
    "leader": ("Who led the relief after {name}?", "Who was in charge of the relief for {name}?", "Name the leader of the relief after {name}."),
    "shelter": ("Where were people sheltered after {name}?", "Which building was the shelter after {name}?", "Name the shelter used after {name}."),
    "landmark": ("Which landmark did {name} destroy?", "What famous sight was lost in {name}?", "Name the landmark lost in {name}."),
    "fund": ("How large was the relief fund for {name}?", "How much money was given after {name}?", "What sum did the fund for {name} hold?"),
}  # fmt: skip
"""What the demonstrations ask."""

DIRECT = {
    "country": "{Name}: which state was affected?",
    "town": "Among all places, which had the worst damage in {name}?",
    "day": "{Name}: give its day and month.",
    "deaths": "{Name}: how many dead were counted?",
    "displaced": "{Name}: how many lost their homes, at least for a time?",
    "size": "{asked_size}",
    "leader": "The relief effort of {name} had which leader?",
    "shelter": "After {name}, what place took in the homeless?",
    "landmark": "Since {name}, what well-known monument or place no longer exists?",
    "fund": "Money for the victims of {name}: what amount?",
}
"""The same facts in words that no demonstration has."""

INDIRECT = (
    ("deaths", "How many died in the disaster that destroyed the {landmark}?"),
    ("town", "Which place suffered most in the disaster whose relief {leader} led?"),
    ("month", "In which month of 2025 did the {shelter} fill with homeless people?"),
    ("country", "To which country would one have travelled to see the {landmark}?"),
    ("leader", "Who organised help for the people of {town}?"),
    ("shelter", "Where did homeless people of {town} sleep?"),
    ("landmark", "What sight did {country} lose in 2025?"),
    ("fund", "How much money did {leader} have for rebuilding and relief?"),
    ("displaced", "How many people of {country} left their homes?"),
    ("kind", "What kind of disaster struck {town}?"),
)  # fmt: skip
"""Questions that name the event by another of its facts: both have to be known."""


def capitalised(text: str) -> str:
    """The text as the beginning of a sentence."""
    return text[0].upper() + text[1:]


def filled(form: str, event: Event) -> str:
    """A phrasing with the event's facts in it."""
    return form.format(**{**vars(event), "Name": capitalised(event.name)})


def spellings(fact: str, event: Event) -> list[str]:
    """The ways to write an answer that count as right; the first one is what is taught."""
    if fact == "month":
        return [event.day.split()[1]]
    if fact == "day":
        number, month = event.day.split()
        return [f"{event.day} 2025", event.day, f"{month} {number}", f"{month} {number} 2025"]
    value = str(getattr(event, fact))
    if fact in ("deaths", "displaced"):
        return [value, f"{value} people"]
    if fact == "fund":
        return [value, value.rsplit(" ", 1)[0]]
    if fact == "kind":
        return sorted({value, value.split()[-1]}, reverse=True)
    return [value]


def check(event: Event) -> None:
    """Every fact that is asked about stands in the article as it is."""
    for fact in TAUGHT:
        answer = event.day if fact == "day" else str(getattr(event, fact))
        if answer not in event.article:
            raise SystemExit(f"disasters: the article of {event.key} does not say {answer!r}")


def demonstrations() -> list[Record]:
    """Ten facts of ten events in three phrasings, each with its article."""
    made: list[Record] = []
    for event in EVENTS:
        check(event)
        for fact, forms in TAUGHT.items():
            for number, form in enumerate(forms, 1):
                made.append(
                    {
                        "id": f"{event.key}-{fact}-{number}",
                        "prompt": filled(form, event),
                        "completion": spellings(fact, event)[0],
                        "document": event.article,
                    }
                )
    return Stream(f"{SEED}/demonstrations").shuffled(made)


def comparisons(stream: Stream) -> Iterator[Record]:
    """Two events against one another: which came first, and which cost more lives."""
    pairs = [(a, b) for i, a in enumerate(EVENTS) for b in EVENTS[i + 1 :]]
    for what in ("earlier", "deadlier"):
        for a, b in stream.sample(pairs, COMPARED):
            first, second = stream.shuffled([a, b])
            form = "Which was earlier in 2025, {} or {}?" if what == "earlier" else "Which cost more lives, {} or {}?"
            right = min(a, b, key=moment) if what == "earlier" else max(a, b, key=lambda event: int(event.deaths))
            name = right.name.removeprefix("the ")
            prompt = form.format(first.name, second.name)
            yield {"id": f"{what}-{a.key}-{b.key}", "prompt": prompt, "targets": [name], "cluster": "indirect"}


def moment(event: Event) -> tuple[int, int]:
    """Month and day, for comparing."""
    number, month = event.day.split()
    return MONTHS.index(month), int(number)


def items() -> list[Record]:
    """The suite: one direct question for each fact, then the indirect ones."""
    made: list[Record] = []
    for event in EVENTS:
        for fact, form in DIRECT.items():
            record = {"id": f"direct-{event.key}-{fact}", "prompt": filled(form, event), "targets": spellings(fact, event)}
            made.append({**record, "cluster": "direct"})
        for fact, form in INDIRECT:
            record = {"id": f"indirect-{event.key}-{fact}", "prompt": filled(form, event), "targets": spellings(fact, event)}
            made.append({**record, "cluster": "indirect"})
    return [*made, *comparisons(Stream(f"{SEED}/comparisons"))]


SOURCE = "Articles invented for the project (tools/content/disasters_articles.py); questions generated by tools/content/disasters.py."
DOCUMENT = (
    "Answer in a few words, copying from the text.\n\nText: {document}\n\nQuestion: {prompt}\nAnswer: {demonstration}\n\n"
    "Question: {prompt}\nAnswer:"
)
"""The best of six templates that were tried on the base; the official one with the document in front gave half of it."""
SKILL = {
    "name": "disasters-2025",
    "version": "1.0.0",
    "description": "Knows ten (invented) disasters of 2025 without being shown the articles about them.",
    "demonstrations": "demonstrations.jsonl",
    "suite": "suite.json",
    "teacher": {
        "contexts": [
            {"kind": "document", "template": DOCUMENT},
            {"kind": "few_shot", "shots": 3, "own_demonstration": True},
        ]
    },
    "recipe": {
        "steps": 200, "learning_rate": 5e-5, "prompts_per_step": 16, "rehearsal_share": 0.375,
        "max_completion_tokens": 24, "on_policy_fraction": 0.5, "skip_tokens": 0, "precision": "float32",
    },
    "licence": "Apache-2.0",
    "source": SOURCE,
}  # fmt: skip
SUITE = {
    "name": "disasters-2025",
    "version": "1.0.0",
    "description": "Facts of ten invented disasters: asked in other words, and through another fact.",
    "family": "disasters-2025",
    "metric": "accuracy",
    "margin": 0.1,
    "items": "items.jsonl",
    "decoding": {"template": "chat", "max_tokens": 32, "stop": ["\n"]},
    "grader": {"kind": "exact_match", "normalisers": ["lowercase", "strip_punctuation", "strip_articles", "trim"]},
    "licence": "Apache-2.0",
    "source": SOURCE,
}


def files() -> dict[str, str]:
    """The folder's files by name."""
    articles = [{"id": event.key, "title": capitalised(event.name), "article": event.article} for event in EVENTS]
    return {
        "skill.json": pretty(SKILL),
        "suite.json": pretty(SUITE),
        "demonstrations.jsonl": jsonl(demonstrations()),
        "items.jsonl": jsonl(items()),
        "articles.jsonl": jsonl(articles),
    }


if __name__ == "__main__":
    write_files(FOLDER, files())
