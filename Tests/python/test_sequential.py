"""tools/bench/sequential with the stub engine: killed in the middle it goes on, learns nothing twice, and reports it all.

Needs a built pawl: $PAWL, or .build/debug/pawl. Takes about 15 seconds.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from check_support import World  # noqa: E402

SEQUENCES = ["sdft-rehearsed-0.25-3e-05-1", "sft-rehearsed-0.25-3e-05-1"]
CELLS = [f"{name}/{cell}.json" for name in SEQUENCES for cell in ("1-alpha", "2-beta")]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    made = World(tmp_path_factory.mktemp("world"), os.environ.get("PAWL", ROOT / ".build/debug/pawl"))
    made.make_suite("broad", 300, 0.08)
    return made


def command(world, work, suite, *flags, delay_ms=0):
    steering = {"stub": {"prior": 0.85, "delay_ms": delay_ms}}
    return [
        sys.executable, str(ROOT / "tools/bench/sequential"), "--work", str(work), "--base", world.base, "--engine", "stub",
        "--suites", suite, "--steps", "6", "--set", "engine_options=" + json.dumps(steering), *flags,
    ]  # fmt: skip


def begin(world, arguments):
    return subprocess.Popen(
        arguments, env={**world.environment, "PAWL": world.pawl}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, start_new_session=True,
    )  # fmt: skip


def run(world, arguments):
    return end(begin(world, arguments))


def end(process):
    out, error = process.communicate(timeout=120)
    assert process.returncode == 0, out + error
    return out + error


def wait_for_training(process, registry, after):
    """Until a sequence's registry trains, once a cell's file is there."""
    deadline = time.monotonic() + 60
    while not (after is None or after.exists()) or not list(registry.glob("work/*/training/*")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no training began"
        time.sleep(0.01)


def cells(work):
    return {name: (work / "cells" / name).read_bytes() for name in CELLS if (work / "cells" / name).exists()}


def verdicts(world, registry):
    entries = world.run_json(str(registry), "log", "--limit", "0")["entries"]
    return [entry["skill"] for entry in reversed(entries) if entry["kind"] == "verdict"]


def test_a_killed_run_goes_on_and_learns_nothing_twice(world, tmp_path):
    work = tmp_path / "work"
    asked = command(world, work, "general", "--skills", "alpha,beta", "--shares", "0.25", delay_ms=40)
    first, second = (work / "sequences" / f"{name}.registry" for name in SEQUENCES)

    process = begin(world, asked)
    wait_for_training(process, first, work / "cells" / CELLS[0])
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    before = cells(work)
    assert list(before) == CELLS[:1]

    # This time pawl itself is left running, and the next run finds it at work.
    process = begin(world, asked)
    wait_for_training(process, second, None)
    process.kill()
    process.wait()
    assert list(cells(work)) == CELLS[:2]

    assert "waiting for it" in run(world, asked)
    after = cells(work)
    assert list(after) == CELLS
    assert after[CELLS[0]] == before[CELLS[0]]
    for registry in (first, second):
        assert verdicts(world, registry) == ["alpha", "beta"]
    check_report(work)

    assert not run(world, asked).count("alpha"), "a finished run must train nothing"
    assert cells(work) == after


def check_report(work):
    report = json.loads((work / "report.json").read_text())
    assert [sequence["name"] for sequence in report["sequences"]] == SEQUENCES
    for sequence in report["sequences"]:
        assert [cell["fate"] for cell in sequence["cells"]] == ["waived", "waived"]
        assert sequence["transfer"]["skills"] == ["alpha", "beta"]
        assert sequence["transfer"]["unmeasured"] == []
        metrics = sequence["transfer"]["metrics"]
        # The stub scales what it knew by 0.85: alpha is forgotten by what it lost since it was learned.
        scores = [cell["suites"]["alpha"]["score"] for cell in sequence["cells"]]
        assert metrics["forgetting"] == pytest.approx(scores[0] - scores[1]) and metrics["forgetting"] > 0.1
        assert "forward_transfer" in metrics
        assert len(sequence["matrix"]["cells"]) == 9, "three checkpoints on three suites"
        assert (work / sequence["plot"]).read_text().startswith("<svg")
    text = (work / "report.md").read_text()
    assert text.count("training: REJECT") == 4 and text.count("(waived)") == 8


def test_the_gate_keeps_out_what_only_a_point_on_the_way_can_rescue(world, tmp_path):
    arguments = ["--skills", "alpha", "--shares", "0", "--methods", "sft", "--gate"]
    rescue = begin(world, command(world, tmp_path / "rescue", "broad", *arguments, "--rescue"))
    # What was begun with other settings, and killed, must not pass for a cell of these.
    other = begin(world, command(world, tmp_path / "strict", "broad", *arguments, "--set", "seed=2", delay_ms=40))
    wait_for_training(other, tmp_path / "strict/sequences/sft-alone-3e-05-1.registry", None)
    os.killpg(other.pid, signal.SIGKILL)
    other.communicate()
    assert "giving up" in run(world, command(world, tmp_path / "strict", "broad", *arguments))
    end(rescue)
    strict, rescued = (
        json.loads((tmp_path / name / "cells/sft-alone-3e-05-1/1-alpha.json").read_text()) for name in ("strict", "rescue")
    )
    assert (strict["decision"], strict["fate"], len(strict["verdicts"])) == ("reject", "kept out", 1)
    assert (rescued["decision"], rescued["fate"]) == ("accept", "rescued")
    assert strict["main"] != strict["candidate"] and rescued["main"] == rescued["candidate"]
    assert rescued["verdicts"][0]["decision"] == "reject"
    assert rescued["verdicts"][0]["candidate"] == strict["candidate"]
