"""Who the client is behind proxies, by the X-Forwarded headers of those that are trusted.

Each proxy appends the address of the peer that it has seen to X-Forwarded-For; what was
there before came from that peer, who may have made it up. So the addresses are read from
the right, past those that FORWARDED_ALLOW_IPS trusts, and the first other one is the
client. Uvicorn 0.15 reads one of several headers, compares texts, takes a port for a part
of the address, and has no client where all are trusted; newer ones take any text for an
address. This layer takes the place of theirs in all versions.

Sources: the de facto standard X-Forwarded-For; Uvicorn's
``middleware/proxy_headers.py``, whose changes to the scope these are.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Optional, Union

Address = Union[ipaddress.IPv4Address, ipaddress.IPv6Address]
Client = tuple[str, int]
Message = dict[str, Any]
Application = Callable[[Message, Any, Any], Awaitable[None]]

SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
HTTP_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}


def parse_address(text: str) -> Optional[Address]:
    """Return an IP address, or ``None``. One of IPv4 written as IPv6 is taken for IPv4.

    >>> str(parse_address("::ffff:10.0.0.1")), parse_address("unknown")
    ('10.0.0.1', None)
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return address if mapped is None else mapped


def parse_hop(text: str) -> Optional[Client]:
    """Return an entry of X-Forwarded-For as address and port, or ``None``.

    A port that is not given is 0.

    >>> parse_hop("[2001:DB8::1]:443"), parse_hop("10.0.0.1:80"), parse_hop("::1")
    (('2001:db8::1', 443), ('10.0.0.1', 80), ('::1', 0))
    """
    host, port = text.strip(), ""
    if host.startswith("["):
        host, bracket, rest = host[1:].partition("]")
        if not bracket or ":" not in host or rest[:1] not in ("", ":"):
            return None
        port = rest[1:]
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    address = parse_address(host)
    if address is None or "%" in host:
        return None
    is_port = port.isascii() and port.isdigit() and len(port) <= 5
    number = int(port) if is_port else 0
    return str(address), number if number < 65_536 else 0


class TrustedProxies:
    """The proxies whose word counts: those of FORWARDED_ALLOW_IPS."""

    def __init__(self, trusted: Union[str, Sequence[str]]) -> None:
        """Take addresses and networks, as a list or joined by commas; * stands for all."""
        items = trusted.split(",") if isinstance(trusted, str) else trusted
        names = [item.strip() for item in items]
        self.trusts_all = "*" in names
        self._addresses = {parse_address(name) for name in names} - {None}
        self._networks = [
            ipaddress.ip_network(name, strict=False) for name in names if "/" in name
        ]
        self._is_trusted = functools.lru_cache(maxsize=1024)(self._look_up)

    def __contains__(self, host: Optional[str]) -> bool:
        return self.trusts_all or bool(host) and self._is_trusted(host)

    def _look_up(self, host: str) -> bool:
        address = parse_address(host)
        return address is not None and (
            address in self._addresses
            or any(address in network for network in self._networks)
        )

    def client(self, peer: Optional[Client], hops: Iterable[str]) -> Optional[Client]:
        """Return the client that a trusted peer tells of.

        ``hops`` are the entries of X-Forwarded-For. An entry that is no address ends the
        walk: the last one before it is as far as anything is known. If all are trusted,
        the first one is the client, and so it is with *.
        """
        found = peer
        for text in reversed(list(hops)):
            hop = parse_hop(text)
            if hop is None:
                break
            found = hop
            if hop[0] not in self:
                break
        return found


class ProxyHeaders:
    """An ASGI application that calls another one with the client that proxies tell of."""

    def __init__(
        self, application: Application, trusted: Union[str, Sequence[str]]
    ) -> None:
        self._application = application
        self._trusted = TrustedProxies(trusted)

    def __call__(self, scope: Message, receive: Any, send: Any) -> Awaitable[None]:
        """Serve one request, WebSocket or lifespan."""
        if scope["type"] != "lifespan":
            self._change(scope)
        return self._application(scope, receive, send)

    def _change(self, scope: Message) -> None:
        peer = scope.get("client")
        if (peer[0] if peer else None) not in self._trusted:
            return
        hops: list[str] = []
        for name, value in scope["headers"]:
            if name == b"x-forwarded-for":
                hops += value.decode("latin-1").split(",")
            elif name == b"x-forwarded-proto":
                scheme = value.decode("latin-1").strip().lower()
                is_websocket = scope["type"] == "websocket"
                known = SCHEMES if is_websocket else HTTP_SCHEMES
                scope["scheme"] = known.get(scheme, scope.get("scheme"))
        if hops:
            scope["client"] = self._trusted.client(peer, hops)
