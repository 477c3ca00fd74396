"""Pieces of work in processes: their results, their errors, and what is left of them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_error import ImageError
from parallel import in_processes, share_out


@given(st.lists(st.integers(0, 1000), max_size=30), st.integers(0, 8))
def test_every_piece_is_in_one_share(weights: list[int], shares: int) -> None:
    dealt = share_out(weights, shares)
    assert sorted(piece for share in dealt for piece in share) == list(
        range(len(weights))
    )
    assert len(dealt) <= max(1, shares)
    assert all(dealt)


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=30),
    st.integers(1, 8),
)
def test_no_share_is_much_heavier(weights: list[int], shares: int) -> None:
    dealt = share_out(weights, shares)
    loads = [sum(weights[piece] for piece in share) for share in dealt]
    # The bound of the rule that deals to the lightest.
    assert max(loads) <= sum(weights) / shares + max(weights)


@pytest.mark.parametrize("jobs", [0, 1, 2, 3, 20])
def test_results_come_in_order(jobs: int) -> None:
    assert in_processes(lambda piece: [piece, "é"], [1] * 7, jobs) == [
        [piece, "é"] for piece in range(7)
    ]


def test_nothing_to_do() -> None:
    assert in_processes(lambda piece: piece, [], 2) == []


def test_pieces_run_side_by_side(tmp_path: Path) -> None:
    def meet(piece: int) -> bool:
        (tmp_path / str(piece)).touch()
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if (tmp_path / str(1 - piece)).exists():
                return True
            time.sleep(0.001)
        return False

    assert in_processes(meet, [1, 1], 2) == [True, True]


def children() -> list[str]:
    """The processes that this one has started and not waited for."""
    pid = os.getpid()
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_an_error_is_told_and_ends_the_others() -> None:
    before = children()

    def fail(piece: int) -> None:
        if piece == 0:
            raise ImageError("the first one is wrong")
        time.sleep(60)

    start = time.monotonic()
    with pytest.raises(ImageError, match="^the first one is wrong$"):
        in_processes(fail, [2, 1], 2)
    assert time.monotonic() - start < 30
    assert children() == before


def test_what_nobody_expected_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    def fail(piece: int) -> float:
        return 1 / piece

    with pytest.raises(ImageError, match="^ZeroDivisionError: "):
        in_processes(fail, [1, 1], 2)
    assert "Traceback" in capfd.readouterr().err


def test_a_process_that_is_killed_is_told() -> None:
    def die(piece: int) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(ImageError, match="a process ended with status 9"):
        in_processes(die, [1, 1], 2)
