"""The stages of a Dockerfile that one of them needs.

Docker's older builder makes all stages of a file, BuildKit those that the last one needs.
Of a file without the others, both make the same, and take no time for more.
"""

from __future__ import annotations

import re

from measurement import BenchError

FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?\s*$", re.I | re.M)
COPY_FROM = re.compile(r"^COPY\s.*--from=(\S+)", re.I | re.M)


def needed_stages(dockerfile: str, target: str) -> str:
    """The text with the stages alone that a stage needs, and with what precedes them.

    Raises BenchError where there is no such stage.

    >>> needed_stages("FROM a AS b\\nFROM b AS c\\nFROM b AS d\\n", "d")
    'FROM a AS b\\nFROM b AS d\\n'
    """
    starts = list(FROM.finditer(dockerfile))
    ends = [start.start() for start in starts[1:]] + [len(dockerfile)]
    texts = {
        start[2] or str(number): dockerfile[start.start() : end]
        for number, (start, end) in enumerate(zip(starts, ends))
    }
    if target not in texts:
        raise BenchError(f"no stage {target} in the Dockerfile")
    bases = {name: FROM.match(text) for name, text in texts.items()}
    needed: set[str] = set()
    pending = [target]
    while pending:
        name = pending.pop()
        if name in texts and name not in needed:
            needed.add(name)
            base = bases[name]
            pending += [base[1]] if base else []
            pending += COPY_FROM.findall(texts[name])
    above = dockerfile[: starts[0].start()]
    return above + "".join(text for name, text in texts.items() if name in needed)
