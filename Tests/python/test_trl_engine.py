"""Drives registry/engines/trl as the host does: a process, JSON lines, a tiny real PyTorch model.

Run with a Python that has the engine's requirements and pytest:  python -m pytest Tests/python/test_trl_engine.py
"""

import hashlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
import warnings

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("trl")

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENGINE = ROOT / "registry/engines/trl"
PYTHON = os.environ.get("PAWL_TRL_PYTHON") or sys.executable
sys.dont_write_bytecode = True
sys.path.insert(0, str(ENGINE))
os.environ["TRL_EXPERIMENTAL_SILENCE"] = "1"

SYSTEM = {"role": "system", "content": "The system of one two three four five answers every question with a function."}
RECIPE = {
    "method": "sdft", "steps": 4, "prompts_per_step": 4, "rehearsal_share": 0.5, "learning_rate": 1e-3,
    "warmup_steps": 2, "schedule": "cosine", "weight_decay": 0.0, "max_gradient_norm": 1.0, "divergence": "forward_kl",
    "top_k": 0, "temperature": 1.0, "on_policy_fraction": 1.0, "max_completion_tokens": 12, "skip_tokens": 3,
    "teacher_weights": "frozen", "ema_rate": 0.1, "micro_batch": 4, "precision": "float32", "seed": 1, "save_every": 2, "max_context_tokens": 512,
}  # fmt: skip


def sha256(path) -> str:
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def lines(path) -> list[dict]:
    return [json.loads(line) for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()]


def write_lines(path, rows) -> dict:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return {"path": str(path), "sha256": sha256(path)}


class Session:
    """One run of the engine's program, in a process group of its own."""

    def __init__(self, workdir, initialise: bool = True, **environment):
        self.workdir = pathlib.Path(workdir)
        allowed = {k: os.environ[k] for k in ("HOME", "PATH", "LANG", "TMPDIR", "OMP_NUM_THREADS") if k in os.environ}
        self.process = subprocess.Popen(
            [ENGINE / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0,
            env={**allowed, "PAWL_TRL_PYTHON": PYTHON, "PAWL_TRL_PROCESSES": "1", **environment},
        )  # fmt: skip
        self.output = os.fdopen(os.dup(self.process.stdout.fileno()), "rb")
        self.heard: list[tuple[float, dict]] = []
        if initialise:
            self.send({"type": "init", "protocol": 1, "session": "t", "workdir": str(workdir), "host": {"name": "test"}})
            assert self.read()["type"] == "ready"

    def send(self, message) -> None:
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.process.stdin.write(data + b"\n")

    def read(self) -> dict:
        line = self.output.readline()
        assert line.endswith(b"\n"), "the engine ended"
        message = json.loads(line)
        self.heard.append((time.monotonic(), message))
        return message

    def until(self, identifier, wanted=("result", "error")) -> dict:
        while True:
            message = self.read()
            if message.get("id") == identifier and message["type"] in wanted:
                return message

    def request(self, message) -> dict:
        self.send(message)
        return self.until(message["id"])

    def steps(self, identifier) -> list[dict]:
        rows = [m for _, m in self.heard if m.get("id") == identifier and m.get("phase") == "training"]
        return list({row["step"]: row for row in rows}.values())

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def train_request(identifier, model, demonstrations, workdir, output, **recipe) -> dict:
    return {
        "type": "train", "id": identifier, "model": {"dir": str(model), "digest": "d"},
        "demonstrations": demonstrations, "recipe": {**RECIPE, **recipe},
        "output": str(workdir / output), "state": str(workdir / f"{output}.state"),
    }  # fmt: skip


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    directory = tmp_path_factory.mktemp("model") / "tiny"
    subprocess.run([PYTHON, ROOT / "tools/fixtures/tiny_model.py", directory], check=True)
    return directory


@pytest.fixture(scope="session")
def workdir(tmp_path_factory):
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="session")
def session(workdir):
    session = Session(workdir)
    yield session
    session.kill()


def training_records() -> list[dict]:
    rows = []
    for i in range(6):
        question = [SYSTEM, {"role": "user", "content": f"What is the capital of {i}?" + " one two" * (i % 3)}]
        shot = [{"role": "user", "content": "one"}, {"role": "assistant", "content": "Call one"}]
        own = [question[1], {"role": "assistant", "content": f"Call {i}"}]
        rows.append(
            {"id": f"s{i}", "role": "skill", "prompt": question, "completion": f"Call {i}",
             "teacher": [SYSTEM, *shot, *own, question[1]]}
        )  # fmt: skip
    for i in range(3):
        prompt = [SYSTEM, {"role": "user", "content": "Answer " + "the question " * (i + 1)}]
        # An earlier skill's answer may be longer than this recipe's: what is rehearsed the student answers itself.
        rows.append({"id": f"r{i}", "role": "rehearsal", "prompt": prompt, "teacher": prompt,
                     "completion": "one two three four five " * 8})  # fmt: skip
    return rows


@pytest.fixture(scope="session")
def demonstrations(workdir):
    return write_lines(workdir / "records.jsonl", training_records())


@pytest.fixture(scope="session")
def reference(model):
    """The model and its tokenizer, loaded the plain way."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    plain = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32).eval()
    return plain, tokenizer


def prompt_tokens(tokenizer, messages) -> list[int]:
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return tokenizer(text, add_special_tokens=False)["input_ids"]


# The protocol


def completion_tokens(tokenizer, row) -> list[int]:
    """The demonstration's answer as the chat template writes it, with its end."""
    whole = tokenizer.apply_chat_template([*row["prompt"], {"role": "assistant", "content": row["completion"]}], tokenize=False)
    opening = tokenizer.apply_chat_template(row["prompt"], tokenize=False, add_generation_prompt=True)
    tokens = tokenizer(whole.removeprefix(opening), add_special_tokens=False)["input_ids"]
    return tokens[: tokens.index(tokenizer.eos_token_id) + 1]


def test_the_manifest_matches_the_program():
    subprocess.run([sys.executable, ENGINE / "seal", "--check"], check=True)


def test_bad_lines_are_answered_and_the_session_goes_on(tmp_path):
    session = Session(tmp_path, initialise=False)
    for line, code in [
        (b"this is not JSON", "invalid_argument"),
        (b'{"type":"ini', "invalid_argument"),
        (b"\xff\xfe{}", "invalid_argument"),
        (b"[1,2]", "invalid_argument"),
        (b'{"type":"x","pad":"' + b"a" * (1 << 20) + b'"}', "invalid_argument"),
        (b'{"type":"dance"}', "unsupported"),
        (b'{"no":"type"}', "unsupported"),
        (b'{"type":"train","id":"1"}', "invalid_argument"),
        (b'{"type":"init","protocol":2}', "unsupported"),
        (b'{"type":"init","protocol":1,"workdir":"/nowhere/at/all"}', "invalid_argument"),
    ]:
        session.send(line)
        answer = session.read()
        assert (answer["type"], answer["code"]) == ("error", code), (line[:40], answer)
    session.send({"type": "init", "protocol": 1, "workdir": str(tmp_path), "host": {}, "unknown": [1]})
    ready = session.read()
    assert ready["type"] == "ready" and ready["name"] == "trl" and ready["protocol"] == 1
    assert ready["capabilities"] == {
        "train": ["sdft", "sft"], "evaluate": True, "resume": True, "updates": ["full", "low_rank"],
    }  # fmt: skip
    session.send(b'{"type":"train"}')
    assert session.read()["code"] == "invalid_argument"
    session.send({"type": "cancel", "id": "never seen"})
    session.send({"type": "shutdown"})
    assert session.process.wait(10) == 0


def test_end_of_input_and_terminate_end_the_engine(tmp_path):
    first, second = Session(tmp_path), Session(tmp_path)
    first.process.stdin.close()
    assert first.process.wait(10) == 0
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(10) == 143


def test_missing_packages_are_named(tmp_path):
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nexec {sys.executable} -S -I -c 'import sys; sys.path.insert(0, \"{ENGINE}\"); "
                    "sys.argv = [\"main.py\"]; from pawl_trl.session import main; main([])'\n")  # fmt: skip
    fake.chmod(0o755)
    session = Session(tmp_path, initialise=False, PAWL_TRL_PYTHON=str(fake))
    session.send({"type": "init", "protocol": 1, "workdir": str(tmp_path), "host": {}})
    answer = session.read()
    assert answer["code"] == "unsupported" and "torch" in answer["message"]
    session.kill()


# Evaluation


def plain_greedy(reference, messages, limit, stop=()):
    model, tokenizer = reference
    tokens, answer = prompt_tokens(tokenizer, messages), []
    while len(answer) < limit:
        with torch.no_grad():
            token = model(torch.tensor([tokens + answer])).logits[0, -1].argmax().item()
        if token == tokenizer.eos_token_id:
            return tokenizer.decode(answer, skip_special_tokens=True), "stop"
        answer.append(token)
        text = tokenizer.decode(answer, skip_special_tokens=True)
        cuts = [text.index(s) for s in stop if s in text]
        if cuts:
            return text[: min(cuts)], "stop"
    return tokenizer.decode(answer, skip_special_tokens=True), "length"


def evaluate_request(identifier, model, suite, **settings) -> dict:
    return {"type": "evaluate", "id": identifier, "model": {"dir": str(model)}, "suite": suite, "settings": settings}


def test_generation_is_the_plain_loop_and_depends_on_no_neighbour(session, model, workdir, reference):
    words = ["the capital", "of", "one two three", "Paris"]
    items = [{"id": f"g{i}", "prompt": f"{i} " + words[i % 4] * (i % 7)} for i in range(20)]
    items.append({"id": "m", "messages": [SYSTEM, {"role": "user", "content": "two"}]})
    suite = write_lines(workdir / "suite.jsonl", items)
    result = session.request(evaluate_request("gen", model, suite, max_tokens=14, stop=["th", " o"], batch_size=8))
    assert result["items"]["count"] == len(items) and result["items"]["sha256"] == sha256(workdir / result["items"]["path"])
    answers = lines(workdir / result["items"]["path"])
    assert [answer["id"] for answer in answers] == [item["id"] for item in items]
    for item, answer in zip(items, answers):
        messages = item.get("messages") or [{"role": "user", "content": item["prompt"]}]
        expected = plain_greedy(reference, messages, 14, ["th", " o"])
        assert (answer["response"], answer["finish"]) == expected
    assert {answer["finish"] for answer in answers} == {"stop", "length"}
    for part in (items[3:4], items[5:14:2], items[::-1]):
        again = session.request(
            evaluate_request(f"part{len(part)}", model, write_lines(workdir / "part.jsonl", part), max_tokens=14, stop=["th", " o"], batch_size=3)
        )
        by_id = {answer["id"]: answer for answer in answers}
        assert lines(workdir / again["items"]["path"]) == [by_id[item["id"]] for item in part]


def test_choices_are_scored_as_continuations(session, model, workdir, reference):
    plain, tokenizer = reference
    items = [
        {"id": f"c{i}", "prompt": "The capital of" * (i + 1), "choices": ["Paris", " the", "one two three", " Tokyo is Rome"][: 2 + i % 3]}
        for i in range(9)
    ]  # fmt: skip
    for template in ("chat", "raw"):
        suite = write_lines(workdir / "choices.jsonl", items)
        result = session.request(evaluate_request(f"choices-{template}", model, suite, template=template, batch_size=4))
        answers = lines(workdir / result["items"]["path"])
        for item, answer in zip(items, answers, strict=True):
            prompt = tokenizer(item["prompt"])["input_ids"]
            if template == "chat":
                prompt = prompt_tokens(tokenizer, [{"role": "user", "content": item["prompt"]}])
            for choice, value, count in zip(item["choices"], answer["log_likelihoods"], answer["tokens"], strict=True):
                tokens = tokenizer(choice, add_special_tokens=False)["input_ids"]
                with torch.no_grad():
                    rows = plain(torch.tensor([prompt + tokens])).logits[0].log_softmax(-1)
                expected = sum(rows[len(prompt) - 1 + n, token].item() for n, token in enumerate(tokens))
                assert count == len(tokens) and abs(value - expected) < 1e-4
        part = session.request(evaluate_request(f"one-{template}", model, write_lines(workdir / "part.jsonl", items[4:5]), template=template))
        assert lines(workdir / part["items"]["path"]) == answers[4:5]


def test_an_item_that_cannot_be_run_fails_alone(session, model, workdir):
    items = [{"id": "good", "prompt": "one"}, {"id": "long", "prompt": "one " * 3000}, {"id": "empty"},
             {"id": "bad", "prompt": "x", "choices": []}]  # fmt: skip
    result = session.request(evaluate_request("failing", model, write_lines(workdir / "f.jsonl", items), max_tokens=4))
    answers = {answer["id"]: answer for answer in lines(workdir / result["items"]["path"])}
    assert "response" in answers["good"]
    assert all("error" in answers[name] for name in ("long", "empty", "bad"))
    assert "2048" in answers["long"]["error"]


# Training


@pytest.mark.parametrize(("fraction", "skip"), [(1.0, 3), (0.8, 0)])
def test_one_sdft_step_is_the_plain_computation(session, model, workdir, demonstrations, reference, fraction, skip):
    """Order, sampling, loss, clipping, AdamW and rounding, each written out again in a few lines of plain torch."""
    _, tokenizer = reference
    rows = training_records()
    name = f"one-{fraction}"
    settings = {"steps": 1, "warmup_steps": 0, "save_every": 1, "micro_batch": 2, "on_policy_fraction": fraction,
                "skip_tokens": skip}  # fmt: skip
    result = session.request(train_request(name, model, demonstrations, workdir, name, **settings))
    assert result["type"] == "result", result
    metrics = session.steps(name)[0]["metrics"]

    def shuffled(role, count):
        chosen = [row for row in rows if row["role"] == role]
        random.Random(f"1/{role}/0").shuffle(chosen)
        return chosen[:count]

    batch = shuffled("skill", 2) + shuffled("rehearsal", 2)
    student = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    frozen = transformers.AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    prompts = [prompt_tokens(tokenizer, row["prompt"]) for row in batch]
    own = [row["role"] == "rehearsal" or random.Random(f"1/source/0/{row['id']}").random() < fraction for row in batch]
    assert all(own) == (fraction == 1)
    answers = [[] if mine else completion_tokens(tokenizer, row) for row, mine in zip(batch, own, strict=True)]
    sampled = [i for i, mine in enumerate(own) if mine]
    generator = torch.Generator().manual_seed(random.Random("1/rollout/0/0").getrandbits(62))
    for _ in range(12):
        for i, draw in zip(sampled, torch.rand(len(sampled), generator=generator, dtype=torch.float64), strict=True):
            answer = answers[i]
            if answer and answer[-1] == tokenizer.eos_token_id:
                continue
            with torch.no_grad():
                sums = student(torch.tensor([prompts[i] + answer])).logits[0, -1].softmax(-1).cumsum(-1)
            answer.append(int((sums <= draw.float() * sums[-1]).sum()))

    losses = []
    for i, row in enumerate(batch):
        context = prompt_tokens(tokenizer, row["teacher"])
        mine = student(torch.tensor([prompts[i] + answers[i]])).logits[0, len(prompts[i]) - 1 : -1].log_softmax(-1)
        with torch.no_grad():
            other = frozen(torch.tensor([context + answers[i]])).logits[0, len(context) - 1 : -1].log_softmax(-1)
        divergence = (other.exp() * (other - mine)).sum(-1)[skip:]
        losses.append(divergence.sum() / max(1, len(divergence)))
    loss = torch.stack(losses).mean()
    assert metrics["loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert metrics["loss_skill"] == pytest.approx(torch.stack(losses[:2]).mean().item(), rel=1e-4)
    assert metrics["completion_tokens"] == pytest.approx(sum(map(len, answers)) / 4)
    assert abs(metrics["loss_rehearsal"]) < 1e-5

    optimizer = torch.optim.AdamW(student.parameters(), lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
    assert metrics["grad_norm"] == pytest.approx(norm.item(), rel=1e-3)
    optimizer.step()
    trained = transformers.AutoModelForCausalLM.from_pretrained(result["output"], dtype=torch.float32)
    expected = dict(student.named_parameters())
    for name, value in trained.named_parameters():
        # Adam's first step is lr * sign of the gradient wherever the gradient is not tiny.
        wrong = (value - expected[name].to(torch.bfloat16).float()).abs() > 1e-6
        assert wrong.float().mean() < 0.02, name


def test_divergences_are_the_textbook_ones():
    from pawl_trl.divergence import ALPHA, token_divergence, weighted_divergence

    torch.manual_seed(0)
    student, teacher = torch.randn(90, 40), torch.randn(90, 40)
    p, q = (student / 1.5).softmax(-1).double(), (teacher / 1.5).softmax(-1).double()
    kl = lambda a, b: (a * (a.log() - b.log())).sum(-1)  # noqa: E731
    m = (p + q) / 2
    for name, expected in {"forward_kl": kl(q, p), "reverse_kl": kl(p, q), "jsd": (kl(p, m) + kl(q, m)) / 2}.items():
        assert torch.allclose(token_divergence(student, teacher, ALPHA[name], 1.5, 0).double(), expected, atol=1e-5)
    top = teacher.topk(5).indices
    p5, q5 = (x.gather(-1, top) / x.gather(-1, top).sum(-1, keepdim=True) for x in (p, q))
    assert torch.allclose(token_divergence(student, teacher, 0.0, 1.5, 5).double(), kl(q5, p5), atol=1e-5)
    weights = torch.rand(90)
    for name in ALPHA:
        a, b = student.clone().requires_grad_(), student.clone().requires_grad_()
        weighted_divergence(a, teacher, weights, ALPHA[name], 1.5, 0)[0].backward()
        (token_divergence(b, teacher, ALPHA[name], 1.5, 0) * weights).sum().backward()
        assert torch.allclose(a.grad, b.grad, atol=1e-7)


def test_shared_prefixes_and_groups_change_nothing(reference):
    from pawl_trl.scoring import common_prefix, completion_logits, groups, prefix_layers

    plain, _ = reference
    random.seed(3)
    start = [random.randrange(3, 380) for _ in range(20)]
    contexts = [start + [random.randrange(3, 380) for _ in range(n)] for n in (3, 40, 5, 41, 4)] + [[7] * 12]
    completions = [[random.randrange(3, 380) for _ in range(n)] for n in (6, 2, 9, 1, 4, 5)]
    prefix = common_prefix(contexts[:5])
    assert prefix == start
    assert sorted(sum(groups([10, 500, 12, 490, 11]), [])) == list(range(5)) and len(groups([10, 500, 12, 490, 11])) == 2
    shared = completion_logits(plain, contexts, completions, 2, [(prefix, prefix_layers(plain, prefix))])
    rows = [
        plain(torch.tensor([context + completion])).logits[0, len(context) + 1 : -1]
        for context, completion in zip(contexts, completions)
    ]
    assert torch.allclose(shared, torch.cat(rows), atol=1e-4)


@pytest.mark.parametrize("method", ["sdft", "sft"])
def test_the_output_is_a_directory_like_the_input(session, model, workdir, demonstrations, method):
    from pawl_trl.model_io import read_header

    name = f"same-{method}"
    result = session.request(train_request(name, model, demonstrations, workdir, name, method=method, learning_rate=1e-12))
    assert result["type"] == "result", result
    files = {file["path"]: file for file in result["files"]}
    assert sorted(files) == sorted(path.name for path in model.iterdir())
    for path in model.iterdir():  # nothing was learnt, so not a byte moved
        assert files[path.name]["sha256"] == sha256(path) == sha256(workdir / name / path.name)
    changed = session.request(train_request(name + "2", model, demonstrations, workdir, name + "2", method=method))
    output = workdir / f"{name}2"
    assert sha256(output / "model.safetensors") != sha256(model / "model.safetensors")
    assert read_header(output / "model.safetensors")[0] == read_header(model / "model.safetensors")[0]
    assert changed["environment"]["torch"] == torch.__version__
    steps = session.steps(name + "2")
    assert [row["step"] for row in steps] == [1, 2, 3, 4] and steps[0]["steps"] == 4
    assert {"loss", "lr", "grad_norm"} <= set(steps[0]["metrics"])


def adapted(base, directory):
    peft = pytest.importorskip("peft")
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    return peft.PeftModel.from_pretrained(model, directory, is_trainable=True).eval()


@pytest.mark.parametrize("method", ["sdft", "sft"])
def test_a_low_rank_update_is_written_as_an_adapter(session, model, workdir, demonstrations, method):
    name = f"adapter-{method}"
    settings = {"method": method, "update": "low_rank", "rank": 4, "alpha": 8, "modules": ["q_proj", "down_proj"]}
    result = session.request(train_request(name, model, demonstrations, workdir, name, **settings))
    assert result["type"] == "result", result
    assert sorted(file["path"] for file in result["files"]) == ["adapter_config.json", "adapter_model.safetensors"]
    config = json.loads((workdir / name / "adapter_config.json").read_text())
    assert config["peft_type"] == "LORA" and config["task_type"] == "CAUSAL_LM"
    assert config["r"] == 4 and config["lora_alpha"] == 8 and config["target_modules"] == ["down_proj", "q_proj"]
    trained = adapted(model, workdir / name)
    factors = {key: value for key, value in trained.named_parameters() if "lora_" in key}
    layers = len([key for key in factors if "q_proj.lora_A" in key])
    assert layers > 0 and len(factors) == 4 * layers
    assert all(value.abs().max() > 0 for value in factors.values())  # B began as zero
    again = session.request(train_request(name + "2", model, demonstrations, workdir, name + "2", **settings))
    assert again["files"] == result["files"]


def test_one_low_rank_step_is_the_plain_computation(session, model, workdir, demonstrations, reference):
    """The first step's loss and norm are those of PEFT's own layers; every factor moves as AdamW moves it."""
    settings = {"method": "sft", "update": "low_rank", "rank": 4, "alpha": 8, "steps": 1, "warmup_steps": 1}
    still = session.request(
        train_request("still", model, demonstrations, workdir, "still", **settings, learning_rate=1e-30)
    )
    assert still["type"] == "result", still
    start = adapted(model, workdir / "still")
    result = session.request(train_request("one", model, demonstrations, workdir, "one", **settings))
    metrics = session.steps("one")[0]["metrics"]

    from pawl_trl import model_io, records
    from pawl_trl.recipe import parse
    from pawl_trl.train_sft import tokenized

    chat, recipe = model_io.load_chat(str(model)), parse({**RECIPE, **settings})
    rows = [row for row in records.read(demonstrations["path"]) if row.completion is not None]
    total, count = 0.0, 0
    for index in records.Order(rows, recipe).step(0):
        row = tokenized(rows[index], chat, recipe)
        logits = start(torch.tensor([row["input_ids"]])).logits[0, :-1]
        labels = torch.tensor(row["labels"][1:])
        total = total + torch.nn.functional.cross_entropy(logits, labels, reduction="sum", ignore_index=-100)
        count += int((labels != -100).sum())
    loss = total / count
    loss.backward()
    factors = {name: value for name, value in start.named_parameters() if value.requires_grad}
    norm = torch.nn.utils.clip_grad_norm_(factors.values(), RECIPE["max_gradient_norm"])
    assert metrics["loss"] == pytest.approx(loss.item(), rel=1e-4)
    assert metrics["grad_norm"] == pytest.approx(norm.item(), rel=1e-4)
    torch.optim.AdamW(factors.values(), lr=RECIPE["learning_rate"], weight_decay=0.0).step()
    end = dict(adapted(model, workdir / "one").named_parameters())
    for name, value in factors.items():
        assert torch.allclose(end[name], value, atol=1e-3 * RECIPE["learning_rate"], rtol=1e-5), name
    assert result["metrics"]["steps"] == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"modules": ["c_attn"]}, "no linear projection 'c_attn'; it has q_proj, k_proj"),
        ({"rank": 1000}, "rank 1000 is above"),
        ({"rank": 0}, "rank must be above 0"),
        ({"modules": "q_proj"}, "modules must be a list of names"),
    ],
    ids=["module", "rank-high", "rank-zero", "no-list"],
)
def test_a_low_rank_update_that_fits_no_model_is_refused(session, model, workdir, demonstrations, settings, words):
    name = f"refused-{len(words)}"
    request = train_request(name, model, demonstrations, workdir, name, update="low_rank", **settings)
    answer = session.request(request)
    assert answer["type"] == "error" and answer["code"] == "invalid_argument", answer
    assert words in answer["message"], answer
    assert not (workdir / name).exists()


def test_sft_learns_the_completions(session, model, workdir, demonstrations):
    request = train_request("learn", model, demonstrations, workdir, "learn", method="sft", steps=30, learning_rate=5e-3)
    assert session.request(request)["type"] == "result"
    losses = [row["metrics"]["loss"] for row in session.steps("learn")]
    assert losses[-1] < losses[0] / 3


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "sdft", "teacher_weights": "ema", "precision": "bfloat16", "micro_batch": 2},
        {"method": "sft"},
        {"method": "sdft", "teacher_weights": "ema", "precision": "bfloat16", "update": "low_rank", "rank": 4},
    ],
    ids=["sdft-ema-bfloat16", "sft", "sdft-ema-low-rank"],
)
def test_a_killed_training_goes_on_to_the_same_bytes(session, model, workdir, demonstrations, settings):
    name = f"whole-{settings['method']}-{settings.get('update', 'full')}"
    whole = session.request(train_request(name, model, demonstrations, workdir, name, steps=7, **settings))
    assert whole["type"] == "result", whole
    # What a state lacks makes every resumption differ. One that differed for no cause that we found was seen once in some
    # hundreds: it is told, and the kill repeated.
    for attempt in range(3):
        again = killed_and_resumed(session, train_request(f"broken-{attempt}-{name}", model, demonstrations, workdir,
                                                          f"broken-{attempt}-{name}", steps=7, **settings))  # fmt: skip
        if again["files"] == whole["files"]:
            break
        warnings.warn(f"{name}: resumption {attempt} gave other bytes: {again['metrics']} and not {whole['metrics']}")
    assert again["files"] == whole["files"]
    ordinary = {key: whole["metrics"][key] for key in ("loss", "grad_norm")}
    assert {key: again["metrics"][key] for key in ordinary} == ordinary


def killed_and_resumed(session, request) -> dict:
    """Trains in an engine that is killed after step 5, and goes on in another."""
    name, workdir = request["id"], pathlib.Path(session.workdir)
    victim = Session(workdir)
    victim.send(request)
    while victim.until(name, ("progress", "error"))["step"] < 5:
        pass
    victim.kill()
    assert not (workdir / name).exists()
    assert [path.name for path in (workdir / f"{name}.state").iterdir() if "partial" not in path.name] == ["step-000004"]
    again = session.request(request)
    assert again["metrics"]["resumed"] == 1
    assert session.steps(name)[0]["step"] == 5
    return again


def test_state_of_another_request_is_not_used(session, model, workdir, demonstrations):
    request = train_request("first", model, demonstrations, workdir, "first")
    assert session.request(request)["type"] == "result"
    other = train_request("second", model, demonstrations, workdir, "second", seed=2)
    result = session.request({**other, "state": request["state"]})
    assert result["metrics"]["resumed"] == 0


def test_bad_requests_say_what_is_wrong(session, model, workdir, demonstrations):
    def answer(name, changed, **recipe):
        request = {**train_request(name, model, demonstrations, workdir, name, **recipe), **changed}
        result = session.request(request)
        assert result["type"] == "error", result
        return result["code"], result["message"]

    rows = training_records()
    rows[2]["teacher"] = [{"role": "system", "content": "one two three " * 200}, *rows[2]["teacher"][1:]]
    long = write_lines(workdir / "long.jsonl", rows)
    code, message = answer("e1", {"demonstrations": long})
    assert code == "invalid_argument" and "'s2'" in message and "teacher prompt" in message
    assert answer("e2", {"demonstrations": {**demonstrations, "sha256": "0" * 64}})[0] == "invalid_argument"
    assert answer("e3", {"demonstrations": {"path": "nothing.jsonl"}})[0] == "invalid_argument"
    assert answer("e4", {"model": {"dir": str(workdir)}})[0] == "invalid_argument"
    assert "learning_rate" in answer("e5", {}, learning_rate="fast")[1]
    assert answer("e6", {}, divergence="euclid")[0] == "unsupported"
    assert "working directory" in answer("e7", {"output": "/tmp/elsewhere"})[1]
    (workdir / "e8").mkdir()
    assert "exists" in answer("e8", {})[1]
    for bad in ([{**rows[0], "role": "other"}], [rows[0], rows[0]], [{**rows[0], "prompt": []}], []):
        assert answer("e9", {"demonstrations": write_lines(workdir / "bad.jsonl", bad)})[0] == "invalid_argument"
    (workdir / "junk.jsonl").write_bytes(b'{"id":"a"}\n\xff\n')
    assert "line 2" in answer("e10", {"demonstrations": {"path": "junk.jsonl"}})[1]


def test_cancel_is_quick_and_the_session_survives(session, model, workdir, demonstrations):
    session.send(train_request("endless", model, demonstrations, workdir, "endless", steps=100000))
    while session.until("endless", ("progress",))["step"] < 2:
        pass
    session.send(train_request("queued", model, demonstrations, workdir, "queued"))
    session.send({"type": "cancel", "id": "queued"})
    assert session.until("queued")["code"] == "cancelled"
    start = time.monotonic()
    session.send({"type": "cancel", "id": "endless"})
    assert session.until("endless")["code"] == "cancelled"
    assert time.monotonic() - start < 5
    assert not (workdir / "endless").exists() and not (workdir / "queued").exists()
    suite = write_lines(workdir / "many.jsonl", [{"id": str(i), "prompt": f"one {i}"} for i in range(400)])
    session.send(evaluate_request("long", model, suite, max_tokens=1500))
    while session.until("long", ("progress",))["phase"] != "evaluating":
        pass
    start = time.monotonic()
    session.send({"type": "cancel", "id": "long"})
    assert session.until("long")["code"] == "cancelled"
    assert time.monotonic() - start < 5
    one = write_lines(workdir / "one.jsonl", [{"id": "a", "prompt": "one"}])
    assert session.request(evaluate_request("after", model, one, max_tokens=2))["type"] == "result"


def test_the_worker_dies_with_the_engine_and_a_dead_worker_is_an_error(model, workdir, demonstrations):
    def worker_of(session):
        children = pathlib.Path(f"/proc/{session.process.pid}/task").glob("*/children")
        return [int(pid) for path in children for pid in path.read_text().split()]

    session = Session(workdir)
    session.send(train_request("dying", model, demonstrations, workdir, "dying", steps=100000))
    while session.until("dying", ("progress",))["step"] < 1:
        pass
    (worker,) = worker_of(session)
    os.kill(worker, signal.SIGKILL)
    assert session.until("dying")["code"] == "out_of_memory"
    session.send(train_request("orphan", model, demonstrations, workdir, "orphan", steps=100000))
    while not (workers := worker_of(session)):
        time.sleep(0.1)
    os.kill(session.process.pid, signal.SIGKILL)
    session.process.wait()
    deadline = time.monotonic() + 15
    while pathlib.Path(f"/proc/{workers[0]}/stat").exists() and time.monotonic() < deadline:
        if pathlib.Path(f"/proc/{workers[0]}/stat").read_text().split()[2] == "Z":
            break
        time.sleep(0.2)
    assert time.monotonic() < deadline


def test_the_heartbeat_never_pauses_for_long(session):
    """Over everything this session did, loading and imports included."""
    running: dict[str, float] = {}
    for moment, message in session.heard:
        if message["type"] == "progress":
            assert moment - running.get(message["id"], moment) < 10
            running[message["id"]] = moment


def test_two_processes_train_together(model, workdir, demonstrations):
    session = Session(workdir, PAWL_TRL_PROCESSES="2", OMP_NUM_THREADS="1")
    result = session.request(train_request("two", model, demonstrations, workdir, "two", steps=2))
    assert result["type"] == "result", result
    assert result["environment"]["processes"] == 2
    session.send({"type": "shutdown"})
    assert session.process.wait(30) == 0
