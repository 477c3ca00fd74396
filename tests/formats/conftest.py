"""The modules under test on the path."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import settings

sys.dont_write_bytecode = True
sys.path[:0] = [
    str(Path(__file__).parent),
    str(Path(__file__).parents[2] / "nix/formats"),
]

settings.register_profile("unhurried", database=None, deadline=None)
settings.load_profile("unhurried")
