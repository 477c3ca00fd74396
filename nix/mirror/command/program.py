"""Runs other programs; that one is absent or cannot start is one line for the user."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Optional

from errors import MirrorError


def run(
    words: Sequence[str],
    mend: str,
    environment: Optional[Mapping[str, str]] = None,
    merged: bool = False,
) -> "subprocess.CompletedProcess[str]":
    """Run a program without input, and keep what it prints.

    mend: the end of the error's line, what to do where there is no such program.
    environment: to run it in, instead of this process's; merged: take its errors into
    its output, in the order in which it printed both.
    Raises MirrorError where it cannot be started; its exit status is not looked at.
    """
    try:
        return subprocess.run(
            list(words),
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
    except FileNotFoundError:
        raise MirrorError(f"no {words[0]} on this machine: {mend}") from None
    except OSError as error:
        raise MirrorError(
            f"{words[0]} cannot be run ({error.strerror}): {mend}"
        ) from None


def cause(text: str) -> str:
    """The line of a program's output that says why it failed.

    That is the last one that calls itself an error, else the last one.

    >>> cause("warning: odd\\nerror: disk full\\n(use '--show-trace' for more)")
    'error: disk full'
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("error:", "E:"))]
    return (errors or lines or ["no message"])[-1]
