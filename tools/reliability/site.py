"""The registry that tools/check-reliability disturbs: how it is made, what is done to it, what must hold afterwards."""

import collections
import hashlib
import json
import os
import random
import shutil
import struct
import time

from check_support import EXIT_STATUS, Violation

# Operations that are disturbed, and how often each is drawn.
WEIGHTS = {"import": 4, "gc": 3, "export": 3, "init": 2, "register": 2, "repair": 2, "repack": 3}


def require(condition, message):
    if not condition:
        raise Violation(message)


def read_tree(directory):
    """{path: bytes} of a directory."""
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, directory)] = file.read()
    return found


def write_model(directory, weights):
    """A model directory with these bf16 tensors: {name: (rows, columns, bytes)}."""
    header, data = {}, b""
    for name, (rows, columns, content) in weights.items():
        header[name] = {"dtype": "BF16", "shape": [rows, columns], "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    encoded = json.dumps(header).encode()
    os.makedirs(directory)
    with open(os.path.join(directory, "model.safetensors"), "wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded + data)
    for name, value in (("config.json", {"model_type": "llama"}), ("tokenizer.json", {"version": "1.0"})):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            json.dump(value, file)


def make_weights(generator):
    """2.9 MB in tensors of less than a block, and of more than one."""
    shapes = {"embed.weight": (4096, 160), "layers.0.weight": (1024, 320), "layers.1.weight": (1024, 320),
              "norm.weight": (1, 320)}
    weights = {}
    for name, (rows, columns) in shapes.items():
        content = bytearray(generator.randbytes(2 * rows * columns))
        content[1::2] = bytes(0x3B + (byte & 0x81) for byte in content[1::2])  # plausible exponents
        weights[name] = (rows, columns, bytes(content))
    return weights


def trained(weights, generator):
    """The weights after a training step: one element in sixteen moves by one."""
    after = {}
    for name, (rows, columns, content) in weights.items():
        changed = bytearray(content)
        for place in range(2 * generator.randrange(16), len(changed), 32):
            changed[place] ^= 1
        after[name] = (rows, columns, bytes(changed))
    return after


class Site:
    """A registry to copy, with a promoted skill, a rejected one and an imported model, and what is true of it."""

    def __init__(self, world, seed):
        self.world = world
        generator = random.Random(seed)
        self.template = os.path.join(world.root, "template")
        self.model, self.next_model = (os.path.join(world.root, name) for name in ("model", "next-model"))
        weights = make_weights(generator)
        write_model(self.model, weights)
        write_model(self.next_model, trained(weights, generator))
        self.base = world.run_json(self.template, "init", "--base", world.base, "--suite", "general")["base"]
        for skill, outcome in (("alpha", "accept"), ("beta", "reject")):
            world.run(world.register(self.template, skill, outcome, delay_ms=0), (EXIT_STATUS[outcome],))
        self.imported = world.run_json(self.template, "import", self.model)["checkpoint"]
        self.journal = self.entries(self.template)
        self.main = world.run_json(self.template, "status")["main"]
        self.true = {}
        for entry in self.journal:
            if entry.get("checkpoint") and entry["checkpoint"] not in self.true:
                self.true[entry["checkpoint"]] = self.export(self.template, entry["checkpoint"])
        require(self.true[self.imported] == read_tree(self.model), "the export of an import is not what was imported")
        self.rejected = [entry["checkpoint"] for entry in self.journal if entry["kind"] == "verdict"][-1]
        self.add_orphans(generator)
        self.files = sorted(
            os.path.join(os.path.relpath(folder, self.template), name)
            for part in ("objects", "tensors") for folder, _, names in os.walk(os.path.join(self.template, part))
            for name in names)
        helped, offered = (world.run([world.pawl, *words], None)[1] for words in (("verify", "--help"), ("--help",)))
        lacking = {"repair"} if "--repair" not in helped else set()
        if not any(line.split()[:1] == ["repack"] for line in offered.splitlines()):
            lacking.add("repack")
        self.operations = [name for name in WEIGHTS if name not in lacking]
        self.seconds = collections.defaultdict(lambda: 0.2)

    def add_orphans(self, generator):
        """Documents that nothing needs, a day old: work for a collection."""
        self.orphans = []
        for _ in range(24):
            content = json.dumps({"orphan": generator.random()}).encode()
            name = hashlib.sha256(content).hexdigest()
            path = os.path.join(self.template, "objects", name[:2], name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
            os.utime(path, (time.time() - 86400, time.time() - 86400))
            self.orphans.append(os.path.relpath(path, self.template))

    def entries(self, registry):
        return self.world.run_json(registry, "log", "--limit", "0")["entries"][::-1]

    def export(self, registry, checkpoint):
        out = registry + ".exported"
        self.world.run(self.world.command(registry, "export", checkpoint, out))
        content = read_tree(out)
        shutil.rmtree(out)
        return content

    def draw(self, generator):
        return generator.choices(self.operations, [WEIGHTS[name] for name in self.operations])[0]

    def trial(self, operation, directory, generator):
        return Trial(self, operation, directory, generator)


class Trial:
    """One copy of the registry, on which one operation is disturbed."""

    def __init__(self, site, operation, directory, generator):
        self.site, self.world, self.operation, self.generator = site, site.world, operation, generator
        self.registry = os.path.join(directory, "registry")
        self.out = os.path.join(directory, "out")
        shutil.copytree(site.template, self.registry)
        if operation == "init":
            self.registry = os.path.join(directory, "fresh")
        if operation == "repair":
            self.break_some()

    def break_some(self):
        for name in self.generator.sample(self.site.files, 5):
            path = os.path.join(self.registry, name)
            size = os.path.getsize(path)
            os.remove(path)
            if self.generator.random() < 0.5:
                with open(path, "wb") as file:
                    file.write(bytes(size))

    def command(self):
        site, world = self.site, self.world
        if self.operation == "register":
            return world.register(self.registry, "gamma", "accept", delay_ms=0)
        arguments = {
            "import": ("import", site.next_model, "--parent", site.imported),
            "gc": ("gc", "--delete", "--grace", "0"),
            "export": ("export", site.imported, self.out),
            "init": ("init", "--base", site.model, "--suite", "general"),
            "repack": ("repack",),
            "repair": ("verify", "--repair", "--from", site.template),
        }[self.operation]
        return world.command(self.registry, *arguments, "--json", "--quiet")

    def companion(self):
        """A command that a second process runs meanwhile, and the exit statuses that it may have."""
        choices = [(("verify", "--quiet"), (0,)), (("export", self.site.main, self.out + "-2", "--quiet"), (0,)),
                   (("status",), (0,)), (("gc",), (0,)), (("log",), (0,))]
        arguments, expected = self.generator.choice(choices)
        return self.world.command(self.registry, *arguments, "--json"), expected

    @property
    def may_have_companion(self):
        # What is not there yet, or is broken on purpose, has nothing for a second process to read.
        return self.operation not in ("init", "repair")

    def after(self, status, output):
        """What must hold once the operation has ended or was cut off; `status` is its exit status."""
        if self.operation == "init" and not os.path.exists(self.registry):
            require(status != 0, "init reported a registry that is not there")
            return self.repeat()
        if self.operation == "repair" and status != 0:
            return self.repeat()
        self.check_sound()
        entries = self.site.entries(self.registry)
        if self.operation == "init":
            require([entry["kind"] for entry in entries][0] == "init", "init left the journal %s" % entries)
            return self.check_export(entries[0]["checkpoint"], read_tree(self.site.model))
        known = len(self.site.journal)
        require(entries[:known] == self.site.journal, "the journal lost entries: %s" % entries)
        if status == 0:
            self.check_result(output, entries[known:])
        checkpoint = self.generator.choice([self.site.base, self.site.main, self.site.imported])
        self.check_export(checkpoint, self.site.true[checkpoint])
        if self.operation == "export" and os.path.exists(self.out):
            require(read_tree(self.out) == self.site.true[self.site.imported], "an export that is there is not whole")
            shutil.rmtree(self.out)
        if status != 0:
            self.repeat()

    def check_sound(self):
        found = self.world.run_json(self.registry, "verify", expect=(0, 12))
        for key in ("problems", "damage", "forks"):
            require(not found[key], "pawl verify: %s: %s" % (key, json.dumps(found[key])[:2000]))

    def check_export(self, checkpoint, expected):
        require(self.site.export(self.registry, checkpoint) == expected, "wrong bytes of %s" % checkpoint)

    def check_result(self, output, entries):
        """Everything that the operation reported is there."""
        kinds = [entry["kind"] for entry in entries]
        report = json.loads(output) if self.operation in ("import", "register") else {}
        if self.operation == "import":
            require(kinds == ["import"] and entries[0]["checkpoint"] == report["checkpoint"], "import: %s" % entries)
            self.check_export(report["checkpoint"], read_tree(self.site.next_model))
        elif self.operation == "export":
            require(os.path.exists(self.out), "an export was reported that is not there")
        elif self.operation == "register":
            require(report["promoted"] and "promotion" in kinds, "register: %s" % entries)
        elif self.operation == "gc":
            left = self.world.run_json(self.registry, "gc", "--grace", "0")
            require(not left["checkpoints"] and not left["store"]["objects"], "gc left %s" % left)

    def repeat(self):
        """The same command, or what goes on with it, now succeeds."""
        command = self.command()
        if self.operation == "register":
            if self.world.run_json(self.registry, "status")["unfinished"]:
                command = self.world.command(self.registry, "register", "--resume", "gamma", "--json")
            elif any(entry["kind"] == "promotion" and entry.get("skill") == "gamma"
                     for entry in self.site.entries(self.registry)):
                return  # it was over, only its report was lost
        before = len(self.site.journal)
        _, output, _ = self.world.run(command)
        if self.operation == "init":
            return self.check_export(json.loads(output)["base"], read_tree(self.site.model))
        if self.operation == "export":
            return require(read_tree(self.out) == self.site.true[self.site.imported], "the second export is not whole")
        self.check_sound()
        entries = self.site.entries(self.registry)[before:]
        if self.operation == "import":
            require(entries and {entry["kind"] for entry in entries} == {"import"}, "import again: %s" % entries)
            self.check_export(json.loads(output)["checkpoint"], read_tree(self.site.next_model))
        elif self.operation == "register":
            require("promotion" in [entry["kind"] for entry in entries], "register again: %s" % entries)
