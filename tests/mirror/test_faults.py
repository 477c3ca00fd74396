"""Mirrors that misbehave: each is told in a part of a line, and the next one is used."""

from __future__ import annotations

import gc
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Optional

import download
import pytest
import transport
from download import Fetcher
from errors import MirrorError
from hypothesis import given
from hypothesis import strategies as st
from locked_file import LockedFile
from mirror_site import CERTIFICATE, RawServer, Request, Site, sha256

CONTENT = bytes(range(256)) * 200
PAGE = b"<!DOCTYPE html><title>Log in</title>"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT)
SECRET = "s3cr3t"

pytestmark = pytest.mark.usefixtures("pip_alone", "programs")


@pytest.fixture(autouse=True)
def impatient(pip_alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can wait for."""
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 0.2)
    monkeypatch.setattr(transport, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(transport, "SLOW_SECONDS", 0.2)
    monkeypatch.setattr(transport, "GLITCH_SECONDS", 0.0)
    monkeypatch.setenv("PIP_DEFAULT_TIMEOUT", "0.1")


def locked(size: Optional[int] = len(CONTENT), name: str = "a.deb") -> LockedFile:
    return LockedFile("debian", name, sha256(CONTENT), name, size=size)


def fetch(folder: Path, *roots: str, size: Optional[int] = len(CONTENT)) -> str:
    """Fetch from these mirrors; returns what the error says of them, "" for none."""
    base = {**os.environ, "MIRROR_DEBIAN": " ".join(roots)}
    started = time.monotonic()
    with closing(Fetcher(folder, base)) as fetcher:
        try:
            assert fetcher.fetch(locked(size)).read_bytes() == CONTENT
            return ""
        except MirrorError as error:
            message = str(error)
        finally:
            assert time.monotonic() - started < 10
    assert "\n" not in message and message.endswith("pin another: ./mirror lock")
    found = re.fullmatch(r"a\.deb \(sha256 \w+\) is on no mirror \((.*)\): .*", message)
    assert found
    return found[1]


Talk = Callable[[RawServer, socket.socket], None]


def hear(client: socket.socket) -> bytes:
    """What a client asks."""
    asked = b""
    while not asked.endswith(b"\r\n\r\n"):
        some = client.recv(4096)
        if not some:
            break
        asked += some
    return asked


def answer(*parts: bytes) -> Talk:
    """Send these bytes to whoever asks."""

    def talk(server: RawServer, client: socket.socket) -> None:
        hear(client)
        for part in parts:
            client.sendall(part)

    return talk


def hang(server: RawServer, client: socket.socket) -> None:
    """Never answer."""
    hear(client)
    server.leaving.wait(20)


def drip_head(server: RawServer, client: socket.socket) -> None:
    """Never end a header."""
    hear(client)
    client.sendall(b"HTTP/1.1 200 OK\r\nX-Odd: ")
    server.drip(client, b"x")


def drip_body(server: RawServer, client: socket.socket) -> None:
    """Send a byte now and then."""
    hear(client)
    client.sendall(HEAD)
    server.drip(client, b"x")


def hang_in_body(server: RawServer, client: socket.socket) -> None:
    """Begin, and say no more."""
    hear(client)
    client.sendall(HEAD + CONTENT[:20000])
    server.leaving.wait(20)


def flood_head(server: RawServer, client: socket.socket) -> None:
    """Send headers without end."""
    hear(client)
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    for number in range(1000):
        client.sendall(b"X-%d: x\r\n" % number)


KEPT = r"\(sha256 \w{64}, kept as \S+/refused/a\.deb-\w{12}\)"

FAULTS: dict[str, tuple[Talk, str]] = {
    "hangs": (hang, "no answer within 0.3 s"),
    "drips a header": (drip_head, "no answer within 0.3 s"),
    "drips the file": (drip_body, "brought fewer than 16384 bytes in 0.2 s"),
    "hangs in the file": (hang_in_body, ".* 0.[23] s"),
    "closes at once": (answer(), "closed the connection early"),
    "is no web server": (answer(b"220 smtp\r\n\r\n"), "does not speak HTTP"),
    "has headers without end": (flood_head, "does not speak HTTP"),
    "announces too much": (answer(HEAD, CONTENT[:-1]), "(closed the|ended after) .*"),
    "announces too little": (
        answer(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", CONTENT),
        f"serves another file of 10, not {len(CONTENT)}, bytes {KEPT}",
    ),
    "ends too early": (
        answer(b"HTTP/1.1 200 OK\r\n\r\n", CONTENT[:-1]),
        f"ended after {len(CONTENT) - 1} of {len(CONTENT)} bytes",
    ),
    "breaks its chunks": (
        answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
        "closed the connection early",
    ),
    "sends without end": (
        answer(b"HTTP/1.1 200 OK\r\n\r\n", CONTENT * 20),
        f"serves more than {len(CONTENT)} bytes",
    ),
    "is a login page": (
        answer(b"HTTP/1.1 200 OK\r\n\r\n", PAGE),
        f"serves an HTML page {KEPT}",
    ),
    "redirects in a circle": (
        answer(b"HTTP/1.1 302 x\r\nLocation: /a.deb\r\nConnection: close\r\n\r\n"),
        "redirects in a circle",
    ),
    "redirects to a file": (
        answer(b"HTTP/1.1 302 x\r\nLocation: file:///etc/passwd\r\n\r\n"),
        "redirects to what is no web server",
    ),
    "sends a part that nobody asked for": (
        answer(b"HTTP/1.1 206 x\r\nContent-Range: bytes 5-9/10\r\n\r\nabcde"),
        "does not continue the part that is there",
    ),
    "has had enough": (
        answer(b"HTTP/1.1 429 x\r\nRetry-After: 3600\r\n\r\n"),
        "HTTP 429, wants to be asked again in 3600 s",
    ),
    "has had enough until a date": (
        answer(b"HTTP/1.1 503 x\r\nRetry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n\r\n"),
        "HTTP 503, wants to be asked again in [0-9]+ s",
    ),
    "is overloaded": (answer(b"HTTP/1.1 503 x\r\n\r\n"), "HTTP 503"),
    "wants credentials": (
        answer(b"HTTP/1.1 401 x\r\n\r\n"),
        "HTTP 401: are its credentials right.",
    ),
    "lacks it": (answer(b"HTTP/1.1 404 x\r\nContent-Length: 3\r\n\r\nabc"), "HTTP 404"),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_is_told_and_the_next_mirror_is_used(
    kind: str, tmp_path: Path, site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    talk, told = FAULTS[kind]
    site.serve_ranges("/a.deb", CONTENT)
    with RawServer(lambda client: talk(server, client)) as server:
        message = fetch(tmp_path / "alone", server.url)
        assert re.fullmatch(f"127.0.0.1:[0-9]+: {told}", message), message
        assert fetch(tmp_path / "both", server.url, site.url) == ""
    assert capfd.readouterr() == ("", "")


def test_a_mirror_that_takes_no_connection(tmp_path: Path, site: Site) -> None:
    site.answers["/a.deb"] = CONTENT
    with socket.socket() as listener, socket.socket() as first, socket.socket() as more:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for waiting in (first, more):
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        root = f"http://127.0.0.1:{listener.getsockname()[1]}"
        message = fetch(tmp_path / "alone", root)
        assert re.fullmatch(".*: no connection within 0.2 s", message)
        assert fetch(tmp_path / "both", root, site.url) == ""


def test_a_mirror_of_an_unknown_name(tmp_path: Path, site: Site) -> None:
    site.answers["/a.deb"] = CONTENT
    root = f"http://me:{SECRET}@nothing.invalid:81/debian"
    message = fetch(tmp_path / "alone", root)
    assert message == "nothing.invalid:81: unknown host name"
    assert fetch(tmp_path / "both", root, site.url) == ""


@pytest.mark.parametrize(
    "root", ["nothing", f"me:{SECRET}@host/a", "https://[odd", f"http://a:{SECRET}/b@c"]
)
def test_what_is_no_url(root: str, tmp_path: Path, site: Site) -> None:
    site.answers["/a.deb"] = CONTENT
    message = fetch(tmp_path / "alone", root)
    assert message.endswith(": is no URL of a web server") and SECRET not in message
    assert fetch(tmp_path / "both", root, site.url) == ""


def test_certificates(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.answers["/a.deb"] = CONTENT
    talk = answer(HEAD, CONTENT)
    with RawServer(lambda client: talk(server, client), secure=True) as server:
        message = fetch(tmp_path / "alone", server.url)
        assert re.fullmatch(
            r"127.0.0.1:[0-9]+: its certificate is not trusted \(self.signed"
            r" certificate\): name its CA file in pip's `cert` or apt's"
            r" Acquire::https::CAInfo",
            message,
        )
        assert fetch(tmp_path / "both", server.url, site.url) == ""
        monkeypatch.setenv("PIP_CERT", str(CERTIFICATE))
        assert fetch(tmp_path / "trusted", server.url) == ""
        message = fetch(tmp_path / "plain", server.url.replace("https", "http"))
    assert message.startswith("127.0.0.1:")
    with RawServer(lambda client: client.sendall(b"HTTP/1.1 400 x\r\n\r\n")) as plain:
        message = fetch(tmp_path / "tls", plain.url.replace("http", "https"))
    assert message.endswith("does not speak TLS as it should")


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
def test_pips_trusted_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = b"<a href='/a.whl'>a</a>"
    length = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"

    def talk(client: socket.socket) -> None:
        body = page if b"GET /a/ " in hear(client) else CONTENT
        client.sendall(length % len(body) + body)

    with RawServer(talk, secure=True) as server:
        monkeypatch.setenv("PIP_INDEX_URL", server.url)
        file = LockedFile("pypi", "a.whl", sha256(CONTENT), "a.whl", project="a")
        with closing(Fetcher(tmp_path / "untrusted", os.environ)) as fetcher:
            with pytest.raises(MirrorError, match="its certificate is not trusted"):
                fetcher.fetch(file)
        monkeypatch.setenv("PIP_TRUSTED_HOST", server.url[len("https://") :])
        with closing(Fetcher(tmp_path / "trusted", os.environ)) as fetcher:
            assert fetcher.fetch(file).read_bytes() == CONTENT


def test_a_certificate_file_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CERT", "/nowhere.pem")
    message = fetch(tmp_path, "https://127.0.0.1:1/")
    assert "/nowhere.pem" in message


# Python's own library leaves the socket of a tunnel that was refused to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_proxy_that_refuses(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = answer(b"HTTP/1.1 407 x\r\nContent-Length: 0\r\n\r\n")
    with RawServer(lambda client: proxy(server, client)) as server:
        secret = server.url.replace("//", f"//me:{SECRET}@")
        monkeypatch.setenv("https_proxy", secret)
        message = fetch(tmp_path, "https://host.invalid/")
        assert message == "host.invalid: its proxy: HTTP 407"
        gc.collect()
        monkeypatch.setenv("http_proxy", secret)
        message = fetch(tmp_path, "http://host.invalid/")
        assert message == "host.invalid: HTTP 407: are its credentials right?"
    monkeypatch.setenv("http_proxy", secret)
    message = fetch(tmp_path, "http://host.invalid/")
    assert message == "host.invalid: its proxy: connection refused"
    gc.collect()


def test_a_short_pause_is_kept(tmp_path: Path, site: Site) -> None:
    asked: list[float] = []

    def busy(request: Request) -> None:
        asked.append(time.monotonic())
        if len(asked) == 1:
            request.send(b"", 429, Retry_After="1")
        else:
            request.send(CONTENT)

    site.answers["/a.deb"] = busy
    assert fetch(tmp_path, site.url) == ""
    assert 1 <= asked[1] - asked[0] < 5


def test_a_mirror_that_fails_once_is_asked_again(tmp_path: Path, site: Site) -> None:
    def once(request: Request) -> None:
        site.answers["/a.deb"] = CONTENT
        request.hang_up()

    site.answers["/a.deb"] = once
    assert fetch(tmp_path, site.url) == ""
    assert len(site.requests) == 2


def test_a_size_that_no_lock_tells_is_limited(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "LARGEST", 1000)
    site.answers["/a.deb"] = CONTENT
    message = fetch(tmp_path, site.url, size=None)
    assert message.endswith("serves more than 1000 bytes")


@pytest.fixture
def hanging() -> Iterator[RawServer]:
    """A mirror that answers nobody."""
    with RawServer(lambda client: hang(server, client)) as server:
        yield server


def test_a_broken_mirror_costs_little(
    tmp_path: Path, site: Site, hanging: RawServer
) -> None:
    files = [locked(name=f"{number}.deb") for number in range(10)]
    for file in files:
        site.answers[f"/{file.name}"] = CONTENT
    base = {**os.environ, "MIRROR_DEBIAN": f"{hanging.url} {site.url}"}
    with closing(Fetcher(tmp_path, base)) as fetcher:
        for file in files:
            assert fetcher.fetch(file).read_bytes() == CONTENT
    assert hanging.connections == 1


def test_a_broken_index_costs_little(
    tmp_path: Path, site: Site, hanging: RawServer
) -> None:
    base = {**os.environ, "MIRROR_PYPI": f"{hanging.url} {site.url}"}
    with closing(Fetcher(tmp_path, base)) as fetcher:
        for number in range(10):
            project = f"p{number}"
            site.answers[f"/{project}/"] = b"<a href='/a.whl'>a</a>"
            site.answers["/a.whl"] = CONTENT
            fetcher.fetch(
                LockedFile("pypi", "a.whl", sha256(CONTENT), "a.whl", project=project)
            )
    assert hanging.connections == 1


@given(st.text(), st.integers(0, 3000))
def test_any_content_range_is_read(text: str, have: int) -> None:
    head = transport.Head(206, {"Content-Range": f"bytes {text}"}, "")
    span = download.parse_content_range(f"bytes {text}")
    assert span is None or span[0] <= span[1]
    assert not download.fits(head, have) or (span and span[0] == have)


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.booleans())
def test_content_ranges(first: int, last: int, size: int, known: bool) -> None:
    text = f"bytes {first}-{last}/{size if known else '*'}"
    span = download.parse_content_range(text)
    if first > last or (known and last >= size):
        assert span is None
    else:
        assert span == (first, last, size if known else None)
        head = transport.Head(206, {"Content-Range": text}, "")
        assert download.fits(head, first) == (
            first > 0 and (not known or last + 1 == size)
        )


@given(st.text())
def test_any_retry_after_is_read(text: str) -> None:
    assert transport.pause_of(text) >= transport.PAUSE_SECONDS
