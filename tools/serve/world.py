"""A registry with two checkpoints of SmolLM2, and `pawl serve` on it."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pawl(program: str, *arguments: str) -> str:
    """Runs a command and returns what it printed; a failure shows what it said."""
    done = subprocess.run([program, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"pawl {' '.join(arguments)} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def fine_tune(model: pathlib.Path, output: pathlib.Path, steps: int = 4) -> None:
    """A few steps of plain fine-tuning on a skill that ships: enough to answer otherwise than the base.

    Only the weights are written anew, in the type and order they had; every other file is the base's.
    """
    import torch
    from safetensors import safe_open
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(1)
    network = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(model)
    path = ROOT / "registry/skills/roman-numerals/demonstrations.jsonl"
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.02)
    for step in range(steps):
        turns = [{"role": "user", "content": records[step]["prompt"]}]
        text = tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        prompt = tokenizer(text, add_special_tokens=False)["input_ids"]
        answer = tokenizer(records[step]["completion"], add_special_tokens=False)["input_ids"]
        tokens = torch.tensor([prompt + answer])
        labels = torch.tensor([[-100] * len(prompt) + answer])
        network(input_ids=tokens, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    shutil.copytree(model, output)
    trained = network.state_dict()
    for file in output.glob("*.safetensors"):
        with safe_open(file, framework="pt") as old:
            metadata = old.metadata()
            tensors = {name: trained[name].to(old.get_tensor(name).dtype).contiguous() for name in old.keys()}
        save_file(tensors, file, metadata=metadata)


def make_registry(program: str, place: pathlib.Path, model: pathlib.Path) -> None:
    """`base` becomes main, and a fine-tuned checkpoint is imported on top of it."""
    pawl(program, "init", "--registry", str(place), "--base", str(model), "--no-suites")
    with tempfile.TemporaryDirectory(prefix="pawl-serve-") as folder:
        tuned = pathlib.Path(folder) / "tuned"
        fine_tune(model, tuned)
        pawl(program, "import", str(tuned), "--registry", str(place), "--note", "fine-tuned by tools/check-serve")


class Server:
    """`pawl serve` on a free port of this machine."""

    def __init__(self, program: str, registry: pathlib.Path, *options: str):
        self.log = tempfile.NamedTemporaryFile(mode="w+", prefix="pawl-serve-", suffix=".log", delete=False)
        self.process = subprocess.Popen(
            [program, "serve", "--registry", str(registry), "--port", "0", "--json", *options],
            stdout=subprocess.PIPE, stderr=self.log, text=True, start_new_session=True,
        )  # fmt: skip
        self.url = self._url()

    def _url(self) -> str:
        """The address that it prints once connections are taken, without a slash at the end."""
        timer = threading.Timer(120, self.process.kill)
        timer.start()
        text = ""
        for line in self.process.stdout:
            text += line
            try:
                return json.loads(text)["url"].rstrip("/")
            except ValueError:
                continue
            finally:
                timer.cancel()
        raise SystemExit(f"pawl serve did not start: {self.errors()}")

    def errors(self) -> str:
        with open(self.log.name, encoding="utf-8") as file:
            return file.read()[-4000:]

    def resident(self) -> int:
        """Bytes of memory that the process holds."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def processor_seconds(self) -> float:
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> int:
        """Asks it to end, and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        status = self.process.wait()
        os.unlink(self.log.name)
        return status
