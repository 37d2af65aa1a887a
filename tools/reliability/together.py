"""Ten processes at once on one registry."""

import os
import subprocess
import threading
import time

from reliability.site import read_tree, require

BUSY = 11


class Together:
    """Readers, a registration, an import, collections, a repack and verifications: no error, no lost object."""

    title = "ten processes at once"

    def __init__(self, site):
        self.site, self.world = site, site.world
        self.hits = {}
        self.lock = threading.Lock()

    def run(self, generator, directory):
        trial = self.site.trial("import", directory, generator)
        self.registry, self.failures = trial.registry, []
        self.is_over = threading.Event()
        writers = [self.world.register(self.registry, "gamma", "accept", delay_ms=20), trial.command(),
                   self.world.command(self.registry, "gc", "--delete", "--grace", "0")]
        if "repack" in self.site.operations:
            writers.append(self.world.command(self.registry, "repack", "--quiet"))
        readers = [self.reading("export", self.site.imported), self.reading("export", self.site.main),
                   self.reading("export", self.site.base), self.reading("verify"), self.reading("verify"),
                   self.reading("status"), self.reading("gc")]
        threads = [threading.Thread(target=self.write, args=(command,)) for command in writers]
        others = [threading.Thread(target=self.read, args=(number, arguments))
                  for number, arguments in enumerate(readers[:10 - len(writers)])]
        for thread in threads + others:
            thread.start()
        for thread in threads:
            thread.join()
        self.is_over.set()
        for thread in others:
            thread.join()
        require(not self.failures, "\n".join(self.failures[:5]))
        trial.check_sound()
        added = [entry["kind"] for entry in self.site.entries(self.registry)[len(self.site.journal):]]
        require(added.count("promotion") == 1 and added.count("import") == 1, "after all of them: %s" % added)
        for checkpoint in (self.site.base, self.site.main, self.site.imported):
            trial.check_export(checkpoint, self.site.true[checkpoint])

    @staticmethod
    def reading(*arguments):
        return arguments

    def count(self, name):
        with self.lock:
            self.hits[name] = self.hits.get(name, 0) + 1

    def end(self, command):
        done = subprocess.run(command, cwd=self.world.root, env=self.world.environment, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=300)
        return done.returncode, (done.stdout + done.stderr).decode()[-3000:]

    def write(self, command):
        """One that takes the lease waits for its turn; being told who has it is no error."""
        while True:
            status, text = self.end(command)
            self.count(command[1])
            if status != BUSY:
                if status:
                    self.failures.append("%s: exit status %d\n%s" % (" ".join(command[1:4]), status, text))
                return
            time.sleep(0.05)

    def read(self, number, arguments):
        out = os.path.join(os.path.dirname(self.registry), "out-%d" % number)
        extra = (out,) if arguments[0] == "export" else ()
        command = self.world.command(self.registry, *arguments, *extra, "--json")
        while not self.is_over.is_set():
            status, text = self.end(command)
            self.count(arguments[0])
            if status:
                self.failures.append("%s: exit status %d\n%s" % (" ".join(arguments), status, text))
                return
            if extra:
                content = read_tree(out)
                subprocess.run(["rm", "-rf", out], check=True)
                if content != self.site.true[arguments[1]]:
                    self.failures.append("export of %s: wrong bytes" % arguments[1])
                    return
