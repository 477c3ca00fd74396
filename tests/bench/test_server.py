"""What wrk prints is read, and an error in it is no figure."""

from __future__ import annotations

import pytest
from measurement import BenchError
from server import Load, read_load

TOLD = """\
Running 1s test @ http://127.0.0.1:8000/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.80ms    1.21ms  16.16ms   87.60%
    Req/Sec     3.36k   242.30     3.60k    90.00%
  Latency Distribution
     50%  950.00us
     75%    5.03ms
     90%    5.92ms
     99%    1.02s
  3341 requests in 1.00s, 476.92KB read
Requests/sec:   3335.61
Transfer/sec:    476.15KB
"""


def test_figures_are_in_milliseconds() -> None:
    assert read_load(TOLD) == pytest.approx(Load(3335.61, 3341, 0.95, 1020.0))


@pytest.mark.parametrize(
    "line",
    [
        "  Socket errors: connect 0, read 3, write 0, timeout 0",
        "  Non-2xx or 3xx responses: 7",
    ],
)
def test_errors_are_told(line: str) -> None:
    with pytest.raises(BenchError, match=line.strip()):
        read_load(TOLD.replace("Requests/sec", f"{line}\nRequests/sec"))


@pytest.mark.parametrize(
    "output", ["", "unable to connect\n", TOLD.replace("3341 req", "0 req")]
)
def test_without_requests_there_are_no_figures(output: str) -> None:
    with pytest.raises(BenchError, match="^wrk: .+"):
        read_load(output)
