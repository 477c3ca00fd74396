"""Simple indexes and folders of files, as pip is configured with them."""

from __future__ import annotations

import html
import json
import os
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import package_index
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mirror_site import Request, Site
from package_index import Index, parse_page
from transport import Transport

NAMES = st.from_regex(r"[A-Za-z0-9_.+!-]{1,20}\.whl", fullmatch=True)


@given(names=st.lists(NAMES, unique=True), base=st.booleans())
def test_html(names: list[str], base: bool) -> None:
    links = "".join(
        f"<a class='x' href='../f/{html.escape(quote(name))}#sha256=00'>odd</a><br/>"
        for name in names
    )
    head = "<base href='https://other/s/thing/'>" if base else ""
    root = "https://other/s/f/" if base else "https://host/s/f/"
    page = f"<!DOCTYPE html><head>{head}</head><body><A name=top></a>{links}"
    assert parse_page(page, "https://host/s/thing/") == [
        (name, f"{root}{quote(name)}#sha256=00") for name in names
    ]


@given(st.lists(NAMES, unique=True))
def test_json(names: list[str]) -> None:
    files = [{"filename": name, "url": f"../f/{quote(name)}"} for name in names]
    page = json.dumps({"meta": {"api-version": "1.0"}, "files": files})
    assert parse_page(page, "https://host/s/thing/") == [
        (name, f"https://host/s/f/{quote(name)}") for name in names
    ]


@given(
    part=st.integers(1, 9),
    names=st.lists(NAMES),
    between=st.sampled_from(["", " & ", "<!-- <a href='no'> -->", "a < b", "&lt;\n"]),
)
def test_html_is_read_alike_in_parts(part: int, names: list[str], between: str) -> None:
    links = [f"{between}<a\nhref='{quote(name)}' >x</a>" for name in names]
    page = "".join(links) + between
    expected = [(name, f"https://host/s/{quote(name)}") for name in names]
    assert parse_page(page, "https://host/s/") == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package_index, "PART", part)
        assert parse_page(page, "https://host/s/") == expected


@pytest.mark.parametrize("endless", ["<a ", "<a href='", "<!--", "</", "<?", "<!"])
@pytest.mark.parametrize("count", [10_000, 100_000])
def test_html_that_ends_nowhere(endless: str, count: int) -> None:
    page = "<a href='a'>x</a>" + endless * count
    assert parse_page(page, "https://host/") == [("a", "https://host/a")]


def test_html_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package_index, "PAGE_SECONDS", -1.0)
    with pytest.raises(ValueError, match="^HTML that takes longer than"):
        parse_page("<a href='a'>x</a>", "https://host/")


def test_a_source_names_few_addresses_of_a_file() -> None:
    files = [("a", f"http://host/{number}/a") for number in range(1000)]
    found = package_index.addresses([*files, ("b", "http://host/b")])
    assert found["a"] == [url for _, url in files[: package_index.ADDRESSES]]
    assert found["b"] == ["http://host/b"]


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_page(text, "https://host/")
    except ValueError:
        pass


ELSEWHERE = ["file:///dev/zero", "FILE:a", "ftp://host/a", "javascript:a", "data:,a"]


@pytest.mark.parametrize("link", [*ELSEWHERE, " file:///a", "http://[/a"])
@pytest.mark.parametrize("form", ["html", "base", "json"])
def test_what_a_page_of_a_web_server_may_not_name(form: str, link: str) -> None:
    page = f"<a href='{link}'>x</a><a href='b'>x</a>"
    if form == "base":
        page = f"<a href='b'>x</a><base href='{link}'><a href='../c'>x</a>"
    if form == "json":
        files = [{"filename": "a", "url": link}, {"filename": "b", "url": "b"}]
        page = json.dumps({"files": files})
        if link.startswith("http"):
            with pytest.raises(ValueError):
                parse_page(page, "https://host/s/")
            return
    found = dict(parse_page(page, "https://host/s/"))
    assert found["b"] == "https://host/s/b"
    assert all(url.startswith("https://host/") for url in found.values())


@pytest.mark.parametrize("link", ELSEWHERE)
def test_a_page_on_disk_names_files_on_disk_and_of_web_servers(link: str) -> None:
    page = f"<a href='{link}'>x</a><a href='b'>x</a><a href='http://host/c'>x</a>"
    found = parse_page(page, "file:///srv/s/")
    rest = [("b", "file:///srv/s/b"), ("c", "http://host/c")]
    assert [pair for pair in found if pair in rest] == rest
    assert (len(found) == 3) == link.lower().startswith("file:")


@pytest.mark.parametrize(
    "page",
    [
        *("{", '{"files": 1}', '{"files": [{}]}', "{}", '{"files": {"a": 1}}'),
        '{"files": [{"filename": ["a"], "url": "a"}]}',
        '{"files": [{"filename": "a", "url": 5}]}',
        '{"files": ' + "[" * 100_000,
    ],
)
def test_broken_json(page: str) -> None:
    with pytest.raises(ValueError):
        parse_page(page, "https://host/")


def listing(*names: str) -> bytes:
    return "".join(f"<a href='/files/{name}'>x</a>" for name in names).encode()


def links(project: str = "thing", **variables: str) -> tuple[dict[str, Any], list[str]]:
    index = Index({**os.environ, **variables})
    with closing(Transport(index.session)) as transport:
        return index.links(project, transport)


@pytest.mark.usefixtures("pip_alone")
class TestSources:
    """Where files of a project may be, by configuration."""

    def test_all_sources_of_pip_in_order(
        self,
        site: Site,
        other_site: Site,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        site.answers["/simple/my-thing/"] = listing("a.whl", "b.whl")
        other_site.answers["/simple/my-thing/"] = listing("b.whl")
        (tmp_path / "wheels").mkdir()
        (tmp_path / "wheels/a.whl").touch()
        monkeypatch.setenv("PIP_INDEX_URL", f"{site.url}/simple")
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{other_site.url}/simple/")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "wheels"))
        found, problems = links("My_Thing")
        assert problems == []
        assert found == {
            "a.whl": [(tmp_path / "wheels/a.whl").as_uri(), f"{site.url}/files/a.whl"],
            "b.whl": [f"{site.url}/files/b.whl", f"{other_site.url}/files/b.whl"],
        }

    def test_the_variable_stands_for_all(
        self, site: Site, other_site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.answers["/thing/"] = listing("a.whl")
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", other_site.url)
        monkeypatch.setenv("PIP_FIND_LINKS", f"{other_site.url}/links")
        found, _ = links(MIRROR_PYPI=site.url)
        assert found == {"a.whl": [f"{site.url}/files/a.whl"]}
        assert other_site.requests == []

    def test_json_is_asked_for_and_read(self, site: Site) -> None:
        def answer(request: Request) -> None:
            assert "application/vnd.pypi.simple.v1+json" in request.headers["Accept"]
            content = {"files": [{"filename": "a.whl", "url": "../a.whl"}]}
            kind = "application/vnd.pypi.simple.v1+json"
            request.send(json.dumps(content).encode(), Content_Type=kind)

        site.answers["/thing/"] = answer
        found, _ = links(MIRROR_PYPI=f"{site.url}/")
        assert found == {"a.whl": [f"{site.url}/a.whl"]}

    def test_links_are_relative_to_where_a_redirection_leads(self, site: Site) -> None:
        site.answers["/thing/"] = lambda request: request.send(
            b"", 301, Location="/there/thing/"
        )
        site.answers["/there/thing/"] = b"<a href='../a.whl'>x</a>"
        found, _ = links(MIRROR_PYPI=site.url)
        assert found == {"a.whl": [f"{site.url}/there/a.whl"]}

    @pytest.mark.parametrize("page", [True, False])
    def test_an_index_on_disk(self, page: bool, tmp_path: Path) -> None:
        folder = tmp_path / "an index/thing"
        folder.mkdir(parents=True)
        (folder / "a.whl").touch()
        if page:
            (folder / "index.html").write_text("<a href='a.whl'>x</a>")
        for root in ((tmp_path / "an index").as_uri(), str(tmp_path / "an%20index")):
            found, problems = links(MIRROR_PYPI=root)
            if root.startswith("file:"):
                assert found == {"a.whl": [(folder / "a.whl").as_uri()]}
            assert problems == []

    def test_find_links_may_be_a_page_or_a_file(
        self, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        site.answers["/links.html"] = listing("a.whl")
        (tmp_path / "b.whl").touch()
        (tmp_path / "own.html").write_text("<a href='c.whl'>x</a>")
        sources = [f"{site.url}/links.html", tmp_path / "b.whl", tmp_path / "own.html"]
        monkeypatch.setenv("PIP_FIND_LINKS", " ".join(map(str, sources)))
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        found, problems = links()
        assert (sorted(found), problems) == (["a.whl", "b.whl", "c.whl"], [])

    def test_folders_and_pages_on_disk_within_limits(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = tmp_path / "wheels"
        (folder / "folder.whl").mkdir(parents=True)
        os.mkfifo(folder / "fifo.whl")
        (folder / "device.whl").symlink_to("/dev/zero")
        (folder / "broken.whl").symlink_to("nowhere")
        (folder / "a.whl").touch()
        (folder / "b.whl").symlink_to("a.whl")
        (tmp_path / "large.html").write_bytes(b"x" * 101)
        (tmp_path / "odd.html").write_bytes(b"<a href='c.whl'>\xe2\x82</a>")
        os.mkfifo(tmp_path / "fifo.html")
        sources = ["wheels", "fifo.html", "large.html", "odd.html"]
        monkeypatch.setattr(package_index, "PAGE_BYTES", 100)
        monkeypatch.setenv(
            "PIP_FIND_LINKS", " ".join(f"{tmp_path}/{s}" for s in sources)
        )
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        found, problems = links()
        assert sorted(found) == ["a.whl", "b.whl", "c.whl"]
        assert problems == [f"{tmp_path}/large.html: has more than 100 bytes"]

    def test_sources_that_lack_the_project_are_no_problem(
        self,
        site: Site,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file:///nowhere {site.url}")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nowhere"))
        assert links() == ({}, [])
        assert capfd.readouterr() == ("", "")

    def test_sources_that_fail_are_told(
        self, site: Site, other_site: Site, capfd: pytest.CaptureFixture[str]
    ) -> None:
        site.answers["/a/thing/"] = lambda request: request.send(b"", 503)
        site.answers["/b/thing/"] = b"{"
        site.answers["/c/thing/"] = listing("a.whl")
        other_site.answers["/thing/"] = Request.hang_up
        roots = [f"{site.url}/{name}" for name in "abc"]
        found, problems = links(MIRROR_PYPI=" ".join([other_site.url, *roots]))
        assert found == {"a.whl": [f"{site.url}/files/a.whl"]}
        assert len(problems) == 3
        assert all(problem.startswith("127.0.0.1:") for problem in problems)
        assert not any("\n" in problem for problem in problems)
        assert capfd.readouterr() == ("", "")


def test_reasons_are_one_short_line() -> None:
    assert package_index.reason(FileNotFoundError(2, "No such file")) == "No such file"
    assert package_index.reason(ValueError("a\nb")) == "a"
    assert package_index.reason(EOFError()) == "EOFError"
