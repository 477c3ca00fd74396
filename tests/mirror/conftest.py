"""Fixtures: an HTTP server, wheels made by hand, stand-ins for programs on PATH."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Byte code beside the sources would be part of the flake input `path:nix/mirror`.
sys.dont_write_bytecode = True

NIX = Path(__file__).parents[2] / "nix"
sys.path[:0] = [
    str(Path(__file__).parent / "support"),
    *(str(NIX / "mirror" / name) for name in ("command", "builders", "poetry2nix")),
    str(NIX),
]

settings.register_profile("unhurried", database=None, deadline=None, max_examples=40)
settings.load_profile("unhurried")

import transport  # noqa: E402
from mirror_site import Site  # noqa: E402


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two attempts at one server."""
    monkeypatch.setattr(transport, "PAUSE_SECONDS", 0.01)


@pytest.fixture
def site() -> Iterator[Site]:
    """A running HTTP server without answers; tests add them."""
    with Site() as running:
        yield running


@pytest.fixture
def other_site() -> Iterator[Site]:
    """A second one."""
    with Site() as running:
        yield running


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH but for the shell's own folder."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    # A store that this user may write.
    monkeypatch.setenv("NIX_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("NIX_REMOTE", raising=False)
    return folder


@pytest.fixture
def program(programs: Path) -> Callable[[str, str], Path]:
    """Put a Python script on PATH; `arguments` are its words, `log` notes them."""

    def put(name: str, script: str) -> Path:
        path = programs / name
        path.write_text(
            f"#!{sys.executable} -I\n"
            "import json, os, sys\n"
            "arguments = sys.argv[1:]\n"
            f"with open({str(programs / (name + '.log'))!r}, 'a') as log:\n"
            "    print(json.dumps(arguments), file=log)\n"
            f"{script}\n"
        )
        path.chmod(0o755)
        return path

    return put


@pytest.fixture
def pip_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pip without this machine's configuration, and without retries."""
    import os

    for name in list(os.environ):
        if name.startswith("PIP_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "no-index").as_uri())
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.delenv("MIRROR_PYPI", raising=False)
    monkeypatch.delenv("MIRROR_DEBIAN", raising=False)
