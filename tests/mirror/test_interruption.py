"""The command as a process that is ended at any moment, and several at once."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from locked_file import LockedFile
from mirror_site import Request, Site, sha256
from places import MIRROR_SET

Program = Callable[[str, str], Path]

COUNT = 4
PIECE = 1 << 15

# Says that it would build derivations, and shows those that FILES describes.
FAKE_NIX = """
if arguments == ['--version']:
    print('nix (Nix) 2.8.0')
elif arguments[0] == 'build':
    record = {'action': 'msg', 'msg': '  /nix/store/0-a.drv'}
    print('@nix ' + json.dumps(record), file=sys.stderr)
elif arguments[0] == 'show-derivation':
    sys.stdout.write(os.environ['FILES'])
"""

# Copies files under another name first, and holds on to them while a file is there.
FAKE_STORE = """
import shutil, time
for word in arguments:
    if word.startswith('/'):
        path = os.path.join(os.environ['FAKE_STORE'], os.path.basename(word))
        if '--check-validity' in arguments:
            if not os.path.exists(path): print(path)
        else:
            shutil.copyfile(word, path + '.part')
            open(os.environ['FAKE_STORE'] + '.adding', 'w').close()
            deadline = time.monotonic() + 20
            while os.path.exists(os.environ['FAKE_STORE'] + '.hold'):
                time.sleep(0.01)
                assert time.monotonic() < deadline
            os.rename(path + '.part', path)
            print(path)
"""


class Slow:
    """A site whose files come in pieces, which are counted.

    At the piece `stop_at` it sets `reached`, and sends no more until it is resumed.
    """

    def __init__(self, site: Site, files: dict[str, bytes]) -> None:
        self.site = site
        self.files = files
        self.guard = threading.Lock()
        self.pieces = 0
        self.turn = 0
        self.stop_at = 1 << 30
        self.reached = threading.Event()
        self.under_way: dict[str, int] = {}
        self.most_at_once = 0
        for name in files:
            site.answers[f"/{name}"] = site.answers[f"/last/{name}"] = self.answer

    def resume(self, stop_after: int = 1 << 30) -> None:
        """Send so many pieces more, to those who ask from now on."""
        with self.guard:
            self.turn += 1
            self.stop_at = self.pieces + stop_after
            self.reached.clear()

    def answer(self, request: Request) -> None:
        turn = self.turn
        name = request.path.rpartition("/")[2]
        content = self.files[name]
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        request.send_response(206 if start else 200)
        if start:
            last = len(content) - 1
            request.send_header("Content-Range", f"bytes {start}-{last}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - start))
        request.end_headers()
        with self.guard:
            self.under_way[name] = self.under_way.get(name, 0) + 1
            self.most_at_once = max(self.most_at_once, self.under_way[name])
        try:
            while start < len(content):
                with self.guard:
                    if turn != self.turn:
                        request.close_connection = True
                        return
                    self.pieces += 1
                    if self.pieces >= self.stop_at:
                        self.reached.set()
                while self.reached.is_set():
                    if self.site.leaving.wait(0.01):
                        return
                request.wfile.write(content[start : start + PIECE])
                request.wfile.flush()
                start += PIECE
        except OSError:
            request.close_connection = True
        finally:
            with self.guard:
                self.under_way[name] -= 1


@pytest.fixture
def slow(
    site: Site,
    program: Program,
    tmp_path: Path,
    pip_alone: None,
    monkeypatch: pytest.MonkeyPatch,
) -> Slow:
    """A site with files that `./mirror fetch` is going to need."""
    files = {}
    derivations = {}
    (tmp_path / "store").mkdir()
    for number in range(COUNT):
        name = f"{number}.deb"
        content = random.Random(number).randbytes(PIECE * 8 + number)
        files[name] = content
        file = LockedFile("debian", name, sha256(content), name, size=len(content))
        derivations[f"/nix/store/{name}.drv"] = {
            "name": name,
            "env": {
                "mirrorFile": json.dumps(asdict(file)),
                "out": str(tmp_path / "store" / name),
            },
        }
    (tmp_path / "flake.nix").touch()
    (tmp_path / "flake.lock").write_text('{"nodes": {}}')
    program("git", "")
    program("nix", FAKE_NIX)
    program("nix-store", FAKE_STORE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FILES", json.dumps(derivations))
    monkeypatch.setenv("FAKE_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("MIRROR_DEBIAN", site.url.replace("//", "//me:s3cr3t@"))
    return Slow(site, files)


def heed_signals() -> None:
    """Undo what the tests' own process was started to ignore, as with nohup(1)."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def start() -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-IB", str(MIRROR_SET / "command"), "fetch", ".#a"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_signals,
    )


def assert_complete(slow: Slow, folder: Path) -> None:
    """All files are in the store, whole, and nothing stayed in the cache."""
    assert {p.name: p.read_bytes() for p in (folder / "store").iterdir()} == slow.files
    assert os.listdir(folder / "cache/nix-mirror") == ["lock"]


def leave_a_part(slow: Slow, folder: Path, name: str) -> None:
    """Let it be the first pieces of a file that came, whatever did."""
    content = slow.files[name]
    place = folder / "cache/nix-mirror" / sha256(content)
    (folder / "store" / name).unlink(missing_ok=True)
    (place / name).unlink(missing_ok=True)
    place.mkdir(exist_ok=True)
    (place / f"{name}.part").write_bytes(content[: PIECE * 3])


def test_ended_at_random_moments_it_goes_on_where_it_was(
    slow: Slow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(3)
    kinds = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
    for number in [*kinds, signal.SIGKILL]:
        slow.resume(chance.randint(1, 6))
        running = start()
        while running.poll() is None and not slow.reached.wait(0.01):
            pass
        if running.poll() is None:
            running.send_signal(number)
        told = "".join(running.communicate())
        assert running.returncode in (0, -number, 128 + number), told
        assert "Traceback" not in told and "s3cr3t" not in told
        for path in (tmp_path / "store").iterdir():
            assert path.read_bytes() == slow.files[path.name]
    slow.resume()
    leave_a_part(slow, tmp_path, "0.deb")
    expected = set()
    for name, content in slow.files.items():
        folder = tmp_path / "cache/nix-mirror" / sha256(content)
        part = folder / f"{name}.part"
        if part.exists() and part.read_bytes() != content:
            assert content.startswith(part.read_bytes())
            size = part.stat().st_size
            expected.add((f"/last/{name}", f"bytes={size}-" if size else ""))
        elif not part.exists() and not (folder / name).exists():
            expected.add((f"/last/{name}", ""))
    assert ("/last/0.deb", f"bytes={PIECE * 3}-") in expected
    # Under another name: a request of a run that was ended may still be on its way.
    monkeypatch.setenv("MIRROR_DEBIAN", f"{os.environ['MIRROR_DEBIAN']}/last")
    running = start()
    assert running.communicate()[1] and running.returncode == 0
    assert_complete(slow, tmp_path)
    # What came before the signals was not asked for once more.
    asked = {pair for pair in slow.site.requests if pair[0].startswith("/last/")}
    assert asked == expected
    cached = (tmp_path / "programs").rglob("*.log")
    assert not any("s3cr3t" in log.read_text() for log in cached)


def test_ended_while_the_store_takes_files(slow: Slow, tmp_path: Path) -> None:
    hold, adding = tmp_path / "store.hold", tmp_path / "store.adding"
    for number in (signal.SIGTERM, signal.SIGKILL):
        hold.touch()
        running = start()
        while running.poll() is None and not adding.exists():
            pass
        running.send_signal(number)
        running.wait()
        hold.unlink()
        assert running.returncode in (-number, 128 + number)
        assert "Traceback" not in "".join(running.communicate())
        adding.unlink()
    pieces = slow.pieces
    running = start()
    assert running.communicate()[1] and running.returncode == 0
    assert (
        slow.pieces == pieces == sum(-(-len(f) // PIECE) for f in slow.files.values())
    )
    (tmp_path / "store/0.deb.part").unlink(missing_ok=True)
    assert_complete(slow, tmp_path)


def test_what_an_ended_run_left_is_not_trusted(slow: Slow, tmp_path: Path) -> None:
    for name, content in slow.files.items():
        folder = tmp_path / "cache/nix-mirror" / sha256(content)
        folder.mkdir(parents=True)
        # As a machine leaves it that lost its power: the name, and not all bytes.
        (folder / name).write_bytes(content[:-1] + b"\0")
        (folder / f"{name}.part").write_bytes(b"\0" * 1000)
    running = start()
    assert running.communicate()[1] and running.returncode == 0
    assert_complete(slow, tmp_path)


def test_five_at_once_fetch_each_file_once(slow: Slow, tmp_path: Path) -> None:
    runs = [start() for _ in range(5)]
    told = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0] * 5, told
    assert not any("Traceback" in text for text in told)
    assert_complete(slow, tmp_path)
    assert slow.most_at_once == 1
    waited = sum("waiting for another" in text for text in told)
    assert len(slow.site.requests) <= COUNT * (5 - waited)


def test_a_run_that_waits_can_be_ended(slow: Slow, tmp_path: Path) -> None:
    slow.resume(1)
    first = start()
    assert slow.reached.wait(20)
    second = start()
    assert second.stderr is not None
    assert "waiting for another" in second.stderr.readline()
    second.terminate()
    assert second.communicate() and second.returncode == 128 + signal.SIGTERM
    with slow.guard:
        slow.stop_at = 1 << 30
        slow.reached.clear()
    assert first.communicate() and first.returncode == 0
    assert_complete(slow, tmp_path)
