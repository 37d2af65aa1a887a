"""The general suite `world-facts`: capitals, continents and neighbours of countries.

Facts come from the PyPI package countryinfo (MIT), read as data files. Countries with at least a
million people: about those the base model knows enough to be well above chance.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from common import ROOT, Record, Stream, jsonl, pretty, write_files
from multiple_choice import item, numbered, suite

FOLDER = ROOT / "registry/suites/world-facts"
SEED = "pawl/world-facts/1"
PACKAGE = "countryinfo"
PEOPLE = 1_000_000
PER_KIND = 150

# Gone, contested, no country of their own, or with a capital that moved or that the package has wrong.
LEFT_OUT = set(
    "Serbia and Montenegro,Swaziland,Singapore,Israel,Palestine,Taiwan,Hong Kong,Kosovo,Puerto Rico,Sri Lanka,"
    "Burundi,Kazakhstan".split(",")
)
TWO_CONTINENTS = {"Turkey", "Russia", "Georgia", "Azerbaijan", "Armenia", "Egypt", "Indonesia"}
RENAMED = {"Republic of Macedonia": "North Macedonia", "The Gambia": "Gambia"}
CAPITALS = {"Washington D.C.": "Washington, D.C."}
WITH_ARTICLE = ("United ", "Netherlands", "Philippines", "Gambia", "Republic", "Democratic", "Dominican", "Central", "Czech")


@dataclass(frozen=True)
class Country:
    """What the questions need."""

    name: str
    capital: str
    continent: str
    code: str
    borders: frozenset[str]


def data_folder() -> Path:
    """The package's data files."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"world_facts: install {PACKAGE} as tools/content/requirements.txt says")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def continent(raw: Record) -> str:
    """The Americas split in two, as school books have it."""
    if raw["region"] != "Americas":
        return str(raw["region"])
    return "South America" if raw.get("intermediateregion") == "South America" else "North America"


def spoken(name: str) -> str:
    """The name as it stands in a sentence."""
    name = RENAMED.get(name, name)
    return f"the {name}" if name.startswith(WITH_ARTICLE) else name


def countries() -> list[Country]:
    """Large enough countries, by name; borders made symmetric, for the package lists some on one side only."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in data_folder().glob("*.json")]
    large = [
        raw
        for raw in found
        if (raw.get("population") or 0) >= PEOPLE and raw.get("capital") and raw["name"] not in LEFT_OUT
    ]
    pairs = {(raw["ISO"]["alpha3"], other) for raw in found for other in raw.get("borders") or []}
    pairs |= {(there, here) for here, there in pairs}
    made = [
        Country(
            spoken(raw["name"]),
            CAPITALS.get(raw["capital"], raw["capital"]),
            continent(raw),
            raw["ISO"]["alpha3"],
            frozenset(there for here, there in pairs if here == raw["ISO"]["alpha3"]),
        )
        for raw in large
    ]
    return sorted(made, key=lambda country: country.name)


def capital_items(stream: Stream, world: list[Country]) -> Iterator[Record | None]:
    """Which city; distractors are capitals of the same continent."""
    for here in world:
        near = [other.capital for other in world if other.continent == here.continent]
        yield item(stream, f"The capital of {here.name} is", here.capital, near)


def country_items(stream: Stream, world: list[Country]) -> Iterator[Record | None]:
    """Which country; distractors are countries of the same continent."""
    for here in world:
        near = [other.name for other in world if other.continent == here.continent]
        yield item(stream, f"{here.capital} is the capital of", here.name, near)


def continent_items(stream: Stream, world: list[Country]) -> Iterator[Record | None]:
    """Which continent."""
    for here in (country for country in world if country.name not in TWO_CONTINENTS):
        yield item(stream, f"On a map of the world, {here.name} is in", here.continent, {c.continent for c in world})


def neighbour_items(stream: Stream, world: list[Country]) -> Iterator[Record | None]:
    """Which of four countries is next door; distractors are from anywhere but next door."""
    for here in world:
        next_door = [other for other in world if other.code in here.borders]
        if next_door:
            far = [other.name for other in world if other != here and other not in next_door]
            yield item(stream, f"{here.name[0].upper()}{here.name[1:]} shares a border with", stream.pick(next_door).name, far)


def items() -> list[Record]:
    """The suite."""
    world = countries()
    kinds = {
        "capital": capital_items,
        "capital-of": country_items,
        "continent": continent_items,
        "neighbour": neighbour_items,
    }
    made = []
    for kind, build in kinds.items():
        stream = Stream(f"{SEED}/{kind}")
        made += numbered(kind, build(stream, stream.shuffled(world)), PER_KIND)
    return made


SUITE = suite(
    "world-facts",
    "geography",
    "Capitals, continents and neighbours of countries, four choices by likelihood.",
    "MIT",
    "Facts from the PyPI package countryinfo 1.0.1 (MIT); questions generated by tools/content/world_facts.py.",
)


def files() -> dict[str, str]:
    """The folder's generated files."""
    return {"suite.json": pretty(SUITE), "items.jsonl": jsonl(items())}


if __name__ == "__main__":
    write_files(FOLDER, files())
