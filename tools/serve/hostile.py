"""Requests that no client means well by: malformed ones, and connections that are kept open a byte at a time."""

import collections
import random
import socket
import time
import urllib.parse
import urllib.request

SLOW_CONNECTIONS = 40


def address(url: str) -> tuple[str, int]:
    parsed = urllib.parse.urlparse(url)
    return parsed.hostname, parsed.port


def post(path: str, body: bytes, *headers: str, length: str | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + body


def malformed(count: int, seed: int = 1) -> list[bytes]:
    """So many requests, each wrong in one way."""
    drawn = random.Random(seed)
    completions = "/v1/completions"

    def noise(size: int) -> bytes:
        return drawn.randbytes(size)

    kinds = [
        lambda: noise(drawn.randint(1, 400)),
        lambda: noise(40) + b"\r\n\r\n",
        lambda: b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
        lambda: b"GET  /  HTTP/1.1\r\nHost: localhost\r\n\r\n",
        lambda: b"G\x00T / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        lambda: b"GET /" + b"a" * drawn.randint(20_000, 90_000) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        lambda: b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"b" * drawn.randint(60_000, 300_000) + b"\r\n\r\n",
        lambda: b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"A: b\r\n" * drawn.randint(500, 5000) + b"\r\n",
        lambda: b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        lambda: b"GET /../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        lambda: b"GET /%00%ff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        lambda: b"BREW / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        lambda: post(completions, b"{" * drawn.randint(1, 20_000)),
        lambda: post(completions, b"[" * 100_000),
        lambda: post(completions, noise(drawn.randint(1, 2000))),
        lambda: post(completions, b'{"model":"main","prompt":"x","max_tokens":' + b"9" * 400 + b"}"),
        lambda: post(completions, b'{"model":"main","prompt":[[-1,1e99]],"max_tokens":1}'),
        lambda: post(completions, b'{"model":"main","model":"main","prompt":null}'),
        lambda: post(completions, b'{"model":"\xff\xfe","prompt":"x"}'),
        lambda: post(completions, b"{}", length="-5"),
        lambda: post(completions, b"{}", length="99999999999999999999"),
        lambda: post(completions, b"{}", length="1000"),
        lambda: post(completions, b"{}", "Content-Length: 7"),
        lambda: post(completions, b"zz\r\nnot a chunk", "Transfer-Encoding: chunked"),
        lambda: post("/api/v1/registrations", noise(200)),
        lambda: post("/" + "x/" * 200, b"{}"),
    ]  # fmt: skip
    return [kinds[index % len(kinds)]() for index in range(count)]


def send(url: str, data: bytes, seconds: float = 40) -> str:
    """Sends bytes and reads what comes: the status of the answer, `closed`, or `silent` when nothing came in time."""
    with socket.create_connection(address(url), timeout=seconds) as connection:
        try:
            connection.sendall(data)
            # Nothing more will come: a server that waits for the rest may stop waiting.
            connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it was cut off while it was sent
        try:
            answer = connection.recv(4096)
        except TimeoutError:
            return "silent"
        except OSError:
            return "closed"
    return answer.split(b" ", 2)[1].decode(errors="replace") if answer.startswith(b"HTTP/1.") else "closed"


def assault(url: str, count: int) -> collections.Counter:
    """Outcomes of so many malformed requests, one after the other."""
    return collections.Counter(send(url, data) for data in malformed(count))


def slow(url: str, seconds: float, headers: dict[str, str]) -> dict:
    """Connections that send a header byte by byte; what an honest reader sees meanwhile, and how many were cut off."""
    connections = [socket.create_connection(address(url), timeout=5) for _ in range(SLOW_CONNECTIONS)]
    for connection in connections:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
    waits, failures, end = [], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for connection in connections:
            try:
                connection.send(b"a")
            except OSError:
                pass
        start = time.monotonic()
        try:
            with urllib.request.urlopen(urllib.request.Request(f"{url}/", headers=headers), timeout=30) as answer:
                answer.read()
            waits.append(time.monotonic() - start)
        except OSError:
            failures += 1
        time.sleep(1)
    cut = sum(is_cut(connection) for connection in connections)
    for connection in connections:
        connection.close()
    return {
        "connections": SLOW_CONNECTIONS, "cut_off": cut, "pages_read": len(waits), "pages_failed": failures,
        "slowest_page_ms": round(1000 * max(waits, default=0), 1),
    }  # fmt: skip


def is_cut(connection: socket.socket) -> bool:
    """Whether the other side has closed the connection, be it after an answer."""
    connection.setblocking(False)
    try:
        while connection.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True
