"""Says it in one line where the system forbids this user the port.

Gunicorn tries a port that it may not open five times, a second apart, and then ends with
a line a try. That a port is taken may pass, that it is forbidden does not: ports below
``net.ipv4.ip_unprivileged_port_start`` are for those with CAP_NET_BIND_SERVICE alone
(ip(7), capabilities(7)). Docker sets the limit to 0 in its networks; Kubernetes, and the
host's own network, mostly do not.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

# Where the line sends those whose port is forbidden.
FREE_PORT = 8080


def is_forbidden(host: str, port: int) -> bool:
    """Return whether this process may not open a TCP port, by trying it for a moment.

    What else may be wrong with the address is left for Gunicorn to say.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except PermissionError:
        return True
    except (OSError, UnicodeError):
        return False
    return False


def why_forbidden(addresses: Iterable[object]) -> str | None:
    """Return the line on the first address that is forbidden, or ``None``.

    addresses: Gunicorn's, a pair (or, of IPv6, four) of host and port; paths of Unix
    sockets and numbers of open files are let through.
    """
    for address in addresses:
        if not isinstance(address, tuple):
            continue
        host, port = address[:2]
        if is_forbidden(host, port):
            return (
                f"port {port} is forbidden to user {os.geteuid()} here: set"
                f" PORT={FREE_PORT}, or run with"
                f" --sysctl net.ipv4.ip_unprivileged_port_start={port}"
            )
    return None
