"""Shows by diffoscope how two builds' outputs differ."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from setting import NotReproducible, tail

LINES = 200
BYTES = 20_000_000


def demand() -> None:
    """Raises NotReproducible where this machine has no diffoscope."""
    if shutil.which("diffoscope") is None:
        raise NotReproducible(
            "no diffoscope on this machine, which shows what differs:"
            " apt-get install diffoscope-minimal"
        )


def report(first: str, second: str) -> str:
    """What diffoscope says of two files or folders; empty where they are alike.

    At most BYTES of it. Raises NotReproducible where it fails.
    """
    limit = ("--max-text-report-size", str(BYTES))
    done = subprocess.run(
        ["diffoscope", "--no-progress", "--text", "-", *limit, first, second],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    )
    if done.returncode not in (0, 1):
        raise NotReproducible(f"diffoscope {first} {second}: {tail(done.stderr)}")
    return done.stdout


def shortened(text: str, lines: int = LINES) -> str:
    """The first lines of a report; the whole one is in a file that the last line names.

    A text that is not longer comes back as it is, and no file is made.
    """
    all_lines = text.splitlines(keepends=True)
    if len(all_lines) <= lines:
        return text
    with tempfile.NamedTemporaryFile(
        "w", prefix="reproducibility-", suffix=".txt", delete=False
    ) as file:
        file.write(text)
    whole = Path(file.name)
    return (
        "".join(all_lines[:lines]) + f"… {len(all_lines) - lines} more lines: {whole}\n"
    )
