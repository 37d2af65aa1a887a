"""The `openai` Python client on two checkpoints: chat, streaming, log-probabilities, errors."""

import concurrent.futures

import openai

from findings import Findings
from reference import Reference

QUESTIONS = ["What is the capital of France?", "Write 14 as a Roman numeral.", "Name three colours."]
# How far two fp32 computations of a log-probability may lie apart.
TOLERANCE = 2e-3


class ClientCheck:
    """Checks one server against transformers on the exported directories."""

    def __init__(self, findings: Findings, url: str, references: dict[str, Reference]):
        self.findings = findings
        self.references = references
        self.api = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=600)

    def run(self) -> None:
        self.models()
        answers = {}
        for model, reference in self.references.items():
            answers[model] = [self.chat(model, reference, question) for question in QUESTIONS]
            self.streaming(model, QUESTIONS[0], answers[model][0])
            self.log_probabilities(model, reference)
            self.completions(model, reference)
            self.sampling(model)
            self.endings(model)
        first, second = answers.values()
        self.findings.check(first != second, "two checkpoints answer alike to everything", first)
        self.together(answers)
        self.errors()

    def ask(self, model: str, question: str, **settings) -> openai.types.chat.ChatCompletion:
        return self.api.chat.completions.create(
            model=model, messages=[{"role": "user", "content": question}],
            **{"temperature": 0, "max_tokens": 24, **settings},
        )  # fmt: skip

    def models(self) -> None:
        listed = {model.id: model for model in self.api.models.list()}
        self.findings.check("main" in listed, "models: main is listed", sorted(listed))
        for model in self.references:
            card = self.api.models.retrieve(model).model_dump()
            self.findings.check(card["id"] == model and card.get("root"), f"models: {model} has a root", card)
            self.findings.check(model in listed, f"models: {model} is listed", sorted(listed))
        parents = {getattr(listed[model], "parent", None) for model in self.references if model in listed}
        self.findings.check(len(parents) == 2 and None in parents, "models: the base alone has no parent", parents)

    def chat(self, model: str, reference: Reference, question: str) -> str:
        answer = self.ask(model, question).choices[0]
        prompt = reference.chat(question)
        wanted = reference.greedy(prompt, 24)
        same = answer.message.content == reference.text(wanted) or reference.is_tie(
            prompt, wanted, answer.message.content
        )
        self.findings.check(same, f"chat {model}: transformers' greedy answer", (answer.message.content, reference.text(wanted)))
        return answer.message.content

    def streaming(self, model: str, question: str, whole: str) -> None:
        text, roles, finish, usage = "", [], None, None
        stream = self.ask(model, question, stream=True, stream_options={"include_usage": True})
        parts = 0
        for chunk in stream:
            usage = chunk.usage or usage
            for choice in chunk.choices:
                parts += bool(choice.delta.content)
                text += choice.delta.content or ""
                roles += [choice.delta.role] if choice.delta.role else []
                finish = choice.finish_reason or finish
        self.findings.check(text == whole, f"streaming {model}: the parts are the whole", (text, whole))
        self.findings.check(parts > 1, f"streaming {model}: in parts", parts)
        self.findings.check(roles == ["assistant"], f"streaming {model}: the role once", roles)
        self.findings.check(finish in ("stop", "length"), f"streaming {model}: how it ended", finish)
        self.findings.check(
            usage is not None and usage.total_tokens == usage.prompt_tokens + usage.completion_tokens,
            f"streaming {model}: usage", usage,
        )  # fmt: skip

    def log_probabilities(self, model: str, reference: Reference) -> None:
        """Chat: each token with the likeliest five, against transformers."""
        choice = self.ask(model, QUESTIONS[2], logprobs=True, top_logprobs=5, max_tokens=8).choices[0]
        tokens = choice.logprobs.content
        self.findings.check("".join(one.token for one in tokens) == choice.message.content, f"logprobs {model}: tokens are the text")
        prompt = reference.chat(QUESTIONS[2])
        for one in tokens:
            tops = [top.logprob for top in one.top_logprobs]
            self.findings.check(tops == sorted(tops, reverse=True) and len(tops) == 5, f"logprobs {model}: five in order", tops)
            self.findings.check(one.logprob == tops[0], f"logprobs {model}: a greedy token is the likeliest", (one.logprob, tops))
        ids = reference.encode(choice.message.content)
        if reference.text(ids) == choice.message.content and len(ids) == len(tokens):
            wanted = reference.log_probabilities(prompt, ids)
            far = max(abs(one.logprob - value) for one, value in zip(tokens, wanted, strict=True))
            self.findings.check(far < TOLERANCE, f"logprobs {model}: transformers' values", far)

    def completions(self, model: str, reference: Reference) -> None:
        """Echo with log-probabilities of the prompt, as text and as tokens: what harnesses ask."""
        prompt = reference.encode("The capital of Norway is Oslo, and the capital of")
        answer = self.api.completions.create(
            model=model, prompt=[prompt, prompt[:5]], max_tokens=1, temperature=0, logprobs=1, echo=True, seed=1234
        )
        self.findings.check(sorted(choice.index for choice in answer.choices) == [0, 1], f"completions {model}: a choice a prompt")
        for choice, tokens in zip(sorted(answer.choices, key=lambda one: one.index), (prompt, prompt[:5]), strict=True):
            scores = choice.logprobs
            self.findings.check(
                len(scores.token_logprobs) == len(tokens) + 1 and scores.token_logprobs[0] is None,
                f"completions {model}: one token after the echo, the first without a value", scores.token_logprobs,
            )  # fmt: skip
            wanted = reference.log_probabilities(tokens[:1], tokens[1:])
            far = max(abs(a - b) for a, b in zip(scores.token_logprobs[1:-1], wanted, strict=True))
            self.findings.check(far < TOLERANCE, f"completions {model}: transformers' values of the prompt", far)
            for value, top in list(zip(scores.token_logprobs, scores.top_logprobs, strict=True))[1:]:
                self.findings.check(value in top.values(), f"completions {model}: the token itself is told", (value, top))
        text = self.api.completions.create(model=model, prompt="One, two, three,", max_tokens=4, temperature=0, echo=True)
        self.findings.check(text.choices[0].text.startswith("One, two, three,"), f"completions {model}: echo", text.choices[0].text)

    def sampling(self, model: str) -> None:
        def drawn(seed: int, **more) -> str:
            return self.ask(model, QUESTIONS[2], temperature=1, seed=seed, max_tokens=12, **more).choices[0].message.content

        self.findings.check(drawn(7) == drawn(7), f"sampling {model}: one seed, one answer")
        self.findings.check(len({drawn(seed) for seed in range(4)}) > 1, f"sampling {model}: other seeds, other answers")
        greedy = self.ask(model, QUESTIONS[2], max_tokens=12).choices[0].message.content
        self.findings.check(drawn(1, top_p=1e-6) == greedy, f"sampling {model}: the smallest nucleus is greedy")
        several = self.ask(model, QUESTIONS[2], temperature=1, seed=3, n=3, max_tokens=12).choices
        self.findings.check(len(several) == 3 and len({one.message.content for one in several}) > 1, f"sampling {model}: n")

    def endings(self, model: str) -> None:
        short = self.ask(model, QUESTIONS[2], max_tokens=3)
        self.findings.check(
            short.choices[0].finish_reason == "length" and short.usage.completion_tokens == 3,
            f"endings {model}: length", short.choices[0],
        )  # fmt: skip
        whole = self.ask(model, QUESTIONS[2], max_tokens=24).choices[0].message.content
        stop = whole[len(whole) // 2 : len(whole) // 2 + 2]
        cut = self.ask(model, QUESTIONS[2], max_tokens=24, stop=[stop]).choices[0]
        self.findings.check(
            cut.finish_reason == "stop" and cut.message.content == whole.split(stop)[0],
            f"endings {model}: a stop text is cut off", (stop, cut),
        )  # fmt: skip

    def together(self, answers: dict[str, list[str]]) -> None:
        """Requests to both checkpoints at once share batches, and each gets the answer it gets alone."""
        wanted = [(model, question, text) for model, texts in answers.items() for question, text in zip(QUESTIONS, texts, strict=True)] * 2
        with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
            found = pool.map(lambda one: self.ask(one[0], one[1]).choices[0].message.content, wanted)
        for (model, question, text), answer in zip(wanted, found, strict=True):
            self.findings.check(answer == text, f"together {model}: {question}", (answer, text))

    def errors(self) -> None:
        model = next(iter(self.references))

        def fails(kind: type, what: str, **settings) -> None:
            try:
                answer = self.ask(**{"model": model, "question": "Hello", **settings})
            except kind as error:
                body = error.body or {}
                self.findings.check(bool(body.get("message")), f"errors: {what} says why", error)
            except openai.OpenAIError as error:
                self.findings.check(False, f"errors: {what} is a {kind.__name__}", repr(error))
            else:
                self.findings.check(False, f"errors: {what} is refused", answer)

        fails(openai.NotFoundError, "an unknown model", model="no-such-model")
        fails(openai.NotFoundError, "a path for a model", model="../../etc/passwd")
        fails(openai.BadRequestError, "a negative temperature", temperature=-1)
        fails(openai.BadRequestError, "top_p of 2", top_p=2)
        fails(openai.BadRequestError, "a prompt beyond the context", question="word " * 20_000)
        fails(openai.BadRequestError, "tools", tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}])
        fails(openai.BadRequestError, "n of 0", n=0)
        fails(openai.BadRequestError, "no messages", extra_body={"messages": []})
        fails(openai.BadRequestError, "a type that is wrong", extra_body={"max_tokens": "many"})
