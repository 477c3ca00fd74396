"""What this machine lacks: programs that are installed, pip that is made importable."""

from __future__ import annotations

import glob
import importlib
import logging
import os
import shutil
import sys
from collections.abc import Sequence

import program
from address import redacted
from errors import MirrorError

PIP_WHEELS = "/usr/share/python-wheels/pip-*.whl"


def install(packages: Sequence[str], what: str) -> None:
    """Install Debian packages with apt-get, saying so.

    what: what they are for, for the errors. That package lists cannot all be updated is
    no error as long as the packages can be installed, as where one source is broken.
    Raises MirrorError where there is no apt-get, no right to use it, or it fails.
    """
    words = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise MirrorError(
            f"this machine lacks {what}, and apt-get to install it with: install it"
            " yourself, and run this again"
        )
    print(f"mirror: installing {words} with apt-get", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Another apt-get, such as a nightly upgrade, is waited for.
    options = ["-qq", "-y", "--no-install-recommends", "-oDPkg::Lock::Timeout=300"]
    command = ["apt-get", *options, "install", *packages]
    mend = f"apt-get install {words}"
    update = program.run(["apt-get", "-qq", "update"], mend, environment, merged=True)
    done = program.run(command, mend, environment, merged=True)
    if done.returncode != 0 and os.geteuid() != 0:
        raise MirrorError(
            f"this machine lacks {what}: run this as root once, or have root run"
            f" apt-get install {words}"
        )
    if done.returncode != 0:
        cause = program.cause(done.stdout)
        if update.returncode != 0:
            cause += f" (and apt-get update: {program.cause(update.stdout)})"
        raise MirrorError(
            f"apt-get could not install {words}: {redacted(cause)}: fix that, see"
            " /etc/apt/sources.list, and run this again"
        )


def import_pip() -> None:
    """Make pip importable: this Python's own, or the wheel that Debian ships alone.

    pip alone knows how this machine reaches PyPI: index, extra indexes, find-links,
    certificates, proxies, credentials (pip's documentation, "Configuration"). Its
    warnings, of retries for one, are silenced: what fails in the end is told here.
    Raises MirrorError where there is no pip and it cannot be installed.
    """
    logging.getLogger("pip").setLevel(logging.ERROR)
    if _imports_pip():
        return
    if not glob.glob(PIP_WHEELS):
        install(["python3-pip-whl"], "pip")
    sys.path += sorted(glob.glob(PIP_WHEELS))[-1:]
    importlib.invalidate_caches()
    if not _imports_pip():
        raise MirrorError("pip cannot be imported: apt-get install python3-pip-whl")


def _imports_pip() -> bool:
    try:
        importlib.import_module("pip")
    except ImportError:
        return False
    return True
