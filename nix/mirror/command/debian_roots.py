"""The roots of Debian archives: those that apt is configured with, and their siblings."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import program
from errors import MirrorError

SCHEMES = ("http://", "https://", "file:")

# What apt replaces in the address of a snapshot service (apt.conf(5), Acquire::Snapshots).
SNAPSHOT_ID = "@SNAPSHOTID@"

# Folders in which mirrors keep releases that have left the main archive.
OLD_RELEASES = "debian-archive"


@dataclass(frozen=True)
class Roots:
    """Roots of Debian archives, each a URL that ends in "/".

    configured: to be tried first, in this order.
    derived: possible siblings of these, to be tried only for what the others lack;
        nothing says that they exist. Those of a snapshot service hold SNAPSHOT_ID.
    named: those of the configured ones that the user named, in MIRROR_DEBIAN.
    """

    configured: tuple[str, ...]
    derived: tuple[str, ...] = ()
    named: tuple[str, ...] = ()

    def derived_at(self, snapshot: str) -> list[str]:
        """Return the derived roots for a file that was in the archive at a time.

        snapshot: such as "20261128T071500Z"; without it snapshot services are left out.
        """
        roots = [root for root in self.derived if snapshot or SNAPSHOT_ID not in root]
        return [root.replace(SNAPSHOT_ID, snapshot) for root in roots]


def debian_roots(base: Mapping[str, str]) -> Roots:
    """Find the roots of Debian archives.

    base: the environment; its MIRROR_DEBIAN, roots separated by spaces, stands before
    those that apt is configured with. apt itself reads its sources, in both file
    formats (apt-get(8), indextargets); sources on discs and the like are left out.
    Without release information it also lists those that no `apt-get update` has read yet.
    Raises MirrorError where there are none.
    """
    roots = base.get("MIRROR_DEBIAN", "").split()
    other: list[str] = []
    if shutil.which("apt-get"):
        words = ["indextargets", "--no-release-info", "--format", "$(REPO_URI)"]
        done = program.run(["apt-get", *words], "set MIRROR_DEBIAN")
        for root in done.stdout.split():
            if root.startswith("mirror+file:"):
                roots += listed_mirrors(root[len("mirror+file:") :])
            elif root.startswith("copy:"):
                roots.append("file:" + root[len("copy:") :])
            elif root.startswith(SCHEMES):
                roots.append(root)
            else:
                other.append(root.partition(":")[0])
    if not roots:
        kinds = ", ".join(dict.fromkeys(other))
        raise MirrorError(
            "no Debian mirror is known"
            + (f" (apt's sources are all of the kind {kinds})" if kinds else "")
            + ": set MIRROR_DEBIAN to the URL of one"
        )
    configured = tuple(dict.fromkeys(root.rstrip("/") + "/" for root in roots))
    named = [root.rstrip("/") + "/" for root in base.get("MIRROR_DEBIAN", "").split()]
    derived = derive(configured, snapshot_services())
    return Roots(configured, tuple(derived), tuple(named))


def derive(configured: Iterable[str], snapshots: Iterable[str] = ()) -> list[str]:
    """Derive sibling roots, without those that are configured.

    snapshots: templates of snapshot services; see snapshot_services.

    >>> derive(["http://mirror/debian/"])[:2]
    ['http://mirror/debian-security/', 'http://mirror/debian-archive/debian/']
    """
    configured = list(configured)
    found: list[str] = []
    for root in configured:
        # What is no URL is reported where it is asked.
        with contextlib.suppress(ValueError):
            found += siblings(root)
    for template in snapshots:
        with contextlib.suppress(ValueError):
            for root in [template, *siblings_of_path(urlsplit(template))]:
                found.append(root.rstrip("/") + "/")
    return [root for root in dict.fromkeys(found) if root not in configured]


def siblings(root: str) -> Iterator[str]:
    """Yield where the archives may lie that belong to a Debian archive.

    That are the main archive, that of security updates, and those of old releases: in
    neighbouring folders, as mirrors have them; where the root's host is one of a domain
    that is called `debian`, also on the hosts that this domain has for each.

    >>> list(siblings("http://ftp.xy.debian.test/debian/"))[-2:]
    ['http://archive.debian.test/debian/', 'http://archive.debian.test/debian-security/']
    """
    parts = urlsplit(root)
    yield from siblings_of_path(parts)
    labels = (parts.hostname or "").split(".")
    if len(labels) > 2 and labels[-2] == "debian":
        domain = ".".join(labels[-2:])
        for host, names in (
            ("deb", ("debian", "debian-security")),
            ("security", ("debian-security",)),
            ("archive", ("debian", "debian-security")),
        ):
            for name in names:
                yield f"{parts.scheme}://{host}.{domain}/{name}/"


def siblings_of_path(parts: SplitResult) -> Iterator[str]:
    """Yield the roots whose paths differ from a root's in the archive's name.

    parts: of the root's URL. The last folder with `debian` in its name is the archive's,
    be it `debian`, `debian-security` or a repository such as `debian-remote`.
    """
    folders = parts.path.rstrip("/").split("/")
    for place in reversed(range(len(folders))):
        name = folders[place]
        if "debian" in name and name != OLD_RELEASES:
            break
    else:
        return
    main = name.replace("-security", "")
    before, after = folders[:place], folders[place + 1 :]
    security = main.replace("debian", "debian-security", 1)
    choices = [[main], [security]]
    if not after and OLD_RELEASES not in before:
        choices += [[OLD_RELEASES, "debian"], [OLD_RELEASES, "debian-security"]]
    for chosen in choices:
        if chosen != [name]:
            path = "/".join([*before, *chosen, *after])
            yield parts._replace(path=f"{path}/").geturl()


def snapshot_services() -> list[str]:
    """Return the addresses of snapshot services of Debian's main archive.

    Each is a URL with SNAPSHOT_ID in it. apt's configuration names them, from apt 3.0 on
    by itself, or a Release file that `apt-get update` has read (apt.conf(5),
    Acquire::Snapshots; the field has the meaning of `Changelogs`).
    """
    found = []
    if shutil.which("apt-config"):
        words = ["apt-config", "dump", "--format", "%f %v%n"]
        dump = program.run(words, "set MIRROR_DEBIAN").stdout
        found = configured_snapshots(dump)
        words = ["apt-config", "shell", "lists", "Dir::State::lists/d"]
        lists = program.run(words, "set MIRROR_DEBIAN").stdout
        folder = re.search("lists='(.*)'", lists)
        for path in sorted(Path(folder[1]).glob("*Release")) if folder else []:
            try:
                found += released_snapshots(path.read_text("utf-8", "replace"))
            except OSError:
                continue
    return list(dict.fromkeys(found))


def configured_snapshots(dump: str) -> list[str]:
    """Return the snapshot services of Debian in what `apt-config dump` prints.

    >>> configured_snapshots(
    ...     "Acquire::Snapshots::URI::Origin::Debian http://s/debian/@SNAPSHOTID@/\\n")
    ['http://s/debian/@SNAPSHOTID@/']
    """
    prefix = "acquire::snapshots::uri::"
    ranked = []
    for line in dump.splitlines():
        name, _, value = line.partition(" ")
        kind = name.lower().removeprefix(prefix)
        ranks = ["override::origin::debian", "override::label::debian"]
        ranks += ["origin::debian", "label::debian"]
        if name.lower() != kind and kind in ranks and is_service(value):
            ranked.append((ranks.index(kind), value))
    return [value for _, value in sorted(ranked)]


def released_snapshots(text: str) -> list[str]:
    """Return the snapshot service that a Release file of Debian's names, in a list.

    >>> released_snapshots("Origin: Debian\\nSnapshots: http://s/debian/@SNAPSHOTID@/\\n")
    ['http://s/debian/@SNAPSHOTID@/']
    """
    fields = dict(re.findall(r"^(Origin|Snapshots): *(\S+) *$", text, re.MULTILINE))
    service = fields.get("Snapshots", "")
    is_debian = fields.get("Origin") == "Debian"
    return [service] if is_debian and is_service(service) else []


def is_service(value: str) -> bool:
    """Say whether a setting is the address of a snapshot service, not a word like `no`."""
    return value.startswith(SCHEMES) and SNAPSHOT_ID in value


def listed_mirrors(path: str) -> list[str]:
    """Return the mirrors of a mirror list (apt-transport-mirror(1)).

    path: as apt names it, with a slash behind; [] where there is no such file.
    """
    try:
        text = Path("/" + path.strip("/")).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return []
    return parse_mirror_list(text)


def parse_mirror_list(text: str) -> list[str]:
    """Return the mirrors in a mirror list that may have packages for amd64, best first.

    >>> parse_mirror_list("http://b/\\nhttp://a/\\tpriority:1\\nhttp://c/\\tarch:arm64")
    ['http://a/', 'http://b/']
    """
    found = []
    for line in text.split("\n"):
        words = line.split()
        if not words or not words[0].startswith(SCHEMES):
            continue
        facts: dict[str, list[str]] = {}
        for word in words[1:]:
            key, _, value = word.partition(":")
            facts.setdefault(key, []).append(value)
        if not {"amd64", "all"} & set(facts.get("arch", ["amd64"])):
            continue
        if "deb" not in facts.get("type", ["deb"]):
            continue
        priority = facts.get("priority", [""])[0]
        # Those without a number come last.
        order = int(priority) if re.fullmatch("[0-9]+", priority) else 1 << 64
        found.append((order, words[0]))
    return [url for _, url in sorted(found, key=lambda pair: pair[0])]
