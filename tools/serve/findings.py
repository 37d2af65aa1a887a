"""What checks found: a line for each, and the exit status in the end."""

import sys
import time


class Findings:
    def __init__(self):
        self.failed = 0
        self.passed = 0
        self.start = time.monotonic()

    def check(self, holds: bool, what: str, detail: object = "") -> bool:
        """Counts one check; what failed is printed with its detail."""
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED  {what}: {detail}", flush=True)
        return holds

    def section(self, name: str) -> None:
        print(f"== {name} ({time.monotonic() - self.start:.0f} s)", flush=True)

    def say(self, text: str) -> None:
        print(f"   {text}", flush=True)

    def exit(self) -> None:
        print(f"{self.passed} passed, {self.failed} failed")
        sys.exit(1 if self.failed else 0)
