"""The peers: images that `docker build` makes of the same application.

Both stand on one slim Debian root with Debian's own Python.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import tomli
from daemon import MadeImages, build
from programs import given, run
from measurement import BenchError

ROOT_IMAGE = "bench-debian-slim"
# What Debian's own slim images leave out.
SLIM = [
    "usr/share/doc/*",
    "usr/share/groff/*",
    "usr/share/info/*",
    "usr/share/linda/*",
    "usr/share/lintian/*",
    "usr/share/locale/*",
    "usr/share/man/*",
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
    "var/log/*.log",
]

# The programs that the peers' images are made with.
PROGRAMS = ("debootstrap", "docker", "tar")


@dataclass(frozen=True)
class Peer:
    """One peer. label: what the table calls it; image: what Docker calls it.

    succeeded: whether it is made the way this project's predecessors are, so that the
    aims are ratios to it.
    """

    label: str
    image: str
    dockerfile: str
    succeeded: bool

    def aim(self, text: str) -> str:
        """The aim, for the peer that has aims."""
        return text if self.succeeded else ""


POETRY = Peer("Poetry's Dockerfile", "bench-poetry", "poetry.Dockerfile", True)
PIP = Peer("pip's Dockerfile, optimised", "bench-pip", "pip.Dockerfile", False)
PEERS = (POETRY, PIP)

# What Poetry's own environment is installed from; the index has no more than is locked.
POETRY_LOCK = Path("nix/poetry/poetry.lock")
POETRY_PACKAGES = ("poetry", "poetry-plugin-pypi-mirror")

DISTRIBUTIONS = """
import importlib.metadata
for found in importlib.metadata.distributions():
    print(found.metadata["Name"] + "==" + found.version)
"""


def suite() -> str:
    """Debian's release that has the images' Python."""
    sets = tomli.loads(Path("nix/mirror/debian/sets.toml").read_text())
    return str(sets["python39"]["suite"])


def mirrors() -> tuple[str, ...]:
    """The Debian archives that this machine's apt, or MIRROR_DEBIAN, names.

    Raises BenchError where there is none.
    """
    script = (
        "import os, apt_configuration as apt;"
        "print(*apt.debian_mirrors(os.environ), sep='\\n')"
    )
    path = str(Path("nix/mirror/command").absolute())
    found = run(sys.executable, "-c", script, more={"PYTHONPATH": path}).split()
    if not found:
        raise BenchError("apt's sources name no archive of Debian: set MIRROR_DEBIAN")
    return tuple(found)


def make_root_image(images: MadeImages) -> str:
    """Make a slim Debian root a Docker image; returns its name."""
    name = f"{ROOT_IMAGE}:{suite()}"
    archives = mirrors()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch, "root")
        run("debootstrap", "--variant=minbase", suite(), str(root), archives[0])
        for pattern in SLIM:
            for path in root.glob(pattern):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                elif path.name != "copyright":
                    path.unlink()
        with images.under(name):
            import_root(root, name)
    return name


def import_root(root: Path, name: str) -> None:
    """Give Docker a folder as an image of one layer."""
    archive = subprocess.Popen(
        ["tar", "--numeric-owner", "-C", str(root), "-c", "."],
        stdout=subprocess.PIPE,
    )
    assert archive.stdout is not None
    with archive.stdout:
        imported = subprocess.run(
            ["docker", "import", "-", name],
            stdin=archive.stdout,
            stdout=subprocess.DEVNULL,
        )
    if archive.wait() != 0 or imported.returncode != 0:
        raise BenchError("docker import could not read the root of debootstrap")


def requirements() -> str:
    """The locked packages of the production image, as pip's requirements."""
    python = given("APP_EXAMPLE_ENVIRONMENT") / "bin/python"
    # Not those of this process's own environment.
    lines = run("env", "-u", "PYTHONPATH", str(python), "-c", DISTRIBUTIONS)
    return "".join(f"{line}\n" for line in sorted(set(lines.splitlines())))


def locked(lock: str, names: Sequence[str]) -> list[str]:
    """The versions of some packages in a poetry.lock, as pip's requirements.

    >>> locked('[[package]]\\nname = "a"\\nversion = "1.2"\\n', ["a"])
    ['a==1.2']
    """
    packages = tomli.loads(lock)["package"]
    versions = {package["name"]: package["version"] for package in packages}
    return [f"{name}=={versions[name]}" for name in names]


def build_peers(images: MadeImages, index: str) -> None:
    """Build the peers' images. index: URL of a simple index of all that is locked."""
    arguments = {
        "BASE_IMAGE": make_root_image(images),
        "PIP_INDEX_URL": index,
        "POETRY_PYPI_MIRROR_URL": index,
        "POETRY_REQUIREMENTS": " ".join(
            locked(POETRY_LOCK.read_text(), POETRY_PACKAGES)
        ),
    }
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree("app-example/app", Path(folder, "app"))
        for name in ("pyproject.toml", "poetry.lock"):
            shutil.copy(Path("app-example", name), folder)
        Path(folder, "requirements.txt").write_text(requirements())
        for peer in PEERS:
            file = Path("bench/peer", peer.dockerfile)
            words = ["--file", str(file)]
            for name, value in arguments.items():
                if f"ARG {name}\n" in file.read_text():
                    words += ["--build-arg", f"{name}={value}"]
            build(images, peer.image, Path(folder), *words)
