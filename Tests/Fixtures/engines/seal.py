#!/usr/bin/env python3
"""Writes the program digest into engine.json of the folders given, or of every engine beside this script."""

import hashlib
import json
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def digest(folder, files):
    whole = hashlib.sha256()
    for name in files:
        with open(os.path.join(folder, name), "rb") as file:
            whole.update(("%s  %s\n" % (hashlib.sha256(file.read()).hexdigest(), name)).encode())
    return whole.hexdigest()


def seal(folder):
    path = os.path.join(folder, "engine.json")
    with open(path) as file:
        text = file.read()
    value = digest(folder, json.loads(text)["files"])
    with open(path, "w") as file:
        file.write(re.sub(r'("sha256": *")[^"]*', r"\g<1>" + value, text))
    print(value[:12], os.path.basename(folder))


for folder in sys.argv[1:] or sorted(
    os.path.join(HERE, name) for name in os.listdir(HERE) if os.path.exists(os.path.join(HERE, name, "engine.json"))
):
    seal(os.path.abspath(folder))
