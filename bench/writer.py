"""How fast the image writer is: bytes of the archive by second."""

from __future__ import annotations

import hashlib
import json
import sys
import tempfile
from pathlib import Path
from typing import Optional

from programs import given, run
from measurement import Row, alternate, median, seconds

PROGRAMS = ("tar",)
LAYERS = 9
EMPTY_TAR = b"\0" * 10240


def store_paths(closure: Path) -> list[str]:
    """The store paths that a file of `exportReferencesGraph` lists, sorted."""
    lines = iter(closure.read_text().splitlines())
    paths = []
    for path in lines:
        paths.append(path)
        next(lines)
        for _ in range(int(next(lines))):
            next(lines)
    return sorted(set(paths))


def streamer_configuration(layer: Path, layers: list[list[str]]) -> dict[str, object]:
    """What nixpkgs' stream_layered_image.py reads. layer: a customisation layer."""
    return {
        "architecture": "amd64",
        "config": {},
        "os": "linux",
        "created": "1970-01-01T00:00:01+00:00",
        "mtime": "1970-01-01T00:00:01+00:00",
        "uid": "0",
        "gid": "0",
        "uname": "root",
        "gname": "root",
        "store_dir": "/nix/store",
        "from_image": None,
        "repo_tag": "bench:bench",
        "store_layers": layers,
        "customisation_layer": str(layer),
    }


def measure(runs: int, streamer: Optional[Path]) -> list[Row]:
    """Rows of the writer. streamer: nixpkgs' stream_layered_image.py, if it is there."""
    closure = given("CLOSURE")
    python = str(given("WRITER_PYTHON"))
    paths = store_paths(closure)
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        image = scratch / "image.tar"
        (scratch / "layer.tar").write_bytes(EMPTY_TAR)
        (scratch / "checksum").write_text(hashlib.sha256(EMPTY_TAR).hexdigest())
        configuration = scratch / "configuration.json"
        configuration.write_text(
            json.dumps({"config": {}, "architecture": "amd64", "os": "linux"})
        )
        described = streamer_configuration(scratch, [[path] for path in paths])
        (scratch / "streamer.json").write_text(json.dumps(described))

        def ours(_: int) -> float:
            image.unlink(missing_ok=True)
            words = [python, "-E", "-s", "-B", "nix/mirror/builders/write_image.py"]
            words += ["--name", "bench:bench", "--configuration", str(configuration)]
            words += ["--customisation-layer", str(scratch / "layer.tar")]
            words += ["--created", "1970-01-01T00:00:01Z"]
            words += ["--max-layers", str(LAYERS), "--closure", str(closure)]
            return seconds(lambda: run(*words, str(image)))

        def hashed_tar(_: int) -> float:
            script = 'tar -c "$@" 2>/dev/null | sha256sum'
            return seconds(lambda: run("sh", "-c", script, "sh", *paths))

        def nixpkgs(_: int) -> float:
            script = '"$0" "$1" "$2" > "$3" 2>/dev/null'
            words = [python, str(streamer), str(scratch / "streamer.json"), str(image)]
            return seconds(lambda: run("sh", "-c", script, *words))

        works = [ours, hashed_tar] + ([nixpkgs] if streamer is not None else [])
        times = [median(figures) for figures in alternate(runs, *works)]
        ours(0)
        megabytes = image.stat().st_size / 1e6
    rates = [megabytes / time for time in times]
    what = "image writer, the example's environment"
    rows = [Row(what, rates[0], "MB/s", "`tar \\| sha256sum`", rates[1])]
    if streamer is None:
        print("bench: nixpkgs' streamer: --nixpkgs-streamer PATH", file=sys.stderr)
    else:
        against = "nixpkgs' streamer"
        rows.append(Row(what, rates[0], "MB/s", against, rates[2], "≥ 4, better ≥ 6"))
    return rows
