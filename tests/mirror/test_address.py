"""What of a URL is shown, and that credentials never are."""

from __future__ import annotations

import address
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "url, shown",
    [
        ("http://host/debian/", "host"),
        ("https://host:8080/debian", "host:8080"),
        (f"https://me:{SECRET}@host:8080/debian/", "host:8080"),
        (f"https://{SECRET}@host", "host"),
        (f"https://me:{SECRET}/odd@host/debian", "host"),
        (f"me:{SECRET}@host/debian", "host"),
        ("http://[::1]:80/a", "[::1]:80"),
        ("http://host/a@b", "host"),
        ("file:///srv/a b", "/srv/a b"),
        ("file:/srv/debian", "/srv/debian"),
    ],
)
def test_what_is_shown(url: str, shown: str) -> None:
    assert address.shown(url) == shown


@example("@", "/")
@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=8),
)
def test_no_password_is_shown_whatever_is_in_it(before: str, after: str) -> None:
    url = f"https://me:{before}{SECRET}{after}@host/debian/"
    assert SECRET not in address.shown(url)
    assert SECRET not in address.redacted(f"error: {url} is odd")


@given(st.text(max_size=20), st.text(max_size=20))
def test_credentials_survive_a_url(name: str, password: str) -> None:
    url = address.with_credentials("http://host:1/a?b", name, password)
    assert address.credentials(url) == (name, password)
    assert address.without_credentials(url) == "http://host:1/a?b"


def test_an_origin_is_a_server() -> None:
    assert address.origin("HTTPS://me:x@Host:1/a/b") == "https://host:1"
    assert address.origin("https://host") == "https://host"
