"""Other programs."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import program as programs_module
import pytest
from errors import MirrorError

Program = Callable[[str, str], Path]


def test_output_is_kept(program: Program) -> None:
    program("one", "print(os.environ['A']); sys.exit('odd')")
    done = programs_module.run(["one"], "mend", {**os.environ, "A": "a"})
    assert (done.returncode, done.stdout, done.stderr) == (1, "a\n", "odd\n")
    program("two", "os.write(1, b'\\xff'); os.write(2, b'odd')")
    assert programs_module.run(["two"], "mend", merged=True).stdout == "\ufffdodd"


def test_a_program_that_is_not_there(programs: Path) -> None:
    with pytest.raises(MirrorError, match="^no one on this machine: install it$"):
        programs_module.run(["one"], "install it")


def test_a_program_that_cannot_be_run(programs: Path) -> None:
    (programs / "one").write_text("no program")
    (programs / "one").chmod(0o755)
    with pytest.raises(MirrorError, match="^one cannot be run .Exec format.*: install"):
        programs_module.run(["one"], "install it")


@pytest.mark.parametrize(
    "text, cause",
    [
        ("", "no message"),
        ("a\nb\n\n", "b"),
        ("E: one\nW: odd\n", "E: one"),
        ("error: a\n       error: b\n(use it)", "error: b"),
    ],
)
def test_the_cause_in_what_a_program_printed(text: str, cause: str) -> None:
    assert programs_module.cause(text) == cause
