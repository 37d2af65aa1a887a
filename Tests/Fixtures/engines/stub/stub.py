"""An engine without a model, for tests: it trains and evaluates in milliseconds, the same way every time.

Training changes a few elements of the float tensors and sets what the model can do; evaluation reads that
back. How a test steers it is in docs/engines.md ("The stub engine").
"""

import hashlib
import json
import os
import re
import shutil
import struct
import sys
import threading
import time

import tensors as safetensors

VERSION = "1.0.0"
CAPABILITIES = {"train": ["sdft", "sft"], "evaluate": True, "resume": True, "updates": ["full", "low_rank"]}


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Cancelled(Exception):
    pass


def shaping(recipe):
    """The recipe without what only disturbs a training, so that a crash does not change its result."""
    disturbing = ("delay_ms", "crash_at_step", "fail_at_step")
    steering = {name: value for name, value in recipe.get("stub", {}).items() if name not in disturbing}
    return {**recipe, "stub": steering}


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def number(*parts):
    """A number in 0..<1 that depends on the parts only."""
    text = "\0".join(str(part) for part in parts).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / 2**64


def write(path, data):
    with open(path + ".tmp", "wb") as file:
        file.write(data)
    os.replace(path + ".tmp", path)


class Engine:
    name = "stub"
    protocol = 1
    heartbeat_s = 10.0

    def __init__(self):
        # stdout carries the protocol only: whatever a library prints goes to stderr.
        self.out = os.fdopen(os.dup(1), "wb", buffering=0)
        os.dup2(2, 1)
        self.lock = threading.Lock()
        self.jobs = {}
        self.workdir = None

    # The protocol

    def send_line(self, line):
        with self.lock:
            self.out.write(line)

    def send(self, message):
        self.send_line(json.dumps(message, ensure_ascii=False).encode() + b"\n")

    def error(self, identifier, code, message):
        self.send({"type": "error", "id": identifier, "code": code, "message": message, "retryable": False})

    def serve(self):
        for line in sys.stdin.buffer:
            try:
                message = json.loads(line)
                kind = message["type"]
            except (ValueError, KeyError, TypeError) as error:
                self.error(None, "invalid_argument", "not a message: %r" % error)
                continue
            if kind == "shutdown":
                break
            self.receive(kind, message)
        self.stop_all()
        self.leave()

    def leave(self):
        sys.stderr.flush()
        os._exit(0)

    def receive(self, kind, message):
        if kind == "init":
            self.workdir = message["workdir"]
            self.send({"type": "ready", "protocol": self.protocol, "name": self.name, "version": VERSION,
                       "capabilities": CAPABILITIES})
        elif kind == "cancel":
            job = self.jobs.get(message.get("id"))
            if job:
                job[0].set()
        elif kind in ("train", "evaluate"):
            cancel = threading.Event()
            thread = threading.Thread(target=self.work, args=(kind, message, cancel), daemon=True)
            self.jobs[message["id"]] = (cancel, thread)
            thread.start()
        else:
            self.error(message.get("id"), "unsupported", "unknown message type %r" % kind)

    def stop_all(self):
        for cancel, thread in self.jobs.values():
            cancel.set()
            thread.join(4)

    def work(self, kind, message, cancel):
        identifier = message["id"]
        state = {"step": 0, "steps": 0}
        done = threading.Event()
        threading.Thread(target=self.beat, args=(identifier, state, done), daemon=True).start()
        try:
            answer = self.train(message, state, cancel) if kind == "train" else self.evaluate(message, cancel)
            answer["environment"] = {"python": sys.version.split()[0], "device": "cpu", "threads": 1}
            done.set()
            self.send({"type": "result", "id": identifier, **answer})
        except Cancelled:
            done.set()
            self.error(identifier, "cancelled", "stopped as asked")
        except Refused as error:
            done.set()
            self.error(identifier, error.code, str(error))
        except Exception as error:  # noqa: BLE001: whatever it was, the host must hear of it
            done.set()
            self.error(identifier, "internal", "%s: %s" % (type(error).__name__, error))

    def beat(self, identifier, state, done):
        while not done.wait(self.heartbeat_s):
            self.progress(identifier, state)

    def progress(self, identifier, state, **metrics):
        self.send({"type": "progress", "id": identifier, "step": state["step"], "steps": state["steps"],
                   "metrics": metrics})

    def check(self, file):
        found = sha256(file["path"])
        if found != file["sha256"]:
            raise Refused("invalid_argument", "%s has the SHA-256 %s, the request says %s"
                          % (file["path"], found, file["sha256"]))

    # Training

    def train(self, message, state, cancel):
        recipe, steering = message["recipe"], message["recipe"].get("stub", {})
        self.check(message["demonstrations"])
        source, output = message["model"]["dir"], message["output"]
        weights = safetensors.read(os.path.join(source, "model.safetensors"))
        identity = [message["model"]["digest"], message["demonstrations"]["sha256"], shaping(recipe)]
        saved = os.path.join(message["state"], "step.json")
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        state["steps"] = recipe.get("steps", 10)
        first = self.restore(saved, key, weights)
        for step in range(first, state["steps"]):
            if cancel.wait(steering.get("delay_ms", 0) / 1000):
                raise Cancelled()
            if first == 0 and step == steering.get("crash_at_step"):
                print("stub: crashing at step %d, as the recipe asks" % step, file=sys.stderr)
                sys.stderr.flush()
                os._exit(3)
            if step == steering.get("fail_at_step"):
                raise Refused("internal", "failing at step %d, as the recipe asks" % step)
            self.step(weights, recipe, message["model"]["digest"], step)
            state["step"] = step + 1
            if (step + 1) % recipe.get("save_every", 10) == 0:
                self.save(saved, key, step + 1, weights)
            self.progress(message["id"], state, loss=1 / (step + 1), lr=recipe.get("learning_rate", 0))
        if recipe.get("update") == "low_rank":
            return self.write_adapter(output, recipe, message["model"]["digest"])
        self.learn(weights, message, steering)
        return self.write_output(source, output, weights)

    def restore(self, saved, key, weights):
        if not os.path.exists(saved):
            return 0
        with open(saved) as file:
            state = json.load(file)
        if state["key"] != key:
            return 0
        weights.update(safetensors.read(os.path.join(os.path.dirname(saved), state["weights"])))
        print("stub: going on from step %d" % state["step"], file=sys.stderr)
        return state["step"]

    def save(self, saved, key, step, weights):
        os.makedirs(os.path.dirname(saved), exist_ok=True)
        name = "weights-%d.safetensors" % step
        write(os.path.join(os.path.dirname(saved), name), safetensors.encode(weights))
        write(saved, json.dumps({"key": key, "step": step, "weights": name}).encode())

    def step(self, weights, recipe, digest, step):
        """Moves 16 elements of every float tensor by about the learning rate."""
        rate, seed = recipe.get("learning_rate", 1e-5), recipe.get("seed", 1)
        for name, (dtype, _, data) in weights.items():
            if dtype not in ("F32", "BF16") or name.startswith("stub."):
                continue
            width = safetensors.TYPES[dtype]
            for k in range(16):
                u = number(seed, digest, step, name, k)
                at = int(u * (len(data) // width)) * width
                raw = bytes(data[at : at + width])
                (value,) = struct.unpack("<f", raw if width == 4 else b"\0\0" + raw)
                value += rate * (2 * number(seed, digest, step, name, k, "delta") - 1)
                data[at : at + width] = struct.pack("<f", value)[4 - width :]

    def learn(self, weights, message, steering):
        abilities = safetensors.Abilities(weights)
        family = steering.get("family") or self.trained_family(message["demonstrations"]["path"])
        keep = steering.get("prior", 1.0)
        for name in list(abilities.names):
            if name != family and not name.startswith("$"):
                abilities[name] = min(1.0, abilities[name] * keep)
        abilities[family] = steering.get("skill", 0.9)
        for name, value in steering.get("quality", {}).items():
            abilities[name] = value
        abilities["$noise"] = steering.get("noise", 0.0)
        abilities["$salt"] = number(
            message["model"]["digest"], json.dumps(shaping(message["recipe"]), sort_keys=True))
        abilities.store(weights)

    def trained_family(self, path):
        with open(path, encoding="utf-8") as file:
            records = [json.loads(line) for line in file if line.strip()]
        for record in records:
            if record.get("role", "skill") == "skill":
                return family_of(record["prompt"][-1]["content"])
        return "skill"

    def write_output(self, source, output, weights):
        os.makedirs(output)
        for name in sorted(os.listdir(source)):
            if name != "model.safetensors":
                shutil.copyfile(os.path.join(source, name), os.path.join(output, name))
        write(os.path.join(output, "model.safetensors"), safetensors.encode(weights))
        return self.listed(output)

    def write_adapter(self, output, recipe, digest):
        """A low-rank update of the model's one matrix; what the stub can do stays as it was."""
        rank, module = recipe["rank"], "model.layers.0.mlp"
        configuration = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": recipe["alpha"],
                         "target_modules": ["mlp"], "bias": "none", "fan_in_fan_out": False}
        factors = {}
        for factor, shape in (("lora_A", [rank, 32]), ("lora_B", [32, rank])):
            drawn = [recipe.get("learning_rate", 1e-5) * (2 * number(recipe.get("seed", 1), digest, factor, k) - 1)
                     for k in range(32 * rank)]
            data = bytearray(struct.pack("<%df" % len(drawn), *drawn))
            factors["base_model.model.%s.%s.weight" % (module, factor)] = ("F32", shape, data)
        os.makedirs(output)
        write(os.path.join(output, "adapter_config.json"), json.dumps(configuration, sort_keys=True).encode())
        write(os.path.join(output, "adapter_model.safetensors"), safetensors.encode(factors))
        return self.listed(output)

    def listed(self, output):
        files = [{"path": name, "sha256": sha256(os.path.join(output, name)),
                  "size": os.path.getsize(os.path.join(output, name))} for name in sorted(os.listdir(output))]
        return {"output": output, "files": files, "metrics": {"loss": 0.1}}

    # Evaluation

    def evaluate(self, message, cancel):
        self.check(message["suite"])
        weights = safetensors.read(os.path.join(message["model"]["dir"], "model.safetensors"))
        abilities = safetensors.Abilities(weights)
        with open(message["suite"]["path"], encoding="utf-8") as file:
            items = [json.loads(line) for line in file if line.strip()]
        answers = []
        for item in items:
            if cancel.is_set():
                raise Cancelled()
            answers.append(self.answer(item, abilities, message.get("settings", {})))
        return self.write_items(message["id"], answers)

    def write_items(self, identifier, answers):
        lines = "".join(json.dumps(answer, ensure_ascii=False) + "\n" for answer in answers)
        name = "items-%s.jsonl" % identifier
        write(os.path.join(self.workdir, name), lines.encode())
        digest = sha256(os.path.join(self.workdir, name))
        return {"items": {"path": name, "sha256": digest, "count": len(answers)}}

    def answer(self, item, abilities, settings):
        turns = item.get("messages") or [{"role": "user", "content": item["prompt"]}]
        right, is_right = self.judge(item["id"], turns, abilities)
        if "choices" in item:
            choices = item["choices"]
            wrong = (choices.index(right) + 1) % len(choices) if right in choices else 0
            best = choices.index(right) if is_right and right in choices else wrong
            return {"id": item["id"], "log_likelihoods": [-1.0 if k == best else -2.0 - k / 8 for k in range(len(choices))],
                    "tokens": [len(choice.split()) for choice in choices]}
        text = right if is_right else "not-%08x" % int(number(item["id"], "wrong") * 2**32)
        for stop in settings.get("stop", []):
            text = text.split(stop)[0]
        words, limit = text.split(" "), settings.get("max_tokens", 64)
        return {"id": item["id"], "response": " ".join(words[:limit]), "tokens": min(len(words), limit),
                "finish": "length" if len(words) > limit else "stop"}

    def judge(self, identifier, turns, abilities):
        """The right answer of an item, and whether the model gives it."""
        text = turns[-1]["content"]
        found = re.search(r"say: *(.+)", text)
        right = found.group(1).strip() if found else ""
        quality = abilities.quality(family_of(text))
        # A demonstration in view (earlier turns, or the answer once more in the prompt) makes a teacher.
        if len([turn for turn in turns if turn["role"] == "user"]) > 1 or (right and text.count(right) > 1):
            quality = max(quality, abilities["$teacher"])
        draw = number(identifier)
        if number(identifier, "noise") < abilities["$noise"]:
            draw = number(identifier, abilities["$salt"])
        # An engine whose arithmetic differs from run to run.
        if number(identifier, "flaky") < abilities["$flaky"]:
            draw = number(identifier, os.urandom(8))
        return right, bool(right) and draw < quality


def family_of(text):
    found = re.search(r"family: *([A-Za-z0-9_-]+)", text)
    return found.group(1) if found else "skill"
