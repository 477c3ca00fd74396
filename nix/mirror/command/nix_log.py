"""Reads from Nix's log what a command is going to build, and what it tried to.

Nix answers this nowhere as data: `nix build --dry-run --json` prints derivations and
outputs of what was asked for, not of what that needs (2.8 to 2.26). To walk `nix
derivation show --recursive` and ask for the validity of each output would show what the
store lacks, but not what of it a binary cache has, without asking each cache as Nix
does. So the dry run's own list is taken; and where an evaluation has to build something
(Nix manual, "Import From Derivation") and that fails, the builds that it started.

The log is asked for as JSON (`--log-format internal-json`), one record a line: a build
is an activity that carries its derivation, and the list is one message for each path,
with nothing else in it. No word of any message is read.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from typing import Any, Optional

# Nix goes on after a build that failed, so that one answer has all that an evaluation
# wants built and cannot.
OPTIONS = ["--log-format", "internal-json", "--keep-going"]

# What a record's line begins with, and the type of a build among the activities
# (libutil/logging.hh, "actBuild").
PREFIX = "@nix "
BUILD = 105

# A path in the list of a dry run: a message of its own, indented.
LISTED = re.compile(r"\s+(/\S+\.drv)")

# Colours and other sequences for a terminal (ECMA-48, "CSI" and "OSC").
SEQUENCES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?)")


@dataclass(frozen=True)
class Answer:
    """What Nix says of a command.

    evaluated: whether it could say; unbuilt: the derivations that the command is going
    to build; started: those that the evaluation itself began to build; message: what
    Nix says to the user.
    """

    evaluated: bool
    unbuilt: list[str]
    started: list[str]
    message: str

    @classmethod
    def of(cls, done: "subprocess.CompletedProcess[str]") -> Answer:
        """Read what a command printed on standard error, run with OPTIONS."""
        listed: list[str] = []
        started: list[str] = []
        messages = []
        for line in done.stderr.split("\n"):
            record = read_record(line)
            if record is None:
                messages += [line] if line else []
            elif record.get("action") == "msg":
                text = SEQUENCES.sub("", str(record.get("msg")))
                messages.append(text)
                found = LISTED.fullmatch(text)
                listed += [found[1]] if found else []
            elif (record.get("action"), record.get("type")) == ("start", BUILD):
                fields = record.get("fields")
                started += map(str, fields[:1] if isinstance(fields, list) else [])
        return cls(
            done.returncode == 0,
            list(dict.fromkeys(listed)),
            list(dict.fromkeys(started)),
            "".join(f"{text}\n" for text in messages),
        )


def read_record(line: str) -> Optional[dict[str, Any]]:
    """The record in a line of the log; None where it is another program's, as git's.

    >>> read_record('@nix {"action":"stop","id":1}'), read_record("fatal: no")
    ({'action': 'stop', 'id': 1}, None)
    """
    if not line.startswith(PREFIX):
        return None
    try:
        record = json.loads(line[len(PREFIX) :])
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
