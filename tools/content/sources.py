"""Where the generators' facts come from: data files of Python packages and of Debian's wordnet-base.

Every file is checked against the SHA-256 it had when the content was made: other bytes would give other
questions, so they are refused instead of used.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

BABEL = "Unicode CLDR 47 in the PyPI package babel 2.18.0"
US = "the PyPI package us 4.0.0"
PERIODICTABLE = "the PyPI package periodictable 2.1.0"
ICD = "the ICD-10-CM tabular list of April 2026 in the PyPI package simple-icd-10-cm 1.5.0"
WORDNET = "Princeton WordNet 3.0 (Debian wordnet-base)"

DIGESTS = {
    "periodictable/core.py": "30c53e0b5757181144cbf6472c72c9d3de19188991bf4c64681458c6fc9d3da0",
    "us/states.py": "13a63cb5998cd18fe993f2b912cbca2e4ed4eb7aa2b09e7f7d29cc93dbf14582",
    "babel/global.dat": "a389dc74e1eba5b601c3c7b417c8d07b9e41f199370d10cc2cc70c771771156e",
    "babel/locale-data/en.dat": "894baebce3c3dcd9049e46342ba8a9617689954fdd82011e7ab5397351144196",
    "simple_icd_10_cm/data/icd10c-tabular-April-1-2026.xml": "f161f8182aff3ce3a2a78e202f8259c08eaee2c670a9e45b0072445c52302935",
}
"""SHA-256 of every file that is read from a Python package."""

WORDNET_DIGESTS = {
    "data.noun": "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2",
    "data.verb": "adcf43e35b581e8036d8b5a52d63d9cd3d3b4870b2720d3c03c799df44777bc2",
    "data.adj": "c89120dfc1f046ddff4a631bf9b7e9fa1a36b5e86565a23bf82dbe14f30b88a7",
    "data.adv": "444a63bf3955080ab7524f5079cfc07ff9bc682cb98bdb1db73b0fb9829f1139",
    "index.noun": "a490d99d93d017bf4822fe2f0ffa51fd73911ce271dc7535fade21f8814b5a04",
    "index.verb": "e2ac24816c3a8289dcb72aaa9cf8db81fdf25ec34d792bfc96ac5b7a20c8b4ae",
    "index.adj": "c9865d7b4d1f805bdef82ccdcea5282436e23083e6f6f1b33e716327c4eda810",
    "index.adv": "6f5465ed5758fe9c8a2f7ec17b1300f3aa875756c70ff7cba162f7e71bcf88ea",
    "cntlist.rev": "a198580b8f705fa02797bba8b13e5cbe4a9f9f40cb1697e774c7fc6a5865b035",
}
"""SHA-256 of every file that is read from the WordNet database."""


def checked(path: Path, expected: str, where: str) -> bytes:
    """The bytes of a file, or an end of the program that says what to install."""
    if not path.exists():
        raise SystemExit(f"{path}: not there; {where}")
    data = path.read_bytes()
    found = hashlib.sha256(data).hexdigest()
    if found != expected:
        raise SystemExit(f"{path}: SHA-256 is {found}, not {expected}; {where}")
    return data


def package_bytes(name: str) -> bytes:
    """A data file of an installed package, named as in DIGESTS; the package itself is not imported."""
    where = "install what tools/content/requirements.txt says"
    package, rest = name.split("/", 1)
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit(f"{name}: the package {package} is missing; {where}")
    return checked(Path(next(iter(spec.submodule_search_locations))) / rest, DIGESTS[name], where)


def package_text(name: str) -> str:
    """The same as text."""
    return package_bytes(name).decode()


def wordnet_bytes(folder: Path, name: str) -> bytes:
    """A file of the WordNet database, named as in WORDNET_DIGESTS."""
    return checked(folder / name, WORDNET_DIGESTS[name], "install Debian's wordnet-base 1:3.0-37")
