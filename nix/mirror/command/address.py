"""URLs: what of them may be shown, and what credentials stand in them."""

from __future__ import annotations

import re
from typing import Optional
from urllib.parse import quote, unquote, urlsplit

# A host, possibly with its port (RFC 3986, "Authority").
HOST = re.compile(r"(\[[^\]]*\]|[^:@]*)(:[0-9]*)?")


def redacted(text: str) -> str:
    """A text without the credentials of the URLs in it, however odd these are.

    >>> redacted("no https://user:pass/word@host/debian here")
    'no https://host/debian here'
    """
    return re.sub(r"//\S*@", "//", text)


def shown(url: str) -> str:
    """What a URL is called in messages: host and port, or a folder's path.

    >>> shown("https://user:secret@host:8080/debian/"), shown("file:///srv/debian/")
    ('host:8080', '/srv/debian/')
    >>> shown("/srv/wheels")
    '/srv/wheels'
    """
    if url.startswith("/"):
        return url
    if url.startswith("file:"):
        return re.sub(r"^file:(//[^/]*(?=/))?", "", url)
    rest = url.partition("://")[2] or url
    host = rest.partition("/")[0]
    if "@" in host or not HOST.fullmatch(host):
        # A password with a slash in it makes no URL, and is not told all the same.
        host = rest
    return host.rpartition("@")[2].partition("/")[0]


def is_web(url: str) -> bool:
    """Whether a URL is one of a web server.

    >>> is_web("HTTPS://host/a"), is_web("file:///dev/zero"), is_web("//host/a")
    (True, False, False)
    """
    return url.lower().startswith(("http://", "https://"))


def origin(url: str) -> str:
    """The server that a URL names: scheme, host and port, in lower case."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].rpartition('@')[2]}".lower()


def credentials(url: str) -> Optional[tuple[str, str]]:
    """The name and the password in a URL (RFC 3986, "User Information"), or None.

    >>> credentials("https://me:p%40ss@host/"), credentials("https://host/")
    (('me', 'p@ss'), None)
    """
    user, at, _ = urlsplit(url).netloc.rpartition("@")
    name, _, password = user.partition(":")
    return (unquote(name), unquote(password)) if at else None


def with_credentials(url: str, name: str, password: str) -> str:
    """A URL with these credentials in it.

    >>> with_credentials("http://proxy:3128/", "me", "p@ss")
    'http://me:p%40ss@proxy:3128/'
    """
    scheme, separator, rest = url.partition("://")
    return (
        f"{scheme}{separator}{quote(name, safe='')}:{quote(password, safe='')}@{rest}"
    )


def without_credentials(url: str) -> str:
    """A URL without credentials.

    >>> without_credentials("http://me:secret@host/a@b")
    'http://host/a@b'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
