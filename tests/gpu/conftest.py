"""Fixtures of the trainer's tests, for what needs an accelerator."""

from tests.trainer.conftest import world

__all__ = ["world"]
