"""Derivations in a Nix store: what they build, and whether they build it twice alike."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Optional

from setting import NotReproducible, Setting, tail

OUTPUT = re.compile(r'\("[^"]*","(?P<path>[^"]*)","(?P<algorithm>[^"]*)","[^"]*"\)')
NOT_DETERMINISTIC = re.compile(
    r"derivation '(?P<derivation>[^']+)' may not be deterministic: "
    r"output '(?P<output>[^']+)' differs from '(?P<kept>[^']+)'"
)
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


class Difference(NamedTuple):
    """One output of a derivation, in the store and as another build made it."""

    derivation: str
    output: str
    kept: str


def outputs(derivation: str) -> list[tuple[str, str]]:
    """The outputs of a derivation's text, each with the algorithm of its hash.

    That is empty where the output is not fixed before. Source: Nix, ATerm format of
    derivations.

    >>> outputs('Derive([("out","/nix/store/x","",""),("dev","/y","r:sha256","0")],[])')
    [('/nix/store/x', ''), ('/y', 'r:sha256')]
    """
    listed = derivation.partition("[")[2].partition("]")[0]
    return [(found["path"], found["algorithm"]) for found in OUTPUT.finditer(listed)]


class Derivation(NamedTuple):
    """A derivation, and what it builds."""

    path: str
    outputs: tuple[str, ...]
    fixed: bool

    @classmethod
    def read(cls, path: str) -> Derivation:
        """The derivation in the file `path`."""
        found = outputs(Path(path).read_text())
        return cls(
            path, tuple(output for output, _ in found), any(fixed for _, fixed in found)
        )

    def is_built(self) -> bool:
        """Whether the store has all that it builds."""
        return all(map(os.path.exists, self.outputs))


def closure(setting: Setting, roots: Sequence[str]) -> list[Derivation]:
    """The derivations that these derivations need, in the order of their building."""
    found = setting.run("nix-store", "--query", "--requisites", *roots).split()
    return [Derivation.read(path) for path in found if path.endswith(".drv")]


def differences(said: str) -> list[Difference]:
    """The outputs that `nix-store --realise --check --keep-failed` found to differ."""
    found = NOT_DETERMINISTIC.finditer(ESCAPE.sub("", said))
    return list(dict.fromkeys(Difference(*match.groups()) for match in found))


def build_again(setting: Setting, derivations: Sequence[str]) -> list[Difference]:
    """Build once more what the store has, and compare byte for byte.

    Returns what differs; the other builds' outputs are kept for `forget`. Raises
    NotReproducible where a build fails. Source: Nix manual, "Verifying Build
    Reproducibility".
    """
    flags = ("--realise", "--check", "--keep-going", "--keep-failed")
    done = setting.start("nix-store", *flags, *derivations)
    found = differences(done.stderr)
    if done.returncode != 0 and not found:
        raise NotReproducible(f"nix-store --realise --check: {tail(done.stderr)}")
    return found


def forget(kept: str) -> None:
    """Remove what `build_again` kept of an output; the store does not know it.

    Where a daemon has written it, that is root's to do, and said on standard error.
    """
    path = Path(kept)
    if not path.name.endswith(".check"):
        raise ValueError(f"{kept} is none of Nix's names for another build's output")
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except PermissionError:
        print(f"reproducibility: left there: sudo rm -r {kept}", file=sys.stderr)


def builders_view(setting: Setting, probe: Optional[str]) -> dict[str, str]:
    """What a builder sees of a setting, by the words that the probe's builder prints.

    probe: a derivation whose builder prints a line `settings: NAME=VALUE ...`. Raises
    NotReproducible where it does not.
    """
    if probe is None:
        return {}
    setting.run("nix-store", "--realise", probe)
    done = setting.start("nix-store", "--realise", "--check", probe)
    for line in done.stderr.splitlines():
        _, there, words = line.partition("settings: ")
        if done.returncode == 0 and there:
            return dict(word.split("=", 1) for word in words.split())
    raise NotReproducible(f"{probe}: {tail(done.stderr)}")
