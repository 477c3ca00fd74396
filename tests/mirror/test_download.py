"""Downloads from real HTTP servers, into a store that is a stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Optional

import apt_configuration
import download
import places
import pytest
import transport
from download import Fetcher, digest
from errors import AbsentFile, AbsentFiles, MirrorError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from locked_file import LockedFile
from mirror_site import Request, Site, make_deb, sha256
from progress import Progress

Program = Callable[[str, str], Path]

CONTENT = bytes(range(256)) * 1000
PATH = "pool/main/a/a_1+b_amd64.deb"
SERVED = "/debian/pool/main/a/a_1%2Bb_amd64.deb"

pytestmark = pytest.mark.usefixtures("pip_alone", "programs")


def debian(content: bytes = CONTENT, size: Optional[int] = None) -> LockedFile:
    return LockedFile("debian", "a_1-b.deb", sha256(content), PATH, size=size)


class Told(Progress):
    """What a fetcher tells of its progress."""

    def __init__(self) -> None:
        self.bytes = 0
        self.expected = 0

    def came(self, count: int) -> None:
        self.bytes += count

    def expects(self, count: int) -> None:
        self.expected += count


@pytest.fixture
def told() -> Told:
    """What a fetcher's progress is told."""
    return Told()


@pytest.fixture
def fetcher(
    tmp_path: Path, site: Site, other_site: Site, told: Told
) -> Iterator[Fetcher]:
    """A fetcher with two Debian mirrors."""
    base = {"MIRROR_DEBIAN": f"{site.url}/debian {other_site.url}/debian"}
    with closing(Fetcher(tmp_path / "cache", base, told)) as made:
        yield made


def left(fetcher: Fetcher) -> list[str]:
    """The names of the files in a fetcher's folder."""
    return sorted(path.name for path in fetcher.folder.rglob("*") if path.is_file())


def part(fetcher: Fetcher, content: bytes) -> Path:
    """A part of an earlier run."""
    path = fetcher.folder / debian().sha256 / f"{debian().name}.part"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_the_right_file(fetcher: Fetcher, site: Site, told: Told) -> None:
    site.answers[SERVED] = CONTENT
    path = fetcher.fetch(debian(size=len(CONTENT)))
    assert path.name == "a_1-b.deb" and path.read_bytes() == CONTENT
    assert site.requests == [(SERVED, "")]
    assert told.bytes == len(CONTENT)
    assert fetcher.fetch(debian()) == path
    assert len(site.requests) == 1 and left(fetcher) == ["a_1-b.deb"]


def test_the_second_mirror_has_it(
    fetcher: Fetcher, site: Site, other_site: Site
) -> None:
    other_site.answers[SERVED] = CONTENT
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert site.requests == other_site.requests == [(SERVED, "")]


@pytest.mark.parametrize(
    "served, kind",
    [
        (b"other", "another file"),
        (b"", "an empty file"),
        (b"\n<!DOCTYPE html><title>Log in</title>", "an HTML page"),
    ],
)
def test_something_else_is_kept_aside_and_never_returned(
    served: bytes,
    kind: str,
    fetcher: Fetcher,
    site: Site,
    other_site: Site,
    told: Told,
) -> None:
    site.answers[SERVED] = served
    with pytest.raises(MirrorError) as caught:
        fetcher.fetch(debian())
    message = str(caught.value)
    aside = f"{debian().name}-{sha256(served)[:12]}"
    first, second = site.url[len("http://") :], other_site.url[len("http://") :]
    assert message == (
        f"{PATH} (sha256 {sha256(CONTENT)}) is on no mirror"
        f" ({first}: serves {kind} (sha256 {sha256(served)},"
        f" kept as {fetcher.folder / 'refused' / aside}); {second}: HTTP 404):"
        " fix that, or name one that has it in MIRROR_DEBIAN, or pin another:"
        " ./mirror lock"
    )
    assert left(fetcher) == [aside]
    with pytest.raises(MirrorError):
        fetcher.fetch(debian())
    site.answers[SERVED] = CONTENT
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert told.bytes == len(CONTENT)


def test_something_else_that_is_large_is_not_kept(
    fetcher: Fetcher, site: Site, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "KEPT_BYTES", 4)
    site.answers[SERVED] = b"other"
    with pytest.raises(MirrorError) as caught:
        fetcher.fetch(debian())
    assert f"serves another file (sha256 {sha256(b'other')})" in str(caught.value)
    assert (left(fetcher), told.bytes) == ([], 0)


def test_after_something_else_the_second_mirror_is_asked(
    fetcher: Fetcher, site: Site, other_site: Site
) -> None:
    site.answers[SERVED] = b"other"
    other_site.answers[SERVED] = CONTENT
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert other_site.requests == [(SERVED, "")]


def test_more_than_was_pinned_is_not_read_to_its_end(
    fetcher: Fetcher, site: Site, told: Told
) -> None:
    site.answers[SERVED] = CONTENT * 4
    with pytest.raises(MirrorError, match="serves more than 5 bytes"):
        fetcher.fetch(debian(size=5))
    assert left(fetcher) == [] and told.bytes == 0


def test_a_broken_connection_is_continued(
    fetcher: Fetcher, site: Site, told: Told
) -> None:
    def broken(request: Request) -> None:
        site.serve_ranges(SERVED, CONTENT)
        request.break_after(CONTENT[:1000], len(CONTENT))

    site.answers[SERVED] = broken
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert site.requests == [(SERVED, ""), (SERVED, "bytes=1000-")]
    assert told.bytes == len(CONTENT)


def test_a_part_of_an_earlier_run_is_continued(
    fetcher: Fetcher, site: Site, told: Told
) -> None:
    part(fetcher, CONTENT[:1000])
    site.serve_ranges(SERVED, CONTENT)
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert site.requests == [(SERVED, "bytes=1000-")]
    assert told.bytes == len(CONTENT) and left(fetcher) == ["a_1-b.deb"]


def test_a_whole_part_is_not_asked_for(fetcher: Fetcher, site: Site) -> None:
    part(fetcher, CONTENT)
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert site.requests == []


@pytest.mark.parametrize("wrong", [b"x" * 1000, CONTENT + b"x"], ids=["odd", "long"])
def test_a_part_that_does_not_fit_is_thrown_away(
    wrong: bytes, fetcher: Fetcher, site: Site, other_site: Site, told: Told
) -> None:
    part(fetcher, wrong)
    site.serve_ranges(SERVED, CONTENT)
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert site.requests[-1] == (SERVED, "") and other_site.requests == []
    assert told.bytes == len(CONTENT)


def test_a_server_that_ignores_ranges(fetcher: Fetcher, site: Site, told: Told) -> None:
    part(fetcher, CONTENT[:1000])
    site.answers[SERVED] = CONTENT
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert len(site.requests) == 1 and told.bytes == len(CONTENT)


def test_a_server_that_continues_elsewhere(fetcher: Fetcher, site: Site) -> None:
    part(fetcher, CONTENT[:1000])

    def elsewhere(request: Request) -> None:
        site.answers[SERVED] = CONTENT
        request.send(CONTENT[5:], 206, Content_Range="bytes 5-9/*")

    site.answers[SERVED] = elsewhere
    assert fetcher.fetch(debian()).read_bytes() == CONTENT


def test_a_server_that_always_breaks_is_left(
    fetcher: Fetcher, site: Site, other_site: Site
) -> None:
    site.answers[SERVED] = lambda request: request.break_after(b"", len(CONTENT))
    other_site.serve_ranges(SERVED, CONTENT)
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert len(site.requests) == 1


def test_a_server_that_hangs_is_left(
    fetcher: Fetcher, site: Site, other_site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "HEAD_SECONDS", 0.1)
    site.answers[SERVED] = lambda request: void(site.leaving.wait(20))
    other_site.answers[SERVED] = CONTENT
    assert fetcher.fetch(debian()).read_bytes() == CONTENT


def test_a_server_that_hangs_halfway_is_asked_again(
    fetcher: Fetcher, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transport, "HEAD_SECONDS", 0.1)

    def hang(request: Request) -> None:
        site.serve_ranges(SERVED, CONTENT)
        request.break_after(CONTENT[:100000], len(CONTENT))
        request.wfile.flush()
        site.leaving.wait(20)

    site.answers[SERVED] = hang
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert site.requests[-1] == (
        SERVED,
        f"bytes={100000 // transport.CHUNK * transport.CHUNK}-",
    )


def void(value: object) -> None:
    """For functions that must return nothing."""


def test_nobody_listens(
    tmp_path: Path, other_site: Site, capfd: pytest.CaptureFixture[str]
) -> None:
    with Site() as gone:
        address = gone.url
    base = {"MIRROR_DEBIAN": f"{address}/debian {other_site.url}/debian"}
    with closing(Fetcher(tmp_path / "cache", base)) as fetcher:
        with pytest.raises(
            MirrorError, match="127.0.0.1:[0-9]+: connection refused; 127"
        ):
            fetcher.fetch(debian())
        assert left(fetcher) == []
    assert capfd.readouterr() == ("", "")


def test_a_mirror_on_disk(tmp_path: Path, told: Told) -> None:
    file = tmp_path / "a mirror" / PATH
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    roots = [(tmp_path / name).as_uri() for name in ("nowhere", "a mirror")]
    base = {"MIRROR_DEBIAN": " ".join(roots)}
    with closing(Fetcher(tmp_path / "cache", base, told)) as fetcher:
        assert fetcher.fetch(debian()).read_bytes() == CONTENT
        assert told.bytes == len(CONTENT)
    file.write_bytes(b"other")
    with closing(Fetcher(tmp_path / "cache2", base)) as fetcher:
        with pytest.raises(MirrorError, match="No such file.*serves another file"):
            fetcher.fetch(debian())
    assert file.read_bytes() == b"other"


def make(kind: str, path: Path) -> None:
    """Put something at a path that a mirror on disk must not have there."""
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "endless":
        # A regular file that says it is empty, and is not.
        path.symlink_to("/proc/self/status")
    else:
        path.write_bytes(CONTENT + b"more")


@pytest.mark.parametrize("kind", ["FIFO", "folder", "device", "endless", "larger"])
def test_what_is_not_the_file_on_a_disk(
    kind: str, tmp_path: Path, told: Told, site: Site
) -> None:
    path = tmp_path / "a mirror" / PATH
    path.parent.mkdir(parents=True)
    make(kind, path)
    size = 5 if kind == "endless" else len(CONTENT)
    base = {"MIRROR_DEBIAN": (tmp_path / "a mirror").as_uri()}
    why = f"has more than {size} bytes"
    if kind in ("FIFO", "folder", "device"):
        why = "is not a regular file"
    with closing(Fetcher(tmp_path / "cache", base, told)) as fetcher:
        with pytest.raises(MirrorError, match=f"is on no mirror .*: {why}"):
            fetcher.fetch(debian(size=size))
        assert (left(fetcher), told.bytes) == ([], 0)
    site.answers[SERVED] = CONTENT
    base["MIRROR_DEBIAN"] += f" {site.url}/debian"
    with closing(Fetcher(tmp_path / "cache", base, told)) as fetcher:
        assert fetcher.fetch(debian()).read_bytes() == CONTENT


def test_links_to_files_on_a_disk(tmp_path: Path) -> None:
    (tmp_path / "pool").write_bytes(CONTENT)
    path = tmp_path / "a mirror" / PATH
    path.parent.mkdir(parents=True)
    path.symlink_to(tmp_path / "pool")
    base = {"MIRROR_DEBIAN": (tmp_path / "a mirror").as_uri()}
    with closing(Fetcher(tmp_path / "cache", base)) as fetcher:
        assert fetcher.fetch(debian()).read_bytes() == CONTENT
        assert not (tmp_path / "cache/refused").exists()


def test_apts_proxy_is_for_debian_alone(
    tmp_path: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        *(apt_configuration.AptConfiguration, "proxy"), lambda self, url: site.url
    )
    site.answers["http://debian.invalid" + SERVED] = CONTENT
    base = {"MIRROR_DEBIAN": "http://debian.invalid/debian"}
    with closing(Fetcher(tmp_path / "cache", base)) as fetcher:
        assert fetcher.fetch(debian()).read_bytes() == CONTENT


def wheel(content: bytes = CONTENT, project: str = "a") -> LockedFile:
    name = f"{project}-1-py3-none-any.whl"
    return LockedFile("pypi", name, sha256(content), name, project=project)


def test_a_wheel(tmp_path: Path, site: Site, other_site: Site) -> None:
    site.answers["/a/"] = b"<a href='/f/a-1-py3-none-any.whl#sha256=00'>a</a>"
    other_site.answers["/a/"] = b"<a href='/f/a-1-py3-none-any.whl'>a</a>"
    site.answers["/f/a-1-py3-none-any.whl"] = b"other"
    other_site.answers["/f/a-1-py3-none-any.whl"] = CONTENT
    base = {"MIRROR_PYPI": f"{site.url} {other_site.url}"}
    with closing(Fetcher(tmp_path / "cache", base)) as fetcher:
        assert fetcher.fetch(wheel()).read_bytes() == CONTENT


@pytest.mark.parametrize("page", [b"", b"<a href='a-2-py3-none-any.whl'>a</a>"])
def test_a_wheel_that_no_index_lists(page: bytes, tmp_path: Path, site: Site) -> None:
    site.answers["/a/"] = page
    base = {"MIRROR_PYPI": f"{site.url} {site.url}/broken"}
    site.answers["/broken/a/"] = lambda request: request.send(b"", 500)
    with closing(Fetcher(tmp_path / "cache", base)) as fetcher:
        with pytest.raises(MirrorError) as caught:
            fetcher.fetch(wheel())
    name = site.url[len("http://") :]
    told = f"({name} does not list it; {name}: HTTP 500): fix that"
    assert told in str(caught.value)
    assert str(caught.value).endswith("or ./mirror lock wheels for a tool's")


@pytest.mark.parametrize("form", ["link", "base", "json", "redirected"])
def test_a_web_index_names_no_files_of_this_machine(
    form: str, tmp_path: Path, site: Site
) -> None:
    secret = tmp_path / wheel().name
    secret.write_bytes(b"secret")
    page = f"<a href='{secret.as_uri()}'>a</a>".encode()
    if form == "base":
        head = f"<base href='{tmp_path.as_uri()}/'>"
        page = f"{head}<a href='{secret.name}'>a</a>".encode()
    elif form == "json":
        file = {"filename": secret.name, "url": secret.as_uri()}
        page = json.dumps({"files": [file]}).encode()
    elif form == "redirected":
        page = f"<a href='/f/{secret.name}'>a</a>".encode()
        site.answers[f"/f/{secret.name}"] = lambda request: request.send(
            b"", 302, Location=secret.as_uri()
        )
    site.answers["/a/"] = page
    with closing(Fetcher(tmp_path / "cache", {"MIRROR_PYPI": site.url})) as fetcher:
        with pytest.raises(MirrorError) as caught:
            fetcher.fetch(wheel())
        assert left(fetcher) == []
    if form == "redirected":
        assert "redirects to what is no web server" in str(caught.value)
    else:
        assert "does not list it" in str(caught.value)


def test_an_executable_out_of_a_package(tmp_path: Path, site: Site) -> None:
    deb = make_deb(tmp_path / "a.deb", {"bin/a": b"program"}).read_bytes()
    site.answers["/debian/a.deb"] = deb
    file = LockedFile("member", "a", sha256(deb), "a.deb", member="bin/a")
    base = {"MIRROR_DEBIAN": f"{site.url}/debian"}
    with closing(Fetcher(tmp_path / "cache", base)) as fetcher:
        for _ in range(2):
            path = fetcher.fetch(file)
            assert path.name == "a" and (path / "bin/a").read_bytes() == b"program"
        assert left(fetcher) == ["a", "package"]
    assert len(site.requests) == 1


FAKE_STORE = """
import hashlib, shutil
root = os.environ['FAKE_STORE']
for word in arguments:
    if word.startswith('/'):
        path = os.path.join(root, os.path.basename(word))
        if '--check-validity' in arguments:
            if not os.path.exists(path): print(path)
        else:
            shutil.copyfile(word, path)
            print(path)
"""


@pytest.fixture
def environment(
    tmp_path: Path, program: Program, site: Site, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """In which `nix-store` fills the folder "store"."""
    (tmp_path / "store").mkdir()
    program("nix-store", FAKE_STORE)
    monkeypatch.setenv("FAKE_STORE", str(tmp_path / "store"))
    return {
        **os.environ,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "MIRROR_DEBIAN": f"{site.url}/debian",
    }


def several(tmp_path: Path, site: Site, count: int) -> list[LockedFile]:
    files = []
    for number in range(count):
        content = b"%d" % number * 1000
        site.answers[f"/debian/{number}.deb"] = content
        store_path = str(tmp_path / f"store/{number}.deb")
        files.append(
            LockedFile(
                *("debian", f"{number}.deb", sha256(content), f"{number}.deb"),
                size=len(content),
                store_path=store_path,
            )
        )
    return files


def test_all_enter_the_store_and_nothing_stays(
    tmp_path: Path,
    site: Site,
    environment: dict[str, str],
    capfd: pytest.CaptureFixture[str],
) -> None:
    files = several(tmp_path, site, 20)
    assert download.fetch_all([*files, *files], environment) == files
    for file in files:
        assert digest(Path(file.store_path)) == file.sha256
    assert os.listdir(tmp_path / "cache/nix-mirror") == ["lock"]
    assert capfd.readouterr() == ("", "mirror: fetching 20 files, 0.0 MB\n")
    assert download.fetch_all([], environment) == []


def test_one_that_fails_does_not_lose_the_others(
    tmp_path: Path, site: Site, environment: dict[str, str]
) -> None:
    files = several(tmp_path, site, 5)
    site.answers["/debian/3.deb"] = b"other"
    with pytest.raises(MirrorError, match="^3.deb .*is on no mirror"):
        download.fetch_all(files, environment)
    assert sorted(os.listdir(tmp_path / "store")) == [
        f"{number}.deb" for number in (0, 1, 2, 4)
    ]
    assert sorted(os.listdir(tmp_path / "cache/nix-mirror")) == ["lock", "refused"]


FETCH = """
import json, sys
sys.path.insert(0, sys.argv[1])
import download, os
from locked_file import LockedFile
files = [LockedFile(**fields) for fields in json.loads(sys.argv[2])]
download.fetch_all(files, os.environ)
"""


def test_two_at_once_fetch_each_file_once(
    tmp_path: Path, site: Site, environment: dict[str, str]
) -> None:
    import json
    from dataclasses import asdict

    files = several(tmp_path, site, 3)
    command = [sys.executable, "-IB", "-c", FETCH]
    command += [str(places.MIRROR_SET / "command")]
    command += [json.dumps([asdict(file) for file in files])]
    runs = [
        subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = "".join(run.communicate()[1] for run in runs)
    assert [run.returncode for run in runs] == [0, 0], errors
    assert "Traceback" not in errors
    assert sorted(os.listdir(tmp_path / "store")) == ["0.deb", "1.deb", "2.deb"]
    if "waiting for another" in errors:
        assert len(site.requests) == 3
    assert os.listdir(tmp_path / "cache/nix-mirror") == ["lock"]


def test_after_waiting_only_what_is_lacking_is_fetched(
    tmp_path: Path, site: Site, environment: dict[str, str]
) -> None:
    import threading

    files = several(tmp_path, site, 2)
    download.fetch_all(files[:1], environment)
    lock = tmp_path / "cache/nix-mirror/lock"
    with download.locked(lock) as waited:
        assert not waited
        other = threading.Thread(target=download.fetch_all, args=(files, environment))
        other.start()
    other.join()
    assert sorted(os.listdir(tmp_path / "store")) == ["0.deb", "1.deb"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=3000),
    cuts=st.lists(st.integers(0, 3000), max_size=3),
    start=st.binary(max_size=10),
)
def test_whatever_a_server_breaks_off_the_file_is_right_or_refused(
    content: bytes, cuts: list[int], start: bytes, site: Site, tmp_path: Path
) -> None:
    import tempfile

    remaining = list(cuts)

    def answer(request: Request) -> None:
        asked = int(request.headers.get("Range", "bytes=0-")[6:-1])
        if remaining:
            request.break_after(content[: remaining.pop()], len(content) + 1)
        elif asked >= len(content):
            request.send(b"", 416)
        else:
            span = f"bytes {asked}-{len(content) - 1}/{len(content)}"
            request.send(content[asked:], 206 if asked else 200, Content_Range=span)

    site.answers["/debian/a"] = answer if content else b""
    file = LockedFile("debian", "a", sha256(content), "a")
    with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
        base = {"MIRROR_DEBIAN": f"{site.url}/debian"}
        with closing(Fetcher(Path(folder), base)) as fetcher:
            target = Path(folder) / file.sha256 / "a"
            target.parent.mkdir()
            target.with_name("a.part").write_bytes(start)
            try:
                assert fetcher.fetch(file).read_bytes() == content
            except MirrorError:
                assert not target.exists()


def test_a_file_that_mirrors_say_they_do_not_have_is_absent(
    fetcher: Fetcher, site: Site
) -> None:
    with pytest.raises(AbsentFile) as caught:
        fetcher.fetch(debian())
    assert caught.value.file == debian()
    assert all(fault.missing for fault in caught.value.faults.values())
    asked = {path for path, _ in site.requests}
    assert SERVED in asked and SERVED.replace("/debian/", "/debian-security/") in asked


def test_a_sibling_is_asked_last(
    fetcher: Fetcher, site: Site, other_site: Site
) -> None:
    place = SERVED.replace("/debian/", "/debian-security/")
    site.answers[place] = CONTENT
    assert fetcher.fetch(debian()).read_bytes() == CONTENT
    assert site.requests == [(SERVED, ""), (place, "")]
    assert other_site.requests == [(SERVED, "")]


@pytest.mark.parametrize("place", ["/debian/", "/debian-security/"])
@pytest.mark.parametrize("content", [b"other", CONTENT + b"more"])
def test_a_file_with_another_hash_is_never_absent(
    place: str, content: bytes, fetcher: Fetcher, site: Site
) -> None:
    site.answers[SERVED.replace("/debian/", place)] = content
    with pytest.raises(MirrorError) as caught:
        fetcher.fetch(debian(size=len(CONTENT)))
    assert not isinstance(caught.value, AbsentFile)


def test_a_file_of_an_index_is_never_absent(fetcher: Fetcher, site: Site) -> None:
    file = LockedFile("pypi", "a.whl", sha256(CONTENT), "a.whl", project="a")
    with pytest.raises(MirrorError) as caught:
        fetcher.fetch(file)
    assert not isinstance(caught.value, AbsentFile)


def test_only_where_all_are_absent_they_can_be_replaced(
    tmp_path: Path, site: Site, program: Program
) -> None:
    program("nix-store", "sys.exit(1)")
    base = {**os.environ, "MIRROR_DEBIAN": site.url, "XDG_CACHE_HOME": str(tmp_path)}
    files = [LockedFile("debian", name, sha256(b"x"), name) for name in ("a", "b")]
    with pytest.raises(AbsentFiles) as caught:
        download.fetch_all(files, base)
    assert {one.file.name for one in caught.value.absent} == {"a", "b"}
    site.answers["/b"] = b"other"
    with pytest.raises(MirrorError) as other:
        download.fetch_all(files, base)
    assert not isinstance(other.value, AbsentFiles)
