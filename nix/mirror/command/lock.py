"""Writes the lock files of the mirror set; for its maintainers."""

from __future__ import annotations

import contextlib
import email
import hashlib
import importlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from email.message import Message
from pathlib import Path
from typing import Any

import download
import machine
import program
from address import redacted, shown
from apt_configuration import debian_mirrors
from errors import MirrorError
from locked_file import LockedFile
from nix_command import MIRROR_SET, Nix
from package_index import Index, canonical, reason
from transport import Fault, Transport

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

Stanza = Message  # of deb822(5)

# The name of the set of wheels, beside those of sets.toml.
WHEELS = "wheels"


def read_toml(path: Path) -> Any:
    """A TOML file, by this Python's library or by pip's copy of tomli."""
    machine.import_pip()
    for library in ("tomllib", "pip._vendor.tomli"):
        try:
            toml: Any = importlib.import_module(library)
        except ImportError:
            continue
        return toml.loads(path.read_text(encoding="utf-8"))
    raise MirrorError("no library reads TOML: run this with Python 3.11 or newer")


def write_json(path: Path, content: Any) -> None:
    """Write a lock file, whole or not at all."""
    text = json.dumps(content, indent=1, sort_keys=True) + "\n"
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def parse_stanzas(text: str) -> list[Stanza]:
    """The entries of what `apt-cache show` prints (deb822(5))."""
    return [
        email.message_from_string(part) for part in text.split("\n\n") if part.strip()
    ]


def parse_simulation(text: str) -> list[str]:
    """The packages that `apt-get install --simulate` would install, as NAME=VERSION.

    >>> parse_simulation("Inst libc6 (2.31-13 Debian:11 [amd64])\\nConf libc6 (2.31)")
    ['libc6=2.31-13']
    """
    chosen = []
    for line in text.splitlines():
        if line.startswith("Inst "):
            name, _, rest = line[len("Inst ") :].partition(" ")
            # An installed version stands in brackets before the new one.
            version = rest.partition("(")[2].split()[0]
            chosen.append(f"{name.partition(':')[0]}={version}")
    return chosen


def required_packages(stanza: Stanza) -> list[str]:
    """What a package depends on, as names or, where one version is asked for, NAME=VERSION.

    Of alternatives the first (Debian Policy, 7.1).

    >>> stanza = parse_stanzas("Package: a\\nDepends: b-1 (= 1.2-3), c (>= 4) | d")[0]
    >>> required_packages(stanza)
    ['b-1=1.2-3', 'c']
    """
    found = []
    for relation in filter(None, re.split(r"\s*,\s*", stanza["Depends"] or "")):
        first = relation.partition("|")[0]
        name = re.split(r"[\s:(\[]", first.strip(), maxsplit=1)[0]
        exact = re.search(r"\(=\s*([^\s)]+)\s*\)", first)
        found.append(f"{name}={exact[1]}" if exact else name)
    return found


class Apt:
    """apt with a package list of its own: nothing installed, one Debian release."""

    def __init__(self, folder: Path, suite: str, mirrors: Sequence[str]) -> None:
        """folder: for apt's state; suite: the release's code name; mirrors: their URLs.

        Raises MirrorError where no mirror carries the release.
        """
        self.folder = folder
        for name in ("state/lists/partial", "cache/archives/partial", "etc"):
            (folder / name).mkdir(parents=True)
        (folder / "state/status").touch()
        sources = folder / "etc/sources.list"
        usable = []
        for root in mirrors:
            for release in (suite, f"{suite}-security", f"{suite}-updates"):
                line = f"deb [signed-by={KEYRING}] {root} {release} main\n"
                sources.write_text(line)
                if self.run("apt-get", "update", check=False).returncode == 0:
                    usable.append(line)
        if not usable:
            raise MirrorError(
                f"no configured Debian mirror carries {suite}: name one that does in"
                " MIRROR_DEBIAN"
            )
        sources.write_text("".join(usable))
        self.run("apt-get", "update")

    def run(
        self, name: str, *words: str, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run an apt program on this package list alone."""
        settings = {
            "Dir::State": self.folder / "state",
            "Dir::State::status": self.folder / "state/status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Etc::sourcelist": self.folder / "etc/sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-",
            "Dir::Etc::preferencesparts": "-",
            "APT::Architecture": "amd64",
            "APT::Architectures::": "amd64",
            "APT::Update::Error-Mode": "any",
            "Acquire::Languages": "none",
            "Acquire::Check-Valid-Until": "false",
        }
        options = [f"-o{name}={value}" for name, value in settings.items()]
        done = program.run([name, *options, *words], "run ./mirror lock on a Debian")
        if check and done.returncode != 0:
            cause = redacted(program.cause(done.stderr))
            raise MirrorError(f"{name} {' '.join(words)}: {cause}")
        return done

    def closure(self, packages: Sequence[str]) -> list[str]:
        """All packages that apt would install for these, as NAME=VERSION."""
        done = self.run(
            "apt-get", "install", "--no-install-recommends", "--simulate", *packages
        )
        return parse_simulation(done.stdout)

    def stanzas(self, packages: Sequence[str]) -> list[Stanza]:
        """The packages' entries in the release's Packages files, in this order.

        packages: names, for the candidate versions, or NAME=VERSION.
        Raises MirrorError where one has none.
        """
        done = self.run("apt-cache", "show", "--no-all-versions", *packages)
        known: dict[str, Stanza] = {}
        for stanza in parse_stanzas(done.stdout):
            known.setdefault(stanza["Package"], stanza)
            known.setdefault(f"{stanza['Package']}={stanza['Version']}", stanza)
        missing = [package for package in packages if package not in known]
        if missing:
            raise MirrorError(f"apt-cache show: no entry of {', '.join(missing)}")
        return [known[package] for package in packages]


def lock_set(apt: Apt, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One set's packages with what pins them, sorted by name.

    A set may name, as `meta`, a package that depends on those to pin, whose own names
    change with their versions: the kernel's has its ABI.
    """
    packages = list(wanted.get("packages", []))
    if "meta" in wanted:
        (stanza,) = apt.stanzas([wanted["meta"]])
        packages += required_packages(stanza)
    if wanted.get("closure", True):
        packages = apt.closure(packages)
    entries = []
    for stanza in apt.stanzas(packages):
        if stanza["Package"] in wanted.get("without", {}):
            continue
        entries.append(
            {
                "package": stanza["Package"],
                "version": stanza["Version"],
                "source": (stanza["Source"] or stanza["Package"]).split()[0],
                "location": stanza["Filename"],
                "sha256": stanza["SHA256"],
                "size": int(stanza["Size"]),
            }
        )
    return sorted(entries, key=lambda entry: str(entry["package"]))


def without_lower(
    locked: Mapping[str, list[dict[str, Any]]], sets: Mapping[str, Any]
) -> dict[str, list[dict[str, Any]]]:
    """The locked sets, each without what the sets that it stands above already hold.

    Sets that are defined no more are left out.
    """
    kept = {}
    for name, wanted in sets.items():
        below = {
            entry["package"]
            for lower in wanted.get("above", [])
            for entry in locked.get(lower, [])
        }
        if name in locked:
            kept[name] = [e for e in locked[name] if e["package"] not in below]
    return kept


def lock_debian(
    names: Sequence[str], sets: Mapping[str, Any], base: Mapping[str, str]
) -> None:
    """Resolve the named sets and write debian/lock.json; the others stay as locked."""
    path = MIRROR_SET / "debian/lock.json"
    locked = json.loads(path.read_text()) if path.exists() else {}
    mirrors = debian_mirrors(base)
    for suite in dict.fromkeys(sets[name]["suite"] for name in names):
        with tempfile.TemporaryDirectory() as temporary:
            apt = Apt(Path(temporary), suite, mirrors)
            for name in names:
                if sets[name]["suite"] == suite:
                    locked[name] = lock_set(apt, sets[name])
    locked = without_lower(locked, sets)
    for name in names:
        print(f"mirror: {name}: {len(locked[name])} packages", file=sys.stderr)
    write_json(path, locked)


def lock_busybox(base: Mapping[str, str]) -> None:
    """Pin the one executable that starts everything by its NAR hash.

    base: the environment. The package is the one that debian/lock.json pins.
    """
    folder = MIRROR_SET / "debian"
    (package,) = json.loads((folder / "lock.json").read_text())["busybox"]
    member = "bin/busybox"
    file = LockedFile(
        kind="member",
        name="busybox",
        sha256=package["sha256"],
        location=package["location"],
        member=member,
        size=package["size"],
    )
    with tempfile.TemporaryDirectory() as temporary:
        with contextlib.closing(download.Fetcher(Path(temporary), base)) as fetcher:
            path = fetcher.fetch(file)
        done = Nix(base).run(["hash", "path", str(path)])
    if done.returncode != 0:
        raise MirrorError("Nix says above why it takes no hash of busybox")
    pinned = {**package, "member": member, "narHash": done.stdout.strip()}
    write_json(folder / "busybox.lock.json", pinned)


def runs_here(wheel: str) -> bool:
    """Whether a wheel of this name runs on any Linux on x86_64 (PEP 425, PEP 600)."""
    from pip._vendor.packaging.utils import InvalidWheelFilename, parse_wheel_filename

    try:
        tags = parse_wheel_filename(wheel)[3]
    except InvalidWheelFilename:
        return False
    return any(
        tag.platform == "any"
        or (tag.platform.startswith("manylinux") and tag.platform.endswith("_x86_64"))
        for tag in tags
    )


def wheels_of(names: Sequence[str], project: str, version: str) -> list[str]:
    """Those of the file names that are wheels of this version and run here, sorted."""
    found = []
    for name in names:
        stem, _, rest = name.partition("-")
        if canonical(stem) == canonical(project) and rest.startswith(f"{version}-"):
            if name.endswith(".whl") and runs_here(name):
                found.append(name)
    return sorted(found)


def lock_wheel(
    index: Index, transport: Transport, project: str, version: str
) -> dict[str, Any]:
    """What pins the wheel of one version; it is fetched, for its SHA-256."""
    links, problems = index.links(project, transport)
    wheels = wheels_of(list(links), project, version)
    if not wheels:
        told = "; ".join(["no index lists a wheel for x86_64", *problems])
        raise MirrorError(f"{project}=={version}: {told}")
    name = wheels[-1]
    try:
        content = index.content(links[name][0], transport)
    except (Fault, OSError) as error:
        raise MirrorError(
            f"{name}: {shown(links[name][0])}: {reason(error)}: name an index that has it"
            " in MIRROR_PYPI"
        ) from None
    return {
        "project": project,
        "version": version,
        "location": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content),
    }


def lock_wheels(base: Mapping[str, str]) -> None:
    """Pin the wheels of wheels/requirements.txt, and write wheels/lock.json.

    base: the environment. Each line there is a comment or PROJECT==VERSION.
    """
    folder = MIRROR_SET / "wheels"
    lines = (folder / "requirements.txt").read_text().splitlines()
    index = Index(base)
    locked = {}
    with contextlib.closing(Transport(index.session)) as transport:
        for line in lines:
            project, _, version = line.partition("#")[0].strip().partition("==")
            if project:
                locked[project] = lock_wheel(index, transport, project, version)
    print(f"mirror: {WHEELS}: {len(locked)} wheels", file=sys.stderr)
    write_json(folder / "lock.json", locked)


def lock(names: Sequence[str], base: Mapping[str, str]) -> None:
    """Pin the named sets anew, or all; base: the environment.

    Raises MirrorError where there is no such set, or a source lacks something.
    """
    sets = read_toml(MIRROR_SET / "debian/sets.toml")
    known = [*sets, WHEELS]
    for name in names:
        if name not in known:
            raise MirrorError(
                f"there is no set {name!r}: ./mirror lock takes {', '.join(known)}"
            )
    chosen = [name for name in known if name in names or not names]
    debian = [name for name in chosen if name != WHEELS]
    if debian:
        lock_debian(debian, sets, base)
    if "busybox" in debian:
        lock_busybox(base)
    if WHEELS in chosen:
        lock_wheels(base)
