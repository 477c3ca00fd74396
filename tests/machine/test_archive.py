"""An archive of one's own, on a machine without any network."""

from __future__ import annotations

import json
import os
from pathlib import Path

from .conftest import run


def test_a_machine_without_network_builds_from_an_archive(
    base: Path, tmp_path: Path
) -> None:
    installable = f"path:{base}/nix/mirror#tzdata"
    run(base, "./mirror", "archive", str(tmp_path / "archive"), installable)
    index = json.loads((tmp_path / "archive/index.json").read_text())
    names = {entry["name"].partition("_")[0] for entry in index["files"]}
    assert {"busybox-static", "tzdata", "python3.13-minimal"} <= names

    def build(files: str) -> str:
        done = run(
            base,
            *("unshare", "--net", "./mirror", "nix", "build", "--no-link"),
            *("--store", str(tmp_path / "store"), installable),
            environment={
                **os.environ,
                "MIRROR_FILES": files,
                "XDG_CACHE_HOME": str(tmp_path / "cache"),
            },
            check=False,
        )
        return "" if done.returncode == 0 else done.stderr.splitlines()[-1]

    assert "is on no mirror" in build("")
    assert build(str(tmp_path / "archive")) == ""
