"""The baseline: TRL's SFTTrainer on the same records, loss on the completion only."""

from typing import Any

import torch
from datasets import Dataset
from trl import SFTConfig, SFTTrainer

from . import low_rank, model_io
from .chat import Chat
from .errors import invalid
from .recipe import Recipe
from .records import Record
from .training import StepTrainer, no_dropout


class PawlSFTTrainer(StepTrainer, SFTTrainer):
    def report_metrics(self, values: dict[str, float]) -> dict[str, float]:
        names = ("entropy", "mean_token_accuracy")
        return {name: values[name] for name in names if name in values}


def tokenized(record: Record, chat: Chat, recipe: Recipe) -> dict[str, list[int]]:
    where = f"record {record.id!r}"
    prompt = chat.prompt_tokens(record.prompt, where)
    completion = chat.completion_tokens(record.prompt, record.completion, where)
    if len(prompt) + len(completion) > recipe.max_context_tokens:
        raise invalid(
            f"{where}: {len(prompt)} prompt and {len(completion)} completion tokens do not fit max_context_tokens "
            f"{recipe.max_context_tokens}"
        )
    return {"input_ids": prompt + completion, "labels": [-100] * len(prompt) + completion}


def make_trainer(
    recipe: Recipe, settings: dict[str, Any], directory: str, chat: Chat, rows: list[Record]
) -> PawlSFTTrainer:
    model = model_io.load_model(directory, torch.float32)
    no_dropout(model)
    if recipe.update == "low_rank":
        low_rank.inject(model, recipe)
    config = SFTConfig(
        **settings,
        max_length=None,
        packing=False,
        completion_only_loss=True,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
    )
    return PawlSFTTrainer(
        model=model,
        args=config,
        train_dataset=Dataset.from_list([tokenized(row, chat, recipe) for row in rows]),
        processing_class=chat.tokenizer,
    )
