"""transformers on a directory that `pawl export` wrote: what an answer should be."""

import pathlib

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

logging.disable_progress_bar()

# Two tokens whose logits lie closer than this may come in either order: fp32 sums in another order.
TIE = 2e-3


class Reference:
    def __init__(self, directory: pathlib.Path):
        self.model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(directory)
        ends = self.model.generation_config.eos_token_id
        self.ends = set(ends if isinstance(ends, list) else [ends]) | {self.tokenizer.eos_token_id}

    def chat(self, question: str) -> list[int]:
        turns = [{"role": "user", "content": question}]
        text = self.tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=False)
        return self.encode(text)

    def encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def text(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=True)

    def logits(self, tokens: list[int]) -> torch.Tensor:
        """Logits at every position, [tokens, vocabulary]."""
        with torch.inference_mode():
            return self.model(input_ids=torch.tensor([tokens])).logits[0]

    def greedy(self, prompt: list[int], count: int) -> list[int]:
        """The likeliest continuation, without the token that ends it."""
        answer: list[int] = []
        cache, tokens = None, torch.tensor([prompt])
        with torch.inference_mode():
            while len(answer) < count:
                output = self.model(input_ids=tokens, past_key_values=cache, use_cache=True)
                cache, tokens = output.past_key_values, output.logits[:, -1:].argmax(-1)
                if int(tokens) in self.ends:
                    break
                answer.append(int(tokens))
        return answer

    def log_probabilities(self, prompt: list[int], answer: list[int]) -> list[float]:
        values = self.logits(prompt + answer).log_softmax(-1)
        return [float(values[len(prompt) + place - 1, token]) for place, token in enumerate(answer)]

    def is_tie(self, prompt: list[int], wanted: list[int], found: str) -> bool:
        """Whether another answer goes its own way only where two tokens were as good as equally likely."""
        other = self.encode(found)
        same = next((k for k, (a, b) in enumerate(zip(wanted, other)) if a != b), min(len(wanted), len(other)))
        top = self.logits(prompt + wanted[:same])[-1].topk(2).values
        return float(top[0] - top[1]) < TIE
