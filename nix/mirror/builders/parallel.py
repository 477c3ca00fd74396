"""Runs pieces of work in processes of their own, for Python lets only one thread run.

os.fork and a pipe: multiprocessing takes longer to import than an image's smaller
layers take to write.
"""

from __future__ import annotations

import heapq
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any, BinaryIO

from image_error import ImageError


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0))


def share_out(weights: Sequence[int], shares: int) -> list[list[int]]:
    """Part pieces of work into shares that weigh about the same.

    weights: of each piece. Returns for each share the numbers of its pieces; none is
    empty. The heaviest pieces are dealt first, each to the lightest share (Graham,
    "Bounds on Multiprocessing Timing Anomalies").

    >>> share_out([1, 5, 3, 1], 2)
    [[1], [2, 0, 3]]
    """
    dealt: list[list[int]] = [[] for _ in range(max(1, min(shares, len(weights))))]
    lightest = [(0, share) for share in range(len(dealt))]
    for piece in sorted(range(len(weights)), key=lambda piece: -weights[piece]):
        weight, share = heapq.heappop(lightest)
        dealt[share].append(piece)
        heapq.heappush(lightest, (weight + weights[piece], share))
    return [share for share in dealt if share]


def work_off(
    pieces: Sequence[int], work: Callable[[int], Any], target: BinaryIO
) -> None:
    """Do pieces of work and write their results, or the first error, as JSON."""
    try:
        answer: dict[str, Any] = {"results": [[piece, work(piece)] for piece in pieces]}
    except Exception as error:
        told = isinstance(error, ImageError)
        if not told:
            traceback.print_exc()
        answer = {"error": str(error) if told else f"{type(error).__name__}: {error}"}
    target.write(json.dumps(answer).encode())
    target.flush()


def in_processes(
    work: Callable[[int], Any], weights: Sequence[int], jobs: int
) -> list[Any]:
    """Do numbered pieces of work in up to `jobs` processes; returns their results.

    work: is given the number of a piece, and returns what JSON can say; weights: how
    long each takes, in any unit. What it needs is shared by the fork, so threads may
    not run. Raises ImageError.
    """
    shares = share_out(weights, jobs)
    if len(shares) < 2:
        return [work(piece) for piece in range(len(weights))]
    running: dict[int, int] = {}
    results: dict[int, Any] = {}
    try:
        for pieces in shares:
            reading, writing = os.pipe()
            sys.stdout.flush()
            sys.stderr.flush()
            pid = os.fork()
            if not pid:
                status = 1
                try:
                    os.close(reading)
                    with open(writing, "wb") as target:
                        work_off(pieces, work, target)
                    status = 0
                finally:
                    # Neither the parent's clean-up nor its buffers are this one's.
                    os._exit(status)
            os.close(writing)
            running[pid] = reading
        for pid, reading in list(running.items()):
            with open(reading, "rb", closefd=False) as source:
                answer = json.loads(source.read() or b'{"error": null}')
            ended = os.waitpid(pid, 0)[1]
            os.close(running.pop(pid))
            if "error" in answer:
                raise ImageError(
                    answer["error"] or f"a process ended with status {ended}"
                )
            results.update(answer["results"])
    finally:
        for pid, reading in running.items():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reading)
    return [results[piece] for piece in range(len(weights))]
