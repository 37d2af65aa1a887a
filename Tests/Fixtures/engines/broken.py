"""The stub engine with one fault each: what a host must notice and name (Tests/PawlEnginesTests)."""

import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "stub"))
import stub  # noqa: E402


class GarbageOnStdout(stub.Engine):
    def train(self, message, state, cancel):
        self.send_line(b"Loading checkpoint shards: 100%|####| 2/2\n")
        return super().train(message, state, cancel)

    def evaluate(self, message, cancel):
        self.send_line(b"Loading checkpoint shards: 100%|####| 2/2\n")
        return super().evaluate(message, cancel)


class PartialLine(stub.Engine):
    def work(self, kind, message, cancel):
        self.send_line(b'{"type":"result","id":"1","out')
        self.leave()


class NoHeartbeat(stub.Engine):
    """Silent while it trains, then reports all at once."""

    heartbeat_s = 1e6

    def progress(self, identifier, state, **metrics):
        pass

    def train(self, message, state, cancel):
        cancel.wait(60)
        return super().train(message, state, cancel)


class WrongDigest(stub.Engine):
    def write_output(self, source, output, weights):
        answer = super().write_output(source, output, weights)
        answer["files"][-2]["sha256"] = "0" * 64
        return answer

    def write_items(self, identifier, answers):
        answer = super().write_items(identifier, answers)
        answer["items"]["sha256"] = "0" * 64
        return answer


class EarlyExit(stub.Engine):
    def work(self, kind, message, cancel):
        print("Traceback (most recent call last):\nMemoryError: tried to be a large model", file=sys.stderr)
        sys.stderr.flush()
        os._exit(7)


class IgnoresCancel(stub.Engine):
    """Also deaf to SIGTERM and to the end of its stdin, with a helper process that is no better."""

    def __init__(self):
        import signal

        super().__init__()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def receive(self, kind, message):
        if kind == "train":
            subprocess.Popen(["sleep", "600"], stdin=subprocess.DEVNULL)
        if kind != "cancel":
            super().receive(kind, message)

    def stop_all(self):
        if self.jobs:
            time.sleep(600)


class ExtraFile(stub.Engine):
    def write_output(self, source, output, weights):
        answer = super().write_output(source, output, weights)
        os.makedirs(os.path.join(output, "runs"))
        with open(os.path.join(output, "runs", "events.log"), "w") as file:
            file.write("left behind\n")
        return answer


class WrongProtocolVersion(stub.Engine):
    protocol = 2


class OversizedLine(stub.Engine):
    def work(self, kind, message, cancel):
        self.send({"type": "result", "id": message["id"], "padding": "x" * (1 << 20)})


class DuplicateItem(stub.Engine):
    def write_items(self, identifier, answers):
        return super().write_items(identifier, answers[:-1] + answers[:1])


class SymbolicLink(stub.Engine):
    def write_output(self, source, output, weights):
        answer = super().write_output(source, output, weights)
        os.remove(os.path.join(output, "config.json"))
        os.symlink(os.path.join(source, "config.json"), os.path.join(output, "config.json"))
        return answer


class ExitStatus(stub.Engine):
    """Answers well, then exits with a status of failure."""

    def leave(self):
        os._exit(4)


def main(fault):
    kinds = {kind.__name__.lower(): kind for kind in stub.Engine.__subclasses__()}
    kind = kinds[fault.replace("-", "")]
    kind.name = "broken-" + fault
    kind().serve()
