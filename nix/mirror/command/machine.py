"""What this machine has: apt's mirrors and proxies, missing programs, pip."""

from __future__ import annotations

import glob
import importlib
import logging
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence

from errors import MirrorError

PIP_WHEELS = "/usr/share/python-wheels/pip-*.whl"
SCHEMES = ("http://", "https://", "file:")


def install(packages: Sequence[str], reason: str) -> None:
    """Install Debian packages with apt-get, saying so.

    Raises MirrorError where there is no apt-get, or it fails.
    """
    words = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise MirrorError(f"{reason}: missing, and no apt-get is there to install it")
    print(f"mirror: installing {words} with apt-get", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages],
    ):
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            cause = (done.stdout.strip().splitlines() or ["no message"])[-1]
            hint = "" if os.geteuid() == 0 else " (run it as root)"
            raise MirrorError(f"{' '.join(command)} failed{hint}: {cause}")


def debian_mirrors(base: Mapping[str, str]) -> tuple[str, ...]:
    """The roots of Debian archives to try in order, each a URL that ends in "/".

    base: the environment; its MIRROR_DEBIAN, roots separated by spaces, stands before
    those that apt is configured with. apt itself reads its sources, in both file
    formats (apt-get(8), indextargets); sources on discs and the like are left out.
    Without release information it also tells those that no `apt-get update` has read yet.
    Raises MirrorError where there are none.
    """
    roots = base.get("MIRROR_DEBIAN", "").split()
    if shutil.which("apt-get"):
        done = subprocess.run(
            ["apt-get", "indextargets", "--no-release-info", "--format", "$(REPO_URI)"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for root in done.stdout.split():
            if root.startswith("copy:"):
                root = "file:" + root[len("copy:") :]
            if root.startswith(SCHEMES):
                roots.append(root)
    if not roots:
        raise MirrorError(
            "no Debian mirror is known: set MIRROR_DEBIAN to the URL of one"
        )
    return tuple(dict.fromkeys(root.rstrip("/") + "/" for root in roots))


def apt_proxies() -> dict[str, str]:
    """The HTTP proxies that apt is configured with, by scheme (apt.conf(5)).

    "" stands for none whatever the environment says ("DIRECT").
    """
    if shutil.which("apt-config") is None:
        return {}
    names = {"http": "Acquire::http::Proxy", "https": "Acquire::https::Proxy"}
    words = [word for scheme, name in names.items() for word in (scheme, name)]
    done = subprocess.run(
        ["apt-config", "shell", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    proxies = {}
    for assignment in shlex.split(done.stdout):
        scheme, _, value = assignment.partition("=")
        if value:
            proxies[scheme] = "" if value == "DIRECT" else value
    return proxies


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
