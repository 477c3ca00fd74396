"""What is sent to a daemon that has some of the layers; the daemon is a stand-in."""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import archives
import load_image
import pytest
from hypothesis import given
from hypothesis import strategies as st

LAYERS = [archives.tar({name: name.encode() * 300}) for name in ("a", "b", "c")]
DIGESTS = [archives.digest(layer) for layer in LAYERS]

# A daemon of the images in images.json, name to diff ids; what it loads is received.tar,
# received-1.tar and so on. The file `whole` has it refuse archives that lack layers, the
# file `down` has it not answer at all.
DOCKER = """
import glob, io, json, os, sys, tarfile
os.chdir({folder!r})
words = sys.argv[1:]
if os.path.exists('down'):
    sys.exit(os.write(2, b'Cannot connect\\n  to the daemon \\xe2'))
images = json.load(open('images.json'))
with open('asked', 'a') as asked:
    print(' '.join(words[:2]), file=asked)
if words[:2] == ['image', 'ls']:
    print(*images, sep='\\n')
elif words[:2] == ['image', 'inspect']:
    for name in words[4:]:
        if name in images:
            print(json.dumps(images[name]))
        else:
            print('no such image', file=sys.stderr)
elif words == ['load']:
    content = sys.stdin.buffer.read()
    number = len(glob.glob('received*'))
    open('received-%d.tar' % number, 'wb').write(content)
    names = tarfile.open(fileobj=io.BytesIO(content)).getnames()
    if os.path.exists('whole') and len(names) < 5:
        sys.exit('open layer.tar: no such file')
    print('Loaded image: thing:1.0')
"""

STREAM = """
import sys
sys.path.insert(0, {tests!r})
import archives
layers = [archives.tar({{name: name.encode() * 300}}) for name in ('a', 'b', 'c')]
without = sys.argv[2::2]
content = archives.image(layers)
if without:
    import io, tarfile
    whole = tarfile.open(fileobj=io.BytesIO(content))
    kept = {{name: whole.extractfile(name).read() for name in whole.getnames()}}
    for digest in without:
        del kept[digest + '/layer.tar']
    content = archives.tar(kept)
sys.stdout.buffer.write(content[:{length}])
"""


class Daemon:
    """The stand-in, and a program that streams the image."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.has({})
        self.program("docker", DOCKER.format(folder=str(folder)))
        self.stream()

    def program(self, name: str, script: str) -> Path:
        path = self.folder / name
        path.write_text(f"#!{sys.executable} -B\n{script}")
        path.chmod(0o755)
        return path

    def stream(self, length: Optional[int] = None) -> None:
        """Have the stream end after so many bytes."""
        tests = str(Path(__file__).parent)
        self.program("stream", STREAM.format(tests=tests, length=length))

    def has(self, images: dict[str, Optional[Sequence[str]]]) -> None:
        """Give it images of layers."""
        named = {
            name: None if layers is None else [f"sha256:{layer}" for layer in layers]
            for name, layers in images.items()
        }
        (self.folder / "images.json").write_text(json.dumps(named))

    def load(self, described: bool = True) -> int:
        """Load the image of all three layers."""
        words = ["--stream", str(self.folder / "stream"), "--name", "thing:1.0"]
        if described:
            description = self.folder / "description.json"
            layers = [{"digest": digest} for digest in DIGESTS]
            description.write_text(json.dumps({"layers": layers}))
            words += ["--description", str(description)]
        return load_image.main(words)

    @property
    def received(self) -> list[bytes]:
        """What was sent to it, in order."""
        return [path.read_bytes() for path in sorted(self.folder.glob("received*"))]

    @property
    def asked(self) -> list[str]:
        """What it was asked, in order."""
        return (self.folder / "asked").read_text().splitlines()


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    monkeypatch.setenv("PATH", str(tmp_path))
    return Daemon(tmp_path)


def layers_in(archive: bytes) -> list[str]:
    """The layers whose bytes are in an archive, by name."""
    names = tarfile.open(fileobj=io.BytesIO(archive)).getnames()
    return ["abc"[DIGESTS.index(n[:64])] for n in names if n.endswith("/layer.tar")]


def test_chain_ids() -> None:
    # Of OCI's definition: ChainID(L0|...|Ln) = Digest(ChainID(L0|...|Ln-1) + " " + Ln)
    first, second = "1" * 64, "2" * 64
    together = archives.digest(f"sha256:{first} sha256:{second}".encode())
    assert list(load_image.chains([first, second])) == [first, together]
    assert list(load_image.chains([])) == []


@pytest.mark.parametrize("described", [True, False])
@pytest.mark.parametrize(
    "images, sent",
    [
        ({}, "abc"),
        ({"thing:1.0": DIGESTS}, ""),
        ({"thing:1.0": DIGESTS[:2]}, "c"),
        ({"thing:1.0": DIGESTS[:1], "other": DIGESTS[:2] + ["9" * 64]}, "c"),
        ({"other": DIGESTS[:1]}, "bc"),
        # The same layers in another place are other layers.
        ({"other": DIGESTS[1:]}, "abc"),
        ({"other": ["9" * 64, *DIGESTS]}, "abc"),
        ({"empty": None, "thing:1.0": DIGESTS[:2]}, "c"),
    ],
)
def test_only_what_is_missing_is_sent(
    images: dict[str, Any],
    sent: str,
    described: bool,
    daemon: Daemon,
    capfd: pytest.CaptureFixture[str],
) -> None:
    daemon.has(images)
    assert daemon.load(described) == 0
    (received,) = daemon.received
    assert layers_in(received) == list(sent)
    told = capfd.readouterr()
    assert told.out == "Loaded image: thing:1.0\n"
    assert told.err.endswith(f"load: sent {len(sent)} layers, {len(received)} bytes\n")


def test_an_older_image_of_the_name_saves_the_other_questions(daemon: Daemon) -> None:
    daemon.has({"thing:1.0": [*DIGESTS[:2], "9" * 64]})
    assert daemon.load() == 0
    assert daemon.asked == ["image inspect", "load"]


@pytest.mark.parametrize("described", [True, False])
def test_a_daemon_that_wants_all_is_sent_all(
    described: bool, daemon: Daemon, capfd: pytest.CaptureFixture[str]
) -> None:
    (daemon.folder / "whole").touch()
    daemon.has({"thing:1.0": DIGESTS[:2]})
    assert daemon.load(described) == 0
    assert [layers_in(archive) for archive in daemon.received] == [["c"], list("abc")]
    assert daemon.received[1] == archives.image(LAYERS)
    assert "it is sent all of them" in capfd.readouterr().err


def test_no_daemon(daemon: Daemon, capfd: pytest.CaptureFixture[str]) -> None:
    (daemon.folder / "down").touch()
    assert daemon.load() == 1
    assert capfd.readouterr().err == "load: Cannot connect to the daemon \ufffd\n"


def test_no_docker(daemon: Daemon, capfd: pytest.CaptureFixture[str]) -> None:
    (daemon.folder / "docker").unlink()
    assert daemon.load() == 1
    told = capfd.readouterr().err
    assert told == "load: no docker on this machine: apt-get install docker.io\n"


@pytest.mark.parametrize("length", [0, 100, 512, 1500, 33000])
def test_a_stream_that_breaks_off(
    length: int, daemon: Daemon, capfd: pytest.CaptureFixture[str]
) -> None:
    daemon.stream(length)
    assert daemon.load() == 1
    assert "load: the image's stream ended early" in capfd.readouterr().err


@given(st.integers(0, 3), st.integers(1, 3))
def test_archives_stay_archives(held: int, count: int) -> None:
    whole = archives.image(LAYERS[:count])
    chains = set(list(load_image.chains(DIGESTS))[:held])
    target = io.BytesIO()
    sent = load_image.send_archive(io.BytesIO(whole), target, chains)
    assert sent.bytes == len(target.getvalue())
    assert layers_in(target.getvalue()) == list("abc"[held:count])
    assert held or target.getvalue() == whole
