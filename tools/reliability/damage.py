"""Damage of stored files: found, named, never exported, mended from another registry."""

import collections
import os
import shutil

from reliability.site import read_tree, require


def flip(paths, generator):
    content = bytearray(read(paths[0]))
    bit = generator.randrange(8 * len(content))
    content[bit // 8] ^= 1 << bit % 8
    write(paths[0], content)


def truncate(paths, generator):
    content = read(paths[0])
    write(paths[0], content[:generator.randrange(len(content))])


def lengthen(paths, generator):
    write(paths[0], read(paths[0]) + generator.randbytes(generator.randint(1, 4096)))


def zero(paths, generator):
    """A page, or all of it: what a crash leaves on a filesystem that writes sizes before content."""
    content = bytearray(read(paths[0]))
    places = [place for place in range(0, len(content), 4096) if any(content[place:place + 4096])]
    first = generator.choice(places)
    last = len(content) if generator.random() < 0.5 else min(first + 4096, len(content))
    content[first:last] = bytes(last - first)
    write(paths[0], content)


def swap(paths, _):
    first, second = read(paths[0]), read(paths[1])
    write(paths[0], second)
    write(paths[1], first)


def lose(paths, _):
    os.remove(paths[0])


def read(path):
    with open(path, "rb") as file:
        return file.read()


def write(path, content):
    os.chmod(path, 0o644)
    with open(path, "wb") as file:
        file.write(content)


# Kinds of damage, and how often each is drawn.
KINDS = {flip: 6, truncate: 4, zero: 4, swap: 4, lengthen: 1, lose: 1}


class Damage:
    """One damaged file, or two that were swapped, in a copy of the registry; then a repair from the undamaged one."""

    title = "damage"

    def __init__(self, site):
        self.site, self.world, self.hits = site, site.world, collections.Counter()

    def run(self, generator, directory):
        registry = os.path.join(directory, "registry")
        shutil.copytree(self.site.template, registry)
        kind = generator.choices(list(KINDS), list(KINDS.values()))[0]
        # That a file which nothing names is gone cannot be seen.
        files = sorted(set(self.site.files) - set(self.site.orphans)) if kind is lose else self.site.files
        names = generator.sample(files, 2 if kind is swap else 1)
        if kind is swap:
            names = self.of_one_kind(files, generator)
        kind([os.path.join(registry, name) for name in names], generator)
        place = "%s of %s" % (kind.__name__, " and ".join(names))
        self.check_exports(registry, self.check_named(registry, names, place), place)
        self.check_repair(registry, names, place, generator)
        self.hits[kind.__name__] += 1

    def of_one_kind(self, files, generator):
        """Two index files, or two objects: each has the form of the other."""
        part = generator.choice(["objects", "tensors"])
        alike = [name for name in files if name.startswith(part)]
        while True:
            names = generator.sample(alike, 2)
            first, second = (read(os.path.join(self.site.template, name)) for name in names)
            if first != second:
                return names

    def check_named(self, registry, names, place):
        """Each file is named; gives the trees that the report says are affected."""
        found = self.world.run_json(registry, "verify", expect=(12,))
        named = {item["object"] for item in found["damage"]}
        subjects = {problem["subject"] for problem in found["problems"]}
        # What is lost is named by what leads to it.
        subjects |= {word.strip(",.") for item in found["damage"] for word in item["reason"].split()}
        for name in names:
            require(name in named or os.path.basename(name) in subjects, "%s: verify names %s" % (place, found))
        # A manifest that is lost is nowhere in the store; the registry, which needs the tree, has a problem.
        trees = {problem["subject"] for problem in found["problems"] if problem["kind"] == "tree"}
        return trees.union(*(item["trees"] for item in found["damage"]))

    def check_exports(self, registry, affected, place):
        for checkpoint, true in self.site.true.items():
            out = registry + ".exported"
            status, _, error = self.world.run(self.world.command(registry, "export", checkpoint, out), (0, 12))
            if status:
                require(checkpoint in affected, "%s: export of %s fails, verify does not name it: %s" % (
                    place, checkpoint, error))
                require(not os.path.exists(out), "%s: a failed export left a directory" % place)
            else:
                require(read_tree(out) == true, "%s: export of %s: wrong bytes" % (place, checkpoint))
                shutil.rmtree(out)

    def is_whole(self, registry, name):
        path = os.path.join(registry, name)
        return os.path.exists(path) and read(path) == read(os.path.join(self.site.template, name))

    def check_repair(self, registry, names, place, generator):
        repair = ("verify", "--repair", "--from", self.site.template)
        # An export makes an index file that leads nowhere again by itself; the repair has the others to mend.
        names = [name for name in names if not self.is_whole(registry, name)]
        report = self.world.run_json(registry, *repair)
        mended = {item["object"] for item in report["repair"]["mended"]}
        for name in names:
            require(name in mended, "%s: the repair says that it mended %s" % (place, sorted(mended)))
        for key in ("problems", "damage", "forks"):
            require(not report[key], "%s: after the repair: %s" % (place, report[key]))
        # Whoever looks afterwards must agree with the repair, and a second one has nothing to do.
        before = snapshot(registry)
        again = self.world.run_json(registry, *repair)
        require(not again["repair"]["mended"], "%s: the second repair mended %s" % (place, again["repair"]))
        require(snapshot(registry) == before, "%s: the second repair wrote something" % place)
        checkpoint = generator.choice(sorted(self.site.true))
        require(self.site.export(registry, checkpoint) == self.site.true[checkpoint],
                "%s: after the repair: wrong bytes of %s" % (place, checkpoint))


def snapshot(registry):
    """{stored file: (file number, size, time of change)}."""
    found = {}
    for part in ("objects", "tensors"):
        for folder, _, names in os.walk(os.path.join(registry, part)):
            for name in names:
                status = os.stat(os.path.join(folder, name))
                found[os.path.join(folder, name)] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found
