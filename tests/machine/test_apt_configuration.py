"""What apt itself, on this machine, tells of its configuration."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

TELL = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import apt_configuration, debian_roots
apt = apt_configuration.AptConfiguration({})
print(json.dumps({
    "mirrors": debian_roots.debian_roots({}).configured,
    "patience": apt.patience(),
    "settings": {url: apt.request_settings(url) for url in sys.argv[2:]},
}))
"""

SOURCES = """
deb [signed-by=/k.gpg arch=amd64] http://me:p%40ss@one.invalid/debian bookworm main
deb [trusted=yes] file:/srv/debian ./
deb cdrom:[Disc]/ bookworm main
# deb http://commented.invalid/debian bookworm main
"""

SOURCES_822 = """
Types: deb
URIs: https://two.invalid/debian http://three.invalid/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /k.gpg

Enabled: no
Types: deb
URIs: https://off.invalid/debian
Suites: bookworm
Components: main

Types: deb
URIs: mirror+file://%s/debian.list
Suites: bookworm-security
Components: main
"""

CONFIGURATION = """
Dir::Etc "%s/etc"; Dir::State "%s/state";
Acquire::http::Proxy "http://proxy:3128/";
Acquire::http::Proxy::one.invalid "DIRECT";
Acquire::http::Proxy::four.invalid "http://us:p%%40@other:1/";
Acquire::https { CAInfo "/ca"; CAInfo::two.invalid "/ca 2"; };
Acquire::http::Timeout "120";
"""


def test_apt_itself_reads_its_configuration(clone: Path, tmp_path: Path) -> None:
    for folder in ("etc/sources.list.d", "etc/auth.conf.d", "etc/apt.conf.d", "state"):
        (tmp_path / folder).mkdir(parents=True)
    etc = tmp_path / "etc"
    (etc / "sources.list").write_text(SOURCES)
    (etc / "sources.list.d/a.sources").write_text(SOURCES_822 % tmp_path)
    (tmp_path / "debian.list").write_text("http://b/\nhttp://a/\tpriority:1\n")
    (etc / "auth.conf").write_text("machine two.invalid login me password x")
    (etc / "auth.conf.d/a.conf").write_text(
        "machine http://proxy login you password p@"
    )
    (etc / "auth.conf.d/a.old").write_text("machine old login you password x")
    (tmp_path / "apt.conf").write_text(CONFIGURATION % (tmp_path, tmp_path))
    one = "http://me:p%40ss@one.invalid/debian/a"
    two, three, four, old = (
        *("https://two.invalid/debian/a", "http://three.invalid/debian/a"),
        *("https://four.invalid/a", "https://old/a"),
    )
    done = subprocess.run(
        [
            *(sys.executable, "-IB", "-c", TELL, str(clone / "nix/mirror/command")),
            *(one, two, three, four, old),
        ],
        env={"APT_CONFIG": str(tmp_path / "apt.conf"), "PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        check=True,
    )
    told = json.loads(done.stdout)
    assert told["mirrors"] == [
        "http://me:p%40ss@one.invalid/debian/",
        "file:/srv/debian/",
        "https://two.invalid/debian/",
        "http://three.invalid/debian/",
        "http://a/",
        "http://b/",
    ]
    assert told["patience"] == 120
    proxy = "http://you:p%40@proxy:3128/"
    assert told["settings"] == {
        one: {"auth": ["me", "p@ss"], "proxies": {"http": ""}},
        two: {"auth": ["me", "x"], "proxies": {"https": proxy}, "verify": "/ca 2"},
        three: {"proxies": {"http": proxy}},
        four: {"proxies": {"https": "http://us:p%40@other:1/"}, "verify": "/ca"},
        old: {"proxies": {"https": proxy}, "verify": "/ca"},
    }
