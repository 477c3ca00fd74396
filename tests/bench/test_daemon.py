"""Whatever the measurements make in Docker's daemon is gone in the end."""

from __future__ import annotations

import doctest
import shutil
from collections.abc import Callable
from pathlib import Path

import daemon
import pytest
from daemon import MadeImages, build, container, last_layer, made_images
from measurement import BenchError


class Docker:
    """What a daemon has: images by name, images by identity, containers by name."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.images: set[str] = set()
        self.in_use: set[str] = set()
        self.containers: set[str] = set()

    def name(self, identity: str, name: str) -> None:
        self.names[name] = identity
        self.images.add(identity)

    def run(self, *words: str) -> str:
        """The commands that are used, in place of Docker's."""
        if words[1:3] == ("image", "ls") and "--all" in words:
            return "".join(f"{image}\n" for image in sorted(self.images))
        if words[1:3] == ("image", "ls"):
            return self.names.get(words[-1], "") + "\n"
        if words[1] == "tag":
            self.name(words[2], words[3])
        elif words[1:3] == ("image", "rm"):
            if words[3] in self.in_use or words[3] not in self.images | set(self.names):
                raise BenchError("docker image rm: conflict")
            identity = self.names.pop(words[3], words[3])
            if identity not in self.names.values():
                self.images.discard(identity)
        elif words[1] == "run":
            self.containers.add(words[words.index("--name") + 1])
            if "broken" in words:
                raise BenchError("docker run: no such program")
        elif words[1] == "ps":
            wanted = words[-1].partition("=")[2].strip("^$")
            return "\n".join(self.containers & {wanted})
        elif words[1] == "rm":
            self.containers.remove(words[-1])
        return ""


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Docker:
    fake = Docker()
    monkeypatch.setattr(daemon, "run", fake.run)
    return fake


@pytest.fixture
def make(docker: Docker) -> Callable[[MadeImages, str, str], None]:
    def made(images: MadeImages, identity: str, name: str) -> None:
        with images.under(name):
            docker.name(identity, name)

    return made


def test_an_image_that_was_there_under_another_name_stays(
    docker: Docker, make: Callable[[MadeImages, str, str], None]
) -> None:
    docker.name("sha256:same", "backup:1")
    docker.name("sha256:old", "app:1")
    before = dict(docker.names), set(docker.images)
    with made_images() as images:
        make(images, "sha256:same", "app:1")
        make(images, "sha256:new", "app:1")
        make(images, "sha256:same", "other:1")
    assert (docker.names, docker.images) == before


BUILD = """\
Step 1/4 : FROM debian
 ---> 00
Step 2/4 : RUN one
 ---> Using cache
 ---> 01
Step 3/4 : COPY two two
 ---> 02
"""
RUNNING = """\
Step 4/4 : RUN three
 ---> Running in 0c
 ---> no image
"""


def test_examples() -> None:
    result = doctest.testmod(daemon)
    assert result.attempted and not result.failed


@pytest.mark.parametrize(
    "output, last",
    [
        ("", ""),
        ("#1 [internal] load build definition\n", ""),
        (BUILD.partition("Step 3")[0], ""),
        (BUILD, "02"),
        (BUILD + RUNNING, "02"),
        (BUILD + RUNNING + "Removing intermediate container 0c\n ---> 03\n", "03"),
    ],
)
def test_what_a_build_left_is_what_it_made_last(output: str, last: str) -> None:
    assert last_layer(output) == last


def test_a_failing_build_is_told_and_leaves_nothing(
    docker: Docker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "docker"
    script = (
        f"#!{shutil.which('sh')}\ncat <<'.'\n{BUILD}{RUNNING}the reason \udce2\n.\n"
    )
    program.write_text(f"{script}exit 1\n", errors="surrogateescape")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    docker.images |= {"00", "01"}
    docker.containers |= {"0c", "another"}
    with pytest.raises(BenchError, match="of bench: the reason \ufffd$"):
        with made_images() as images:
            with images.under("what was there before is known now"):
                docker.images.add("02")
            build(images, "bench", tmp_path)
    assert docker.images == {"00", "01"} and docker.containers == {"another"}


def test_names_go_back_to_those_that_had_them(
    docker: Docker, make: Callable[[MadeImages, str, str], None]
) -> None:
    docker.name("old", "application")
    docker.name("other", "another")
    with made_images() as images:
        for identity in ("new", "newer", "old", "newest"):
            make(images, identity, "application")
        make(images, "peer", "bench-peer")
    assert docker.names == {"application": "old", "another": "other"}
    assert docker.images == {"old", "other"}


def test_images_are_removed_after_an_error(
    docker: Docker, make: Callable[[MadeImages, str, str], None]
) -> None:
    with pytest.raises(BenchError, match="half way"), made_images() as images:
        make(images, "first", "application")
        with images.under("application"):
            docker.name("second", "application")
            raise BenchError("half way")
    assert not docker.names and not docker.images


def test_what_others_use_stays(
    docker: Docker, make: Callable[[MadeImages, str, str], None]
) -> None:
    with made_images() as images:
        make(images, "used", "application")
        make(images, "unused", "application")
        docker.in_use.add("used")
    assert docker.images == {"used"}


def test_a_name_that_somebody_else_gave_meanwhile_stays(
    docker: Docker, make: Callable[[MadeImages, str, str], None]
) -> None:
    docker.name("old", "application")
    with made_images() as images:
        make(images, "new", "application")
        docker.name("theirs", "application")
    assert docker.names == {"application": "theirs"}
    assert docker.images == {"old", "theirs"}


def test_containers_are_removed_whatever_happens(docker: Docker) -> None:
    with container("application") as name:
        assert docker.containers == {name}
    assert not docker.containers
    with pytest.raises(BenchError), container("broken"):
        raise AssertionError("not reached")
    assert not docker.containers
    with pytest.raises(KeyboardInterrupt), container("application"):
        raise KeyboardInterrupt
    assert not docker.containers
