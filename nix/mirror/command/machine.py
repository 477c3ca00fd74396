"""What this machine has: apt's mirrors, pip's configuration, missing programs."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from errors import MirrorError


def install(packages: Sequence[str], reason: str) -> None:
    """Install Debian packages with apt-get, saying so.

    Raises MirrorError where there is no apt-get, or it fails.
    """
    words = " ".join(packages)
    if shutil.which("apt-get") is None:
        raise MirrorError(f"{reason} is missing and there is no apt-get: install it")
    print(f"mirror: installing {words} with apt-get", file=sys.stderr)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "-qq", "update"],
        ["apt-get", "-qq", "-y", "--no-install-recommends", "install", *packages],
    ):
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if done.returncode != 0:
            cause = (done.stdout.strip().splitlines() or ["no message"])[-1]
            hint = "" if os.geteuid() == 0 else " (run it as root)"
            raise MirrorError(f"{' '.join(command)} failed{hint}: {cause}")


@lru_cache(maxsize=None)
def debian_mirrors() -> tuple[str, ...]:
    """The roots of Debian archives that apt is configured with, each ending in "/".

    MIRROR_DEBIAN, a list of roots separated by spaces, stands before them; apt itself
    reads its sources, in both file formats (apt-get(8), indextargets).
    """
    roots = os.environ.get("MIRROR_DEBIAN", "").split()
    if shutil.which("apt-get"):
        done = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        roots += done.stdout.split()
    unique = dict.fromkeys(root.rstrip("/") + "/" for root in roots)
    # A security archive is a twin of the main one: both hold part of any release.
    if not unique:
        raise MirrorError(
            "no Debian mirror is known: set MIRROR_DEBIAN to the URL of one"
        )
    return tuple(unique)


def apt_proxies() -> dict[str, str]:
    """The HTTP proxies that apt is configured with, by scheme (apt.conf(5))."""
    if shutil.which("apt-config") is None:
        return {}
    names = {"http": "Acquire::http::Proxy", "https": "Acquire::https::Proxy"}
    words = [word for scheme, name in names.items() for word in (scheme, name)]
    done = subprocess.run(
        ["apt-config", "shell", *words], stdout=subprocess.PIPE, text=True
    )
    proxies = {}
    for line in done.stdout.splitlines():
        scheme, _, value = line.partition("=")
        if value.strip("'") and value.strip("'") != "DIRECT":
            proxies[scheme] = value.strip("'")
    return proxies


def import_pip() -> None:
    """Make pip importable: this Python's own, or the wheel that Debian ships alone.

    pip alone knows how this machine reaches PyPI: index, extra indexes, find-links,
    certificates, proxies, credentials (pip's documentation, "Configuration").
    """
    for _ in range(2):
        try:
            import pip  # noqa: F401

            return
        except ImportError:
            wheels = sorted(glob.glob("/usr/share/python-wheels/pip-*.whl"))
            if wheels:
                sys.path.append(wheels[-1])
                continue
            install(["python3-pip-whl"], "pip")
            sys.path.extend(sorted(glob.glob("/usr/share/python-wheels/pip-*.whl")))


class Index:
    """PyPI, or what stands in for it, as pip on this machine is configured."""

    def __init__(self, base: Mapping[str, str]) -> None:
        """base: the environment; MIRROR_PYPI, the URL of a simple index, wins over pip's."""
        import_pip()
        from pip._internal.commands import create_command

        words = ["--index-url", base["MIRROR_PYPI"]] if base.get("MIRROR_PYPI") else []
        self.command: Any = create_command("download")
        with self.command.main_context():
            self.options, _ = self.command.parse_args([*words, "--quiet"])

    def session(self) -> Any:
        """A new HTTP session with pip's certificates, proxies, credentials and retries.

        It is a requests.Session; one a thread.
        """
        return self.command._build_session(self.options)

    def links(self, project: str, session: Any) -> dict[str, str]:
        """The files of a project: name to URL, whatever they are built for.

        Raises MirrorError where no index has the project.
        """
        from pip._internal.index.collector import LinkCollector, parse_links

        collector = LinkCollector.create(session, options=self.options)
        found: dict[str, str] = {}

        def read_page(page: Any) -> list[Any]:
            content = collector.fetch_response(page)
            for link in parse_links(content) if content is not None else []:
                found.setdefault(link.filename, link.url_without_fragment)
            return []

        sources = collector.collect_sources(project, candidates_from_page=read_page)
        for source in (*sources.find_links, *sources.index_urls):
            if source is None:
                continue
            for link in source.file_links():
                found.setdefault(link.filename, link.url_without_fragment)
            list(source.page_candidates())
        return found
