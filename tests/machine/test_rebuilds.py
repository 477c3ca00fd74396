"""The program `reproducibility`, on derivations of a few bytes that depend on something."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import run

pytestmark = pytest.mark.skipif(
    shutil.which("diffoscope") is None, reason="apt-get install diffoscope-minimal"
)

# A folder of files, and what a builder writes of it.
FLAKE = """\
{
  outputs = { self }: {
    packages.x86_64-linux.image = derivation {
      name = "image-%(name)s";
      system = "x86_64-linux";
      builder = "/bin/sh";
      args = [ "-euc" "PATH=/usr/bin; %(script)s" ];
      files = ./files;
    };
  };
}
"""

# Instead of ./mirror, which brings packages: the builders use this machine's programs.
MIRROR = """\
#!/bin/sh
export NIX_CONFIG="$CONFIGURATION
$NIX_CONFIG"
exec "$@"
"""

CONFIGURATION = """\
experimental-features = nix-command flakes
sandbox = true
sandbox-paths = /bin=/usr/bin /lib=/usr/lib /lib64=/usr/lib64 /usr
substituters =
"""

Check = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def check(base: Path, tmp_path: Path) -> Check:
    """Checks an image that this shell command builds."""
    folder = tmp_path / "project"
    (folder / "files").mkdir(parents=True)
    for number in range(20):
        (folder / "files" / str(number)).touch()
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    (folder / "mirror").write_text(MIRROR)
    (folder / "mirror").chmod(0o755)
    configuration = CONFIGURATION
    if os.geteuid() == 0 and not Path("/nix/var/nix/daemon-socket/socket").exists():
        configuration += "build-users-group =\n"

    def check(script: str, *words: str) -> "subprocess.CompletedProcess[str]":
        flake = FLAKE % {"name": tmp_path.name, "script": script.replace('"', '\\"')}
        (folder / "flake.nix").write_text(flake)
        user = ("-c", "user.name=a", "-c", "user.email=a@localhost")
        run(folder, "git", "init", "--quiet")
        run(folder, "git", "add", ".")
        run(folder, "git", *user, "commit", "--quiet", "--message", "a project")
        program = str(base / "nix/checks/reproducibility")
        done: "subprocess.CompletedProcess[str]" = run(
            folder,
            *(sys.executable, "-IB", program, "image", *words),
            check=False,
            environment={
                **os.environ,
                "CONFIGURATION": configuration,
                "NIX_CONFIG": configuration,
                "TMPDIR": str(temporary),
            },
        )
        assert not list(temporary.iterdir())
        return done

    return check


def test_the_same_bytes(check: Check) -> None:
    done = check("ls $files > $out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("1 derivations built again: the same bytes") == 2
    assert "its file system lists " in done.stdout.splitlines()[-1]


def test_another_output_is_shown_and_leaves_nothing(check: Check) -> None:
    done = check("mkdir $out; date +drawn:%N > $out/time; touch $out/same")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "1 of 1 derivations give other bytes when they are built again" in line
    assert "time" in done.stdout
    assert done.stdout.count("-drawn:") == done.stdout.count("+drawn:") == 1
    output = done.stdout.partition(" gives another ")[2].partition(":\n")[0]
    assert Path(output).exists()
    assert not Path(output + ".check").exists()


def test_file_order_is_shown(check: Check) -> None:
    done = check("mkdir $out; cp -r $files $out/files; ls -U $files > $out/list")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "1 store paths differ in the second store, the cause first: /" in line
    assert done.stdout.count("1 derivations built again: the same bytes") == 2
    assert "list" in done.stdout
