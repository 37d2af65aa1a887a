"""Pawl's PyTorch engine: SDFT and SFT with TRL, evaluation with transformers."""

NAME = "trl"
VERSION = "1.0.0"
PROTOCOL = 1
