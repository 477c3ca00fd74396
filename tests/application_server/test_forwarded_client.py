"""Who the client is behind proxies; nobody can make himself another one."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Any, Optional

import pytest
from .conftest import load_module
from hypothesis import given
from hypothesis import strategies as st

PROXIES = "10.0.0.1,10.0.0.2,2001:db8::1,192.168.0.0/16"


@pytest.fixture(scope="module")
def forwarded() -> ModuleType:
    """The module under test."""
    module: ModuleType = load_module("forwarded_client")
    return module


def scope_after(
    forwarded: ModuleType,
    headers: list[tuple[bytes, bytes]],
    peer: Optional[tuple[str, int]] = ("10.0.0.1", 5000),
    trusted: str = PROXIES,
    kind: str = "http",
) -> dict[str, Any]:
    """Return the scope that the application gets."""
    got: list[dict[str, Any]] = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        got.append(scope)

    scheme = "ws" if kind == "websocket" else "http"
    scope = {"type": kind, "client": peer, "scheme": scheme, "headers": headers}
    layer = forwarded.ProxyHeaders(application, trusted)
    asyncio.run(layer(scope, None, None))
    return got[0]


@pytest.mark.parametrize(
    ("values", "client"),
    [
        (["203.0.113.7"], ("203.0.113.7", 0)),
        # what the client has sent itself stands on the left
        (["198.51.100.1, 203.0.113.7"], ("203.0.113.7", 0)),
        (["10.0.0.2, 203.0.113.7"], ("203.0.113.7", 0)),
        (["198.51.100.1", "203.0.113.7"], ("203.0.113.7", 0)),
        # past trusted proxies, however written
        (["198.51.100.1, 203.0.113.7, 10.0.0.2"], ("203.0.113.7", 0)),
        (["203.0.113.7,10.0.0.2:8080,192.168.3.4"], ("203.0.113.7", 0)),
        (["203.0.113.7, [2001:0DB8:0::1]:443"], ("203.0.113.7", 0)),
        (["203.0.113.7, ::ffff:10.0.0.2"], ("203.0.113.7", 0)),
        # ports
        (["203.0.113.7:1234"], ("203.0.113.7", 1234)),
        (["[2001:db8::7]:1234"], ("2001:db8::7", 1234)),
        (["2001:db8::7"], ("2001:db8::7", 0)),
        (["203.0.113.7:99999"], ("203.0.113.7", 0)),
        # all trusted: the first
        (["10.0.0.2, 192.168.1.1"], ("10.0.0.2", 0)),
        # no address: as far as anything is known
        (["unknown"], ("10.0.0.1", 5000)),
        (["203.0.113.7, unknown, 10.0.0.2"], ("10.0.0.2", 0)),
        ([""], ("10.0.0.1", 5000)),
        (["203.0.113.7,"], ("10.0.0.1", 5000)),
        (["[::1", "]"], ("10.0.0.1", 5000)),
        (["1.2.3"], ("10.0.0.1", 5000)),
        (["fe80::1%eth0"], ("10.0.0.1", 5000)),
    ],
)
def test_client_behind_a_trusted_proxy(
    forwarded: ModuleType, values: list[str], client: tuple[str, int]
) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in values]
    assert scope_after(forwarded, headers)["client"] == client


@pytest.mark.parametrize("peer", [("10.0.0.9", 1), ("::2", 1), ("garbage", 1), None])
def test_others_are_not_believed(forwarded: ModuleType, peer: Any) -> None:
    headers = [(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-proto", b"https")]
    scope = scope_after(forwarded, headers, peer)
    assert (scope["client"], scope["scheme"]) == (peer, "http")


@pytest.mark.parametrize("peer", [("10.0.0.9", 1), ("::2", 1), None])
def test_star_believes_everybody(forwarded: ModuleType, peer: Any) -> None:
    headers = [(b"x-forwarded-for", b"1.1.1.1, 2.2.2.2")]
    scope = scope_after(forwarded, headers, peer, "10.0.0.1,*")
    assert scope["client"] == ("1.1.1.1", 0)


@pytest.mark.parametrize(
    ("kind", "given_scheme", "scheme"),
    [
        ("http", b" HTTPS ", "https"),
        ("http", b"wss", "https"),
        ("websocket", b"https", "wss"),
        ("websocket", b"wss", "wss"),
        ("http", b"javascript", "http"),
        ("http", b"https,http", "http"),
        ("websocket", b"\xff", "ws"),
    ],
)
def test_scheme(
    forwarded: ModuleType, kind: str, given_scheme: bytes, scheme: str
) -> None:
    headers = [(b"x-forwarded-proto", given_scheme)]
    told = scope_after(forwarded, headers, kind=kind)["scheme"]
    assert told == scheme


def test_lifespan_passes(forwarded: ModuleType) -> None:
    called = []

    async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
        called.append(scope)

    layer = forwarded.ProxyHeaders(application, ["10.0.0.1"])
    asyncio.run(layer({"type": "lifespan"}, None, None))
    assert called == [{"type": "lifespan"}]


HOPS = st.lists(st.one_of(st.ip_addresses().map(str), st.text(max_size=20)))


@given(HOPS, st.ip_addresses(v=4), st.integers(0, 65535))
def test_what_stands_left_of_an_unknown_address_never_counts(
    forwarded: ModuleType, made_up: list[str], client: Any, port: int
) -> None:
    trusted = forwarded.TrustedProxies("10.0.0.1,10.0.0.2")
    if str(client) in trusted:
        return
    hops = [*",".join(made_up).split(","), f"{client}:{port}", "10.0.0.2"]
    assert trusted.client(("10.0.0.1", 1), hops) == (str(client), port)


@given(st.text())
def test_any_text_is_a_hop_or_none(forwarded: ModuleType, text: str) -> None:
    hop = forwarded.parse_hop(text)
    assert hop is None or forwarded.parse_address(hop[0]) and 0 <= hop[1] < 65_536
