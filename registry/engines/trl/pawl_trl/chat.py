"""From messages to tokens, with the model's own chat template and nothing else."""

from typing import Any

from .errors import invalid

ROLES = ("system", "user", "assistant", "tool")


def checked_messages(value: Any, where: str) -> list[dict[str, str]]:
    """Messages as the template takes them; anything else is an error that names the record."""
    if not isinstance(value, list) or not value:
        raise invalid(f"{where}: no messages")
    result = []
    for message in value:
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            raise invalid(f"{where}: a message without a role of {', '.join(ROLES)}")
        if not isinstance(message.get("content"), str):
            raise invalid(f"{where}: a message without text")
        result.append({"role": message["role"], "content": message["content"]})
    return result


class Chat:
    """A tokenizer with its template and the tokens that end an answer."""

    def __init__(self, tokenizer: Any, end_tokens: list[int]):
        self.tokenizer = tokenizer
        self.end_tokens = end_tokens
        self.pad_token = tokenizer.pad_token_id if tokenizer.pad_token_id is not None else end_tokens[0]

    def render(self, messages: list[dict[str, str]], where: str, opening: bool = True) -> str:
        try:
            return self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=opening)
        except Exception as error:
            raise invalid(f"{where}: the chat template refuses the messages: {error}") from None

    def prompt_tokens(self, messages: list[dict[str, str]], where: str) -> list[int]:
        """The conversation, up to and including the opening of the answer."""
        return self.tokenizer(self.render(messages, where), add_special_tokens=False)["input_ids"]

    def raw_tokens(self, text: str) -> list[int]:
        return self.tokenizer(text)["input_ids"]

    def text_tokens(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def completion_tokens(self, messages: list[dict[str, str]], completion: str, where: str) -> list[int]:
        """An answer as the template writes it, up to and including the token that ends it."""
        prompt = self.render(messages, where)
        whole = self.render([*messages, {"role": "assistant", "content": completion}], where, opening=False)
        tokens = self.text_tokens(whole.removeprefix(prompt)) if whole.startswith(prompt) else []
        for position, token in enumerate(tokens):
            if token in self.end_tokens:
                return tokens[: position + 1]
        return [*self.text_tokens(completion), self.end_tokens[0]]

    def text(self, tokens: list[int]) -> str:
        return self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False)
