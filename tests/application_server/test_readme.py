"""The README's table of variables is what the configuration file reads."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

README = Path(__file__).parents[2] / "README.md"
ROW = re.compile(r"^\| `([A-Z_]+)` \| `([^`]*)` \| \[(\w+)\]", re.MULTILINE)


def test_table_of_variables(configuration: ModuleType) -> None:
    told = {row[0]: (row[1], row[2]) for row in ROW.findall(README.read_text("utf-8"))}
    read = {row.variable: (row.default, row.name) for row in configuration.SETTINGS}
    assert told == read
