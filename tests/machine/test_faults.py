"""`./mirror` where a disk is full, or a folder is not as Nix wants it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Optional

import pytest

from .conftest import run

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts file systems")

FETCH = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import download
from errors import MirrorError
from locked_file import LockedFile
try:
    download.fetch_all([LockedFile(**json.loads(sys.argv[2]))], os.environ)
except MirrorError as error:
    sys.exit(f"mirror: {error}")
"""

CONTENT = b"content " * 500_000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def fetch(
    clone: Path, small: Path, megabytes: int, size: Optional[int], **variables: str
) -> "subprocess.CompletedProcess[str]":
    """Fetch CONTENT from a mirror on disk, a folder being a small file system.

    What is left in that folder is in `left`, beside it.
    """
    mirror = clone.parent / "debian"
    mirror.mkdir(exist_ok=True)
    (mirror / "a.deb").write_bytes(CONTENT)
    described = {"kind": "debian", "name": "a.deb", "sha256": SHA256}
    described["location"] = "a.deb"
    described["store_path"] = store_path(small)
    file = json.dumps({**described, "size": size})
    script = (
        'mount -t tmpfs -o "size=$1m" tmpfs "$2" || exit 9; small=$2; shift 2; "$@";'
        ' status=$?; (cd "$small" && find . -type f -size +0) > "$small.left";'
        " exit $status"
    )
    small.mkdir(exist_ok=True)
    return subprocess.run(
        [
            *("unshare", "--mount", "sh", "-c", script, "sh", str(megabytes)),
            *(str(small), sys.executable, "-IB", "-c", FETCH),
            *(str(clone / "nix/mirror/command"), file),
        ],
        env={**os.environ, "MIRROR_DEBIAN": mirror.as_uri(), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def store_path(folder: Path) -> str:
    """Where a store in this folder has CONTENT as a.deb."""
    words = ["--type", "sha256", "--base32", "--flat"]
    content = folder.parent / "a.deb"
    content.write_bytes(CONTENT)
    hashed = run(folder.parent, "nix-hash", *words, str(content)).stdout.strip()
    done = run(
        folder.parent,
        *("env", f"NIX_STORE_DIR={folder}/store", "nix-store"),
        *("--print-fixed-path", "sha256", hashed, "a.deb"),
    )
    return str(done.stdout).strip()


@needs_root
@pytest.mark.parametrize("size", [len(CONTENT), None])
def test_a_disk_that_is_full_while_fetching(
    size: Optional[int], clone: Path, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    done = fetch(clone, small, 1, size, XDG_CACHE_HOME=str(small))
    assert done.returncode == 1, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith(f"mirror: {small}/nix-mirror ")
    assert line.endswith(", or set XDG_CACHE_HOME to a folder elsewhere")
    assert ("has room for 1 MB" if size else "No space left on device") in line
    assert "Traceback" not in done.stderr
    assert (tmp_path / "small.left").read_text() == ""


@needs_root
def test_a_disk_that_is_full_while_the_store_takes_files(
    clone: Path, tmp_path: Path
) -> None:
    small, cache = tmp_path / "small", tmp_path / "cache"
    variables = {
        "XDG_CACHE_HOME": str(cache),
        "NIX_STORE_DIR": str(small / "store"),
        "NIX_STATE_DIR": str(tmp_path / "state"),
        "NIX_LOG_DIR": str(tmp_path / "log"),
        "NIX_REMOTE": "local",
        "NIX_CONFIG": "build-users-group =",
    }
    done = fetch(clone, small, 2, len(CONTENT), **variables)
    assert done.returncode == 1, done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("mirror: the Nix store refuses files (error: ")
    assert "No space left on device" in line
    assert line.endswith(
        "free some, such as with nix-collect-garbage, and run this again"
    )
    # What was fetched is there for the next run, which asks no mirror.
    (tmp_path / "debian").mkdir(exist_ok=True)
    done = fetch(
        clone, small, 20, len(CONTENT), **variables, MIRROR_DEBIAN="file:///no"
    )
    assert done.returncode == 0, done.stderr
    assert os.listdir(cache / "nix-mirror") == ["lock"]


def test_files_that_git_does_not_track_are_named(clone: Path) -> None:
    (clone / "app-example/app/new.py").touch()
    done = run(clone, "./mirror", "nix", "eval", "--raw", ".#app-example.name")
    assert "app-example" in done.stdout
    (note,) = [line for line in done.stderr.splitlines() if line.startswith("mirror:")]
    assert note == (
        "mirror: note: Nix does not see files that git does not track:"
        " git add app-example/app/new.py"
    )


def test_outside_git_all_files_are_seen(clone: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    shutil.copytree(clone, plain, ignore=shutil.ignore_patterns(".git"))
    done = run(plain, "./mirror", "nix", "eval", "--raw", ".#app-example.name")
    assert "app-example" in done.stdout and "mirror: note" not in done.stderr


PROJECT = """
{
  inputs.base.url = "git+file://%s";
  outputs = { self, base }: {
    packages.x86_64-linux.default = (base.lib.mkApplication { projectDir = ./.; }).image;
  };
}
"""


def test_a_project_whose_path_has_a_space(clone: Path, tmp_path: Path) -> None:
    project = tmp_path / "my project"
    shutil.copytree(clone / "app-example", project)
    (project / "flake.nix").write_text(PROJECT % clone)
    mirror = str(clone / "mirror")
    done = run(project, mirror, "nix", "eval", "--raw", ".#default.name")
    assert "app-example" in done.stdout
    run(project, "git", "init", "--quiet")
    run(project, "git", "add", ".")
    done = run(project, mirror, "nix", "eval", "--raw", ".#default.name", check=False)
    told = [line for line in done.stderr.splitlines() if "a space" in line]
    assert len(told) == 1 and "move it" in told[0]
    assert done.returncode == 0 or "is not a valid URL" in done.stderr
