"""Asks a server, edits the application, and asks until the answer has changed."""

from __future__ import annotations

import sys
import time
import urllib.request
from pathlib import Path

SECONDS = 30


def ask_until(url: str, expected: str) -> None:
    """Print the answer once it is `expected`; AssertionError after the deadline."""
    end = time.monotonic() + SECONDS
    answer = ""
    while answer != expected:
        assert time.monotonic() < end, f"{url} answers {answer!r}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                answer = response.read().decode()
        except OSError:
            time.sleep(0.05)
    print(answer, flush=True)


if __name__ == "__main__":
    address = f"http://127.0.0.1:{sys.argv[1]}"
    ask_until(address, '"Hello World!"')
    main = Path("app/main.py")
    main.write_text(main.read_text().replace("World", "edit"))
    ask_until(address, '"Hello edit!"')
