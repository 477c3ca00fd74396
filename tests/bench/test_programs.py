"""What is missing, or fails, is one line."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import pytest
from measurement import BenchError
from programs import PACKAGES, demand, given, messages, run, served_index


def test_missing_programs_are_named_with_their_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(PACKAGES, "no-such-program", "that")
    with pytest.raises(BenchError, match="apt-get install it that$"):
        demand(["no-such-program", "sh", "it", "no-such-program"])


def test_a_failing_command_shows_its_last_line() -> None:
    half_a_character = r"printf 'the reason \342\202' >&2"
    with pytest.raises(BenchError, match="sh -c .*: the reason \ufffd$"):
        run("sh", "-c", f"echo noise >&2; {half_a_character}; exit 3")


def test_both_outputs_can_be_had() -> None:
    words = ("sh", "-c", "echo told; echo said >&2")
    assert (run(*words), messages(*words)) == ("told\n", "said\n")


def test_a_missing_variable_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WHEELS", raising=False)
    with pytest.raises(BenchError, match=r"nix run \.#bench"):
        given("WHEELS")


def test_the_index_lists_a_folder(tmp_path: Path) -> None:
    (tmp_path / "example").mkdir()
    (tmp_path / "example/example-1.whl").touch()
    with served_index(tmp_path) as url:
        with urllib.request.urlopen(f"{url}/example/", timeout=10) as page:
            assert b"example-1.whl" in page.read()
