"""Byte-compiles a folder so that every build gives the same bytes.

What makes byte code differ from build to build is the hash seed (the order of sets),
and which strings the compiling process had already interned (marshal marks objects that
are referred to more than once). So the seed is fixed, and each process compiles its
share of the sorted files in order; the shares do not depend on the number of cores.

Hashes in the files are "unchecked" (PEP 552): nothing in the store ever changes, so
nothing is looked up again at import.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from py_compile import PycInvalidationMode
from py_compile import compile as compile_module
from typing import Optional

SHARES = 4
MODES = {
    "unchecked": PycInvalidationMode.UNCHECKED_HASH,
    "checked": PycInvalidationMode.CHECKED_HASH,
}


def compile_share(
    folder: Path, share: int, mode: str, without: Sequence[str] = ()
) -> None:
    """Compile every SHARES-th module below `folder`, beginning with number `share`.

    without: shell patterns of the paths below `folder` of modules to leave alone.

    A file that is no Python of this version is left alone, as pip and compileall do,
    and a module that lies beside itself as an extension module: Python imports that one
    (FileFinder in importlib's reference, "Setting up an importer").
    """
    modules = sorted(
        path
        for path in folder.rglob("*.py")
        if path.is_file()
        and not any(fnmatch(str(path.relative_to(folder)), each) for each in without)
    )
    for module in modules[share::SHARES]:
        if any(module.with_suffix(suffix).exists() for suffix in EXTENSION_SUFFIXES):
            continue
        compile_module(str(module), invalidation_mode=MODES[mode], quiet=2)


def main(words: Optional[Sequence[str]] = None) -> int:
    """Compile the folder in processes of one share each; returns the exit status.

    words: the arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--mode", choices=sorted(MODES), default="unchecked")
    parser.add_argument("--without", action="append", default=[], metavar="PATTERN")
    parser.add_argument("--share", type=int)
    arguments = parser.parse_args(words)
    if arguments.share is not None:
        compile_share(
            arguments.folder, arguments.share, arguments.mode, arguments.without
        )
        return 0
    own = [sys.executable, "-s", "-B", "-W", "ignore", __file__]
    own += ["--mode", arguments.mode]
    own += [f"--without={pattern}" for pattern in arguments.without]
    # Python's isolated mode (-I) would ignore the seed as well.
    clean = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
    clean["PYTHONHASHSEED"] = "0"
    waiting = list(range(SHARES))
    while waiting:
        batch = waiting[: max(arguments.jobs, 1)]
        del waiting[: len(batch)]
        processes = [
            subprocess.Popen(
                [*own, "--share", str(share), str(arguments.folder)], env=clean
            )
            for share in batch
        ]
        if any([process.wait() for process in processes]):
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
