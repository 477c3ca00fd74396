"""Which Nix this machine has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Optional

import program
from errors import MirrorError

# The oldest that this project works with: flakes that swap inputs by `path:`.
OLDEST = (2, 8)


def parse(text: str) -> Optional[tuple[int, int]]:
    """The version that `nix --version` prints, None where it prints none.

    What forks call themselves stands before the version of Nix that they speak for.

    >>> parse("nix (Nix) 2.26.0pre20250101_abc"), parse("nix (Other Nix 3.6.2) 2.29.0")
    ((2, 26), (2, 29))
    """
    found = re.findall(r"(?<![0-9.])([0-9]{1,9})\.([0-9]{1,9})", text)
    return (int(found[-1][0]), int(found[-1][1])) if found else None


def check(environment: Mapping[str, str]) -> None:
    """Raise MirrorError where this machine's Nix is too old, or there is none.

    environment: in which it runs. A newer one than was tried is none of our business.
    """
    done = program.run(["nix", "--version"], "apt-get install nix-bin", environment)
    version = parse(done.stdout)
    if version is not None and version < OLDEST:
        found, oldest = (".".join(map(str, one)) for one in (version, OLDEST))
        raise MirrorError(
            f"this machine's Nix is {found}, and {oldest} or newer is needed: install"
            " a newer nix-bin, such as from the next Debian release"
        )
