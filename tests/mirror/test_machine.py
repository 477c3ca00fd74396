"""What is installed, and pip made importable."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import machine
import pytest
from errors import MirrorError

Program = Callable[[str, str], Path]


def test_installing(program: Program, capfd: pytest.CaptureFixture[str]) -> None:
    log = program(
        "apt-get", "print(os.environ['DEBIAN_FRONTEND']); print('noise')"
    ).with_name("apt-get.log")
    machine.install(["one", "two"], "one")
    update, install = map(json.loads, log.read_text().splitlines())
    assert update == ["-qq", "update"]
    assert install[-2:] == ["one", "two"]
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "mirror: installing one two with apt-get\n")


def test_installing_that_fails(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(
        "apt-get",
        "print('W: http://me:secret@host odd')\n"
        "print('E: no package one at http://me:secret@host/x'); sys.exit(100)",
    )
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(MirrorError) as caught:
        machine.install(["one"], "one")
    assert str(caught.value) == (
        "apt-get could not install one: E: no package one at http://host/x (and apt-get"
        " update: E: no package one at http://host/x): fix that, see"
        " /etc/apt/sources.list, and run this again"
    )


def test_a_broken_source_is_no_error_if_another_has_the_package(
    program: Program, capfd: pytest.CaptureFixture[str]
) -> None:
    program("apt-get", "sys.exit(100 if 'update' in arguments else 0)")
    machine.install(["one"], "one")
    assert capfd.readouterr().err == "mirror: installing one with apt-get\n"


def test_installing_without_the_right_to(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    program("apt-get", "print('E: Permission denied'); sys.exit(100)")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(MirrorError) as caught:
        machine.install(["nix-bin", "git"], "nix and git")
    assert str(caught.value) == (
        "this machine lacks nix and git: run this as root once, or have root run"
        " apt-get install nix-bin git"
    )


def test_installing_without_apt(programs: Path) -> None:
    with pytest.raises(MirrorError, match="^this machine lacks one, and apt-get to"):
        machine.install(["one"], "one")


def test_pip_out_of_debians_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Program
) -> None:
    wheel = tmp_path / "wheels/pip-1-py3-none-any.whl"
    monkeypatch.setattr(machine, "PIP_WHEELS", str(tmp_path / "wheels/pip-*.whl"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(machine, "_imports_pip", lambda: str(wheel) in sys.path)
    program(
        "apt-get",
        "'install' in arguments and ("
        f"os.makedirs({str(wheel.parent)!r}), open({str(wheel)!r}, 'w').close())",
    )
    machine.import_pip()
    assert sys.path[-1] == str(wheel)


def test_pip_that_cannot_be_had(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, program: Program
) -> None:
    monkeypatch.setattr(machine, "PIP_WHEELS", str(tmp_path / "none"))
    monkeypatch.setattr(machine, "_imports_pip", lambda: False)
    program("apt-get", "")
    with pytest.raises(MirrorError, match="^pip cannot be imported: apt-get install"):
        machine.import_pip()
