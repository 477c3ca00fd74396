"""One of several processes takes the token."""

from __future__ import annotations

import os

from .conftest import load_module


def test_one_process_of_many_is_the_first() -> None:
    token = load_module("first_failure").FirstFailure()
    children = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            os._exit(1 if token.is_mine() else 0)
        children.append(pid)
    statuses = [os.waitpid(pid, 0)[1] >> 8 for pid in children]
    assert sum(statuses) == 1
    assert not token.is_mine()
