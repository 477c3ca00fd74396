"""Asks the server of this container for an answer, and ends with 0 if it is well, else 1.

Made for ``python -I -S``: of the standard library it takes what starts quickly. Where
the server listens is read from what it was started with, in Gunicorn's order: the
arguments of process 1, GUNICORN_CMD_ARGS, GUNICORN_CONF, BIND, HOST and PORT. Of several
addresses the first one is asked.

Without HEALTH_CHECK_PATH, / is asked for, and any status below 500 is health: the server
and the application answer. With it, a status of 200 to 399 is. HEALTH_CHECK_TIMEOUT are
the seconds for all of it.

Sources: Docker's HEALTHCHECK for the two statuses; RFC 9112 for the request; Gunicorn's
``util.parse_address``.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence

DEFAULT_BIND = "0.0.0.0:80"
DEFAULT_TIMEOUT = 5.0
STATUS_LINE_BYTES = 4096
LOOPBACK = {
    "": ("127.0.0.1",),
    "0.0.0.0": ("127.0.0.1",),
    # where the machine has no IPv6 but for this name, IPv4 comes in as well
    "::": ("::1", "127.0.0.1"),
}
BIND_OPTIONS = ("-b", "--bind")
CERTIFICATE_OPTIONS = ("--certfile",)


class Unhealthy(Exception):
    """The server is not well; the text says why."""


def option_values(arguments: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the values of an option, as argparse takes them from a command line.

    >>> option_values(["-b:80", "--bind=[::]:81", "-b", "unix:a"], ("-b", "--bind"))
    [':80', '[::]:81', 'unix:a']
    """
    values = []
    rest = iter(arguments)
    for argument in rest:
        for name in names:
            if argument == name:
                values += [value for value in (next(rest, None),) if value is not None]
            elif name.startswith("--") and argument.startswith(f"{name}="):
                values.append(argument[len(name) + 1 :])
            elif not name.startswith("--") and argument.startswith(name):
                values.append(argument[len(name) :])
            else:
                continue
            break
    return values


def arguments_of_process_1() -> list[str]:
    """Return Gunicorn's arguments where it is process 1, as in a container.

    Gunicorn may have given itself a title, or its interpreter be in front of it.
    """
    try:
        with open("/proc/1/cmdline", "rb") as file:
            words = file.read().decode("utf-8", "surrogateescape").split("\0")
    except OSError:
        return []
    for number, word in enumerate(words[:3]):
        if os.path.basename(word) == "gunicorn":
            return words[number + 1 :]
    return []


def settings_of_file(path: str) -> Mapping[str, object]:
    """Return the variables of GUNICORN_CONF; none where it takes packages to run it."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import configuration_overlay

    try:
        return configuration_overlay.read_overlay(path)
    except ValueError:
        return {}


def server_address(
    environment: Mapping[str, str], arguments: Sequence[str]
) -> tuple[str, bool]:
    """Return where the server listens, as Gunicorn writes it, and whether it talks TLS."""
    given = {name: value.strip() for name, value in environment.items()}
    command: list[str] = []
    if given.get("GUNICORN_CMD_ARGS"):
        import shlex

        command = shlex.split(given["GUNICORN_CMD_ARGS"])
    settings: Mapping[str, object] = {}
    if given.get("GUNICORN_CONF"):
        settings = settings_of_file(given["GUNICORN_CONF"])
    has_tls = bool(settings.get("certfile"))
    for words in (command, arguments):
        has_tls = has_tls or bool(option_values(words, CERTIFICATE_OPTIONS))
    in_file = settings.get("bind") or []
    bind = given.get("BIND", "")
    if bind in ("", DEFAULT_BIND):
        bind = f"{given.get('HOST') or '0.0.0.0'}:{given.get('PORT') or '80'}"
        host = given.get("HOST", "")
        if ":" in host and not host.startswith("["):
            bind = f"[{host}]:{given.get('PORT') or '80'}"
    for addresses in (
        option_values(arguments, BIND_OPTIONS),
        option_values(command, BIND_OPTIONS),
        [in_file] if isinstance(in_file, str) else list(in_file),  # type: ignore
    ):
        if addresses:
            bind = str(addresses[0])
            break
    return bind.split(",")[0].strip(), has_tls


def connect(address: str, deadline: float) -> socket.socket:
    """Return a connection to an address in Gunicorn's form; ``OSError`` if there is none.

    A server that listens everywhere is asked on the loopback interface.
    """
    seconds = max(deadline - time.monotonic(), 0.001)
    if address.startswith("unix:"):
        path = address[len("unix:") :]
        path = path[2:] if path.startswith("//") else path
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(seconds)
        try:
            connection.connect(path)
        except OSError:
            connection.close()
            raise
        return connection
    if address.startswith("fd://"):
        raise Unhealthy("a file descriptor of another process has no address to ask")
    text = address[len("tcp://") :] if address.startswith("tcp://") else address
    host, colon, port = text.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = text, "8000"
    host = host.strip("[]")
    try:
        number = int(port)
    except ValueError:
        raise Unhealthy("that is no address") from None
    *others, last = LOOPBACK.get(host, (host,))
    for other in others:
        try:
            return socket.create_connection((other, number), seconds)
        except OSError:
            continue
    return socket.create_connection((last, number), seconds)


def status_of(connection: socket.socket, path: str, deadline: float) -> int:
    """Return the status of the answer to a GET; ``OSError``, ``Unhealthy`` without one."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: health-check\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n"
    )
    connection.sendall(request.encode("utf-8", "surrogateescape"))
    answer = b""
    while b"\n" not in answer and len(answer) < STATUS_LINE_BYTES:
        seconds = deadline - time.monotonic()
        if seconds <= 0:
            raise socket.timeout("timed out")
        connection.settimeout(seconds)
        part = connection.recv(STATUS_LINE_BYTES)
        if not part:
            break
        answer += part
    words = answer.partition(b"\n")[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise Unhealthy("the answer is not HTTP")
    return int(words[1])


def check(environment: Mapping[str, str], arguments: Sequence[str]) -> str:
    """Return a sentence about a server that is well; raise ``Unhealthy`` otherwise."""
    began = time.monotonic()
    given = environment.get("HEALTH_CHECK_PATH", "").strip()
    try:
        timeout = float(environment.get("HEALTH_CHECK_TIMEOUT", "").strip() or "5")
    except ValueError:
        timeout = DEFAULT_TIMEOUT
    address, has_tls = server_address(environment, arguments)
    path = given or "/"
    what = f"GET {path} of {address}"
    try:
        connection = connect(address, began + timeout)
        with connection:
            if has_tls:
                import ssl

                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                connection = context.wrap_socket(connection)
            with connection:
                status = status_of(connection, path, began + timeout)
    except socket.timeout:
        raise Unhealthy(f"{what}: no answer within {timeout:g} s") from None
    except OSError as error:
        raise Unhealthy(f"{what}: {error.strerror or error}") from None
    except Unhealthy as error:
        raise Unhealthy(f"{what}: {error}") from None
    milliseconds = (time.monotonic() - began) * 1000
    if not (200 <= status < 400 if given else status < 500):
        raise Unhealthy(f"{what}: status {status}")
    return f"{what}: status {status} in {milliseconds:.0f} ms"


def main() -> int:
    """Print one line and return 0 for health, 1 otherwise."""
    try:
        line, status = f"healthy: {check(os.environ, arguments_of_process_1())}", 0
    except Exception as error:
        line, status = f"unhealthy: {error}", 1
    print(" ".join(line.split()))
    return status


if __name__ == "__main__":
    sys.exit(main())
