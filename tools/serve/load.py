"""Clients that stream completions and readers of pages, and what they saw."""

import asyncio
import collections
import html.parser
import json
import random
import time
import urllib.parse

import aiohttp


def percentile(values: list[float], share: float) -> float:
    """The value that so large a share of the others does not exceed; 0 where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


class Tally:
    """What a group of clients saw."""

    def __init__(self):
        self.statuses: collections.Counter = collections.Counter()
        self.broken: collections.Counter = collections.Counter()
        self.seconds: list[float] = []
        self.first: list[float] = []
        self.tokens = 0

    def report(self, elapsed: float) -> dict:
        return {
            "seconds": round(elapsed, 1),
            "statuses": {str(key): count for key, count in sorted(self.statuses.items())},
            "broken": dict(self.broken),
            "tokens_per_second": round(self.tokens / elapsed, 2),
            "tokens": self.tokens,
            "p50_ms": round(1000 * percentile(self.seconds, 0.5), 1),
            "p99_ms": round(1000 * percentile(self.seconds, 0.99), 1),
            "first_token_p50_ms": round(1000 * percentile(self.first, 0.5), 1),
        }


class Load:
    """Requests against one server until a time is over.

    - models: the names to ask, in turn; prompts: texts to go on.
    - keeps_alive: whether connections are used again. llama.cpp closes them after an answer without saying so.
    """

    def __init__(
        self, url: str, models: list[str], prompts: list[str], max_tokens: int, headers: dict[str, str],
        keeps_alive: bool = True,
    ):  # fmt: skip
        self.url = url
        self.models = models
        self.prompts = prompts
        self.max_tokens = max_tokens
        self.headers = headers
        self.keeps_alive = keeps_alive
        self.completions = Tally()
        self.pages = Tally()
        self.end = 0.0

    async def run(self, clients: int, readers: int, seconds: float) -> float:
        """Runs the clients; returns how long it took, the requests under way at the end included."""
        start = time.monotonic()
        self.end = start + seconds
        timeout = aiohttp.ClientTimeout(total=None, sock_read=300)
        connector = aiohttp.TCPConnector(limit=0, force_close=not self.keeps_alive)
        async with aiohttp.ClientSession(headers=self.headers, timeout=timeout, connector=connector) as session:
            places = await self._places(session) if readers else []
            tasks = [self._stream(session, number) for number in range(clients)]
            tasks += [self._read(session, places, number) for number in range(readers)]
            await asyncio.gather(*tasks)
        return time.monotonic() - start

    async def _stream(self, session: aiohttp.ClientSession, number: int) -> None:
        drawn = random.Random(number)
        while time.monotonic() < self.end:
            body = {
                "model": self.models[number % len(self.models)], "prompt": drawn.choice(self.prompts),
                "max_tokens": self.max_tokens, "temperature": 0, "stream": True,
            }  # fmt: skip
            wait = await self._completion(session, body)
            if wait:
                await asyncio.sleep(min(wait, max(0.0, self.end - time.monotonic())))

    async def _completion(self, session: aiohttp.ClientSession, body: dict) -> float:
        """One request; how long to wait before the next."""
        start, tokens, first, done = time.monotonic(), 0, None, False
        try:
            async with session.post(f"{self.url}/v1/completions", json=body) as answer:
                self.completions.statuses[answer.status] += 1
                if answer.status != 200:
                    await answer.read()
                    return float(answer.headers.get("Retry-After", 1))
                async for line in answer.content:
                    if line.strip() == b"data: [DONE]":
                        done = True
                    elif line.startswith(b"data: "):
                        chunk = json.loads(line[6:])
                        if "error" in chunk:
                            self.completions.broken[str(chunk["error"])[:80]] += 1
                            return 1.0
                        tokens += sum(bool(choice["text"]) for choice in chunk["choices"])
                        first = first or time.monotonic()
        except (aiohttp.ClientError, asyncio.TimeoutError, ValueError) as error:
            self.completions.broken[type(error).__name__] += 1
            return 1.0
        if not done:
            self.completions.broken["a stream without its end"] += 1
            return 1.0
        self.completions.tokens += tokens
        self.completions.seconds.append(time.monotonic() - start)
        if first:
            self.completions.first.append(first - start)
        return 0.0

    async def _places(self, session: aiohttp.ClientSession) -> list[str]:
        """Pages of the server: the first one and those that it links to."""
        async with session.get(f"{self.url}/") as answer:
            answer.raise_for_status()
            links = Links(await answer.text())
        return sorted({"/", *links.local})[:40]

    async def _read(self, session: aiohttp.ClientSession, places: list[str], number: int) -> None:
        drawn = random.Random(1000 + number)
        while time.monotonic() < self.end:
            start = time.monotonic()
            try:
                async with session.get(self.url + drawn.choice(places)) as answer:
                    await answer.read()
                    self.pages.statuses[answer.status] += 1
                    if answer.status == 200:
                        self.pages.seconds.append(time.monotonic() - start)
            except (aiohttp.ClientError, asyncio.TimeoutError) as error:
                self.pages.broken[type(error).__name__] += 1
            # A reader reads what it got.
            await asyncio.sleep(drawn.uniform(0.5, 1.5))


class Links(html.parser.HTMLParser):
    """The links of a page that stay on its server."""

    def __init__(self, text: str):
        super().__init__()
        self.local: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        place = dict(attributes).get("href") if tag == "a" else None
        parsed = urllib.parse.urlparse(place or "")
        if parsed.path.startswith("/") and not parsed.netloc and not parsed.path.startswith(("/api", "/v1")):
            self.local.add(parsed.path + (f"?{parsed.query}" if parsed.query else ""))
