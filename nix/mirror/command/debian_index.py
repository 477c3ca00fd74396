"""The signed package indexes of one Debian release, read by apt."""

from __future__ import annotations

import email
import re
import subprocess
from collections.abc import Iterable, Sequence
from email.message import Message
from pathlib import Path

import program
from address import redacted
from debian_roots import Roots
from errors import MirrorError

# Debian's own keys (debian-archive-keyring).
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

# Seconds after which apt gives up on a host that nothing says to exist.
SIBLING_SECONDS = 10

WEB = ("http", "https")

Stanza = Message  # of deb822(5)

# An alternative of a relation: a package's name, the comparison and the version.
Alternative = tuple[str, str, str]

# What ./mirror calls the operators of a relation, as dpkg(1), --compare-versions, does.
OPERATORS = {"<<": "lt", "<=": "le", "=": "eq", ">=": "ge", ">>": "gt"}


def parse_stanzas(text: str) -> list[Stanza]:
    """Parse what `apt-cache show` prints (deb822(5))."""
    return [
        email.message_from_string(part) for part in text.split("\n\n") if part.strip()
    ]


def parse_simulation(text: str) -> list[str]:
    """Parse what `apt-get install --simulate` would install, as NAME=VERSION.

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


def relations(stanza: Stanza) -> list[list[Alternative]]:
    """Return what a package depends on: a list of relations, each of alternatives.

    Of both `Depends` and `Pre-Depends` (Debian Policy, 7.1).

    >>> relations(email.message_from_string("Depends: a (>= 1) | b, c:any\\n"))
    [[('a', '>=', '1'), ('b', '', '')], [('c', '', '')]]
    """
    found = []
    for field in ("Pre-Depends", "Depends"):
        for relation in (stanza[field] or "").replace("\n", " ").split(","):
            alternatives = []
            for alternative in relation.split("|"):
                match = re.fullmatch(
                    r"\s*([^\s:(]+)(?::\S+)?\s*(?:\(\s*([<>=]+)\s*(\S+?)\s*\))?.*",
                    alternative,
                )
                if match:
                    name, operator, version = match.groups(default="")
                    alternatives.append((name, operator, version))
            if alternatives:
                found.append(alternatives)
    return found


def is_satisfied(version: str, operator: str, wanted: str) -> bool:
    """Say whether a version is what a relation wants; dpkg compares (dpkg(1)).

    operator: as Debian Policy, 7.1, has it; "" where any version will do.
    """
    if not operator or (operator == "=" and version == wanted):
        return True
    words = ["dpkg", "--compare-versions", version, OPERATORS[operator], wanted]
    return program.run(words, "run ./mirror on a Debian").returncode == 0


class NoSuite(MirrorError):
    """No mirror carries a release with a signature that this machine trusts."""


class SuiteIndex:
    """What the mirrors offer of one Debian release: updates and security updates, too.

    apt reads it, with a package list of its own and nothing installed, and verifies
    signatures (apt-secure(8)). carried: the roots and archives that were read, such as
    ("http://host/debian/", "trixie").
    """

    def __init__(
        self, folder: Path, suite: str, roots: Roots, expired: bool = False
    ) -> None:
        """Let apt read the indexes.

        folder: empty, for apt's state; suite: the release's code name; roots: siblings
        are asked for the archives that the configured ones do not carry. expired:
        whether Release files may be older than they say (`Valid-Until`), as those of a
        release past its end of life are.
        Raises NoSuite where no mirror carries the release.
        """
        self.folder = folder
        self.suite = suite
        self.roots = roots
        self.options = ["check-valid-until=no"] if expired else []
        for name in ("state/lists/partial", "cache/archives/partial", "etc"):
            (folder / name).mkdir(parents=True)
        (folder / "state/status").touch()
        archives = [suite, f"{suite}-updates", f"{suite}-security"]
        lines = [(root, name) for root in roots.configured for name in archives]
        self.trouble = ""
        self.carried = self.update(lines)
        lacking = {suite, f"{suite}-security"} - {name for _, name in self.carried}
        if lacking and roots.derived_at(""):
            lines += [
                (root, name) for root in roots.derived_at("") for name in archives
            ]
            self.carried = self.update(lines, SIBLING_SECONDS)
        if not any(name == suite for _, name in self.carried):
            fix = "name one that does in MIRROR_DEBIAN, such as an archive of old releases"
            if not Path(KEYRING).exists():
                fix = "apt-get install debian-archive-keyring"
            raise NoSuite(
                f"no Debian mirror carries {suite} with a signature that this machine"
                f" trusts ({self.trouble}): {fix}"
            )

    def update(
        self, lines: Sequence[tuple[str, str]], seconds: int = 0
    ) -> list[tuple[str, str]]:
        """Let apt read these archives, as (root, name); returns those it could read.

        Those of other vendors, which apt's sources may name as well, do not count: a
        Release file of Debian's says so (`Origin`), and what MIRROR_DEBIAN names is a
        mirror of Debian, whatever it says.
        seconds: how long it waits for a host, 0 for as long as it is configured to.
        """
        written: dict[str, tuple[str, str]] = {}
        trusted = {root: keyrings(root) for root in dict(lines)}
        for root, name in lines:
            options = [*self.options, f"signed-by={','.join(trusted[root])}"]
            if trusted[root]:
                written[f"deb [{' '.join(options)}] {root} {name} main\n"] = root, name
        sources = self.folder / "etc/sources.list"
        sources.write_text("".join(written))
        patience = [f"-oAcquire::{scheme}::Timeout={seconds}" for scheme in WEB]
        done = self.run(
            "apt-get", *(patience if seconds else []), "update", check=False
        )
        self.trouble = redacted(program.cause(done.stderr))
        words = ["--format", "$(SOURCESENTRY) $(ORIGIN) $(FILENAME)"]
        targets = self.run("apt-get", "indextargets", *words, "Created-By: Packages")
        carried = {}
        for target in targets.stdout.splitlines():
            entry, origin, path = target.split(" ", 2)
            line = list(written)[int(entry.rpartition(":")[2]) - 1]
            is_debian = origin == "Debian" or written[line][0] in self.roots.named
            if is_debian and Path(path).exists():
                carried[line] = written[line]
        sources.write_text("".join(carried))
        return list(carried.values())

    def run(
        self, name: str, *words: str, check: bool = True
    ) -> "subprocess.CompletedProcess[str]":
        """Run an apt program on this package list only.

        Raises MirrorError where there is no apt or, if check is set, where it fails.
        """
        settings = {
            "Dir::State": self.folder / "state",
            "Dir::State::lists": self.folder / "state/lists",
            "Dir::State::status": self.folder / "state/status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Etc::sourcelist": self.folder / "etc/sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-",
            "Dir::Etc::preferencesparts": "-",
            "APT::Architecture": "amd64",
            "APT::Architectures::": "amd64",
            "APT::Default-Release": "",
            "APT::Sandbox::User": "root",
            "Acquire::AllowInsecureRepositories": "false",
            "Acquire::AllowWeakRepositories": "false",
            "Acquire::Languages": "none",
        }
        options = [f"-o{name}={value}" for name, value in settings.items()]
        done = program.run([name, *options, *words], "run ./mirror on a Debian")
        if check and done.returncode != 0:
            cause = redacted(program.cause(done.stderr))
            raise MirrorError(f"{name} {' '.join(words)}: {cause}")
        return done

    def closure(self, packages: Sequence[str]) -> list[str]:
        """Return all packages that apt would install for these, as NAME=VERSION."""
        done = self.run(
            "apt-get", "install", "--no-install-recommends", "--simulate", *packages
        )
        return parse_simulation(done.stdout)

    def stanzas(self, packages: Sequence[str]) -> list[Stanza]:
        """Return the packages' entries in the indexes, in this order.

        packages: names, for the newest versions, or NAME=VERSION.
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

    def offered(self, names: Iterable[str]) -> dict[str, list[Stanza]]:
        """Return all entries of these packages in the indexes, the newest one first.

        A package that is in none of them is left out.
        """
        wanted = sorted(set(names))
        done = self.run("apt-cache", "show", "--all-versions", *wanted, check=False)
        found: dict[str, list[Stanza]] = {}
        for stanza in parse_stanzas(done.stdout):
            if stanza["Package"] in wanted:
                found.setdefault(stanza["Package"], []).append(stanza)
        return found


def keyrings(root: str) -> list[str]:
    """Return the files of keys that this machine trusts for a root.

    Debian's own, those that apt's sources name for this root (sources.list(5),
    Signed-By), and those that apt trusts for all (apt-key(8), trusted.gpg.d).
    """
    words = ["trusted", "Dir::Etc::trusted/f", "parts", "Dir::Etc::trustedparts/d"]
    done = program.run(["apt-config", "shell", *words], "run ./mirror on a Debian")
    places = dict(re.findall("^([a-z]+)='(.*)'$", done.stdout, re.MULTILINE))
    files = [Path(KEYRING), *signed_by(root), Path(places.get("trusted", ""))]
    for pattern in ("*.gpg", "*.asc") if places.get("parts") else ():
        files += sorted(Path(places["parts"]).glob(pattern))
    return [str(path) for path in dict.fromkeys(files) if path.is_file()]


def signed_by(root: str) -> list[Path]:
    """Return the files of keys that apt's sources name for a root."""
    words = ["apt-get", "indextargets", "--no-release-info", "--format"]
    targets = program.run(
        [*words, "$(REPO_URI) $(SOURCESENTRY)"], "run ./mirror on a Debian"
    )
    found: list[Path] = []
    for line in dict.fromkeys(targets.stdout.splitlines()):
        address, _, entry = line.partition(" ")
        path, _, _ = entry.rpartition(":")
        if address.rstrip("/") != root.rstrip("/"):
            continue
        try:
            text = Path(path).read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        found += map(Path, parse_signed_by(text, root))
    return found


def parse_signed_by(text: str, root: str) -> list[str]:
    """Return the files of keys that a file of apt's sources names for a root.

    text: of either format (sources.list(5)). Fingerprints and keys that stand in the
    file itself are left out.

    >>> line = "deb [signed-by=/a.gpg,/b.asc] http://m/debian sid main"
    >>> parse_signed_by(line, "http://m/debian/")
    ['/a.gpg', '/b.asc']
    >>> stanza = "Types: deb\\nURIs: http://m/debian\\nSigned-By: /c.gpg\\n"
    >>> parse_signed_by(stanza, "http://m/debian/")
    ['/c.gpg']
    """
    root = root.rstrip("/")
    values: list[str] = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+\[([^\]]*)\]\s+(\S+)", line)
        if match and match[2].rstrip("/") == root:
            values += re.findall(r"(?i)\bsigned-by=(\S+)", match[1])
    plain = re.sub(r"(?m)^#.*\n?", "", text)
    for stanza in map(email.message_from_string, re.split(r"\n\s*\n", plain)):
        addresses = [one.rstrip("/") for one in (stanza["URIs"] or "").split()]
        if root in addresses and (stanza["Enabled"] or "yes").lower() != "no":
            values += (stanza["Signed-By"] or "").split()
    return [path for value in values for path in value.split(",") if path[:1] == "/"]
