"""A low-rank update: PEFT's layers in the student, the weights that they make, and the adapter that they are written as."""

import json
import os
from collections.abc import Iterator
from typing import Any

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel

from .errors import EngineError, invalid
from .files import publish, remove
from .recipe import Recipe

ADAPTER = "default"


def inject(model: PreTrainedModel, recipe: Recipe) -> None:
    """Puts factors beside the weights that the recipe names; from then on they alone learn.

    The model stays the class it is: TRL's trainers treat a PeftModel in ways of their own.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as error:
        raise EngineError("unsupported", f"recipe: update low_rank needs the package peft: {error}") from None
    inject_adapter_in_model(
        LoraConfig(
            r=recipe.rank,
            lora_alpha=recipe.alpha,
            target_modules=targets(model, recipe),
            lora_dropout=0.0,
            bias="none",
            task_type="CAUSAL_LM",
        ),
        model,
        adapter_name=ADAPTER,
    )
    if torch.cuda.is_available():
        model.enable_input_require_grads()  # recomputed layers have a gradient only where their input has one


def targets(model: PreTrainedModel, recipe: Recipe) -> list[str]:
    """The recipe's modules, or all linear projections but the output's; refuses what the model does not have."""
    output = model.get_output_embeddings()
    linear = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not output}
    known = list(dict.fromkeys(name.rpartition(".")[2] for name in linear))
    for name in recipe.modules:
        if not any(fits(module, name) for module in linear):
            raise invalid(f"recipe: modules: the model has no linear projection {name!r}; it has {', '.join(known)}")
    names = list(recipe.modules) or known
    for module, layer in linear.items():
        smaller = min(layer.in_features, layer.out_features)
        if recipe.rank > smaller and any(fits(module, name) for name in names):
            raise invalid(
                f"recipe: rank {recipe.rank} is above {smaller}, the smaller extent of {module} "
                f"[{layer.out_features}, {layer.in_features}]"
            )
    if not names:
        raise EngineError("unsupported", "recipe: update low_rank: the model has no linear projections")
    return names


def fits(module: str, name: str) -> bool:
    return module == name or module.endswith("." + name)


def moved(model: PreTrainedModel) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights that training moves, under their names in a model without factors: all, or those that have factors."""
    layers = [(name, layer) for name, layer in model.named_modules() if ADAPTER in getattr(layer, "lora_A", ())]
    if not layers:
        yield from ((name, value.detach()) for name, value in model.named_parameters())
    for name, layer in layers:
        yield f"{name}.weight", (layer.base_layer.weight + layer.get_delta_weight(ADAPTER)).detach()


def write_adapter(model: PreTrainedModel, output: str) -> None:
    """Writes adapter_config.json and adapter_model.safetensors (fp32), the same bytes for the same factors."""
    temporary = output + ".partial"
    remove(temporary)
    os.makedirs(temporary)
    factors = {
        f"base_model.model.{name.replace(f'.{ADAPTER}.', '.')}": value.detach().to("cpu", torch.float32).contiguous()
        for name, value in model.named_parameters()
        if value.requires_grad
    }
    save_file(dict(sorted(factors.items())), os.path.join(temporary, "adapter_model.safetensors"), {"format": "pt"})
    config = {**model.peft_config[ADAPTER].to_dict(), "inference_mode": True}
    with open(os.path.join(temporary, "adapter_config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=2, sort_keys=True, default=plain)
        file.write("\n")
    publish(temporary, output)


def plain(value: Any) -> Any:
    """What PEFT keeps as a set (the target modules), in a fixed order."""
    return sorted(value) if isinstance(value, set) else str(value)
