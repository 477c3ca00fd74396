"""HTTP within limits: whatever a server does, a run goes on, and tells why in a line."""

from __future__ import annotations

import email.utils
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, IncompleteRead, RemoteDisconnected
from typing import Any, Optional
from urllib.parse import urljoin

from address import is_web, origin
from errors import MirrorError

# Seconds to connect, and for the head of an answer, which a caching proxy gives only
# once it has the file itself.
CONNECT_SECONDS = 10.0
HEAD_SECONDS = 60.0

# A server that brings fewer bytes in so many seconds is as good as none.
SLOW_SECONDS = 30.0
SLOW_BYTES = 1 << 14

CHUNK = 1 << 14

# The most redirections that are followed.
REDIRECTIONS = 10

# The most of a page that is read, bytes.
PAGE_BYTES = 1 << 27

# How often something is asked for where the answer may be another in a while, how many
# seconds lie between, and the most of them that a server may ask for.
TURNS = 3
PAUSE_SECONDS = 1.0
LONGEST_PAUSE = 30.0

# A server that fails so often in a row, for so many seconds, is left for the run.
FAILURES = 3
GLITCH_SECONDS = 2.0

# Seconds between two looks at a transfer.
POLL_SECONDS = 0.05

# Answers that may be others in a while (RFC 9110; RFC 6585 for 429).
PASSING = {429, 500, 502, 503, 504}


class Fault(Exception):
    """One server could not give what it was asked for; another may.

    The message is a part of a line. again: the seconds after which the same may be
    asked again, None where that is of no use. down: whether the server is of no use for
    anything else either. missing: whether it merely does not have it. other: whether it
    has something else in its place. counts: whether several such faults in a row make a
    server one that is of no use.
    """

    def __init__(
        self,
        message: str,
        again: Optional[float] = None,
        down: bool = False,
        missing: bool = False,
        counts: bool = False,
        other: bool = False,
    ) -> None:
        super().__init__(message)
        self.again = again
        self.down = down
        self.missing = missing
        self.other = other
        self.counts = counts


@dataclass(frozen=True)
class Head:
    """The head of an answer; url: where it is from, behind all redirections."""

    status: int
    headers: Mapping[str, str]
    url: str


class _Exchange(threading.Thread):
    """A request in a thread of its own, which can be left to itself.

    An HTTP library's timeouts begin anew with each packet; so a server that sends
    a byte now and then could hold on to whoever waits for a head or for a chunk.
    """

    def __init__(
        self,
        ask: Callable[[], Any],
        begin: Callable[[Head], None],
        take: Callable[[bytes], None],
    ) -> None:
        super().__init__(daemon=True)
        self.ask, self.begin, self.take = ask, begin, take
        self.guard = threading.Lock()
        self.left = False
        self.begun = False
        self.count = 0
        self.error: Optional[BaseException] = None
        self.finished = threading.Event()

    def run(self) -> None:
        try:
            with self.ask() as answer:
                status = answer.status_code
                if status not in (200, 206):
                    # So that the connection can serve again.
                    answer.raw.read(CHUNK)
                self.hand(self.begin, Head(status, answer.headers, answer.url))
                self.begun = True
                for chunk in answer.raw.stream(CHUNK, decode_content=False):
                    self.hand(self.take, chunk)
                    self.count += len(chunk)
        except BaseException as error:
            self.error = error
        finally:
            self.finished.set()

    def hand(self, receive: Callable[[Any], None], what: Any) -> None:
        with self.guard:
            if self.left:
                raise Fault("left")
            receive(what)

    def leave(self) -> None:
        """Whatever still comes is not handed on."""
        with self.guard:
            self.left = True


class Transport:
    """Asks servers, and remembers for its lifetime which of them do not work."""

    def __init__(self, new_session: Callable[[], Any]) -> None:
        """new_session: makes a requests.Session of pip's; each thread uses its own."""
        self.new_session = new_session
        self.cancelled = threading.Event()
        self.down: dict[str, str] = {}
        self.failures: dict[str, tuple[int, float]] = {}
        self.threads = threading.local()
        self.sessions: list[Any] = []
        self.guard = threading.Lock()

    def session(self) -> Any:
        """This thread's session; it retries nothing by itself.

        The library's own retries would wait for as long as a server says.
        """
        if getattr(self.threads, "session", None) is None:
            from pip._vendor.urllib3.util import retry

            none: Any = getattr(retry, "Retry")(0, read=False)
            with self.guard:
                session = self.new_session()
                for adapter in session.adapters.values():
                    adapter.max_retries = none
                self.threads.session = session
                self.sessions.append(session)
        return self.threads.session

    def close(self) -> None:
        """Close all connections; nothing can be asked any more."""
        self.cancelled.set()
        for session in self.sessions:
            session.close()

    def get(
        self,
        url: str,
        begin: Callable[[Head], None],
        take: Callable[[bytes], None],
        headers: Mapping[str, str],
        patience: float = 0.0,
        settings: Callable[[str], Mapping[str, Any]] = lambda url: {},
    ) -> None:
        """Ask for what is at a URL: `begin` is given the head, `take` the rest.

        Both are called in another thread, never after this one returned, and may raise.
        patience: seconds that a head may take, if these are more than HEAD_SECONDS.
        settings: what requests is to be given for a URL, such as proxies; each URL that
            a redirection leads to is asked for with its own, and no credentials go along.
        Raises Fault where the server does not give it, or was found not to work before;
        and what the two functions raise.
        """
        if not is_web(url):
            # A session of pip's also reads files.
            raise Fault("is no URL of a web server")
        server = origin(url)
        if server in self.down:
            raise Fault(self.down[server], down=True)
        try:
            self.exchange(
                url, begin, take, headers, max(patience, HEAD_SECONDS), settings
            )
        except Fault as fault:
            self.note(server, fault)
            raise
        self.failures.pop(server, None)

    def exchange(
        self,
        url: str,
        begin: Callable[[Head], None],
        take: Callable[[bytes], None],
        headers: Mapping[str, str],
        patience: float,
        settings: Callable[[str], Mapping[str, Any]],
    ) -> None:
        """One request; see get."""
        session = self.session()

        def ask() -> Any:
            place = url
            for _ in range(REDIRECTIONS + 1):
                answer = session.get(
                    place,
                    headers=dict(headers),
                    stream=True,
                    timeout=(CONNECT_SECONDS, patience),
                    allow_redirects=False,
                    **settings(place),
                )
                target = session.get_redirect_target(answer)
                if not target:
                    return answer
                answer.close()
                place = urljoin(answer.url, target)
                if not is_web(place):
                    raise Fault("redirects to what is no web server")
            raise Fault("redirects in a circle")

        running = _Exchange(ask, begin, take)
        running.start()
        mark, since = 0, time.monotonic()
        while not running.finished.wait(POLL_SECONDS):
            passed = time.monotonic() - since
            fault = None
            if self.cancelled.is_set():
                fault = Fault("interrupted")
            elif not running.begun:
                if passed > patience + CONNECT_SECONDS:
                    fault = silent(patience, begun=False)
            elif passed > SLOW_SECONDS:
                if running.count - mark < SLOW_BYTES:
                    text = (
                        f"brought fewer than {SLOW_BYTES} bytes in {SLOW_SECONDS:g} s"
                    )
                    fault = Fault(text, again=PAUSE_SECONDS, counts=True)
                mark, since = running.count, time.monotonic()
            if fault is not None:
                running.leave()
                self.threads.session = None
                raise fault
        if isinstance(running.error, (Fault, MirrorError)):
            raise running.error
        if running.error is not None:
            raise fault_of(running.error, patience, running.begun) from None

    def note(self, server: str, fault: Fault) -> None:
        """Remember what a fault says of its server."""
        with self.guard:
            if not fault.counts and not fault.down:
                # It works, whatever it says.
                self.failures.pop(server, None)
                return
            count, since = self.failures.get(server, (0, time.monotonic()))
            self.failures[server] = count + 1, since
            lasting = time.monotonic() - since >= GLITCH_SECONDS
            if fault.down or (count + 1 >= FAILURES and lasting):
                self.down.setdefault(server, str(fault))

    def read(
        self, url: str, headers: Mapping[str, str], patience: float = 0.0
    ) -> tuple[bytes, str]:
        """A whole page, and the URL that it has behind all redirections.

        Raises Fault, after a few attempts where another may succeed.
        """
        turn = 0
        while True:
            turn += 1
            content = bytearray()
            heads: list[Head] = []

            def begin(head: Head) -> None:
                refuse(head)
                heads.append(head)

            def take(chunk: bytes) -> None:
                content.extend(chunk)
                if len(content) > PAGE_BYTES:
                    raise Fault(f"serves a page of more than {PAGE_BYTES} bytes")

            try:
                self.get(
                    *(url, begin, take),
                    {"Accept-Encoding": "identity", **headers},
                    patience,
                )
                length = heads[0].headers.get("Content-Length", "")
                if length.isdigit() and len(content) < int(length):
                    raise Fault(
                        f"ended after {len(content)} of {length} bytes",
                        again=PAUSE_SECONDS,
                    )
                return bytes(content), heads[0].url
            except Fault as fault:
                if fault.again is None or turn == TURNS:
                    raise
                if self.cancelled.wait(fault.again * turn):
                    raise Fault("interrupted") from None


def refuse(head: Head) -> None:
    """Raise Fault where an answer does not bring what was asked for."""
    status = head.status
    if status in (200, 206):
        return
    if status not in PASSING:
        hint = ""
        if status in (401, 403, 407):
            hint = ": are its credentials right?"
        raise Fault(f"HTTP {status}{hint}", missing=status in (404, 410))
    pause = pause_of(head.headers.get("Retry-After", ""))
    if pause > LONGEST_PAUSE:
        text = f"HTTP {status}, wants to be asked again in {pause:.0f} s"
        raise Fault(text)
    raise Fault(f"HTTP {status}", again=pause)


def pause_of(retry_after: str) -> float:
    """The seconds that a Retry-After header asks for (RFC 9110); else PAUSE_SECONDS."""
    seconds = 0.0
    if re.fullmatch("[0-9]{1,9}", retry_after):
        seconds = float(retry_after)
    elif retry_after:
        try:
            date = email.utils.parsedate_to_datetime(retry_after)
            seconds = date.timestamp() - time.time()
        except (TypeError, ValueError, OverflowError, IndexError):
            pass
    return max(seconds, PAUSE_SECONDS)


def silent(seconds: float, begun: bool) -> Fault:
    """The fault of a server that says nothing, or no more; the latter may be a stall."""
    if begun:
        text = f"fell silent for {seconds:g} s"
        return Fault(text, again=PAUSE_SECONDS, counts=True)
    return Fault(f"no answer within {seconds:g} s", down=True)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and those that lie below it, as HTTP libraries wrap them."""
    waiting: list[Any] = [error]
    seen: list[BaseException] = []
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            yield one
            waiting += [getattr(one, "reason", None), *one.args]
            waiting += [one.__cause__, one.__context__]


def fault_of(error: BaseException, patience: float, begun: bool) -> Fault:
    """What an error of the HTTP library says of the server, without its address.

    patience: the seconds that were waited at most; begun: whether the head had come.
    """
    from pip._vendor.requests import exceptions as of_requests
    from pip._vendor.urllib3 import exceptions as of_urllib3

    def among(*kinds: type[BaseException]) -> Optional[BaseException]:
        return next((one for one in causes(error) if isinstance(one, kinds)), None)

    def passing(text: str) -> Fault:
        return Fault(f"{whose}{text}", again=PAUSE_SECONDS, counts=True)

    whose = "its proxy: " if among(of_urllib3.ProxyError) else ""
    certificate = among(ssl.SSLCertVerificationError)
    if certificate is not None:
        why = str(getattr(certificate, "verify_message", "")) or "no certificate"
        return Fault(
            f"its certificate is not trusted ({why}): name its CA file in pip's `cert`"
            " or apt's Acquire::https::CAInfo",
            down=True,
        )
    if among(ssl.SSLError):
        return Fault("does not speak TLS as it should", down=True)
    if among(of_urllib3.ConnectTimeoutError):
        # Newer libraries take a broken name or a refusal for one of these.
        if not among(socket.gaierror, ConnectionError):
            text = f"{whose}no connection within {CONNECT_SECONDS:g} s"
            return Fault(text, down=True)
    if among(of_urllib3.ReadTimeoutError, of_requests.ReadTimeout):
        return silent(patience, begun)
    if among(socket.gaierror):
        return passing("unknown host name")
    if among(HTTPException) and not among(RemoteDisconnected, IncompleteRead):
        return Fault("does not speak HTTP", down=True)
    broken = among(of_urllib3.ProtocolError, of_urllib3.IncompleteRead, EOFError)
    system = among(OSError)
    if (
        among(
            of_requests.MissingSchema,
            of_requests.InvalidURL,
            of_urllib3.LocationValueError,
            UnicodeError,
        )
        or type(error) in (ValueError, of_requests.InvalidSchema)
        and "SOCKS" not in str(error)
    ):
        return Fault("is no URL of a web server")
    for one in causes(error):
        if isinstance(one, OSError) and one.errno is not None and one.strerror:
            return passing(one.strerror.lower())
    if whose:
        tunnel = re.search(r"Tunnel connection failed: ([0-9]{3})", str(system))
        return passing(f"HTTP {tunnel[1]}" if tunnel else "fails")
    if broken is not None:
        return passing("closed the connection early")
    if "SOCKS" in str(error):
        text = "a SOCKS proxy needs PySocks: apt-get install python3-socks"
        return Fault(text, down=True)
    if "CA certificate" in str(error) or "TLS key" in str(error):
        return Fault(str(error).splitlines()[0], down=True)
    if isinstance(error, (of_requests.ConnectionError, of_urllib3.HTTPError)):
        return passing(words_of(error))
    return Fault(words_of(error))


def words_of(error: BaseException) -> str:
    """An error's class in words, as its message may hold an address.

    >>> words_of(FileNotFoundError())
    'file not found error'
    """
    name = type(error).__name__
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name).lower()
