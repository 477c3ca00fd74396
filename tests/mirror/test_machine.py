"""What is read of apt and pip."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import machine
import pytest
from errors import MirrorError

Program = Callable[[str, str], Path]


def test_mirrors_in_order(program: Program) -> None:
    log = program(
        "apt-get",
        "print('http://b/debian/\\nhttp://a/debian\\ncdrom:[x]/\\nhttp://b/debian/')\n"
        "print('copy:/srv/debian\\ntor+http://x/')",
    ).with_name("apt-get.log")
    assert machine.debian_mirrors(
        {"MIRROR_DEBIAN": " http://own  http://a/debian"}
    ) == (
        *("http://own/", "http://a/debian/", "http://b/debian/", "file:/srv/debian/"),
    )
    assert json.loads(log.read_text()) == [
        "indextargets",
        "--no-release-info",
        "--format",
        "$(REPO_URI)",
    ]


def test_without_apt_the_variable_counts(programs: Path) -> None:
    assert machine.debian_mirrors({"MIRROR_DEBIAN": "http://own/"}) == ("http://own/",)
    with pytest.raises(MirrorError, match="^no Debian mirror is known: set MIRROR_D"):
        machine.debian_mirrors({})


@pytest.mark.parametrize(
    "printed, proxies",
    [
        ("", {}),
        ("http='http://p:3128/'\n", {"http": "http://p:3128/"}),
        ("http='DIRECT'\nhttps='http://p:1'\n", {"http": "", "https": "http://p:1"}),
    ],
)
def test_proxies(program: Program, printed: str, proxies: dict[str, str]) -> None:
    program("apt-config", f"sys.stdout.write({printed!r})")
    assert machine.apt_proxies() == proxies


def test_without_apt_there_are_no_proxies(programs: Path) -> None:
    assert machine.apt_proxies() == {}


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


def test_installing_that_fails(program: Program) -> None:
    program("apt-get", "print('E: noise'); print('E: no package one'); sys.exit(100)")
    with pytest.raises(
        MirrorError, match="^apt-get -qq update failed.*: E: no package"
    ):
        machine.install(["one"], "one")


def test_installing_without_apt(programs: Path) -> None:
    with pytest.raises(MirrorError, match="^one: missing, and no apt-get"):
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
