"""Takes the symbols out of a package's shared libraries that nothing looks up.

Linkers and debuggers read them; a process that loads a library reads those of its
dynamic section alone, which stay (elf(5), ".symtab" and ".dynsym"; strip(1),
--strip-unneeded). Many wheels have them: uvloop's are nine tenths of it.

A library whose parts were moved about, as auditwheel does when it repairs a wheel, can
become one that does not load. So each is loaded before and after, and stays as it was
where it did load and does not any more, or never did. One that refuses to load on this
machine's processor stays as it was, too, and would not on another.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ELF_MAGIC = b"\x7fELF"

# Loads libraries and names each that has been loaded, until one ends the process. What
# they print themselves goes nowhere.
LOAD = """
import ctypes, os, sys
answers = os.fdopen(os.dup(1), "w")
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
for line in sys.stdin.read().splitlines():
    try:
        ctypes.CDLL(line, mode=os.RTLD_NOW)
    except OSError:
        print("refused", line, file=answers, flush=True)
    else:
        print("loaded", line, file=answers, flush=True)
os._exit(0)
"""


def libraries(folder: Path) -> list[Path]:
    """The shared libraries below a folder, by name and content; links not followed."""
    return sorted(
        path
        for path in folder.rglob("*")
        if (path.suffix == ".so" or ".so." in path.name)
        and path.is_file()
        and not path.is_symlink()
        and is_elf(path)
    )


def is_elf(path: Path) -> bool:
    """Whether a file begins as ELF does."""
    with open(path, "rb") as file:
        return file.read(len(ELF_MAGIC)) == ELF_MAGIC


def loadable(paths: Sequence[Path]) -> set[Path]:
    """Those of the libraries that this Python can load, all their symbols found.

    They are loaded by another process; one that ends it counts as not loadable, and
    those after it are tried anew.
    """
    loaded: set[Path] = set()
    waiting = list(paths)
    while waiting:
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", LOAD],
            input="\n".join(map(str, waiting)),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            encoding="utf-8",
            errors="replace",
        )
        answers = [line.split(" ", 1) for line in done.stdout.splitlines()]
        loaded.update(Path(path) for answer, path in answers if answer == "loaded")
        # The one after the last answer has ended the process.
        waiting = waiting[len(answers) + 1 :]
    return loaded


def strip_libraries(paths: Iterable[Path], strip: Path) -> list[Path]:
    """Strip libraries in their places; returns those that have become smaller.

    strip: the program of that name, which leaves alone what it does not understand.
    """
    originals = loadable(list(paths))
    beside: dict[Path, Path] = {}
    for path in sorted(originals):
        # In the same folder, for libraries find others from where they lie.
        stripped = path.with_name(f".stripped-{path.name}")
        done = subprocess.run(
            [strip, "--strip-unneeded", "-o", stripped, path], stderr=subprocess.DEVNULL
        )
        written = done.returncode == 0 and stripped.exists()
        if written and stripped.stat().st_size < path.stat().st_size:
            beside[stripped] = path
        else:
            stripped.unlink(missing_ok=True)
    good = loadable(list(beside))
    changed = []
    for stripped, path in beside.items():
        if stripped in good:
            os.chmod(stripped, path.stat().st_mode & 0o7777)
            stripped.replace(path)
            changed.append(path)
        else:
            line = f"warning: {path.name} stays as it is: stripped, it does not load"
            print(line, file=sys.stderr)
            stripped.unlink()
    return changed
