"""Credentials reach the server that they are for, and nothing and nobody else."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from download import Fetcher
from errors import MirrorError
from locked_file import LockedFile
from mirror_site import Request, Site, sha256

Program = Callable[[str, str], Path]

CONTENT = b"content" * 1000
PASSWORD = "s3cr3t@/:"
QUOTED = "s3cr3t%40%2F%3A"
LOGIN = "Basic " + base64.b64encode(f"me:{PASSWORD}".encode()).decode()
ROOTS = ("MIRROR_DEBIAN", "MIRROR_PYPI", "PIP_INDEX_URL", "PIP_FIND_LINKS")

pytestmark = pytest.mark.usefixtures("pip_alone", "programs")


def wheel() -> LockedFile:
    return LockedFile("pypi", "a.whl", sha256(CONTENT), "a.whl", project="a")


def deb() -> LockedFile:
    return LockedFile("debian", "a.deb", sha256(CONTENT), "a.deb")


def guarded(site: Site) -> None:
    """Let the site serve the two files and their index to whom the login is known."""

    def behind(content: bytes) -> Callable[[Request], None]:
        def answer(request: Request) -> None:
            if request.headers.get("Authorization") == LOGIN:
                request.send(content)
            else:
                request.send(b"", 401, WWW_Authenticate="Basic")

        return answer

    site.answers["/a.deb"] = behind(CONTENT)
    site.answers["/files/a.whl"] = behind(CONTENT)
    site.answers["/a/"] = behind(b"<a href='/files/a.whl'>a</a>")


def with_login(url: str) -> str:
    return url.replace("//", f"//me:{QUOTED}@")


def fetch(folder: Path, file: LockedFile, **variables: str) -> bytes:
    with closing(Fetcher(folder, {**os.environ, **variables})) as fetcher:
        try:
            return fetcher.fetch(file).read_bytes()
        finally:
            assert_hidden(folder, " ".join(fetcher.notes))


def assert_hidden(folder: Path, *texts: str) -> None:
    """Neither in texts nor below a folder, in contents and in names."""
    for text in texts:
        assert "s3cr3t" not in text
    for path in folder.rglob("*"):
        assert "s3cr3t" not in str(path)
        assert path.is_dir() or b"s3cr3t" not in path.read_bytes()


@pytest.mark.parametrize("variable", ROOTS)
def test_in_a_url(
    variable: str, tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded(site)
    root = with_login(site.url) + ("/a/" if variable == "PIP_FIND_LINKS" else "")
    monkeypatch.setenv(variable, root)
    file = deb() if variable == "MIRROR_DEBIAN" else wheel()
    assert fetch(tmp_path / "cache", file) == CONTENT


def test_in_pips_configuration_file(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded(site)
    file = tmp_path / "pip.conf"
    file.write_text(
        f"[global]\nindex-url = file:///nowhere\n"
        f"extra-index-url =\n    {with_login(site.url)}\n"
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.delenv("PIP_INDEX_URL")
    assert fetch(tmp_path / "cache", wheel()) == CONTENT


@pytest.mark.parametrize("kind", ["debian", "pypi"])
def test_in_netrc(
    kind: str, tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded(site)
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login me password {PASSWORD}\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    file = deb() if kind == "debian" else wheel()
    roots = {"MIRROR_DEBIAN": site.url, "MIRROR_PYPI": site.url}
    assert fetch(tmp_path / "cache", file, **roots) == CONTENT


def test_in_auth_conf(tmp_path: Path, site: Site, program: Program) -> None:
    guarded(site)
    (tmp_path / "auth.conf").write_text(
        f"machine {site.url} login me password {PASSWORD}\n"
    )
    program(
        "apt-config",
        f"if arguments[0] == 'shell': print({f'file={tmp_path}/auth.conf'!r})",
    )
    base = {"MIRROR_DEBIAN": site.url}
    assert fetch(tmp_path / "cache", deb(), **base) == CONTENT


@pytest.mark.parametrize("kind", ["debian", "pypi"])
def test_a_redirection_elsewhere_does_not_carry_them(
    kind: str, tmp_path: Path, site: Site, other_site: Site
) -> None:
    def elsewhere(request: Request) -> None:
        assert request.headers["Authorization"] == LOGIN
        request.send(b"", 302, Location=f"{other_site.url}{request.path}")

    for path in ("/a.deb", "/a/", "/files/a.whl"):
        site.answers[path] = elsewhere
    other_site.answers["/a.deb"] = CONTENT
    other_site.answers["/a/"] = f"<a href='{site.url}/files/a.whl'>a</a>".encode()
    other_site.answers["/files/a.whl"] = CONTENT
    root = with_login(site.url)
    file = deb() if kind == "debian" else wheel()
    content = fetch(tmp_path / "cache", file, MIRROR_DEBIAN=root, MIRROR_PYPI=root)
    assert content == CONTENT
    assert set(other_site.logins) == {""} and set(site.logins) == {LOGIN}


def test_files_that_an_index_has_elsewhere_are_asked_for_without(
    tmp_path: Path, site: Site, other_site: Site
) -> None:
    site.answers["/a/"] = f"<a href='{other_site.url}/a.whl'>a</a>".encode()
    other_site.answers["/a.whl"] = CONTENT
    root = with_login(site.url)
    assert fetch(tmp_path / "cache", wheel(), MIRROR_PYPI=root) == CONTENT
    assert site.logins == [LOGIN] and other_site.logins == [""]


def test_a_proxys_credentials_are_for_the_proxy(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = []

    def proxy(request: Request) -> None:
        told.append(request.headers.get("Proxy-Authorization"))
        request.send(CONTENT)

    site.answers["http://host.invalid/a.deb"] = proxy
    monkeypatch.setenv("http_proxy", with_login(site.url))
    root = "http://host.invalid"
    assert fetch(tmp_path / "cache", deb(), MIRROR_DEBIAN=root) == CONTENT
    assert told == [LOGIN] and site.logins == [""]


@pytest.mark.parametrize("wrong", ["401", "html", "hash", "closed", "no url", "scheme"])
@pytest.mark.parametrize("kind", ["debian", "pypi"])
def test_no_error_tells_them(
    wrong: str,
    kind: str,
    tmp_path: Path,
    site: Site,
    capfd: pytest.CaptureFixture[str],
) -> None:
    answers = {
        "401": lambda request: request.send(b"", 401, WWW_Authenticate="Basic"),
        "html": b"<html>Log in</html>",
        "hash": b"other",
        "closed": Request.hang_up,
    }
    for path in ("/a.deb", "/a/", "/files/a.whl"):
        site.answers[path] = answers.get(wrong, b"")  # type: ignore[assignment]
    if wrong == "hash":
        site.answers["/a/"] = b"<a href='/files/a.whl'>a</a>"
    root = with_login(site.url)
    if wrong == "no url":
        root = "http://me:s3cr3t/odd@[host"
    if wrong == "scheme":
        root = f"me:{QUOTED}@host/debian"
    file = deb() if kind == "debian" else wheel()
    with pytest.raises(MirrorError) as caught:
        fetch(tmp_path / "cache", file, MIRROR_DEBIAN=root, MIRROR_PYPI=root)
    assert_hidden(tmp_path / "cache", str(caught.value), *capfd.readouterr())


def test_a_configuration_of_pip_that_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "pip.conf"
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    for text in (
        f"[global\nindex-url = {with_login('https://host')}\n",
        f"index-url = {with_login('https://host')}\n",
        "[global]\ntimeout = odd\n",
    ):
        file.write_text(text)
        with pytest.raises(MirrorError) as caught:
            fetch(tmp_path / "cache", wheel())
        message = str(caught.value)
        assert message.startswith("pip cannot read its configuration (")
        assert "s3cr3t" not in message and "\n" not in message
