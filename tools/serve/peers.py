"""Other servers for the same load: llama.cpp's, and transformers behind a plain one."""

import http.server
import json
import pathlib
import subprocess
import threading
import time
import urllib.error
import urllib.request


def wait_until_healthy(url: str, process: subprocess.Popen, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"the peer ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise SystemExit("the peer did not get healthy")


class LlamaServer:
    """llama.cpp's server on a GGUF file, with as many slots as there are clients."""

    name = "llama.cpp"

    def __init__(self, program: str, weights: pathlib.Path, clients: int, context: int, threads: int, port: int = 18411):
        self.url = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [program, "-m", str(weights), "--host", "127.0.0.1", "--port", str(port), "--parallel", str(clients),
             "--ctx-size", str(context * clients), "--threads", str(threads), "--threads-batch", str(threads)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until_healthy(self.url, self.process)

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=30)


class TransformersServer:
    """transformers behind http.server, one answer at a time: what serving is without any work on it."""

    name = "transformers, one request at a time"

    def __init__(self, directory: pathlib.Path, threads: int):
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(threads)
        model = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(directory)
        turn = threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Connection", "close")
                self.end_headers()
                with turn, torch.inference_mode():
                    self.answer(body)
                self.wfile.write(b"data: [DONE]\n\n")
                self.close_connection = True

            def answer(self, body: dict) -> None:
                """Greedy, token by token, with the key-value cache."""
                tokens = torch.tensor([tokenizer(body["prompt"])["input_ids"]])
                cache = None
                for _ in range(body["max_tokens"]):
                    output = model(input_ids=tokens, past_key_values=cache, use_cache=True)
                    cache, tokens = output.past_key_values, output.logits[:, -1:].argmax(-1)
                    if int(tokens) == tokenizer.eos_token_id:
                        break
                    chunk = {"choices": [{"index": 0, "text": tokenizer.decode(tokens[0])}]}
                    self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
                    self.wfile.flush()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
