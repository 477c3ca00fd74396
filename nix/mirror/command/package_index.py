"""PyPI, or what stands in for it, as pip on this machine is configured."""

from __future__ import annotations

import contextlib
import html.parser
import json
import os
import re
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Optional
from urllib.parse import unquote, urljoin, urlsplit

import local_file
import machine
from address import is_web, redacted, shown
from errors import MirrorError
from transport import PAGE_BYTES, Fault, Transport

# Both forms of a simple index (PEP 503, PEP 691), and plain pages of links.
ACCEPT = (
    "application/vnd.pypi.simple.v1+json,"
    " application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"
)


# Seconds that reading a page may take, and the characters of it that are read at once.
PAGE_SECONDS = 60.0
PART = 1 << 16

# The most addresses that one source may name for a file.
ADDRESSES = 4


def canonical(project: str) -> str:
    """A project's name as indexes spell it (PEP 503, "Normalized Names").

    >>> canonical("Poetry_Core")
    'poetry-core'
    """
    return re.sub(r"[-_.]+", "-", project).lower()


def file_name(url: str) -> str:
    """The name of the file at a URL.

    >>> file_name("https://host/path/a-1%2Bcpu.whl#sha256=00")
    'a-1+cpu.whl'
    """
    return unquote(urlsplit(url).path.rpartition("/")[2])


def local_path(url: str) -> Optional[Path]:
    """The path that a `file:` URL names (RFC 8089); None for other URLs.

    >>> local_path("file:///srv/a%20b"), local_path("https://host/a")
    (PosixPath('/srv/a b'), None)
    """
    found = re.match(r"file:(?://[^/?#]*)?([^?#]*)", url, re.IGNORECASE | re.DOTALL)
    return Path(unquote(found[1])) if found else None


class _Page(html.parser.HTMLParser):
    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.links: list[tuple[str, str]] = []

    def handle_starttag(
        self, tag: str, attrs: Iterable[tuple[str, Optional[str]]]
    ) -> None:
        reference = dict(attrs).get("href")
        if not reference or tag not in ("a", "base"):
            return
        with contextlib.suppress(ValueError):
            address = urljoin(self.address, reference)
            if tag == "base":
                self.address = address
            elif file_name(address):
                self.links.append((file_name(address), address))


def parse_page(text: str, address: str) -> list[tuple[str, str]]:
    """The files that a page of links names, as (file name, absolute URL).

    text: HTML (PEP 503) or, if it begins with a brace, JSON (PEP 691).
    address: the URL of the page. A page of a web server names files of web servers, and
        only one on this machine's disk others on that; all other links are left out.
    Raises ValueError where JSON is broken or of another shape.
    """
    if text.lstrip()[:1] == "{":
        links = json_links(text, address)
    else:
        links = html_links(text, address)
    on_disk = local_path(address) is not None
    return [
        (name, url)
        for name, url in links
        if is_web(url) or (on_disk and local_path(url) is not None)
    ]


def html_links(text: str, address: str) -> list[tuple[str, str]]:
    """The files that a page in HTML names, as parse_page's, of any scheme.

    Python's parser is not closed: it then reads what a tag or comment without end leaves
    over again for each of its characters, and no link is in there.
    Raises ValueError where the page takes longer than PAGE_SECONDS.
    """
    page = _Page(address)
    deadline = time.monotonic() + PAGE_SECONDS
    for start in range(0, len(text), PART):
        page.feed(text[start : start + PART])
        if time.monotonic() > deadline:
            raise ValueError(f"HTML that takes longer than {PAGE_SECONDS:g} s to read")
    return page.links


def json_links(text: str, address: str) -> list[tuple[str, str]]:
    """The files that a page in JSON (PEP 691) names, as parse_page's, of any scheme."""
    try:
        files = json.loads(text)["files"]
        links = [(file["filename"], urljoin(address, file["url"])) for file in files]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"JSON without {error}") from None
    except RecursionError:
        raise ValueError("JSON in too many levels") from None
    if not all(isinstance(name, str) for name, _ in links):
        raise ValueError("JSON with file names that are not text")
    return links


class Index:
    """The indexes and folders of files that pip on this machine is configured with."""

    def __init__(self, base: Mapping[str, str]) -> None:
        """base: the environment; its MIRROR_PYPI, URLs of indexes, stands for all."""
        self.base = base
        machine.import_pip()
        from pip._internal.commands import create_command

        words = ["--quiet", "--no-cache-dir", "--no-input"]
        try:
            self.command: Any = create_command("download")
            with self.command.main_context():
                self.options, _ = self.command.parse_args(words)
        except (Exception, SystemExit) as error:
            raise MirrorError(
                f"pip cannot read its configuration ({reason(error)}): see where it lies"
                " with `pip config debug`, and fix it"
            ) from None
        options = self.options
        self.find_links: list[str] = list(options.find_links)
        self.roots: list[str] = [options.index_url, *options.extra_index_urls]
        if options.no_index:
            self.roots = []
        if base.get("MIRROR_PYPI", "").split():
            self.find_links = []
            self.roots = base["MIRROR_PYPI"].split()
            options.index_url, options.extra_index_urls = self.roots[0], self.roots[1:]
            options.no_index = False

    def session(self) -> Any:
        """A new HTTP session with pip's certificates, proxies and credentials.

        It is a requests.Session.
        """
        return self.command._build_session(self.options)

    def certificates(self) -> str:
        """The file of certificates that pip is told to trust, "" where it is not.

        By its configuration, or by the variables that requests heeds.
        """
        variables = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
        told = [self.options.cert, *(self.base.get(name) for name in variables)]
        return next((path for path in told if path), "")

    def patience(self) -> float:
        """The seconds that pip waits for a server (its `timeout`)."""
        return float(self.options.timeout or 0)

    def sources(self, project: str) -> list[str]:
        """The pages, folders and files that may name a project's files, in order."""
        pages = [f"{root.rstrip('/')}/{canonical(project)}/" for root in self.roots]
        return [*self.find_links, *pages]

    def links(
        self, project: str, transport: Transport
    ) -> tuple[dict[str, list[str]], list[str]]:
        """The files of a project, whatever they are built for.

        Returns the URLs of each file name in the order to try them, and one line for
        each source that could not be read; one that lacks the project is none.
        """
        found: dict[str, list[str]] = {}
        problems = []
        for source in self.sources(project):
            try:
                files = self.read(source, transport)
            except (Fault, OSError, ValueError) as error:
                problems.append(f"{shown(source)}: {reason(error)}")
                continue
            for name, urls in addresses(files).items():
                known = found.setdefault(name, [])
                known += [url for url in urls if url not in known]
        return found, problems

    def read(self, source: str, transport: Transport) -> list[tuple[str, str]]:
        """The files that a page, a folder or a file names, as (file name, URL).

        source: a URL or a path; [] where there is nothing. A folder with an index.html
        is a page, one without names what lies in it.
        Raises OSError, ValueError and Fault.
        """
        if not re.match(r"[a-z][a-z0-9+.-]+:", source):
            source = Path(os.path.abspath(source)).as_uri() + "/"
        path = local_path(source)
        if path is None:
            try:
                headers = {"Accept": ACCEPT}
                page, url = transport.read(source, headers, self.patience())
            except Fault as fault:
                if fault.missing:
                    return []
                raise
            return parse_page(page.decode("utf-8", "replace"), url)
        if (path / "index.html").is_file():
            path = path / "index.html"
        if path.is_dir():
            files = sorted(file for file in path.iterdir() if file.is_file())
            return [(file.name, file.as_uri()) for file in files]
        if not path.is_file():
            return []
        if path.suffix in (".html", ".htm"):
            page = local_file.read(path, PAGE_BYTES)
            return parse_page(page.decode("utf-8", "replace"), path.as_uri())
        return [(path.name, path.as_uri())]

    def content(self, url: str, transport: Transport) -> bytes:
        """What lies at a URL that `links` gave; for files of moderate size.

        Raises Fault.
        """
        path = local_path(url)
        if path is not None:
            return local_file.read(path, PAGE_BYTES)
        return transport.read(url, {}, self.patience())[0]


def addresses(files: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    """The addresses of each file name among what a source names, the first ADDRESSES.

    >>> addresses([("a", "http://host/a#sha256=0"), ("a", "http://host/a")])
    {'a': ['http://host/a']}
    """
    found: dict[str, dict[str, None]] = {}
    for name, url in files:
        urls = found.setdefault(name, {})
        if len(urls) < ADDRESSES:
            urls[url.partition("#")[0]] = None
    return {name: list(urls) for name, urls in found.items()}


def reason(error: BaseException) -> str:
    """Why something failed, in one short line without credentials."""
    kind = type(error).__name__
    text = str(getattr(error, "strerror", None) or error).strip() or kind
    return redacted(text.splitlines()[0])
