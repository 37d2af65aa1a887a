"""Loads with PEFT what Pawl's own engine writes as an adapter.

Tests/Fixtures/low-rank/llama/adapter was written by PawlModel's AdapterWriter (a Swift test compares the bytes) from the
factors with which PEFT computed the loss that tools/fixtures/low_rank recorded.
"""

import pathlib

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
peft = pytest.importorskip("peft")

from safetensors.torch import load_file  # noqa: E402

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "Fixtures"
FACTORS = load_file(FIXTURES / "low-rank/llama/reference.safetensors")


def loss(model) -> float:
    """Cross-entropy of every next token, averaged over tokens."""
    known = load_file(FIXTURES / "models/llama/expected/reference.safetensors")
    total, count = 0.0, 0
    for i in range(4):
        sequence = known[f"sequence.{i}"].long()
        with torch.no_grad():
            logits = model(sequence[None]).logits[0, :-1]
        total += torch.nn.functional.cross_entropy(logits, sequence[1:], reduction="sum").item()
        count += len(sequence) - 1
    return total / count


@pytest.fixture
def base():
    return transformers.AutoModelForCausalLM.from_pretrained(
        FIXTURES / "models/llama", dtype=torch.float32, attn_implementation="eager"
    )


def test_the_native_engines_adapter_loads_in_peft(base):
    before = loss(base)
    model = peft.PeftModel.from_pretrained(base, FIXTURES / "low-rank/llama/adapter")
    config = model.peft_config["default"]
    assert (config.r, config.lora_alpha, config.task_type) == (4, 8, "CAUSAL_LM")
    loaded = {name.replace(".default", ""): value for name, value in model.named_parameters() if "lora_" in name}
    assert len(loaded) == 28
    for name, value in loaded.items():
        assert torch.equal(value, FACTORS[f"factor.{name}"]), name
    assert loss(model) == pytest.approx(FACTORS["loss"].item(), rel=1e-5)
    assert abs(loss(model) - before) > 1e-2
    assert loss(model.merge_and_unload()) == pytest.approx(FACTORS["loss"].item(), rel=1e-4)
