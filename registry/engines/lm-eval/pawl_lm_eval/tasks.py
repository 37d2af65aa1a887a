"""A task of lm-eval as a suite names it: its settings, its documents, and the digest that pins them."""

import contextlib
import json
import os
import random
import sys
from dataclasses import dataclass, fields
from typing import Any

from .protocol import EngineError, invalid, sha256

# lm-eval's own defaults (lm_eval.evaluator.simple_evaluate).
RANDOM_SEED, NUMPY_SEED, TORCH_SEED, FEWSHOT_SEED = 0, 1234, 1234, 1234
PINNED = ("lm_eval", "datasets", "transformers", "torch")


@dataclass(frozen=True)
class Settings:
    """`task` of a suite's grader. What is not given is lm-eval's default."""

    name: str
    metric: str
    yaml: str | None = None  # one of the grader's files; without it the task is one that lm-eval ships
    filter: str = "none"
    num_fewshot: int | None = None
    fewshot_seed: int = FEWSHOT_SEED
    fewshot_as_multiturn: bool = False
    system_instruction: str | None = None
    limit: int | None = None
    device: str = "cpu"
    batch_size: int = 1
    max_length: int | None = None
    frozen: dict[str, Any] | None = None  # written by `run freeze`

    @staticmethod
    def read(value: Any) -> "Settings":
        """Reads and checks the object; an unknown key is an error, since its default would pass unseen."""
        if not isinstance(value, dict):
            raise invalid("task: must be an object")
        known = {field.name: field for field in fields(Settings)}
        if unknown := sorted(set(value) - set(known)):
            raise invalid(f"task: unknown key {unknown[0]!r}; there are {', '.join(known)}")
        for name in ("name", "metric"):
            if not isinstance(value.get(name), str) or not value[name]:
                raise invalid(f"task: {name} must be a string")
        for name in ("num_fewshot", "limit", "batch_size", "fewshot_seed", "max_length"):
            low = 0 if name in ("num_fewshot", "fewshot_seed") else 1
            if (number := value.get(name)) is not None and (type(number) is not int or number < low):
                raise invalid(f"task: {name} must be an integer of at least {low}")
        for name in ("yaml", "filter", "device", "system_instruction"):
            if value.get(name) is not None and not isinstance(value[name], str):
                raise invalid(f"task: {name} must be a string")
        return Settings(**value)


def installed_versions() -> dict[str, str]:
    """The versions that move a score; an error when one is not the one that requirements.txt pins."""
    from importlib.metadata import PackageNotFoundError, version

    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with open(os.path.join(folder, "requirements.txt"), encoding="utf-8") as file:
        wanted = dict(line.strip().split("==") for line in file if "==" in line and not line.startswith("#"))
    try:
        found = {name: version(name) for name in PINNED}
    except PackageNotFoundError as error:
        raise EngineError("unsupported", f"{sys.executable} has no {error.name}: run setup in the engine's folder") from None
    for name, have in found.items():
        # What follows a plus names a build (CPU, CUDA) of the same version.
        if have.split("+")[0] != wanted[name].split("+")[0]:
            raise EngineError(
                "unsupported",
                f"{name} {have} is installed, the engine pins {wanted[name]}: scores of other versions are not comparable",
            )
    return found


def document_hash(document: Any) -> str:
    """lm-eval's `doc_hash`: SHA-256 of the document as JSON, as its log of samples has it."""
    from lm_eval.utils import handle_non_serializable

    text = json.dumps(document, indent=2, default=handle_non_serializable, ensure_ascii=False)
    return sha256(text.encode())


class LoadedTask:
    """A task with its documents, in the order of the harness."""

    def __init__(self, settings: Settings, folder: str, cache: str):
        """Loads a task.

        - folder: where the files of the suite's grader lie; paths in a YAML file are relative to it.
        - cache: a folder for what `datasets` makes of local files, which may go afterwards.
        """
        self.settings = settings
        with contextlib.chdir(folder):
            self.task = self._load(folder, cache)
            self.documents = self._documents()
        self.hashes = [document_hash(document) for _, document in self.documents]

    def _load(self, folder: str, cache: str) -> Any:
        from lm_eval.tasks import TaskManager

        spec: Any = self.settings.name
        if self.settings.yaml is not None:
            spec = self._local(folder, cache)
        try:
            loaded = TaskManager(include_defaults=self.settings.yaml is None).load(spec)
        except Exception as error:
            raise EngineError("unsupported", f"task {self.settings.name}: {type(error).__name__}: {error}") from error
        tasks = loaded["tasks"]
        if len(tasks) != 1 or self.settings.name not in tasks:
            raise invalid(
                f"task {self.settings.name}: is a group of {len(tasks)} tasks; a suite is one task: {', '.join(sorted(tasks)[:5])}"
            )
        task = tasks[self.settings.name]
        if getattr(task, "UNSAFE_CODE", False):
            raise EngineError("unsupported", f"task {self.settings.name}: it runs code that the model wrote")
        if getattr(task, "MULTIMODAL", False):
            raise EngineError("unsupported", f"task {self.settings.name}: it asks for more than text")
        if self.settings.num_fewshot is not None:
            task.set_config(key="num_fewshot", value=self.settings.num_fewshot)
        elif task.get_config("num_fewshot") is None:
            task.set_config(key="num_fewshot", value=0)
        return task

    def _local(self, folder: str, cache: str) -> dict[str, Any]:
        """The configuration in a YAML file of the suite."""
        from lm_eval.tasks._yaml_loader import load_yaml

        path = os.path.join(folder, self.settings.yaml)
        if not os.path.isfile(path):
            raise invalid(f"task: yaml {self.settings.yaml!r} is not among the grader's files")
        config = load_yaml(path)
        if config.get("task") != self.settings.name:
            raise invalid(f"{self.settings.yaml}: its task is {config.get('task')!r}, not {self.settings.name!r}")
        if "custom_dataset" not in config:
            config["dataset_kwargs"] = {**(config.get("dataset_kwargs") or {}), "cache_dir": cache}
        return config

    def _documents(self) -> list[tuple[int, Any]]:
        documents = list(self.task.doc_iterator(limit=self.settings.limit))
        if not documents:
            raise invalid(f"task {self.settings.name}: it has no documents")
        return documents

    @property
    def frozen(self) -> dict[str, Any]:
        """What pins the documents: their number and a digest of their set; and of the configuration of a shipped task,
        whose file the suite does not hold."""
        found = {
            "documents": len(set(self.hashes)),
            "sha256": sha256("".join(f"{value}\n" for value in sorted(set(self.hashes))).encode()),
        }
        if self.settings.yaml is None:
            text = json.dumps(self.task.dump_config(), sort_keys=True, default=str)
            found["config"] = sha256(text.encode())
        return found

    def check_frozen(self) -> None:
        """Refuses a task whose documents or configuration are not those that were frozen."""
        wanted = self.settings.frozen
        if wanted is None:
            raise invalid(f"task {self.settings.name}: its documents are not frozen; run `run freeze` on the suite's folder")
        for key, value in self.frozen.items():
            if wanted.get(key) != value:
                raise invalid(
                    f"task {self.settings.name}: {key} is {value}, the suite was frozen with {wanted.get(key)}: "
                    "the data set or the task has changed, so this is another suite (freeze it as a new version)"
                )

    def instances(self, lm: Any, chat: bool) -> list[list[Any]]:
        """lm-eval's requests, those of a document together, in the order of ``documents``.

        All documents are always built, whichever are asked for: the examples of a few-shot prompt are drawn from one
        generator in the order of the documents, so that a part of them alone would be shown other prompts.
        """
        import numpy
        import torch

        random.seed(RANDOM_SEED)
        numpy.random.seed(NUMPY_SEED)
        torch.manual_seed(TORCH_SEED)
        self.task.set_fewshot_seed(seed=self.settings.fewshot_seed)
        self.task.build_all_requests(
            limit=self.settings.limit,
            rank=0,
            world_size=1,
            system_instruction=self.settings.system_instruction,
            apply_chat_template=chat,
            fewshot_as_multiturn=self.settings.fewshot_as_multiturn,
            chat_template=lm.apply_chat_template if chat else None,
            tokenizer_name=lm.tokenizer_name if chat else "",
        )
        groups: dict[int, list[Any]] = {}
        for instance in self.task.instances:
            groups.setdefault(instance.doc_id, []).append(instance)
        return [sorted(groups[index], key=lambda one: one.idx) for index, _ in self.documents]
