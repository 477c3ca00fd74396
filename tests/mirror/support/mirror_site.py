"""Helpers of these tests: an HTTP server, wheels and Debian packages made by hand."""

from __future__ import annotations

import base64
import contextlib
import csv
import hashlib
import io
import re
import socket
import ssl
import tarfile
import threading
import zipfile
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Optional, Union

Answer = Union[bytes, Callable[["Request"], None]]


class Request(BaseHTTPRequestHandler):
    """One request; an answer that is a function writes to it."""

    protocol_version = "HTTP/1.1"
    # Heads and contents in one packet: apart, each answer takes 40 ms.
    wbufsize = -1
    server: Site

    def do_GET(self) -> None:
        """Answer from the site's table."""
        path = self.path.partition("?")[0]
        self.server.requests.append((path, self.headers.get("Range", "")))
        self.server.logins.append(self.headers.get("Authorization", ""))
        answer = self.server.answers.get(path)
        if callable(answer):
            answer(self)
        elif answer is None:
            self.send(b"nothing here", 404)
        else:
            self.send(answer)

    def send(self, content: bytes, status: int = 200, **headers: str) -> None:
        """Send a whole answer; underscores in header names are dashes."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def break_after(self, content: bytes, length: int) -> None:
        """Announce `length` bytes, send fewer and hang up."""
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(content)
        self.close_connection = True

    def hang_up(self) -> None:
        """Send nothing."""
        self.close_connection = True

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


class Site(ThreadingHTTPServer):
    """An HTTP server on a free port of 127.0.0.1.

    answers: by path, bytes or a function that is given the request; requests: what was
    asked, as (path, header "Range"); logins: the header "Authorization" of each.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, str]] = []
        self.logins: list[str] = []
        self.leaving = threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """The root, without a slash at its end."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Site:
        self.thread.start()
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.leaving.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hung up."""

    def serve_ranges(self, path: str, content: bytes) -> None:
        """Answer at `path`, from where a Range header says (RFC 9110)."""

        def answer(request: Request) -> None:
            asked = re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            size = len(content)
            if start >= size:
                request.send(b"", 416, Content_Range=f"bytes */{size}")
            elif asked:
                span = f"bytes {start}-{size - 1}/{size}"
                request.send(content[start:], 206, Content_Range=span)
            else:
                request.send(content)

        self.answers[path] = answer


def sha256(content: bytes) -> str:
    """Hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def make_wheel(
    folder: Path,
    files: Mapping[str, bytes],
    name: str = "thing",
    version: str = "1.0",
    entry_points: str = "",
    executable: tuple[str, ...] = (),
    record: bool = True,
) -> Path:
    """Write a wheel (PEP 427); record: whether RECORD tells of its files."""
    info = f"{name}-{version}.dist-info"
    content = {
        **files,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\n"
        f"Version: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: hand\n"
        b"Root-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_points:
        content[f"{info}/entry_points.txt"] = entry_points.encode()
    rows = io.StringIO()
    writer = csv.writer(rows, lineterminator="\n")
    for path, data in content.items() if record else ():
        value = base64.urlsafe_b64encode(hashlib.sha256(data).digest())
        writer.writerow([path, f"sha256={value.decode().rstrip('=')}", len(data)])
    writer.writerow([f"{info}/RECORD", "", ""])
    content[f"{info}/RECORD"] = rows.getvalue().encode()
    folder.mkdir(parents=True, exist_ok=True)
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in content.items():
            member = zipfile.ZipInfo(path)
            mode = 0o755 if path in executable else 0o644
            member.external_attr = (0o100000 | mode) << 16
            archive.writestr(member, data)
    return wheel


def make_deb(path: Path, files: Mapping[str, bytes], compression: str = "xz") -> Path:
    """Write a Debian package (deb(5)) with these files, named without "./"."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode=f"w:{compression}") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            member.mode = 0o755
            archive.addfile(member, io.BytesIO(content))
    parts = {
        "debian-binary": b"2.0\n",
        "control.tar.xz": b"odd",
        f"data.tar.{compression}": data.getvalue(),
    }
    content = b"!<arch>\n"
    for name, part in parts.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(part):<10}`\n"
        content += header.encode() + part + b"\n" * (len(part) % 2)
    path.write_bytes(content)
    return path


# A certificate for 127.0.0.1 that nobody trusts, and its key.
CERTIFICATE = Path(__file__).parent / "certificate.pem"


class RawServer:
    """Listens on a free port of 127.0.0.1, and lets a function talk to each client.

    talk: is given a connection, which is closed when it returns; connections: how many
    there were. secure: whether it speaks TLS, with CERTIFICATE.
    """

    def __init__(
        self, talk: Callable[[socket.socket], None], secure: bool = False
    ) -> None:
        self.talk = talk
        self.secure = secure
        self.connections = 0
        self.leaving = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        """The root, without a slash at its end."""
        scheme = "https" if self.secure else "http"
        return f"{scheme}://127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self) -> RawServer:
        self.start(self.accept)
        return self

    def __exit__(self, *ignored: object) -> None:
        self.leaving.set()
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join()

    def start(self, function: Callable[..., None], *arguments: object) -> None:
        """Run a function in a thread that ends with the server."""
        thread = threading.Thread(target=function, args=arguments)
        self.threads.append(thread)
        thread.start()

    def accept(self) -> None:
        """Take clients until the server ends."""
        while not self.leaving.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.start(self.serve, client)

    def serve(self, client: socket.socket) -> None:
        """One client; that it hangs up is no error."""
        with contextlib.suppress(OSError), client:
            client.settimeout(20)
            if self.secure:
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(CERTIFICATE)
                with context.wrap_socket(client, server_side=True) as secured:
                    self.talk(secured)
            else:
                self.talk(client)

    def drip(self, client: socket.socket, content: bytes) -> None:
        """Send single bytes, for ever, until the client hangs up or the server ends."""
        while not self.leaving.wait(0.02):
            client.sendall(content)
