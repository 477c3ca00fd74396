"""What Nix says it builds is counted and named."""

from __future__ import annotations

import doctest

import builds
import pytest
from builds import Change, built, names
from hypothesis import given
from hypothesis import strategies as st

SAID = """\
evaluating file '/nix/store/0123456789abcdfghijklmnpqrsvwxyz-source/flake.nix'
these 2 derivations will be built:
  /nix/store/0123456789abcdfghijklmnpqrsvwxyz-layer.drv
building '/nix/store/0123456789abcdfghijklmnpqrsvwxyz-layer.drv'...
layer> building '/nix/store/its-own-output.drv'
building '/nix/store/1123456789abcdfghijklmnpqrsvwxyz-image.tar.drv'...
"""
LAYER = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-layer.drv"


def test_examples() -> None:
    result = doctest.testmod(builds)
    assert result.attempted and not result.failed


def test_only_starts_are_counted_not_plans_or_what_builders_print() -> None:
    assert names(built(SAID)) == "layer, image.tar"
    assert built("nothing to do\n") == []


@pytest.mark.parametrize("quotes", ["''", "‘’", '""'])
def test_quotes_of_other_versions(quotes: str) -> None:
    assert built(f"building {quotes[0]}{LAYER}{quotes[1]}...") == [LAYER]


@given(st.lists(st.sampled_from([LAYER, "/nix/store/a.drv", "/nix/store/b.drv"])))
def test_every_start_is_found_in_order(derivations: list[str]) -> None:
    said = "".join(f"copying\nbuilding '{path}'...\n" for path in derivations)
    assert built(said) == derivations


def change(*starts: list[str]) -> Change:
    return Change("an edit", lambda: None, [9.0, 1.0, 2.0, 3.0], list(starts))


def test_rows_are_of_the_runs_that_count() -> None:
    once = change([LAYER, LAYER, "/nix/store/tool.drv"], [LAYER], [LAYER], [LAYER])
    whole, evaluation, count = once.rows(4.0)
    assert (whole.ours, evaluation.ours, count.ours) == (4.0, 2.0, 1)
    assert count.what == "built, each in a sandbox: layer"


def test_what_is_built_twice_is_told() -> None:
    *_, count = change([], [LAYER, LAYER], [LAYER], []).rows(4.0)
    assert count.ours == 2
    assert "more than once: layer (2 times)" in count.what
    *_, count = change([], [], [], []).rows(4.0)
    assert count.what.endswith("nothing")
