"""The general suite `common-facts`: money and languages of countries, American states, what famous people were.

Currencies and languages come from Unicode CLDR (PyPI package babel), for the countries that `world-facts` asks about;
the states' capitals from the PyPI package us; people and their professions from WordNet 3.0. All are read as data files.
"""

from __future__ import annotations

import ast
import pickle
from collections.abc import Iterator

from common import ROOT, Record, Stream, jsonl, pretty, write_files
from multiple_choice import item, numbered, suite
from sources import BABEL, US, WORDNET, package_bytes, package_text
from word_relations import WordNet, load
from world_facts import countries

FOLDER = ROOT / "registry/suites/common-facts"
SEED = "pawl/common-facts/1"
PER_KIND = 100

PEOPLE = (
    "composer", "painter", "physicist", "philosopher", "poet", "chemist", "mathematician", "architect", "astronomer",
    "inventor", "explorer", "sculptor", "historian", "economist", "singer",
)  # fmt: skip
"""Professions that are not kinds of one another, and common enough to be asked about."""

FIELDS = (
    {"physicist", "chemist", "mathematician", "astronomer", "inventor"}, {"painter", "sculptor", "architect"},
    {"poet", "historian", "philosopher", "economist", "mathematician"}, {"composer", "singer"},
)  # fmt: skip
"""Professions that one person often has together, whatever WordNet says of them: no wrong choice is from one's own field."""


def cldr() -> tuple[dict, dict]:
    """CLDR's tables without a language, and its English names; the pickles' bytes were checked."""
    return pickle.loads(package_bytes("babel/global.dat")), pickle.loads(package_bytes("babel/locale-data/en.dat"))


def codes(table: dict) -> dict[str, str]:
    """CLDR's code of each country with at least a million people, by its name in a sentence."""
    return {country.name: table["territory_aliases"][country.code][0] for country in countries()}


def currency(table: dict, english: dict, code: str) -> str | None:
    """The last word of the name of a country's only legal tender (yen, peso), where it is one English word."""
    used = [name for name, _, end, tender in table["territory_currencies"].get(code, []) if end is None and tender]
    name = english["currency_names"].get(used[0], "").split()[-1:] if len(used) == 1 else []
    return name[0].lower() if name and name[0].isascii() and name[0].isalpha() else None


def currency_items(stream: Stream, table: dict, english: dict) -> Iterator[Record | None]:
    """Which money a country has."""
    money = {name: used for name, code in codes(table).items() if (used := currency(table, english, code))}
    for name in stream.shuffled(sorted(money)):
        yield item(stream, f"People in {name} pay with the", money[name], money.values())


def official(table: dict, code: str) -> list[str]:
    """A country's official languages."""
    languages = table["territory_languages"].get(code, {})
    return [name for name, facts in languages.items() if facts["official_status"] in ("official", "de_facto_official")]


def language_items(stream: Stream, table: dict, english: dict) -> Iterator[Record | None]:
    """The one official language of a country; wrong ones are not spoken there by one in fifty."""
    single = {name: code for name, code in codes(table).items() if len(official(table, code)) == 1}
    spoken = {name: english["languages"].get(official(table, code)[0], "") for name, code in single.items()}
    spoken = {name: language for name, language in spoken.items() if language.isascii() and language.isalpha()}
    for name in stream.shuffled(sorted(spoken)):
        facts = table["territory_languages"][single[name]]
        here = {english["languages"].get(tag) for tag, fact in facts.items() if fact["population_percent"] >= 2}
        yield item(stream, f"The official language of {name} is", spoken[name], set(spoken.values()) - here)


def states() -> dict[str, str]:
    """The capital of each of the fifty states."""
    found = {}
    for node in ast.walk(ast.parse(package_text("us/states.py"))):
        if isinstance(node, ast.Dict):
            pairs = zip(node.keys, node.values, strict=True)
            row = {k.value: v.value for k, v in pairs if isinstance(k, ast.Constant) and isinstance(v, ast.Constant)}
            if row.get("capital") and row.get("statehood_year"):
                found[row["name"]] = row["capital"]
    return found


def state_items(stream: Stream) -> Iterator[Record | None]:
    """Capital of a state, and state of a capital; the state's name never stands in the answer."""
    capitals = states()
    for name in stream.shuffled(sorted(capitals)):
        if name.split()[0] not in capitals[name]:
            yield item(stream, f"In the United States, the capital of {name} is", capitals[name], capitals.values())
    for name in stream.shuffled(sorted(capitals)):
        if name.split()[0] not in capitals[name]:
            yield item(stream, f"{capitals[name]} is the capital of the American state of", name, capitals)


def professions(net: WordNet) -> dict[str, set[str]]:
    """People under their full names, with every profession that WordNet's pointers or definition give them."""
    found: dict[str, set[str]] = {}
    for (part, _), synset in net.synsets.items():
        kinds = {net.synsets[p, to].lemmas[0] for symbol, p, to, _, _ in synset.pointers if symbol == "@i"}
        full = max((lemma.replace("_", " ") for lemma in synset.lemmas), key=len)
        if part == "n" and kinds.intersection(PEOPLE) and 2 <= len(full.split()) <= 3 and full.isascii():
            found[full] = kinds | {kind for kind in PEOPLE if kind in synset.gloss}
    return found


def people_items(stream: Stream, net: WordNet) -> Iterator[Record | None]:
    """What somebody was: one profession of those asked about, and three that are not theirs."""
    people = professions(net)
    single = {name: kinds.intersection(PEOPLE) for name, kinds in people.items()}
    for name in stream.shuffled(sorted(single)):
        if len(single[name]) == 1:
            here = next(iter(single[name]))
            own = people[name].union(*(field for field in FIELDS if here in field))
            yield item(stream, f"{name} was a famous", here, set(PEOPLE) - own)


def items() -> list[Record]:
    """The suite."""
    table, english = cldr()
    made: list[Record] = []
    for kind, questions in (
        ("currency", currency_items(Stream(f"{SEED}/currency"), table, english)),
        ("language", language_items(Stream(f"{SEED}/language"), table, english)),
        ("state", state_items(Stream(f"{SEED}/state"))),
        ("person", people_items(Stream(f"{SEED}/person"), load())),
    ):
        made += numbered(kind, questions, PER_KIND)
    return made


SUITE = suite(
    "common-facts",
    "common-knowledge",
    "Currencies, languages, American states and famous people, four choices by likelihood.",
    "Unicode-3.0 AND BSD-3-Clause AND WordNet-3.0 AND MIT",
    f"Facts from {BABEL}, {US}, countryinfo 1.0.1 (MIT) and {WORDNET}; questions generated by tools/content/common_facts.py.",
    margin=0.07,
)


def files() -> dict[str, str]:
    """The folder's generated files."""
    return {"suite.json": pretty(SUITE), "items.jsonl": jsonl(items())}


if __name__ == "__main__":
    write_files(FOLDER, files())
