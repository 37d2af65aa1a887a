"""How tools/check-reliability disturbs an operation: a kill, a full disk, a write that fails or is torn."""

import collections
import json
import os
import shutil
import signal
import subprocess
import time

from check_support import Violation

from reliability.site import require

HERE = os.path.dirname(os.path.abspath(__file__))
MEGABYTE = 1 << 20


class Run:
    """A command, perhaps with a second process beside it."""

    def __init__(self, trial, environment=None, with_companion=False):
        self.trial, self.world = trial, trial.world
        self.companion = None
        if with_companion:
            command, self.expected = trial.companion()
            self.companion = self.world.start(command)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            trial.command(), cwd=self.world.root, env={**self.world.environment, **(environment or {})},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def kill(self, after):
        try:
            self.process.wait(timeout=after)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)

    def end(self):
        """Exit status, stdout, stderr; the second process must have ended well."""
        out, error = self.process.communicate(timeout=300)
        self.seconds = time.monotonic() - self.began
        if self.companion:
            beside, message = self.companion.communicate(timeout=300)
            require(self.companion.returncode in self.expected, "the second process (%s): exit status %d\n%s%s" % (
                self.companion.args[1], self.companion.returncode, beside.decode()[-2000:], message.decode()[-2000:]))
        return self.process.returncode, out.decode(), error.decode()


class Kills:
    """SIGKILL at an instant drawn evenly from the time that the operation takes."""

    title = "kills"

    def __init__(self, site):
        self.site, self.hits = site, collections.Counter()

    def run(self, generator, directory):
        operation = self.site.draw(generator)
        trial = self.site.trial(operation, directory, generator)
        beside = trial.may_have_companion and generator.random() < 0.5
        run = Run(trial, with_companion=beside)
        run.kill(generator.uniform(0, 1.1 * self.site.seconds[operation, beside]))
        status, out, error = run.end()
        if status != -signal.SIGKILL:
            require(status == 0, "%s, not killed: exit status %d\n%s" % (operation, status, error[-3000:]))
            # The speed of the moment, so that the instants stay spread over the operation.
            known = self.site.seconds[operation, beside]
            self.site.seconds[operation, beside] = (known + run.seconds) / 2
        else:
            self.site.seconds[operation, beside] *= 1.02
        trial.after(status, out)
        name = operation + (" with a second process" if beside else "")
        self.hits[name if status else "after the end"] += 1


class FullDisk:
    """A small tmpfs that fills up; where mounting is not allowed, ENOSPC after so many bytes."""

    title = "full disk"

    def __init__(self, site, library):
        self.site, self.library, self.hits = site, library, collections.Counter()
        self.mount = os.path.join(site.world.root, "full")
        os.makedirs(self.mount)
        self.is_mounted = self.try_mount()
        self.room = {}

    def try_mount(self):
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "none", self.mount], capture_output=True)
        return done.returncode == 0

    def close(self):
        if self.is_mounted:
            subprocess.run(["umount", self.mount], check=True)
            self.is_mounted = False

    def resize(self, size):
        subprocess.run(["mount", "-o", "remount,size=%d" % size, self.mount], check=True)

    def used(self):
        status = os.statvfs(self.mount)
        return (status.f_blocks - status.f_bfree) * status.f_frsize

    def measure(self, operation, generator):
        """Bytes that the operation needs at its end, and those it writes."""
        if operation not in self.room:
            directory = os.path.join(self.mount, "measure")
            trial = self.site.trial(operation, directory, generator)
            log, before = os.path.join(self.site.world.root, "count"), self.used()
            run = Run(trial, self.library.environment(self.mount, "count", log))
            status, _, error = run.end()
            require(status == 0, "%s, undisturbed: exit status %d\n%s" % (operation, status, error[-3000:]))
            written = self.library.read(log)[2]
            self.room[operation] = (max(self.used() - before, written // 2, MEGABYTE // 4), written)
            remove(directory)
        return self.room[operation]

    def run(self, generator, directory):
        operation = self.site.draw(generator)
        room, written = self.measure(operation, generator)
        directory = os.path.join(self.mount, os.path.basename(directory))
        trial = self.site.trial(operation, directory, generator)
        environment = None
        if self.is_mounted:
            self.resize(self.used() + 4096 + int(generator.uniform(0, 1.05 * room)))
        else:
            fault = "enospc:%d" % int(generator.uniform(0, written))
            environment = self.library.environment(self.mount, fault, os.devnull)
        status, out, error = Run(trial, environment).end()
        if self.is_mounted:
            self.resize(64 * MEGABYTE)
        require(status in (0, 1), "%s on a full disk: exit status %d\n%s" % (operation, status, error[-3000:]))
        if status:
            require("No space left" in error or "full" in error, "the error does not say why: %s" % error[-3000:])
        trial.after(status, out)
        remove(directory)
        self.hits[operation if status else "enough room"] += 1


class Torn:
    """One write that fails, is cut short, or is torn and followed by a power cut; one fsync that fails."""

    title = "failing and torn writes"
    modes = ("eio", "torn", "short", "fsync")

    def __init__(self, site, library):
        self.site, self.library, self.hits = site, library, collections.Counter()
        self.calls = {}

    def measure(self, operation, generator, directory):
        if operation not in self.calls:
            trial = self.site.trial(operation, directory + "-measure", generator)
            log = os.path.join(self.site.world.root, "count")
            run = Run(trial, self.library.environment(directory, "count", log))
            status, _, error = run.end()
            require(status == 0, "%s, undisturbed: exit status %d\n%s" % (operation, status, error[-3000:]))
            self.calls[operation] = self.library.read(log)[:2]
            remove(directory + "-measure")
        return self.calls[operation]

    def run(self, generator, directory):
        operation = self.site.draw(generator)
        calls, syncs = self.measure(operation, generator, directory)
        mode = generator.choice(self.modes)
        at = generator.randint(1, max(1, syncs if mode == "fsync" else calls))
        fault = "%s:%d:%d" % (mode, at, generator.randrange(100))
        trial = self.site.trial(operation, directory, generator)
        log = os.path.join(self.site.world.root, "hit")
        if os.path.exists(log):
            os.remove(log)
        status, out, error = Run(trial, self.library.environment(directory, fault, log)).end()
        hit = open(log, encoding="utf-8").read().strip() if os.path.exists(log) else ""
        place = "%s, %s (%s)" % (operation, fault, hit)
        allowed = {"torn": (0, -signal.SIGKILL), "short": (0,)}.get(mode, (0, 1, 12))
        require(status in allowed, "%s: exit status %d\n%s" % (place, status, error[-3000:]))
        if mode == "fsync" and hit and self.must_be_durable(hit.split(" ", 1)[1]):
            require(status != 0, "%s: the failure of an fsync was not noticed" % place)
        try:
            trial.after(status, out)
        except Violation as violation:
            raise Violation("%s: %s" % (place, violation)) from None
        self.hits[mode if hit else "not reached"] += 1

    @staticmethod
    def must_be_durable(path):
        """SQLite's own files are its affair: it may write a page again."""
        return any("/%s" % part in path for part in ("objects", "tensors", "staging", "out")) and "pawl.db" not in path


class Library:
    """tools/reliability/faults.c, compiled."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "faults.so")
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("clang")
        require(compiler, "no C compiler: set CC")
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", self.path, os.path.join(HERE, "faults.c"), "-ldl"],
                       check=True)

    def environment(self, root, fault, log):
        if os.path.exists(log) and log != os.devnull:
            os.remove(log)
        return {"LD_PRELOAD": self.path, "PAWL_FAULT_ROOT": root, "PAWL_FAULT": fault, "PAWL_FAULT_LOG": log}

    @staticmethod
    def read(log):
        """Changing calls, syncs and bytes of an undisturbed run."""
        with open(log, encoding="utf-8") as file:
            return [int(word) for word in file.read().split()[-3:]]


def remove(directory):
    """Removes a directory, those in it that nobody may write to included."""
    for folder, _, _ in os.walk(directory):
        os.chmod(folder, 0o700)
    shutil.rmtree(directory, ignore_errors=True)
