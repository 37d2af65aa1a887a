"""The general suite `word-relations`: opposites, kinds and synonyms of common English words.

Relations and frequencies come from Princeton WordNet 3.0 as Debian packages it (wordnet-base).
Words are judged in their most frequent sense, and must occur in WordNet's sense-tagged texts.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from common import ROOT, Record, Stream, jsonl, pretty, write_files
from multiple_choice import item, numbered, suite
from sources import wordnet_bytes

FOLDER = ROOT / "registry/suites/word-relations"
SEED = "pawl/word-relations/1"
PER_KIND = 200
PARTS = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
ROUGH = set("sex whore bastard nigger slave negro kill rape bitch breast nude prostitute".split())
"""Words left out as choices, for taste; the list only matters where WordNet's data reaches it."""


def wordnet_folder() -> Path:
    """Where Debian's wordnet-base puts the database, or $PAWL_WORDNET."""
    folder = Path(os.environ.get("PAWL_WORDNET", "/usr/share/wordnet"))
    if not (folder / "data.noun").exists():
        raise SystemExit("word_relations: install Debian's wordnet-base, or point PAWL_WORDNET at its database")
    return folder


@dataclass
class Synset:
    """One meaning: its words, its pointers (symbol, part of speech, offset, source and target word), its gloss."""

    lemmas: list[str]
    pointers: list[tuple[str, str, int, int, int]]
    gloss: str = ""


@dataclass
class WordNet:
    """The database, restricted to what the suite asks about."""

    synsets: dict[tuple[str, int], Synset] = field(default_factory=dict)
    senses: dict[tuple[str, str], list[int]] = field(default_factory=dict)
    counts: dict[tuple[str, str, int], int] = field(default_factory=dict)

    def count(self, part: str, lemma: str, sense: int = 1) -> int:
        """How often the sense-tagged texts use this word in this sense."""
        return self.counts.get((part, lemma, sense), 0)

    def first(self, part: str, lemma: str) -> int | None:
        """The synset of the most frequent sense."""
        offsets = self.senses.get((part, lemma))
        return offsets[0] if offsets else None

    def related(self, part: str, offset: int, symbol: str) -> list[int]:
        """Synsets that a whole synset points to."""
        return [to for kind, p, to, _, _ in self.synsets[part, offset].pointers if kind == symbol and p == part]

    def above(self, offset: int) -> set[int]:
        """All hypernyms of a noun synset, transitively."""
        found: set[int] = set()
        todo = [offset]
        while todo:
            for up in self.related("n", todo.pop(), "@"):
                if up not in found:
                    found.add(up)
                    todo.append(up)
        return found


def parse_synset(line: str) -> tuple[int, Synset]:
    """One line of data.POS (wndb(5WN)); word forms may carry an adjective marker such as (p)."""
    data, _, gloss = line.partition(" | ")
    head = data.split()
    count = int(head[3], 16)
    lemmas = [head[4 + 2 * i].split("(")[0] for i in range(count)]
    at = 4 + 2 * count
    pointers = []
    for i in range(int(head[at])):
        symbol, offset, part, words = head[at + 1 + 4 * i : at + 5 + 4 * i]
        pointers.append((symbol, "a" if part == "s" else part, int(offset), int(words[:2], 16), int(words[2:], 16)))
    return int(head[0]), Synset(lemmas, pointers, gloss.strip())


def load() -> WordNet:
    """Read the data, index and count files."""
    folder, net = wordnet_folder(), WordNet()
    for part, name in PARTS.items():
        for line in wordnet_bytes(folder, f"data.{name}").decode("latin-1").splitlines():
            if not line.startswith("  "):
                offset, synset = parse_synset(line)
                net.synsets[part, offset] = synset
        for line in wordnet_bytes(folder, f"index.{name}").decode("latin-1").splitlines():
            if not line.startswith("  "):
                fields = line.split()
                net.senses[part, fields[0]] = [int(x) for x in fields[-int(fields[2]) :]]
    for line in wordnet_bytes(folder, "cntlist.rev").decode("latin-1").splitlines():
        key, sense, count = line.split()
        lemma, kind = key.split("%", 1)
        net.counts["nvara"[int(kind[0]) - 1], lemma, int(sense)] = int(count)
    return net


def usable(lemma: str) -> bool:
    """One plain lower-case word."""
    return lemma.isascii() and lemma.isalpha() and lemma.islower() and len(lemma) > 2 and lemma not in ROUGH


def company(net: WordNet, part: str, lemma: str) -> set[str]:
    """Every word that shares any meaning with this one: never a fair distractor."""
    return {other.lower() for offset in net.senses[part, lemma] for other in net.synsets[part, offset].lemmas}


def common_words(net: WordNet, least: int) -> list[tuple[str, str]]:
    """(part, word), each word once in its most frequent part of speech, most frequent first."""
    best: dict[str, tuple[int, str]] = {}
    for part, lemma in net.senses:
        count = net.count(part, lemma)
        if usable(lemma) and count >= least:
            best[lemma] = max(best.get(lemma, (0, "")), (count, part))
    return [(part, lemma) for lemma, (count, part) in sorted(best.items(), key=lambda x: (-x[1][0], x[0]))]


def alike(a: str, b: str) -> bool:
    """Same stem at sight (possible, impossible): such a pair can be found without knowing the words."""
    return a in b or b in a or a[:4] == b[:4] or a[-5:] == b[-5:]


def opposites(net: WordNet) -> Iterator[tuple[str, str, str]]:
    """(part, word, opposite), both in their first sense where the opposite is used at all."""
    for part, lemma in common_words(net, 2):
        synset = net.synsets[part, net.senses[part, lemma][0]]
        for symbol, other_part, to, source, target in synset.pointers:
            if symbol == "!" and source and synset.lemmas[source - 1] == lemma:
                other = net.synsets[other_part, to].lemmas[target - 1].lower()
                if usable(other) and net.count(part, other) and not alike(lemma, other):
                    yield part, lemma, other
                    break


def synonyms(net: WordNet) -> Iterator[tuple[str, str, str]]:
    """(part, word, synonym), a shared first sense."""
    for part, lemma in common_words(net, 4):
        offset = net.senses[part, lemma][0]
        others = [other for other in net.synsets[part, offset].lemmas if usable(other) and not alike(lemma, other)]
        others = [o for o in others if net.first(part, o) == offset and net.count(part, o) >= 4]
        if others and part != "r":
            yield part, lemma, others[0]


def kinds(net: WordNet) -> Iterator[tuple[str, str, str]]:
    """("n", word, what it is a kind of): classes that hold several of the words, so that they are natural ones."""
    found = []
    for part, lemma in common_words(net, 2):
        if part == "n":
            for up in net.related("n", net.senses[part, lemma][0], "@")[:1]:
                name = net.synsets["n", up].lemmas[0]
                if usable(name) and net.first("n", name) == up and not alike(lemma, name):
                    found.append((lemma, name))
    names = [name for _, name in found]
    for lemma, name in found:
        if names.count(name) >= 4 and net.count("n", name) >= 5:
            yield "n", lemma, name


def pair_items(stream: Stream, net: WordNet, form: str, pairs: list[tuple[str, str, str]]) -> Iterator[Record | None]:
    """Distractors are other pairs' answers of the same part of speech that share no meaning with the word."""
    for part, lemma, answer in pairs:
        near = company(net, part, lemma) | company(net, part, answer)
        wrong = {a for p, w, a in pairs if p == part and a not in near and not alike(a, lemma)}
        yield item(stream, form.format(lemma), answer, wrong)


def kind_items(stream: Stream, net: WordNet, form: str, pairs: list[tuple[str, str, str]]) -> Iterator[Record | None]:
    """Distractors are other classes, none of them above the word in any of its senses."""
    for part, lemma, answer in pairs:
        above = {up for offset in net.senses[part, lemma] for up in net.above(offset)}
        true = {word for up in above for word in net.synsets["n", up].lemmas} | company(net, part, lemma)
        yield item(stream, form.format(lemma), answer, {a for _, _, a in pairs if a not in true})


def items() -> list[Record]:
    """The suite: the most frequent words of each relation."""
    net = load()
    made = []
    for kind, form, source, build in (
        ("opposite", "The opposite of {} is", opposites, pair_items),
        ("kind", "The word {} means a kind of", kinds, kind_items),
        ("synonym", "Another word for {} is", synonyms, pair_items),
    ):
        pairs = list(source(net))
        made += numbered(kind, build(Stream(f"{SEED}/{kind}"), net, form, pairs[: PER_KIND + 50]), PER_KIND)
    return made


SUITE = suite(
    "word-relations",
    "lexical",
    "Opposites, kinds and synonyms of common English words, four choices by likelihood.",
    "WordNet-3.0",
    "Relations from Princeton WordNet 3.0 (Debian wordnet-base); questions generated by tools/content/word_relations.py.",
)


def files() -> dict[str, str]:
    """The folder's generated files."""
    return {"suite.json": pretty(SUITE), "items.jsonl": jsonl(items())}


if __name__ == "__main__":
    write_files(FOLDER, files())
