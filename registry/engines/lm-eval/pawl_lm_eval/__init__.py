"""An evaluator plug-in: suites that are tasks of EleutherAI's evaluation harness (lm-eval)."""

NAME = "lm-eval"
VERSION = "1.0.0"
PROTOCOL = 1
