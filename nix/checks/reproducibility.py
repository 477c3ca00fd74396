"""Proves that images do not depend on where, by whom and how often they are built.

Two clones of the repository, in different folders and under different settings of the
user and of the machine, have to give the same derivations. Then every derivation on the
way to the images is built once more under the settings of each, and Nix compares what
comes out with what the store has, byte for byte (`nix-store --realise --check`).

Source: Nix manual, "Verifying Build Reproducibility".
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

OUTPUT = re.compile(r'\("[^"]*","(?P<path>[^"]*)","(?P<algorithm>[^"]*)","[^"]*"\)')
NOT_DETERMINISTIC = re.compile(r"derivation '([^']+)' may not be deterministic")


class NotReproducible(Exception):
    """The images depend on something; the message is one line that says on what."""


@dataclass(frozen=True)
class Setting:
    """How one of the clones is made and built: its folder, the umask, variables."""

    folder: str
    umask: int
    cores: int
    variables: dict[str, str]

    def run(self, *words: str, cwd: Optional[Path] = None) -> str:
        """Run a command so; returns its standard output. Raises NotReproducible."""
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **self.variables},
            umask=self.umask,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if done.returncode != 0:
            found = NOT_DETERMINISTIC.findall(done.stderr)
            if found:
                raise NotReproducible(
                    f"another build gives other bytes: {', '.join(found)}; compare them: "
                    f"nix-store --realise --check --keep-failed {found[0]}, then diffoscope"
                )
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise NotReproducible(f"{' '.join(words[:4])}: {last}")
        return done.stdout


SETTINGS = (
    Setting(
        "a",
        0o077,
        1,
        {"TZ": "Asia/Tokyo", "LANG": "C", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
    ),
    Setting(
        "another-folder/with/a-longer-name",
        0o002,
        2,
        {"TZ": "America/Lima", "LANG": "C.UTF-8", "LC_ALL": "", "PYTHONHASHSEED": "2"},
    ),
)


def outputs(derivation: str) -> list[tuple[str, str]]:
    """The outputs of a derivation's text, each with the algorithm of its hash.

    That is empty where the output is not fixed before. Source: Nix, ATerm format of
    derivations.

    >>> outputs('Derive([("out","/nix/store/x","",""),("dev","/y","r:sha256","0")],[])')
    [('/nix/store/x', ''), ('/y', 'r:sha256')]
    """
    listed = derivation.partition("[")[2].partition("]")[0]
    return [(found["path"], found["algorithm"]) for found in OUTPUT.finditer(listed)]


def can_be_checked(derivation: Path) -> bool:
    """Whether the store has what the derivation builds, and it is not fixed before."""
    found = outputs(derivation.read_text())
    return all(not fixed and os.path.exists(path) for path, fixed in found)


def derivations(setting: Setting, folder: Path, images: Sequence[str]) -> list[str]:
    """What the images are built of, asked for in a clone."""
    flags = ("path-info", "--derivation")
    wanted = [f".#{image}" for image in images]
    found = setting.run("./mirror", "nix", *flags, *wanted, cwd=folder).split()
    return sorted(found)


def check(images: Sequence[str]) -> int:
    """Compare; returns how many derivations were built again. Raises NotReproducible."""
    with tempfile.TemporaryDirectory() as scratch:
        found = []
        for setting in SETTINGS:
            clone = Path(scratch, setting.folder)
            setting.run("git", "clone", "--quiet", ".", str(clone))
            found.append(derivations(setting, clone, images))
            links = [f".#{image}" for image in images]
            setting.run("./mirror", "nix", "build", "--no-link", *links, cwd=clone)
        if found[0] != found[1]:
            raise NotReproducible(
                f"two clones give different derivations: {found[0]}, {found[1]}"
            )
    closure = SETTINGS[0].run("nix-store", "--query", "--requisites", *found[0])
    again = [
        path
        for path in closure.split()
        if path.endswith(".drv") and can_be_checked(Path(path))
    ]
    for setting in SETTINGS:
        cores = ("--option", "cores", str(setting.cores))
        setting.run("nix-store", "--realise", "--check", *cores, *again)
        print(f"{len(again)} derivations built again: the same bytes", flush=True)
    return len(again)


def main(words: Optional[Sequence[str]] = None) -> int:
    """Check the images; returns 1 with one line on standard error where they differ.

    words: the arguments, by default those of the process: names of images.
    """
    parser = argparse.ArgumentParser(prog="reproducibility", description=__doc__)
    parser.add_argument("images", nargs="*", default=["app-example"], metavar="IMAGE")
    arguments = parser.parse_args(words)
    try:
        check(arguments.images)
    except NotReproducible as error:
        print(f"reproducibility: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
