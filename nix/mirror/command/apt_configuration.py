"""What apt on this machine is configured with: proxies, certificates, credentials."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Optional
from urllib.parse import unquote, urlsplit

import machine
import program
from address import credentials, with_credentials, without_credentials

# Where Debian keeps the certificates that apt trusts (ca-certificates).
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

HELPER = "/usr/lib/apt/apt-helper"

# What apt takes for false.
NO = ("no", "false", "without", "off", "disable", "0")


def parse_dump(text: str) -> dict[str, str]:
    """The settings that `apt-config dump --format '%F %V%n'` prints, names in lower case.

    Both are quoted by percent signs; of a list, the last item counts.

    >>> parse_dump("Acquire::http::Proxy http://a%20b/\\nAcquire \\n")
    {'acquire::http::proxy': 'http://a b/', 'acquire': ''}
    """
    settings = {}
    for line in text.split("\n"):
        name, _, value = line.partition(" ")
        if name:
            settings[unquote(name).lower()] = unquote(value)
    return settings


def login_for(text: str, url: str) -> Optional[tuple[str, str]]:
    """The name and password that an auth.conf holds for a URL (apt_auth.conf(5)).

    None where no entry of it matches; the first one counts.

    >>> login_for("machine host/debian login me password secret", "https://host/debian/a")
    ('me', 'secret')
    """
    tokens = iter(re.findall(r"[^ \t\r\n]+", text))
    for token in tokens:
        if token != "machine" or not matches(next(tokens, ""), url):
            continue
        found = {"login": "", "password": ""}
        for key in tokens:
            if key == "machine":
                break
            if key in found:
                found[key] = next(tokens, "")
        return found["login"], found["password"]
    return None


def matches(machine: str, url: str) -> bool:
    """Whether an entry's `machine` stands for a URL (apt_auth.conf(5)).

    >>> matches("host", "https://host:8/"), matches("host", "http://host/")
    (True, False)
    """
    scheme, _, rest = without_credentials(url).partition("://")
    named, separator, pattern = machine.partition("://")
    if not separator:
        named, pattern = "https", machine
    if named != scheme or not pattern:
        return False
    if "/" in pattern:
        return rest.startswith(pattern)
    server = rest.partition("/")[0]
    return pattern in (server, re.sub(":[0-9]*$", "", server))


class AptConfiguration:
    """What apt would use for each URL."""

    def __init__(self, base: Mapping[str, str], trusted: str = "") -> None:
        """base: the environment; apt heeds its http_proxy, https_proxy and no_proxy.

        trusted: a file of certificates to trust where apt names none; by default the
        system's.
        """
        machine.import_pip()
        self.base = base
        self.trusted = trusted or CERTIFICATES
        self.settings: dict[str, str] = {}
        self.logins: list[str] = []
        self.unreadable: list[str] = []
        self.detected: dict[str, str] = {}
        if shutil.which("apt-config"):
            mend = "set MIRROR_DEBIAN"
            done = program.run(["apt-config", "dump", "--format", "%F %V%n"], mend)
            self.settings = parse_dump(done.stdout)
            for path in self.login_files():
                try:
                    self.logins.append(path.read_text(encoding="utf-8"))
                except FileNotFoundError:
                    pass
                except (OSError, ValueError):
                    self.unreadable.append(str(path))

    def login_files(self) -> list[Path]:
        """The files that may hold credentials, in apt's order."""
        names = {"file": "Dir::Etc::netrc/f", "folder": "Dir::Etc::netrcparts/d"}
        words = [word for pair in names.items() for word in pair]
        done = program.run(["apt-config", "shell", *words], "set MIRROR_DEBIAN")
        found = dict(word.split("=", 1) for word in assignments(done.stdout))
        paths = [Path(found["file"])] if found.get("file") else []
        if found.get("folder"):
            paths += sorted(Path(found["folder"]).glob("*.conf"))
        return paths

    def find(self, scheme: str, name: str, host: str = "") -> str:
        """A setting of `Acquire`; https has those of http where it has none itself.

        host: ask for the one for this host first.
        """
        schemes = [scheme, "http"] if scheme == "https" else [scheme]
        suffixes = [f"::{host}", ""] if host else [""]
        for suffix in suffixes:
            for one in schemes:
                value = self.settings.get(f"acquire::{one}::{name}{suffix}".lower(), "")
                if value:
                    return value
        return ""

    def patience(self) -> float:
        """The seconds that apt waits for a server (Acquire::http::Timeout); 0 unset."""
        value = self.find("http", "timeout")
        return float(value) if re.fullmatch("[0-9]{1,6}", value) else 0.0

    def proxy(self, url: str) -> str:
        """The proxy that apt would ask for a URL, "" for none.

        In this order: the one for the host, the one that Proxy-Auto-Detect tells, the
        one for all hosts, the environment's; hosts in no_proxy are asked directly.
        """
        from pip._vendor.requests import utils

        parts = urlsplit(url)
        scheme, host = parts.scheme, parts.hostname or ""
        proxy = self.find(scheme, f"proxy::{host}") or self.detect(url)
        if not proxy:
            proxy = self.find(scheme, "proxy")
        if not proxy:
            proxy = self.base.get("http_proxy", "")
            if scheme == "https":
                proxy = self.base.get("https_proxy", proxy)
        exceptions = self.base.get("no_proxy", "")
        bypass: Any = getattr(utils, "should_bypass_proxies")
        if exceptions and bypass(url, exceptions):
            return ""
        if proxy in ("", "DIRECT"):
            return ""
        if credentials(proxy) is None:
            login = self.stored_login(proxy)
            if login is not None:
                return with_credentials(proxy, *login)
        return proxy

    def detect(self, url: str) -> str:
        """What Acquire::http::Proxy-Auto-Detect answers for a URL's host, if it is set.

        apt's own helper asks it; `DIRECT` stands for no proxy, "" for no answer.
        """
        parts = urlsplit(url)
        kinds = ("proxy-auto-detect", "proxyautodetect")
        if not any(self.find(parts.scheme, kind) for kind in kinds):
            return ""
        server = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}/"
        if server not in self.detected:
            done = program.run(
                [HELPER, "auto-detect-proxy", server],
                "apt-get install apt, or unset Acquire::http::Proxy-Auto-Detect",
                {**self.base, "LC_ALL": "C"},
            )
            told = re.search(r"^Using proxy '(.*)' for URL", done.stdout, re.MULTILINE)
            self.detected[server] = told[1] if told else ""
        return self.detected[server]

    def stored_login(self, url: str) -> Optional[tuple[str, str]]:
        """The credentials of auth.conf and auth.conf.d for a URL."""
        for text in self.logins:
            login = login_for(text, url)
            if login is not None:
                return login
        return None

    def request_settings(self, url: str) -> dict[str, Any]:
        """What requests is to be given for a URL: proxies, certificates, credentials."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        settings: dict[str, Any] = {}
        login = credentials(url) or self.stored_login(url)
        if login is not None:
            settings["auth"] = login
        # "" keeps requests from the environment's proxies.
        settings["proxies"] = {parts.scheme: self.proxy(url)}
        if parts.scheme == "https":
            if self.find("https", "verify-peer", host).lower() in NO:
                settings["verify"] = False
            elif self.find("https", "cainfo", host):
                settings["verify"] = self.find("https", "cainfo", host)
            elif self.trusted != CERTIFICATES or Path(CERTIFICATES).exists():
                settings["verify"] = self.trusted
            certificate = self.find("https", "sslcert", host)
            key = self.find("https", "sslkey", host)
            if certificate:
                settings["cert"] = (certificate, key) if key else certificate
        return settings


def assignments(text: str) -> Sequence[str]:
    """The assignments that `apt-config shell` prints, without quotes."""
    words: Iterable[str] = shlex.split(text)
    return [word for word in words if "=" in word]
