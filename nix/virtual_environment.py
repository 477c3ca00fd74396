"""Writes a virtual environment (PEP 405) with copies of installed distributions."""

from __future__ import annotations

import argparse
import shutil
import sys
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path, PurePosixPath

LAUNCHER = """\
#!{interpreter}
import sys

from {module} import {first}

if __name__ == "__main__":
    sys.exit({callable}())
"""


def copy_files(distribution: Distribution, site_packages: Path) -> None:
    """Copy a distribution's files that its RECORD lists within site-packages.

    Byte code is left out: it names the folder that it was compiled for.
    """
    for file in distribution.files or []:
        inside = PurePosixPath(file)
        if inside.is_absolute() or ".." in inside.parts or inside.suffix == ".pyc":
            continue
        source = Path(str(distribution.locate_file(file)))
        if not source.is_file():
            continue
        target = site_packages / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
        if source.stat().st_mode & 0o111:
            target.chmod(0o755)


def write_launcher(entry: EntryPoint, folder: Path, interpreter: str) -> None:
    """Write the script of a `console_scripts` entry point (PyPA, "Entry points")."""
    module, _, name = entry.value.partition("[")[0].partition(":")
    script = folder / entry.name
    script.write_text(
        LAUNCHER.format(
            interpreter=interpreter,
            module=module.strip(),
            first=name.strip().split(".")[0],
            callable=name.strip(),
        )
    )
    script.chmod(0o755)


def main() -> int:
    """Write the environment; returns the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=Path)
    parser.add_argument("--site-packages", type=Path, required=True)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--location", required=True)
    arguments = parser.parse_args()
    target: Path = arguments.target
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site_packages = target / "lib" / version / "site-packages"
    binaries = target / "bin"
    site_packages.mkdir(parents=True)
    binaries.mkdir()
    for name in ("python", "python3", version):
        (binaries / name).symlink_to(arguments.python)
    for distribution in distributions(path=[str(arguments.site_packages)]):
        copy_files(distribution, site_packages)
        for entry in distribution.entry_points:
            if entry.group == "console_scripts":
                write_launcher(entry, binaries, f"{arguments.location}/bin/python")
    (target / "pyvenv.cfg").write_text(
        f"home = {arguments.python.parent}\n"
        "include-system-site-packages = false\n"
        f"version = {'.'.join(map(str, sys.version_info[:3]))}\n"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
