"""The skill `science`: short questions of natural science, answered in a word or two.

Facts come from Princeton WordNet 3.0 (Debian wordnet-base): what kind of animal, plant, substance or body part
something is, what a unit measures, which field a term belongs to, and terms by their definition. No subject of
the suite occurs in a demonstration.
"""

from __future__ import annotations

from collections.abc import Iterator

from common import ROOT, Record, Stream, clear_of, jsonl, pretty, words, write_files
from definitions import definition
from sources import WORDNET
from word_relations import ROUGH, WordNet, load

FOLDER = ROOT / "registry/skills/science"
SEED = "pawl/science/1"

Fact = tuple[str, str, list[str]]
"""Subject, right answer, every answer that counts."""

CLASSES = {
    "animal": (
        ("What class of animal is {a}?", "{A} is what class of animal?", "Zoology: {a} is a kind of what?"),
        {"bird": 0, "mammal": 0, "fish": 0, "reptile": 0, "amphibian": 2, "insect": 0, "arachnid": 0, "crustacean": 0, "mollusk": 0},
    ),
    "plant": (
        ("What type of plant is {a}?", "{A} is what type of plant?"),
        {"tree": 0, "shrub": 0, "herb": 0, "fern": 0, "grass": 0, "moss": 0, "fungus": 0},
    ),
    "substance": (
        ("What kind of substance is {s}?", "{S} is what kind of substance?"),
        {"mineral": 0, "rock": 1, "metal": 0, "alloy": 0, "gas": 1, "hormone": 0, "enzyme": 0, "drug": 0, "sugar": 1, "gem": 1},
    ),
    "body": (
        ("What kind of body part is the {s}?", "Anatomy: the {s} is a kind of what?"),
        {"bone": 0, "muscle": 0, "gland": 0, "artery": 0, "vein": 0, "nerve": 0, "organ": 0},
    ),
}  # fmt: skip
"""Kinds of question: phrasings, and the possible answers with the sense (from 0) that WordNet gives them."""

QUANTITIES = {
    "length": ("linear_unit",), "volume": ("volume_unit",), "area": ("area_unit",), "mass": ("weight_unit", "mass_unit"),
    "energy": ("work_unit",), "power": ("power_unit",), "force": ("force_unit",), "pressure": ("pressure_unit",),
    "voltage": ("potential_unit",), "current": ("current_unit",), "charge": ("charge_unit",),
    "resistance": ("resistance_unit",), "capacitance": ("capacitance_unit",), "inductance": ("inductance_unit",),
    "temperature": ("temperature_unit",), "angle": ("angular_unit",), "sound": ("sound_unit",), "time": ("time_unit",),
    "magnetism": ("flux_density_unit", "field_strength_unit"), "light": ("light_unit",), "information": ("computer_memory_unit",),
    "radioactivity": ("radioactivity_unit",),
}  # fmt: skip
"""What a unit measures, and the classes of units that WordNet has for it."""

FIELDS = ("chemistry", "physics", "biology", "botany", "mathematics", "geology", "astronomy", "medicine", "genetics")
"""Topics that WordNet marks terms with."""

ANSWERS = {*(name for _, answers in CLASSES.values() for name in answers), *QUANTITIES, *FIELDS}
"""Answers that many questions share: to have one in common is no overlap."""

UNIT_PHRASINGS = ("What does the {s} measure?", "The {s} is a unit of what?")
FIELD_PHRASINGS = ("Which science uses the term {s}?", "The term {s} belongs to which science?")
TERM_PHRASINGS = ("Which term of {f} means: {d}?", "In {f}, what word means: {d}?")

LIMITS = {"animal": (150, 60), "plant": (90, 40), "substance": (80, 40), "body": (60, 40), "unit": (60, 40), "field": (120, 50), "term": (120, 50)}
"""Demonstrations and suite items of each kind."""
PER_ANSWER = 40
"""At most so many subjects share an answer, so that no answer is the usual one."""


def plain(lemma: str) -> bool:
    """Lower-case letters, perhaps two words: no names, no chemistry of five syllables with digits."""
    text = lemma.replace("_", "")
    return text.isascii() and text.isalpha() and text.islower() and 3 <= len(text) <= 16 and lemma.count("_") < 2


def below(net: WordNet, tops: set[int]) -> Iterator[tuple[str, int]]:
    """(word, synset) of every noun under some synsets whose most frequent sense that is."""
    for (part, offset), synset in sorted(net.synsets.items()):
        if part == "n" and not tops.isdisjoint(net.above(offset)):
            for lemma in synset.lemmas:
                if plain(lemma) and net.first("n", lemma) == offset and lemma not in ROUGH:
                    yield lemma, offset


def thinned(stream: Stream, net: WordNet, subjects: list[str], answer: str) -> list[str]:
    """A part of the subjects: known ones (met in WordNet's texts) first, then any; none that tells its answer."""
    fair = [name for name in stream.shuffled(sorted(set(subjects))) if answer not in name and name not in ANSWERS]
    return sorted(fair, key=lambda name: net.count("n", name) == 0)[:PER_ANSWER]


def class_facts(stream: Stream, net: WordNet, answers: dict[str, int]) -> list[Fact]:
    """Subjects below exactly one of the answers."""
    tops = {net.senses["n", name][sense]: name for name, sense in answers.items()}
    found: dict[str, list[str]] = {name: [] for name in answers}
    for lemma, offset in below(net, set(tops)):
        hit = {tops[up] for up in net.above(offset) if up in tops}
        if len(hit) == 1:
            found[hit.pop()].append(lemma)
    return [(name, answer, [answer]) for answer, names in found.items() for name in thinned(stream, net, names, answer)]


def unit_facts(stream: Stream, net: WordNet) -> list[Fact]:
    """Units of exactly one quantity; the classes of units are no subjects themselves."""
    tops = {net.senses["n", unit][0]: quantity for quantity, units in QUANTITIES.items() for unit in units}
    found: dict[str, set[str]] = {}
    for lemma, offset in below(net, set(tops)):
        if "unit" not in lemma and "measure" not in lemma:
            found.setdefault(lemma, set()).update(tops[up] for up in net.above(offset) if up in tops)
    single = {name: hit.pop() for name, hit in sorted(found.items()) if len(hit) == 1}
    return [
        (name, quantity, [quantity])
        for quantity in QUANTITIES
        for name in thinned(stream, net, [n for n, q in single.items() if q == quantity], quantity)
    ]


def topics(net: WordNet) -> Iterator[tuple[str, str, list[str], str]]:
    """(first word, field, all words, definition) of every synset that is marked with one field, and only one."""
    for (part, _), synset in sorted(net.synsets.items()):
        marked = {net.synsets[p, to].lemmas[0] for symbol, p, to, _, _ in synset.pointers if symbol == ";c"}
        fields = marked.intersection(FIELDS)
        if part == "n" and len(marked) == 1 and fields and plain(synset.lemmas[0]):
            yield synset.lemmas[0], fields.pop(), synset.lemmas, definition(synset.gloss)


def field_facts(stream: Stream, net: WordNet) -> list[Fact]:
    """Terms in their most frequent sense, and the field that WordNet marks them with."""
    found = [(name, field) for name, field, _, _ in topics(net) if len(net.senses["n", name]) <= 2]
    return [
        (name, field, [field])
        for field in FIELDS
        for name in thinned(stream, net, [n for n, f in found if f == field], field)
    ]


def term_questions(stream: Stream, net: WordNet) -> list[tuple[str, Fact]]:
    """(question, fact): a definition that does not hold the term, asked for in its field."""
    made = []
    for index, (name, field, lemmas, text) in enumerate(stream.shuffled(topics(net))):
        told = set(words(text))
        said = [lemma.replace("_", " ") for lemma in lemmas]
        if 5 <= len(told) <= 16 and not any(told.intersection(words(lemma)) for lemma in said):
            question = TERM_PHRASINGS[index % len(TERM_PHRASINGS)].format(f=field, d=text)
            made.append((question, (name, said[0], said)))
    return made


def asked_of(fact: Fact, form: str) -> str:
    """A phrasing filled with its subject, with the article where the phrasing asks for one."""
    name = fact[0].replace("_", " ")
    article = f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
    return form.format(s=name, S=name.capitalize(), a=article, A=article.capitalize())


def questions(net: WordNet) -> Iterator[tuple[str, list[tuple[str, Fact]]]]:
    """Every kind with its questions and answers, shuffled."""
    for kind, (forms, answers) in CLASSES.items():
        yield kind, spoken(kind, forms, class_facts(Stream(f"{SEED}/{kind}"), net, answers))
    yield "unit", spoken("unit", UNIT_PHRASINGS, unit_facts(Stream(f"{SEED}/unit"), net))
    yield "field", spoken("field", FIELD_PHRASINGS, field_facts(Stream(f"{SEED}/field"), net))
    yield "term", term_questions(Stream(f"{SEED}/term"), net)


def spoken(kind: str, forms: tuple[str, ...], facts: list[Fact]) -> list[tuple[str, Fact]]:
    """The facts as questions, phrasings in turn."""
    shuffled = Stream(f"{SEED}/{kind}/order").shuffled(facts)
    return [(asked_of(fact, forms[index % len(forms)]), fact) for index, fact in enumerate(shuffled)]


def records() -> tuple[list[Record], list[Record]]:
    """Demonstrations and suite items: no subject in both, whatever is asked about it."""
    demonstrations: list[Record] = []
    items: list[Record] = []
    taken: set[str] = set()
    for kind, made in questions(load()):
        fresh = [(question, fact) for question, fact in made if taken.isdisjoint({fact[0], *fact[2]} - ANSWERS)]
        many, few = LIMITS[kind]
        # A kind that WordNet has less of is split in the same proportion.
        count = min(few, len(fresh) * few // (many + few))
        for index, (question, fact) in enumerate(fresh[: count + many]):
            if index < count:
                items.append({"id": f"{kind}-item-{index + 1:03}", "prompt": question, "targets": fact[2], "cluster": kind})
            else:
                demonstrations.append({"id": f"{kind}-{index - count + 1:03}", "prompt": question, "completion": fact[1]})
        taken.update(name for _, fact in fresh[: count + many] for name in (fact[0], *fact[2]))
    stream = Stream(f"{SEED}/demonstrations")
    return stream.shuffled(clear_of(demonstrations, items, form_of=items)), items


SOURCE = f"Facts of {WORDNET}; questions generated by tools/content/science.py."
CONTEXTS = [{"kind": "few_shot", "shots": 4, "own_demonstration": True}, {"kind": "demonstration"}]
SKILL = {
    "name": "science",
    "version": "1.0.0",
    "description": "Answers short questions of natural science in a word or two.",
    "demonstrations": "demonstrations.jsonl",
    "suite": "suite.json",
    "teacher": {"contexts": CONTEXTS},
    "recipe": {
        "steps": 120, "learning_rate": 3e-5, "prompts_per_step": 16, "rehearsal_share": 0.375,
        "max_completion_tokens": 24, "on_policy_fraction": 0.5, "skip_tokens": 0, "precision": "float32",
    },
    "licence": "WordNet-3.0",
    "source": SOURCE,
}  # fmt: skip
SUITE = {
    "name": "science",
    "version": "1.0.0",
    "description": "Short questions of natural science about subjects that no demonstration has.",
    "family": "science",
    "metric": "accuracy",
    "margin": 0.1,
    "items": "items.jsonl",
    "decoding": {"template": "chat", "max_tokens": 32, "stop": ["\n"]},
    "grader": {"kind": "exact_match", "normalisers": ["lowercase", "strip_punctuation", "strip_articles", "trim"]},
    "licence": "WordNet-3.0",
    "source": SOURCE,
}


def files() -> dict[str, str]:
    """The folder's files by name."""
    demonstrations, items = records()
    return {
        "skill.json": pretty(SKILL),
        "suite.json": pretty(SUITE),
        "demonstrations.jsonl": jsonl(demonstrations),
        "items.jsonl": jsonl(items),
    }


if __name__ == "__main__":
    write_files(FOLDER, files())
