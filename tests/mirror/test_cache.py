"""What is copied into a binary cache, and by which settings Nix asks one."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cache
import nix_command
import pytest
from errors import MirrorError
from nix_command import Nix

Program = Callable[[str, str], Path]

FAKE_NIX = """
store = arguments[arguments.index('--store') + 1] if '--store' in arguments else ''
if arguments == ['key', 'convert-secret-to-public']:
    name, _, kind = sys.stdin.read().partition(':')
    sys.exit('error: invalid key') if kind != 'secret' else print(name + ':public')
if arguments[:2] == ['path-info', '--derivation']:
    open(os.path.join(store, 'evaluated'), 'w').close()
elif '--all' in arguments and os.path.exists(os.path.join(store, 'evaluated')):
    print('/nix/store/0-choice.json\\n/nix/store/0-a.drv\\n/nix/store/0-not-here')
"""
FAKE_STORE = """
if '--generate-binary-cache-key' in arguments:
    name, secret, public = arguments[-3:]
    open(secret, 'w').write(name + ':secret')
    open(public, 'w').close()
elif '--check-validity' in arguments:
    print('/nix/store/0-not-here')
"""


class Outputs:
    """Stands for closure.Closure."""

    needs: Any = type("Needs", (), {"options": ["--impure"]})
    installables = [".#a"]
    note = ""
    derivations = ["/nix/store/0-a.drv"]

    def __init__(self, installables: Sequence[str], base: Any) -> None:
        """See Closure."""
        self.nix = Nix(base)
        self.asked: list[list[str]] = []
        Outputs.last = self

    last: "Outputs | None" = None

    def requisites(self, outputs: bool = False) -> list[str]:
        """See Closure."""
        assert outputs
        return [*self.derivations, "/nix/store/0-a", "/nix/store/0-a.deb"]

    def answer(self, name: str, words: Sequence[str]) -> str:
        """See Closure."""
        self.asked.append([name, *words])
        return ""


def commands() -> list[list[str]]:
    """Return what the closure was asked to run."""
    assert Outputs.last is not None
    return Outputs.last.asked


@pytest.fixture
def base(
    tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """An environment with that Nix, and a configuration folder of its own."""
    program("nix", FAKE_NIX)
    program("nix-store", FAKE_STORE)
    monkeypatch.setattr(cache, "Closure", Outputs)
    monkeypatch.setattr(Outputs, "last", None)
    return {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}


def test_results_tools_and_sources_are_signed_and_copied(
    base: dict[str, str], capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    cache.fill("file:///cache", [".#a"], base)
    sign, copy = commands()
    paths = ["/nix/store/0-a", "/nix/store/0-a.deb", "/nix/store/0-choice.json"]
    secret = tmp_path / "config/nix-mirror/cache-key.secret"
    assert sign == ["nix", "store", "sign", "--key-file", str(secret), *paths]
    assert copy == ["nix", "copy", "--to", "file:///cache?compression=zstd", *paths]
    shown = capfd.readouterr().err
    assert "\nMIRROR_CACHE=file:///cache\nMIRROR_CACHE_KEY=" in shown
    assert shown.endswith(":public\n")


def test_a_password_is_not_shown(
    base: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    cache.fill("https://team:word@cache.example/a", [], base)
    assert "https://team:word@cache.example/a?compression=zstd" in commands()[1]
    shown = capfd.readouterr().err
    assert "MIRROR_CACHE=https://cache.example/a\n" in shown and "word" not in shown


def test_the_key_is_made_once_for_this_user_only(
    base: dict[str, str], tmp_path: Path
) -> None:
    cache.fill("file:///cache", [], base)
    folder = tmp_path / "config/nix-mirror"
    secret = folder / "cache-key.secret"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert os.listdir(folder) == ["cache-key.secret"]


def test_a_key_of_another_machine(
    base: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "config/nix-mirror/cache-key.secret"
    secret.parent.mkdir(parents=True)
    secret.write_text("team-1:secret")
    cache.fill("file:///cache", [], base)
    assert secret.read_text() == "team-1:secret"
    assert capfd.readouterr().err.endswith("\nMIRROR_CACHE_KEY=team-1:public\n")


def test_a_broken_key(base: dict[str, str], tmp_path: Path) -> None:
    secret = tmp_path / "config/nix-mirror/cache-key.secret"
    secret.parent.mkdir(parents=True)
    secret.write_text("odd")
    with pytest.raises(
        MirrorError, match=r"is not a secret key \(error: invalid key\)"
    ):
        cache.fill("file:///cache", [], base)
    assert secret.read_text() == "odd" and Outputs.last is None


def test_a_key_that_cannot_be_made_leaves_nothing(
    base: dict[str, str], program: Program, tmp_path: Path
) -> None:
    program(
        "nix-store", "sys.exit(1 if '--generate-binary-cache-key' in arguments else 0)"
    )
    with pytest.raises(MirrorError, match="^Nix says above why it makes no key"):
        cache.fill("file:///cache", [], base)
    assert os.listdir(tmp_path / "config/nix-mirror") == []


def test_what_does_not_build(base: dict[str, str], program: Program) -> None:
    program("nix-store", FAKE_STORE + "sys.exit('--realise' in arguments)")
    with pytest.raises(MirrorError, match="^Nix says above what does not build"):
        cache.fill("file:///cache", [], base)
    assert commands() == []


@pytest.mark.parametrize(
    "target, expected",
    [
        ("s3://bucket?region=x", "s3://bucket?region=x&compression=zstd"),
        ("file:///a?compression=xz", "file:///a?compression=xz"),
        ("ssh-ng://host", "ssh-ng://host"),
    ],
)
def test_caches_are_compressed_fast(target: str, expected: str) -> None:
    assert cache.compressed(target) == expected


KEY = "team-1:wH7DGdDPuvWz4pE3b2vSvLjJQCsCzFl6BQfhsHweUiw="


def test_a_cache_is_asked_with_signatures() -> None:
    base = {"MIRROR_CACHE": "https://a file:///b", "MIRROR_CACHE_KEY": KEY}
    settings = nix_command.environment(base)["NIX_CONFIG"].splitlines()
    assert "substituters = https://a file:///b" in settings
    assert f"trusted-public-keys = {KEY}" in settings
    assert "require-sigs = true" in settings


def test_without_a_cache_none_is_asked() -> None:
    settings = nix_command.environment({"MIRROR_CACHE_KEY": KEY})["NIX_CONFIG"]
    assert "substituters =" in settings.splitlines()
    assert "trusted-public-keys" not in settings


@pytest.mark.parametrize(
    "values, message",
    [
        ({"MIRROR_CACHE": "https://a"}, "^MIRROR_CACHE needs MIRROR_CACHE_KEY"),
        (
            {"MIRROR_CACHE": "https://a", "MIRROR_CACHE_KEY": "x"},
            "^MIRROR_CACHE needs MIRROR_CACHE_KEY",
        ),
        (
            {"MIRROR_CACHE": "/srv/cache", "MIRROR_CACHE_KEY": KEY},
            "^MIRROR_CACHE=/srv/cache is not the URL of a binary cache",
        ),
    ],
)
def test_a_cache_that_is_named_wrongly(values: dict[str, str], message: str) -> None:
    with pytest.raises(MirrorError, match=message):
        nix_command.environment(values)
