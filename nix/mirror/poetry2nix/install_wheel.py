"""Installs one wheel under a prefix, with pypa's installer."""

from __future__ import annotations

import argparse
import os
import sys
import zipfile
from pathlib import Path

from installer import install
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

# Replaced by link_environment.py with the environment's own interpreter.
INTERPRETER = "/environment/bin/python"


def scheme(prefix: Path, distribution: str) -> dict[str, str]:
    """Where the parts of a wheel go (PEP 427, sysconfig's scheme "posix_prefix")."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site_packages = str(prefix / "lib" / version / "site-packages")
    return {
        "purelib": site_packages,
        "platlib": site_packages,
        "scripts": str(prefix / "bin"),
        "data": str(prefix),
        "headers": str(prefix / "include" / version / distribution),
    }


def install_wheel(wheel: Path, name: str, prefix: Path) -> None:
    """Install the wheel file `wheel`, called `name` on its index, below `prefix`.

    The wheel's own RECORD is checked for every file (PEP 376); byte code is left to the
    caller, so that it can be made reproducibly.
    """
    with zipfile.ZipFile(wheel) as archive:
        source = WheelFile(archive)
        source.validate_record()
        destination = SchemeDictionaryDestination(
            scheme(prefix, source.distribution),
            interpreter=INTERPRETER,
            script_kind="posix",
        )
        install(source, destination, additional_metadata={"INSTALLER": b"installer\n"})


def main() -> int:
    """Install under the wheel's own name, which the Nix store's path lacks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("wheel", type=Path)
    parser.add_argument("prefix", type=Path)
    parser.add_argument("--name", required=True)
    arguments = parser.parse_args()
    link = Path(os.environ.get("TMPDIR", "/tmp")) / arguments.name
    link.symlink_to(arguments.wheel)
    install_wheel(link, arguments.name, arguments.prefix)
    return 0


if __name__ == "__main__":
    sys.exit(main())
