"""How busybox is pinned."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import busybox
import download
import pytest
from debian_roots import Roots
from errors import MirrorError
from mirror_site import make_deb, sha256
from pins import Pin
from suite_index import pin

Program = Callable[[str, str], Path]

pytestmark = pytest.mark.usefixtures("pip_alone")


@pytest.fixture
def package(tmp_path: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> Pin:
    """A pinned package, in an archive on this machine."""
    deb = make_deb(tmp_path / "busybox.deb", {"bin/busybox": b"program"})
    content = deb.read_bytes()
    (tmp_path / "debian/pool").mkdir(parents=True)
    deb.rename(tmp_path / "debian/pool/busybox.deb")
    roots = Roots((f"{(tmp_path / 'debian').as_uri()}/",))
    monkeypatch.setattr(download, "debian_roots", lambda base: roots)
    program("apt-config", "")
    return dataclasses.replace(
        pin("busybox-static", "1"),
        location="pool/busybox.deb",
        sha256=sha256(content),
        size=len(content),
    )


def test_it_is_pinned_by_its_hash_in_the_store(package: Pin, program: Program) -> None:
    program("nix", "print('sha256-' + open(arguments[-1] + '/bin/busybox').read())")
    pinned = busybox.pin(package, os.environ)
    assert pinned["narHash"] == "sha256-program"
    assert pinned["member"] == "bin/busybox"
    assert pinned["sha256"] == package.sha256


def test_a_nix_that_fails(package: Pin, program: Program) -> None:
    program("nix", "sys.exit('error: no')")
    with pytest.raises(MirrorError, match="^Nix says above why"):
        busybox.pin(package, os.environ)
