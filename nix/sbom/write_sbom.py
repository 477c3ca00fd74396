"""Writes the bill of materials of an image: cyclonedx.json and spdx.json in a folder."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Optional

from components import IncompleteImage, components_of
from documents import InvalidDocument, Subject, write_documents
from image_contents import read_image


def main(words: Optional[Sequence[str]] = None) -> int:
    """Write both; returns 1 with one line on standard error where it cannot.

    words: the arguments, by default those of the process.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--name", required=True)
    parser.add_argument("--tag", required=True)
    parser.add_argument("--materials", type=Path, required=True)
    parser.add_argument("archive", type=Path)
    parser.add_argument("target", type=Path)
    arguments = parser.parse_args(words)
    contents = read_image(arguments.archive)
    described = json.loads(arguments.materials.read_text())
    created = datetime.fromisoformat(contents.configuration["created"])
    subject = Subject(arguments.name, arguments.tag, contents.digest, created)
    try:
        components = components_of(
            contents, described["materials"], described["own"], described["required"]
        )
        write_documents(arguments.target, subject, components)
    except (IncompleteImage, InvalidDocument) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
