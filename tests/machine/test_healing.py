"""Pins that leave the mirrors: replaced by what signed indexes offer, and by nothing else.

The mirrors are those of apt, behind one that has faults; so the signatures are Debian's.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import run
from .filtered_mirror import Faults, FilteredMirror, indexes_of

LOCK = Path("nix/mirror/debian/lock.json")
INSTALLABLE = ".#app-example"

APT_CONFIGURATION = """\
Dir::Etc::sourcelist "{folder}/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::trustedparts "{folder}/trusted";
Dir::State "{folder}/state";
Dir::State::lists "{folder}/lists";
Acquire::http::Proxy::127.0.0.1 "DIRECT";
#clear Acquire::Snapshots;
"""

# A version with this at its end is earlier than the one without (deb-version(7)).
EARLIER = "~earlier"

Pin = dict[str, Any]


def outdate(pin: Pin) -> None:
    """Let a pin be one of an earlier version, whose file is on no mirror any more."""
    pin["version"] += EARLIER
    pin["location"] = pin["location"].replace(".deb", f"{EARLIER}.deb")
    pin["sha256"] = hashlib.sha256(pin["location"].encode()).hexdigest()


def give_another_hash(pin: Pin) -> None:
    """Let a pin want other content than its file has."""
    pin["sha256"] = hashlib.sha256(pin["location"].encode()).hexdigest()


@dataclass(frozen=True)
class Checkout:
    """A clone, and a machine's configuration of apt."""

    clone: Path
    machine: Path
    mirror: FilteredMirror

    def commit_pins(self, change: Callable[[Pin], None], *packages: str) -> None:
        """Change the pins of packages, and commit that."""
        lock = json.loads((self.clone / LOCK).read_text())
        found = [pin for pins in lock.values() for pin in pins]
        for pin in [one for one in found if one["package"] in packages]:
            change(pin)
        (self.clone / LOCK).write_text(json.dumps(lock, indent=1, sort_keys=True))
        identity = ["-c", "user.name=test", "-c", "user.email=test@test.invalid"]
        run(self.clone, "git", *identity, "commit", "--quiet", "--all", "-m", "pins")

    def fetch(
        self, *options: str, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run `./mirror fetch` with a cache of its own and this apt's configuration."""
        environment = {
            **{
                name: os.environ[name] for name in os.environ if name != "MIRROR_LOCKED"
            },
            "APT_CONFIG": str(self.machine / "apt.conf"),
            "MIRROR_DEBIAN": "",
            "no_proxy": f"{os.environ.get('no_proxy', '')},127.0.0.1",
            "XDG_CACHE_HOME": str(self.machine / "cache"),
            **variables,
        }
        words = ["./mirror", *options, "fetch", INSTALLABLE]
        done: "subprocess.CompletedProcess[str]"
        done = run(self.clone, *words, check=False, environment=environment)
        return done

    def refusal(self, *options: str, **variables: str) -> str:
        """Let `./mirror fetch` fail; returns its last line and asserts that no pin moved."""
        done = self.fetch(*options, **variables)
        assert done.returncode == 1
        assert done.stdout == ""
        lines = done.stderr.splitlines()
        assert all(line.startswith("mirror: ") for line in lines)
        assert not any("were replaced" in line for line in lines)
        assert not list(self.machine.glob("cache/nix-mirror/overlays/*"))
        return lines[-1]

    def asked_for(self, pattern: str) -> list[tuple[str, int]]:
        """Return the answers of the mirror for paths that fit."""
        return [one for one in self.mirror.answered if re.search(pattern, one[0])]


@dataclass(frozen=True)
class Signer:
    """Somebody with a key of their own; public: the file of its public part."""

    home: Path
    public: Path

    def gpg(self, *words: str, content: bytes = b"") -> bytes:
        """Run gpg with the signer's keys."""
        options = [
            "--homedir",
            str(self.home),
            "--batch",
            "--quiet",
            "--passphrase",
            "",
        ]
        done = subprocess.run(
            ["gpg", *options, "--pinentry-mode", "loopback", *words],
            input=content,
            stdout=subprocess.PIPE,
            check=True,
        )
        return done.stdout

    def sign(self, release: bytes) -> bytes:
        """Return an InRelease file with this signature in the place of its own."""
        text = release.split(b"\n\n", 1)[1].partition(b"-----BEGIN PGP SIGNATURE")[0]
        return self.gpg("--clear-sign", content=text)


@pytest.fixture(scope="session")
def signer() -> Iterator[Signer]:
    """A signer whom no machine knows by itself."""
    if shutil.which("gpg") is None:
        pytest.skip("needs gpg")
    # In a short path, as that of the agent's socket is limited.
    with tempfile.TemporaryDirectory() as folder:
        found = Signer(Path(folder), Path(folder) / "public.gpg")
        found.gpg("--quick-generate-key", "Signer", "default", "default", "never")
        found.public.write_bytes(found.gpg("--export"))
        yield found
        words = ["gpgconf", "--homedir", folder, "--kill", "gpg-agent"]
        subprocess.run(words, check=True)


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What all tests have from apt's mirrors."""
    return tmp_path_factory.mktemp("upstream")


@pytest.fixture
def checkout(clone: Path, tmp_path: Path, upstream: Path) -> Iterator[Checkout]:
    """A clone on a machine whose apt has main and security archive of one mirror."""
    machine = tmp_path / "machine"
    for name in ("state", "trusted", "lists/partial"):
        (machine / name).mkdir(parents=True)
    (machine / "apt.conf").write_text(APT_CONFIGURATION.format(folder=machine))
    with FilteredMirror(upstream) as mirror:
        checkout = Checkout(clone, machine, mirror)
        use_archives(checkout, "debian", "debian-security")
        yield checkout


def use_archives(checkout: Checkout, *archives: str) -> None:
    """Configure apt with these archives of the mirror."""
    names = {"debian": "trixie", "debian-security": "trixie-security"}
    lines = [f"deb {checkout.mirror.root(one)} {names[one]} main\n" for one in archives]
    (checkout.machine / "sources.list").write_text("".join(lines))


def test_files_that_are_gone_are_replaced(checkout: Checkout) -> None:
    checkout.commit_pins(outdate, "tzdata", "libssl1.1")
    done = checkout.fetch()
    assert done.returncode == 0, done.stderr
    *asking, moved, digests = [
        line for line in done.stderr.splitlines() if "fetching" not in line
    ]
    assert sorted(asking) == [
        f"mirror: no mirror has 1 file of {release}: asking its signed indexes"
        for release in ("Debian 11 (bullseye)", "Debian 13 (trixie)")
    ]
    pattern = (
        r"mirror: note: .*: libssl1\.1 \S+~earlier -> \S+, tzdata \S+~earlier -> \S+"
    )
    assert re.fullmatch(pattern, moved)
    assert digests.startswith("mirror: note: digests of images differ")
    assert run(checkout.clone, "git", "status", "--porcelain").stdout == ""


def test_the_machine_keeps_its_package_lists(checkout: Checkout) -> None:
    known = checkout.machine / "lists/host_dists_trixie_InRelease"
    known.write_text("known")
    checkout.commit_pins(outdate, "tzdata")
    assert checkout.fetch().returncode == 0
    assert sorted(checkout.machine.glob("lists/*Release")) == [known]


def test_the_next_run_asks_no_mirror(checkout: Checkout) -> None:
    checkout.commit_pins(outdate, "tzdata")
    assert checkout.fetch().returncode == 0
    checkout.mirror.answered.clear()
    done = checkout.fetch()
    assert done.returncode == 0
    (reminder,) = done.stderr.splitlines()
    assert "were replaced" in reminder and "tzdata" in reminder
    assert checkout.mirror.answered == []


def test_the_kernel_has_another_name_in_each_version(checkout: Checkout) -> None:
    lock = json.loads((checkout.clone / LOCK).read_text())
    (kernel,) = lock["linux"]

    def rename(pin: Pin) -> None:
        outdate(pin)
        pin["package"] = "linux-image-6.1.0-cloud-amd64"

    checkout.commit_pins(rename, kernel["package"])
    checkout.commit_pins(outdate, "tzdata")
    done = checkout.fetch()
    assert done.returncode == 0, done.stderr
    (moved,) = [line for line in done.stderr.splitlines() if "were replaced" in line]
    former = r"linux-image-6\.1\.0-cloud-amd64 \S+ \(not needed any more\)"
    assert re.search(former, moved)
    assert re.search(r"linux-image-\S+-cloud-amd64 \S+ \(new\)", moved)


@pytest.mark.parametrize("option", [True, False])
def test_locked_pins_are_not_replaced(checkout: Checkout, option: bool) -> None:
    checkout.commit_pins(outdate, "tzdata")
    if option:
        line = checkout.refusal("--locked")
    else:
        line = checkout.refusal(MIRROR_LOCKED="1")
    assert "all~earlier.deb" in line and "HTTP 404" in line and "--locked" in line
    assert checkout.asked_for("/dists/") == []


def test_other_content_is_never_replaced(checkout: Checkout) -> None:
    checkout.commit_pins(give_another_hash, "tzdata")
    line = checkout.refusal()
    assert "/tzdata_" in line and "sha256" in line
    assert checkout.asked_for("/dists/") == []


def test_other_content_beside_a_file_that_is_gone(checkout: Checkout) -> None:
    checkout.commit_pins(give_another_hash, "tzdata")
    checkout.commit_pins(outdate, "libssl1.1")
    checkout.refusal()
    assert checkout.asked_for("/dists/") == []


@pytest.mark.parametrize("changed", ["InRelease", "Packages"])
def test_a_changed_index_is_not_believed(checkout: Checkout, changed: str) -> None:
    checkout.commit_pins(outdate, "tzdata")
    path = "/debian/dists/trixie/InRelease"
    release = checkout.mirror.upstream(path)
    assert release
    if changed == "InRelease":
        tampered = release.replace(b"\nOrigin: Debian\n", b"\nOrigin: Debiam\n")
        assert tampered != release
        checkout.mirror.faults = Faults(altered={path: tampered})
    else:
        packages = r"/debian/dists/trixie/main/binary-amd64/.+"
        checkout.mirror.faults = Faults(altered={packages: b"Package: tzdata\n"})
    line = checkout.refusal()
    assert "all~earlier.deb of Debian 13 (trixie) is on no mirror" in line
    assert "with a signature that this machine trusts" in line


def use_signer(checkout: Checkout, signer: Signer) -> None:
    """Let the mirror sign the main archive's index itself."""
    path = "/debian/dists/trixie/InRelease"
    release = checkout.mirror.upstream(path)
    assert release
    checkout.mirror.faults = Faults(altered={path: signer.sign(release)})


def test_an_index_that_a_stranger_signed(checkout: Checkout, signer: Signer) -> None:
    use_signer(checkout, signer)
    checkout.commit_pins(outdate, "tzdata")
    assert "with a signature that this machine trusts" in checkout.refusal()


@pytest.mark.parametrize("named", [True, False])
def test_a_mirror_whose_own_key_apt_trusts(
    checkout: Checkout, signer: Signer, named: bool
) -> None:
    use_signer(checkout, signer)
    if named:
        root = checkout.mirror.root()
        source = f"deb [signed-by={signer.public}] {root} trixie main\n"
        (checkout.machine / "sources.list").write_text(source)
    else:
        shutil.copy(signer.public, checkout.machine / "trusted/signer.gpg")
    checkout.commit_pins(outdate, "tzdata")
    done = checkout.fetch()
    assert done.returncode == 0, done.stderr
    assert "replaced: " in done.stderr


def test_the_security_archive_beside_the_main_one(checkout: Checkout) -> None:
    use_archives(checkout, "debian")
    checkout.commit_pins(outdate, "libssl1.1")
    done = checkout.fetch()
    assert done.returncode == 0, done.stderr
    assert checkout.asked_for("^/debian-security/pool/.*/libssl1.1_.*~earlier")
    read = checkout.asked_for("^/debian-security/dists/bullseye-security/InRelease")
    assert (read[0][0], 200) in read


def test_without_security_updates_nothing_older_is_taken(checkout: Checkout) -> None:
    use_archives(checkout, "debian")
    checkout.mirror.faults = Faults(missing=["/debian-security/.*"])
    checkout.commit_pins(outdate, "libssl1.1")
    line = checkout.refusal()
    assert "older than the pinned" in line and "MIRROR_DEBIAN" in line


def test_a_release_that_no_mirror_carries(checkout: Checkout) -> None:
    checkout.commit_pins(outdate, "libssl1.1")
    checkout.mirror.faults = Faults(missing=indexes_of("bullseye"))
    line = checkout.refusal()
    assert "Debian 11 (bullseye)" in line and "MIRROR_DEBIAN" in line
