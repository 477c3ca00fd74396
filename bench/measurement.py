"""What is measured: figures of ours and of a peer, and the table of their ratios."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Optional

DEADLINE = 60.0

# How many leading runs, in which caches fill, are left out of the figures.
PATIENCE = 1

# How many runs a noisy figure takes for each of another: those of `docker run`, whose
# daemon does much beside, and those of short loads, each with connections of its own.
START_RUNS = 2
REQUEST_RUNS = 3

START = "<!-- figures: ./mirror nix run .#bench -->"
END = "<!-- end of figures -->"


class BenchError(Exception):
    """A figure cannot be taken; the message is one line that says why."""


@dataclass(frozen=True)
class Row:
    """One line of the table.

    what: what is measured; ours, peer: medians in `unit`; against: what the peer is;
    target: the ratio that is aimed at, as text.
    """

    what: str
    ours: float
    unit: str
    against: str = ""
    peer: Optional[float] = None
    target: str = ""

    @property
    def ratio(self) -> Optional[float]:
        """Ours by the peer's; None where there is no peer."""
        return None if self.peer is None else self.ours / self.peer


def median(values: Iterable[float]) -> float:
    """The middle one of the values, of an even number the mean of the middle two."""
    return statistics.median(values)


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes, in seconds of the wall's clock."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def alternate(runs: int, *works: Callable[[int], float]) -> list[list[float]]:
    """Figures of several works, taken in turns so that a slow hour hits all alike.

    Each turn begins with another work, so that none always comes after the same. Before
    the runs that count there are PATIENCE more, in which caches fill.

    runs: how many each; each is given the number of its run.
    """
    figures: list[list[float]] = [[] for _ in works]
    for run in range(runs + PATIENCE):
        for place in range(len(works)):
            place = (place + run) % len(works)
            value = works[place](run)
            if run >= PATIENCE:
                figures[place].append(value)
    return figures


def poll(holds: Callable[[], bool], what: str, interval: float = 0.002) -> None:
    """Ask until the answer is true. Raises BenchError after the deadline."""
    end = time.monotonic() + DEADLINE
    while not holds():
        if time.monotonic() > end:
            raise BenchError(f"not within {DEADLINE:.0f} s: {what}")
        time.sleep(interval)


def number(value: float, unit: str) -> str:
    """A figure with three digits that count, and its unit; without one, a count.

    >>> number(0.12345, "s"), number(1234.5, "1/s"), number(74957824, "B")
    ('0.123 s', '1234 1/s', '75.0 MB')
    >>> number(2, "")
    '2'
    """
    if not unit:
        return f"{value:.0f}"
    if unit == "B":
        for name, factor in (("MB", 1e6), ("kB", 1e3)):
            if value >= factor:
                return number(value / factor, name)
    digits = 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:.{digits}f} {unit}"


def ratio(value: float) -> str:
    """A ratio with two digits that count at least.

    >>> ratio(0.0123), ratio(0.5), ratio(12.34)
    ('0.012', '0.50', '12.34')
    """
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def table(rows: Sequence[Row], heading: str) -> str:
    """The rows as a table in Markdown below a line that says how they were taken."""
    lines = [
        heading,
        "",
        "| what | ours | peer | ratio | aim |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        peer = ""
        if row.peer is not None:
            peer = f"{row.against}: {number(row.peer, row.unit)}"
        times = "" if row.ratio is None else ratio(row.ratio)
        cells = (row.what, number(row.ours, row.unit), peer, times, row.target)
        lines.append(f"| {' | '.join(cells)} |".replace("|  ", "| "))
    return "\n".join(lines)


def heading(runs: int, load_before: float) -> str:
    """The line that says how the figures were taken.

    load_before: the load average when they were begun.
    """
    load = os.getloadavg()[0]
    return (
        f"Medians of {runs}, of `docker run` {START_RUNS * runs}, of requests"
        f" {REQUEST_RUNS * runs}; on {os.cpu_count()} cores, the peers' taken in turns"
        f" with ours; load average {load_before:.1f} before, {load:.1f} after."
    )


def replaced(text: str, content: str) -> str:
    """The text with what stands between the two markers replaced.

    Raises BenchError where the markers are not there once and in order.
    """
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end or START in after or END in after:
        raise BenchError(f"no lines {START} and {END}, once each: put them there")
    return f"{before}{START}\n\n{content}\n\n{END}{after}"
