"""Drives registry/engines/lm-eval as the host does, and compares what it says with lm-eval's own log of samples.

Run with a Python that has the engine's requirements and pytest:  python -m pytest Tests/python/test_lm_eval_engine.py
"""

import contextlib
import hashlib
import json
import math
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
ENGINE = ROOT / "registry/engines/lm-eval"
MODEL = ROOT / "registry/engines/conformance/model"
PYTHON = os.environ.get("PAWL_LM_EVAL_PYTHON") or sys.executable
sys.dont_write_bytecode = True
sys.path.insert(0, str(ROOT / "tools/fixtures"))

import lm_eval_tasks  # noqa: E402

os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TQDM_DISABLE="1")
DOCUMENTS = 12
# Task, metric, filter, and whether every score is 0 or 1.
CASES = {
    "pawl_choice": ("acc_norm", "none", True),
    "pawl_generation": ("exact_match", "number", True),
    "pawl_text": ("bits_per_byte", "none", False),
}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def engine(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [ENGINE / "run", *map(str, arguments)], capture_output=True, text=True,
        env={**os.environ, "PAWL_LM_EVAL_PYTHON": PYTHON},
    )  # fmt: skip


@pytest.fixture(scope="session")
def tasks(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("tasks")
    lm_eval_tasks.write(folder, DOCUMENTS)
    return folder


def make_suite(folder: pathlib.Path, tasks: pathlib.Path, name: str, **task) -> pathlib.Path:
    """A suite of one task, frozen."""
    metric, filter_name, binary = CASES[name]
    folder.mkdir()
    for file in (f"{name}.yaml", f"{name}.jsonl"):
        shutil.copy(tasks / file, folder / file)
    manifest = {
        "name": name.replace("_", "-"), "version": "1.0.0", "metric": "accuracy" if binary else "mean", "margin": 0.1,
        "decoding": {"template": "raw"},
        "grader": {
            "kind": "engine", "engine": "lm-eval", "binary": binary, "files": [f"{name}.yaml", f"{name}.jsonl"],
            "task": {"name": name, "yaml": f"{name}.yaml", "metric": metric, "filter": filter_name, **task},
        },
    }  # fmt: skip
    (folder / "suite.json").write_text(json.dumps(manifest))
    done = engine("freeze", folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="session")
def suites(tasks, tmp_path_factory) -> dict[str, pathlib.Path]:
    place = tmp_path_factory.mktemp("suites")
    return {name: make_suite(place / name, tasks, name) for name in CASES}


def items(suite: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in (suite / "items.jsonl").read_text().splitlines()]


def request(suite: pathlib.Path, workdir: pathlib.Path, rows=None, identifier="1", template="raw", **task) -> dict:
    """The message that the host sends: items without targets, the files of the task beside them."""
    folder = workdir / f"{suite.name}-{identifier}"
    (folder / "task").mkdir(parents=True)
    grader = json.loads((suite / "suite.json").read_text())["grader"]
    files = []
    for name in grader["files"]:
        shutil.copy(suite / name, folder / "task" / name)
        files.append({"path": name, "sha256": sha256((suite / name).read_bytes())})
    rows = items(suite) if rows is None else rows
    data = "".join(
        json.dumps({key: row[key] for key in ("id", "prompt", "document") if key in row}) + "\n" for row in rows
    ).encode()
    (folder / "requests.jsonl").write_bytes(data)
    return {
        "type": "evaluate", "id": identifier, "model": {"dir": str(MODEL), "digest": "d"},
        "suite": {"path": str(folder / "requests.jsonl"), "sha256": sha256(data)},
        "settings": {"template": template, "max_tokens": 64, "stop": [], "precision": "float32", "batch_size": 32},
        "task": {"parameters": {**grader["task"], **task}, "dir": str(folder / "task"), "files": files},
    }  # fmt: skip


class Session:
    """One run of the engine's program, in a process group of its own."""

    def __init__(self, workdir: pathlib.Path):
        allowed = {key: os.environ[key] for key in ("HOME", "PATH", "LANG", "TMPDIR") if key in os.environ}
        self.process = subprocess.Popen(
            [ENGINE / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0,
            env={**allowed, "PAWL_LM_EVAL_PYTHON": PYTHON},
        )  # fmt: skip
        self.output = os.fdopen(os.dup(self.process.stdout.fileno()), "rb")
        self.send({"type": "init", "protocol": 1, "session": "t", "workdir": str(workdir), "host": {"name": "test"}})
        self.ready = self.read()
        assert self.ready["type"] == "ready", self.ready

    def send(self, message) -> None:
        data = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.process.stdin.write(data + b"\n")

    def read(self) -> dict:
        line = self.output.readline()
        assert line.endswith(b"\n"), "the engine ended"
        return json.loads(line)

    def until(self, identifier, wanted=("result", "error")) -> dict:
        while True:
            message = self.read()
            if message.get("id") == identifier and message["type"] in wanted:
                return message

    def evaluate(self, message) -> dict[str, dict]:
        """The lines of the answer by id."""
        self.send(message)
        answer = self.until(message["id"])
        assert answer["type"] == "result", answer
        data = pathlib.Path(answer["items"]["path"]).read_bytes()
        assert sha256(data) == answer["items"]["sha256"]
        rows = [json.loads(line) for line in data.splitlines()]
        assert len(rows) == answer["items"]["count"]
        return {row["id"]: row for row in rows}

    def refused(self, message) -> dict:
        self.send(message)
        answer = self.until(message["id"])
        assert answer["type"] == "error", answer
        return answer

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def workdir(tmp_path_factory) -> pathlib.Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def session(workdir):
    session = Session(workdir)
    yield session
    session.kill()


@pytest.fixture(scope="session")
def reference(tasks) -> dict[str, list[dict]]:
    """lm-eval's own log of samples, by task."""
    import lm_eval
    from lm_eval.tasks import TaskManager

    with contextlib.chdir(tasks):
        found = lm_eval.simple_evaluate(
            model="hf",
            model_args={"pretrained": str(MODEL), "dtype": "float32"},
            tasks=list(CASES), device="cpu", batch_size=1, log_samples=True, bootstrap_iters=0,
            task_manager=TaskManager(include_path=str(tasks), include_defaults=False),
        )  # fmt: skip
    return found["samples"]


@pytest.mark.parametrize("name", CASES)
def test_scores_are_those_of_lm_evals_own_log_of_samples(name, suites, session, workdir, reference):
    metric, filter_name, _ = CASES[name]
    lines = session.evaluate(request(suites[name], workdir, identifier=f"whole-{name}"))
    documents = {row["id"]: row["document"] for row in items(suites[name])}
    mine = {documents[identifier]: line for identifier, line in lines.items()}
    theirs = {row["doc_hash"]: row for row in reference[name] if row["filter"] == filter_name}
    assert set(mine) == set(theirs) and len(mine) == DOCUMENTS
    for document, row in theirs.items():
        value = row[metric]
        if name == "pawl_text":
            log_likelihood, count = value
            value = math.exp(log_likelihood / count)
        assert mine[document]["score"] == value
        assert mine[document]["prompt"] == row["prompt_hash"]


def test_a_part_of_the_items_is_shown_the_same_prompts_and_scores_the_same(suites, session, workdir):
    suite = suites["pawl_generation"]
    whole = session.evaluate(request(suite, workdir, identifier="all"))
    part = session.evaluate(request(suite, workdir, rows=items(suite)[3::4], identifier="part"))
    assert 0 < len(part) < len(whole)
    assert len({line["prompt"] for line in whole.values()}) == DOCUMENTS
    for identifier, line in part.items():
        assert [line[key] for key in ("score", "prompt", "response")] == [
            whole[identifier][key] for key in ("score", "prompt", "response")
        ]


def test_a_blind_answer_is_the_one_to_the_next_question(suites, session, workdir):
    suite = suites["pawl_choice"]
    rows = items(suite)
    lines = session.evaluate(request(suite, workdir, identifier="blind"))
    choices = {json.dumps(row["question"]): row for row in map(json.loads, (suite / "pawl_choice.jsonl").open())}
    order = sorted(rows, key=lambda row: row["document"])
    for row, other in zip(order, order[1:] + order[:1], strict=True):
        here, there = choices[json.dumps(row["prompt"])], choices[json.dumps(other["prompt"])]
        index = there["choices"].index(lines[other["id"]]["response"])
        assert lines[row["id"]]["blind"] == float(index == here["answer"])
    text = session.evaluate(request(suites["pawl_text"], workdir, identifier="blind-text"))
    assert [line["blind"] for line in text.values()] == pytest.approx([1 / 256] * DOCUMENTS)


def test_the_chat_template_is_used_where_the_suite_asks_for_it(suites, session, workdir):
    raw = session.evaluate(request(suites["pawl_choice"], workdir, identifier="raw"))
    chat = session.evaluate(request(suites["pawl_choice"], workdir, identifier="chat", template="chat"))
    assert all(raw[identifier]["prompt"] != chat[identifier]["prompt"] for identifier in raw)


def test_other_documents_are_refused(suites, session, workdir, tasks, tmp_path):
    suite = suites["pawl_choice"]
    rows = items(suite)
    stranger = {**rows[0], "id": "stranger", "document": "0" * 64}
    answer = session.refused(request(suite, workdir, rows=[*rows, stranger], identifier="stranger"))
    assert answer["code"] == "invalid_argument" and "stranger" in answer["message"]
    # A data set that lost a document since it was frozen, though all that are asked for are there.
    changed = tmp_path / "changed"
    shutil.copytree(suite, changed)
    data = (changed / "pawl_choice.jsonl").read_text().splitlines(keepends=True)
    (changed / "pawl_choice.jsonl").write_text("".join(data[:-1]))
    answer = session.refused(request(changed, workdir, rows=rows[:-1], identifier="changed"))
    assert answer["code"] == "invalid_argument" and f"documents is {DOCUMENTS - 1}" in answer["message"]
    checked = engine("check", changed)
    assert checked.returncode == 1 and "not those of the suite" in checked.stderr
    assert engine("check", suite).returncode == 0


@pytest.mark.parametrize(
    "change, word",
    [
        ({"metric": "f1"}, "f1"),
        ({"metric": "acc_mutual_info"}, "no score of its own"),
        ({"filter": "strict"}, "strict"),
        ({"metrics": "acc"}, "metrics"),
        ({"frozen": None}, "not frozen"),
        ({"num_fewshot": -1}, "num_fewshot"),
        ({"device": "cuda"}, "no GPU"),
        ({"yaml": "other.yaml"}, "other.yaml"),
    ],
)
def test_mistakes_in_a_task_are_named(change, word, suites, session, workdir):
    identifier = "-".join(change)
    if change == {"device": "cuda"}:
        import torch

        if torch.cuda.is_available():
            pytest.skip("there is a GPU")
    answer = session.refused(request(suites["pawl_choice"], workdir, identifier=f"{identifier}-{word[:3]}", **change))
    assert answer["code"] in ("invalid_argument", "unsupported") and word in answer["message"]


def test_a_changed_file_and_a_suite_without_a_task_are_refused(suites, session, workdir):
    message = request(suites["pawl_choice"], workdir, identifier="tampered")
    place = pathlib.Path(message["task"]["dir"]) / "pawl_choice.yaml"
    place.write_text(place.read_text() + "\n")
    assert session.refused(message)["code"] == "invalid_argument"
    plain = request(suites["pawl_choice"], workdir, identifier="plain")
    del plain["task"]
    assert session.refused(plain)["code"] == "unsupported"
    session.send({"type": "train", "id": "t"})
    assert session.until("t")["code"] == "unsupported"


def test_a_cancel_is_answered_at_once_and_the_next_request_runs(suites, session, workdir):
    session.send(request(suites["pawl_generation"], workdir, identifier="long"))
    session.send({"type": "cancel", "id": "long"})
    assert session.until("long")["code"] == "cancelled"
    assert len(session.evaluate(request(suites["pawl_choice"], workdir, identifier="after"))) == DOCUMENTS


def test_the_end_of_input_ends_the_program(tmp_path):
    session = Session(tmp_path)
    session.process.stdin.close()
    assert session.process.wait(timeout=10) == 0


def test_a_suite_that_ships_is_as_frozen():
    done = engine("check", ROOT / "registry/suites/glossary")
    assert done.returncode == 0, done.stderr
    assert subprocess.run([ENGINE / "seal", "--check"]).returncode == 0
