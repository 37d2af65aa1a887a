"""A stub of an evaluator plug-in: it scores items itself, by a task, on the models of the stub engine (../stub).

An item's document is "FAMILY NUMBER": it is answered rightly when SHA-256 of it as a fraction is below the model's quality in
the family. `parameters` of the task: `blind` (score of a blind answer, default 0), `salt` (goes into the digest of the
prompt), `known` (the documents that there are; none: all).
"""

import hashlib
import json
import os
import sys

# The stub lies beside this folder in Tests/Fixtures/engines, and in a registry's plugins as well.
STUB = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "stub")
sys.path.insert(0, STUB)
import stub  # noqa: E402
import tensors as safetensors  # noqa: E402

CAPABILITIES = {"train": [], "evaluate": False, "resume": False, "tasks": True}


class Engine(stub.Engine):
    name = "harness"

    def receive(self, kind, message):
        if kind == "init":
            self.workdir = message["workdir"]
            self.send({"type": "ready", "protocol": self.protocol, "name": self.name, "version": stub.VERSION,
                       "capabilities": CAPABILITIES})
        elif kind == "train":
            self.error(message.get("id"), "unsupported", "this engine does not train")
        else:
            super().receive(kind, message)

    def evaluate(self, message, cancel):
        self.check(message["suite"])
        if "task" not in message:
            raise stub.Refused("unsupported", "this engine scores suites by a task, and no others")
        task = message["task"]
        for file in task["files"]:
            self.check({**file, "path": os.path.join(task["dir"], file["path"])})
        weights = safetensors.read(os.path.join(message["model"]["dir"], "model.safetensors"))
        abilities = safetensors.Abilities(weights)
        with open(message["suite"]["path"], encoding="utf-8") as file:
            items = [json.loads(line) for line in file if line.strip()]
        known = task["parameters"].get("known")
        for item in items:
            if known is not None and item["document"] not in known:
                raise stub.Refused("invalid_argument", "the task has no document %s" % item["document"])
        return self.write_items(message["id"], [self.score(item, task["parameters"], abilities) for item in items])

    def score(self, item, parameters, abilities):
        family = item["document"].split(" ")[0]
        is_right = stub.number(item["document"]) < abilities.quality(family)
        shown = item["prompt"] if "prompt" in item else json.dumps(item["messages"])
        return {"id": item["id"], "score": float(is_right), "blind": parameters.get("blind", 0),
                "response": "%s %s" % ("right" if is_right else "wrong", item["document"]),
                "prompt": hashlib.sha256((str(parameters.get("salt", "")) + shown).encode()).hexdigest()}
