"""What tools/check-kills and tools/check-corruption share: a tiny world for the stub engine, and running pawl.

The world is a directory with a plug-in folder (the stub engine of Tests/Fixtures, three skills, one general
suite, one rehearsal set) and a base model of 8 kB. The stub "trains" in milliseconds; what comes of a training is set by the recipe,
so a whole registration with its verdict takes about a second in a debug build.
"""

import json
import os
import shutil
import subprocess
import sys

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STUB = os.path.join(REPOSITORY, "Tests", "Fixtures", "engines", "stub")

# What the stub makes of a training, by the verdict that it leads to.
OUTCOMES = {
    "accept": {"skill": 0.95},
    "reject": {"skill": 0.95, "prior": 0.3},
    "inconclusive": {"skill": 0.95, "prior": 0.94},
}
EXIT_STATUS = {"accept": 0, "reject": 3, "inconclusive": 4}
SKILLS = ("alpha", "beta", "gamma")


class Violation(Exception):
    """Something that pawl guarantees did not hold."""


def default_pawl():
    return os.path.join(REPOSITORY, ".build", "debug", "pawl")


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.write("\n")


def write_lines(path, values):
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(value) + "\n" for value in values)


def suite(name, margin):
    return {"name": name, "version": "1.0.0", "description": "Items of the family %s." % name, "family": name,
            "metric": "accuracy", "margin": margin, "items": "items.jsonl",
            "grader": {"kind": "exact_match", "normalisers": ["trim"]}}


def records(family, kind, count, answer):
    """Lines that the stub knows how to answer: it reads the family and the right answer off the prompt."""
    return [{"id": "%s-%s-%d" % (family, kind, k), "prompt": "family: %s\nsay: %s%s%d" % (family, family, kind, k),
             answer: "%s%s%d" % (family, kind, k)} for k in range(count)]


class World:
    """A temporary directory with plug-ins and a base model, and pawl commands that see nothing else."""

    def __init__(self, root, pawl):
        self.root = os.path.realpath(root)
        self.pawl = os.path.abspath(pawl)
        self.plugins = os.path.join(self.root, "plugins")
        self.base = os.path.join(self.root, "base")
        self.environment = {"PATH": os.environ["PATH"], "HOME": self.root, "USER": "check", "LANG": "C.UTF-8",
                            "PAWL_PLUGINS": self.plugins, "PAWL_ENGINE": "stub"}
        if "LD_LIBRARY_PATH" in os.environ:
            self.environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
        os.makedirs(self.plugins, exist_ok=True)
        shutil.copytree(STUB, os.path.join(self.plugins, "engines", "stub"),
                        ignore=shutil.ignore_patterns("__pycache__"))
        self.make_suite("general", 200, 0.08)
        self.make_rehearsal("chat", 8)
        for name in SKILLS:
            self.make_skill(name)
        qualities = ["*=0.8"] + ["%s=0.1" % name for name in SKILLS]
        subprocess.run([sys.executable, os.path.join(STUB, "make_model.py"), self.base] + qualities, check=True)

    def make_suite(self, name, count, margin):
        folder = os.path.join(self.plugins, "suites", name)
        os.makedirs(folder)
        write_json(os.path.join(folder, "suite.json"), suite(name, margin))
        write_lines(os.path.join(folder, "items.jsonl"), records(name, "item", count, "target"))

    def make_rehearsal(self, name, count):
        folder = os.path.join(self.plugins, "rehearsal", name)
        os.makedirs(folder)
        write_json(os.path.join(folder, "rehearsal.json"), {
            "name": name, "version": "1.0.0", "description": "Prompts that teach nothing.", "prompts": "prompts.jsonl",
            "licence": "Apache-2.0", "source": "made by tools/check_support.py"})
        write_lines(os.path.join(folder, "prompts.jsonl"),
                    [{"id": "%s-%d" % (name, k), "prompt": "Say something of %d." % k} for k in range(count)])

    def make_skill(self, name):
        folder = os.path.join(self.plugins, "skills", name)
        os.makedirs(folder)
        write_json(os.path.join(folder, "skill.json"), {
            "name": name, "version": "1.0.0", "description": "Says what it is told, family %s." % name,
            "demonstrations": "demonstrations.jsonl", "suite": "suite.json",
            "teacher": {"contexts": [{"kind": "few_shot", "shots": 2, "own_demonstration": True}]},
            "recipe": {"steps": 6, "save_every": 2, "warmup_steps": 2, "rehearsal_share": 0.25},
            "licence": "Apache-2.0", "source": "made by tools/check_support.py"})
        write_lines(os.path.join(folder, "demonstrations.jsonl"), records(name, "demo", 24, "completion"))
        write_json(os.path.join(folder, "suite.json"), suite(name, 0.15))
        write_lines(os.path.join(folder, "items.jsonl"), records(name, "item", 60, "target"))

    def command(self, registry, *arguments):
        return [self.pawl, *arguments, "--registry", registry]

    def register(self, registry, skill, outcome, *flags, delay_ms=15, seed=1):
        """Arguments of a registration that ends in the wanted verdict."""
        options = {"stub": {"delay_ms": delay_ms, **OUTCOMES[outcome]}}
        return self.command(registry, "register", skill, "--json", "--set", "seed=%d" % seed,
                            "--set", "engine_options=" + json.dumps(options), *flags)

    def start(self, command):
        return subprocess.Popen(command, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def run(self, command, expect=(0,)):
        """Runs to the end; gives exit status, stdout and stderr. An unexpected status is a violation."""
        done = subprocess.run(command, cwd=self.root, env=self.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=300)
        out, error = done.stdout.decode(), done.stderr.decode()
        if expect is not None and done.returncode not in expect:
            raise Violation("%s: exit status %d, expected %s\n%s%s" % (
                " ".join(command[1:]), done.returncode, " or ".join(map(str, expect)), out[-3000:], error[-3000:]))
        return done.returncode, out, error

    def run_json(self, registry, *arguments, expect=(0,)):
        return json.loads(self.run(self.command(registry, *arguments, "--json"), expect)[1])
