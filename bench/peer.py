"""The peers: images that `docker build` makes of the same application."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import tomli
from programs import given, run
from measurement import BenchError

ROOT_IMAGE = "bench-debian-slim"
PEER_IMAGE = "bench-dockerfile"
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


def make_root_image() -> str:
    """A slim Debian root as a Docker image; returns its name. It is made once."""
    name = f"{ROOT_IMAGE}:{suite()}"
    if run("docker", "image", "ls", "--quiet", name).strip():
        return name
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
        archive = subprocess.Popen(
            ["tar", "--numeric-owner", "-C", str(root), "-c", "."],
            stdout=subprocess.PIPE,
        )
        assert archive.stdout is not None
        with archive.stdout:
            subprocess.run(
                ["docker", "import", "-", name],
                stdin=archive.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        if archive.wait() != 0:
            raise BenchError("tar could not read the root that debootstrap made")
    return name


def requirements() -> str:
    """The locked packages of the production image, as pip's requirements."""
    python = given("APP_EXAMPLE_ENVIRONMENT") / "bin/python"
    # Not those of this process's own environment.
    lines = run("env", "-u", "PYTHONPATH", str(python), "-c", DISTRIBUTIONS)
    return "".join(f"{line}\n" for line in sorted(set(lines.splitlines())))


def build_peer(index: str) -> str:
    """Build the peer's image; returns its name. index: URL of a simple index."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree("app-example/app", Path(folder, "app"))
        shutil.copy("bench/peer/Dockerfile", folder)
        Path(folder, "requirements.txt").write_text(requirements())
        run(
            *("docker", "build", "--network", "host", "--tag", PEER_IMAGE),
            *("--build-arg", f"BASE_IMAGE={make_root_image()}"),
            *("--build-arg", f"PIP_INDEX_URL={index}", folder),
        )
    return PEER_IMAGE
