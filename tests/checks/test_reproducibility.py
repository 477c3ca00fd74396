"""Which derivations can be built again, and what is said where one is not the same."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest
import reproducibility
from reproducibility import NotReproducible, Setting, can_be_checked

SETTING = Setting("a", 0o077, 1, {"TZ": "Asia/Tokyo"})


def test_examples() -> None:
    result = doctest.testmod(reproducibility)
    assert result.attempted and not result.failed


def test_fixed_and_unbuilt_outputs_are_left_out(tmp_path: Path) -> None:
    derivation = tmp_path / "x.drv"
    there = tmp_path / "there"
    there.touch()
    derivation.write_text(f'Derive([("out","{there}","","")],[],[],"x")')
    assert can_be_checked(derivation)
    derivation.write_text(f'Derive([("out","{there}","sha256","00")],[],[],"x")')
    assert not can_be_checked(derivation)
    derivation.write_text(f'Derive([("out","{there}-not","","")],[],[],"x")')
    assert not can_be_checked(derivation)


def test_commands_run_under_the_setting(tmp_path: Path) -> None:
    said = SETTING.run("sh", "-c", 'umask; echo "$TZ"; pwd', cwd=tmp_path)
    assert said.split() == ["0077", "Asia/Tokyo", str(tmp_path)]


def test_another_output_is_said_with_the_command_that_shows_it() -> None:
    message = "derivation '/x.drv' may not be deterministic: output '/y' differs"
    with pytest.raises(NotReproducible, match="--keep-failed /x.drv, then diffoscope"):
        SETTING.run("sh", "-c", f'echo "error: {message}" >&2; exit 104')
