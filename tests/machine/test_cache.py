"""A team's binary cache, filled by one machine and used by a fresh one."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from .conftest import make_clone, run

# Within which a small build ends whose cache accepts connections and never answers.
SECONDS_WITHOUT_CACHE = 80


class Files(SimpleHTTPRequestHandler):
    """Serves a folder; says nothing."""

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serve(folder: Path, asked: list[str]) -> Iterator[str]:
    """Serve a folder on loopback; yields its URL. asked: is given each path."""

    class Noting(Files):
        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

    handler = partial(Noting, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def outside() -> dict[str, str]:
    """Return the environment without the settings of the ./mirror that runs the tests."""
    return {name: os.environ[name] for name in os.environ if name != "NIX_CONFIG"}


@dataclass
class Cache:
    """A cache of the example's image; asked_of_mirrors: what no mirror should be asked."""

    url: str
    key: str
    mirrors: str
    asked_of_mirrors: list[str] = field(default_factory=list)

    def build(
        self, clone: Path, machine: Path, installable: str, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Build on a machine with a store and a cache of its own, next to nothing in them."""
        words = ["nix", "build", "--no-link", "--store", str(machine / "store")]
        done: "subprocess.CompletedProcess[str]" = run(
            clone,
            *("./mirror", *words, installable),
            environment={
                **outside(),
                "MIRROR_CACHE": self.url,
                "MIRROR_CACHE_KEY": self.key,
                "MIRROR_DEBIAN": f"{self.mirrors}/debian",
                "MIRROR_PYPI": f"{self.mirrors}/simple",
                "XDG_CACHE_HOME": str(machine / "cache"),
                **variables,
            },
        )
        return done


@pytest.fixture(scope="module")
def cache(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cache]:
    """A cache over HTTP, and mirrors that have nothing."""
    folder = tmp_path_factory.mktemp("cache")
    environment = {**outside(), "XDG_CONFIG_HOME": str(folder / "config")}
    target = (folder / "cache").as_uri()
    words = ["cache", target, ".#app-example"]
    done = run(base, "./mirror", *words, environment=environment)
    key = re.search("^MIRROR_CACHE_KEY=(.*)$", done.stderr, re.MULTILINE)
    assert key and f"MIRROR_CACHE={target}" in done.stderr
    (folder / "nothing").mkdir()
    asked: list[str] = []
    with serve(folder / "cache", []) as url, serve(
        folder / "nothing", asked
    ) as mirrors:
        yield Cache(url, key[1], mirrors, asked)


def built(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """The names of the derivations that Nix built."""
    return re.findall(
        r"^building '/nix/store/[^-]*-(.*)\.drv'", done.stderr, re.MULTILINE
    )


def test_a_fresh_machine_builds_and_fetches_nothing(
    cache: Cache, tmp_path: Path
) -> None:
    clone = make_clone(tmp_path)
    done = cache.build(clone, tmp_path, ".#app-example")
    assert built(done) == [] and "mirror: fetching" not in done.stderr
    assert cache.asked_of_mirrors == []
    main = clone / "app-example/app/main.py"
    main.write_text(main.read_text() + "# edited\n")
    done = cache.build(clone, tmp_path, ".#app-example")
    assert sorted(built(done)) == ["app-example-customisation-layer", "app-example.tar"]
    assert "mirror: fetching" not in done.stderr


def test_what_another_key_signed_is_refused_and_built(
    cache: Cache, base: Path, tmp_path: Path
) -> None:
    name, _, value = cache.key.partition(":")
    installable = f"path:{base}/nix/mirror#tzdata"
    other = f"other-{name}:{value}"
    done = cache.build(base, tmp_path, installable, MIRROR_CACHE_KEY=other)
    assert "is not signed by any of the keys in 'trusted-public-keys'" in done.stderr
    assert any(one.startswith("tzdata-") for one in built(done))


@pytest.mark.parametrize("listens", [False, True])
def test_a_cache_that_does_not_answer_is_left(
    listens: bool, cache: Cache, base: Path, tmp_path: Path
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        if listens:
            silent.listen(100)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        started = time.monotonic()
        installable = f"path:{base}/nix/mirror#busybox"
        done = cache.build(base, tmp_path, installable, MIRROR_CACHE=url)
    assert any(one.startswith("busybox-") for one in built(done))
    assert time.monotonic() - started < SECONDS_WITHOUT_CACHE
