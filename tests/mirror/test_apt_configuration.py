"""What is read of apt: proxies, credentials, certificates."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

import apt_configuration
import pytest
from apt_configuration import AptConfiguration, login_for
from hypothesis import given
from hypothesis import strategies as st

Program = Callable[[str, str], Path]


@pytest.fixture
def configured(program: Program, tmp_path: Path) -> Callable[..., AptConfiguration]:
    """Makes what apt-config tells by the given settings."""

    def make(settings: dict[str, str], logins: str = "", **base: str) -> Any:
        dump = "".join(f"{name} {value}\n" for name, value in settings.items())
        (tmp_path / "auth.conf").write_text(logins)
        program(
            "apt-config",
            f"sys.stdout.write({dump!r} if arguments[0] == 'dump' else"
            f" {f'file={tmp_path}/auth.conf'!r})",
        )
        return AptConfiguration(base)

    return make


@pytest.mark.parametrize(
    "settings, base, url, proxy",
    [
        ({}, {}, "http://h/", ""),
        ({"http::Proxy": "http://p:1"}, {}, "http://h/", "http://p:1"),
        ({"http::Proxy": "http://p:1"}, {}, "https://h/", "http://p:1"),
        ({"https::Proxy": "http://p:1"}, {}, "http://h/", ""),
        ({"https::Proxy": "DIRECT", "http::Proxy": "x"}, {}, "https://h/", ""),
        ({"http::Proxy": "x", "http::proxy::H": "DIRECT"}, {}, "http://h:8/", ""),
        ({"http::proxy::h": "http://p"}, {}, "https://h:8/", "http://p"),
        ({"http::proxy::h": "http://p"}, {}, "https://i/", ""),
        ({}, {"http_proxy": "http://p"}, "http://h/", "http://p"),
        ({}, {"http_proxy": "http://p"}, "https://h/", "http://p"),
        ({}, {"http_proxy": "a", "https_proxy": "http://p"}, "https://h/", "http://p"),
        ({"http::Proxy": "http://p"}, {"http_proxy": "a"}, "http://h/", "http://p"),
        ({"http::Proxy": "http://p"}, {"no_proxy": "x,h"}, "http://h/", ""),
        ({"http::Proxy": "http://p"}, {"no_proxy": "x"}, "http://h/", "http://p"),
    ],
)
def test_proxies(
    settings: dict[str, str],
    base: dict[str, str],
    url: str,
    proxy: str,
    configured: Callable[..., AptConfiguration],
) -> None:
    quoted = {f"Acquire::{name}": value for name, value in settings.items()}
    assert configured(quoted, **base).proxy(url) == proxy


def test_a_detected_proxy(
    configured: Callable[..., AptConfiguration],
    program: Program,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = "print(\"Using proxy 'http://found:1' for URL '\" + arguments[1] + \"'\")"
    helper = program("apt-helper", script)
    monkeypatch.setattr(apt_configuration, "HELPER", str(helper))
    settings = {
        "Acquire::http::Proxy-Auto-Detect": "/bin/detect",
        "Acquire::http::Proxy": "http://other",
        "Acquire::http::Proxy::direct": "DIRECT",
    }
    apt = configured(settings, **dict(os.environ))
    assert apt.proxy("http://me:secret@h/debian") == "http://found:1"
    assert apt.proxy("http://h/debian") == "http://found:1"
    assert apt.proxy("http://direct/") == ""
    calls = helper.with_name("apt-helper.log").read_text().splitlines()
    assert [json.loads(call) for call in calls] == [["auto-detect-proxy", "http://h/"]]
    program("apt-helper", "print(\"Using proxy '' for URL 'x'\")")
    assert apt.proxy("http://i/") == "http://other"


@pytest.mark.parametrize(
    "settings, given",
    [
        ({"CAInfo": "/ca"}, {"verify": "/ca"}),
        ({"CAInfo": "/ca", "CAInfo::h": "/other"}, {"verify": "/other"}),
        ({"CAInfo": "/ca", "Verify-Peer": "false"}, {"verify": False}),
        ({"CAInfo": "/ca", "Verify-Peer::i": "false"}, {"verify": "/ca"}),
        ({"CAInfo": "/ca", "SSLCert": "/c"}, {"verify": "/ca", "cert": "/c"}),
        (
            {"CAInfo": "/ca", "SSLCert::h": "/c", "SSLKey": "/k"},
            {"verify": "/ca", "cert": ("/c", "/k")},
        ),
    ],
)
def test_certificates(
    settings: dict[str, str],
    given: dict[str, Any],
    configured: Callable[..., AptConfiguration],
) -> None:
    apt = configured({f"Acquire::https::{k}": v for k, v in settings.items()})
    assert apt.request_settings("https://h/") == {"proxies": {"https": ""}, **given}
    assert apt.request_settings("http://h/") == {"proxies": {"http": ""}}


def test_without_apt_nothing_is_configured(programs: Path) -> None:
    apt = AptConfiguration({})
    assert apt.request_settings("http://h/") == {"proxies": {"http": ""}}
    assert apt.patience() == 0


def test_credentials_that_cannot_be_read(
    configured: Callable[..., AptConfiguration], tmp_path: Path, program: Program
) -> None:
    folder = tmp_path / "auth.conf.d"
    folder.mkdir()
    (folder / "a.conf").mkdir()
    program(
        "apt-config",
        f"if arguments[0] == 'shell': print({f'folder={folder}/'!r})",
    )
    apt = AptConfiguration({})
    assert apt.unreadable == [str(folder / "a.conf")]


# The examples of apt_auth.conf(5), and what apt's own code does with the rest.
@pytest.mark.parametrize(
    "machine, url, matching",
    [
        ("example.org", "https://example.org/debian/a", True),
        ("example.org/deb", "https://example.org/debian/a", True),
        ("example.org/debian/", "https://example.org/debian/a", True),
        ("example.org:443", "https://example.org/debian/a", False),
        ("example.org/deb/", "https://example.org/debian/a", False),
        ("example.org/ubuntu", "https://example.org/debian/a", False),
        ("example.orga", "https://example.org/debian/a", False),
        ("example.net", "https://example.org/debian/a", False),
        ("example.org", "http://example.org/debian/a", False),
        ("http://example.org", "http://example.org/debian/a", True),
        ("https://example.org", "http://example.org/debian/a", False),
        ("example.org", "https://example.org:8/debian/a", True),
        ("example.org:8", "https://example.org:8/debian/a", True),
        ("example.org/debian", "https://example.org:8/debian/a", False),
        ("example.org:8/debian", "https://example.org:8/debian/a", True),
    ],
)
def test_machines(machine: str, url: str, matching: bool) -> None:
    text = f"machine {machine} login me password x"
    assert login_for(text, url) == (("me", "x") if matching else None)


TOKEN = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(
    st.lists(st.tuples(st.sampled_from("abc"), TOKEN, TOKEN), max_size=4),
    st.sampled_from([" ", "\n", "\t", "\r\n  "]),
    st.booleans(),
)
def test_the_first_entry_of_a_machine_counts(
    entries: list[tuple[str, str, str]], space: str, password_first: bool
) -> None:
    words = []
    for name, login, password in entries:
        pairs = [("login", login), ("password", password)]
        words += ["machine", name]
        for key, value in reversed(pairs) if password_first else pairs:
            words += [key, value]
    expected: Optional[tuple[str, str]] = None
    for name, login, password in entries:
        if name == "b":
            expected = (login, password)
            break
        if "machine" in (login, password):
            # apt, too, takes it for the begin of an entry.
            return
    assert login_for(space.join(words), "https://b/debian/") == expected


@given(st.text())
def test_any_login_file_is_read(text: str) -> None:
    found = login_for(f"machine other {text}", "https://b/")
    assert found is None or re.search("machine", text)


NAME = st.from_regex(r"[A-Za-z:-]{1,20}", fullmatch=True)


@given(st.dictionaries(NAME.map(str.lower), st.text()))
def test_any_setting_survives_the_dump(settings: dict[str, str]) -> None:
    from urllib.parse import quote

    dump = "".join(f"{k} {quote(v, safe='/:')}\n" for k, v in settings.items())
    assert apt_configuration.parse_dump(dump) == settings
