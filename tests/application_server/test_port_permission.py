"""Ports that a user may not open."""

from __future__ import annotations

import socket
from types import ModuleType
from typing import Any

import pytest

from .conftest import load_module


@pytest.fixture(scope="module")
def port_permission() -> ModuleType:
    """The module under test."""
    module: ModuleType = load_module("port_permission")
    return module


class ForbiddenSocket(socket.socket):
    """A socket on a system that forbids the ports below 1024."""

    def bind(self, address: Any) -> None:
        """Refuse as the kernel does."""
        if 0 < address[1] < 1024:
            raise PermissionError(13, "Permission denied")
        super().bind(address)


def test_a_forbidden_port_is_one_line(
    port_permission: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(port_permission.socket, "socket", ForbiddenSocket)
    addresses = [("127.0.0.1", 0), "/run/server.sock", 3, ("127.0.0.1", 81)]
    line = port_permission.why_forbidden(addresses)
    assert line.startswith("port 81 is forbidden to user ")
    assert "PORT=8080" in line
    assert line.endswith("--sysctl net.ipv4.ip_unprivileged_port_start=81")
    assert "\n" not in line


@pytest.mark.parametrize("host", ["127.0.0.1", "", "no such host", "a" * 70 + ".b"])
def test_what_else_is_wrong_is_left_to_gunicorn(
    port_permission: ModuleType, host: str
) -> None:
    assert port_permission.why_forbidden([(host, 0)]) is None


def test_a_port_that_is_taken_is_left_to_gunicorn(port_permission: ModuleType) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert port_permission.why_forbidden([taken.getsockname()]) is None
