"""Which store paths of an image share a layer, and in which order the layers lie."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def read_closures(files: Iterable[Path]) -> dict[str, list[str]]:
    """Store paths and the paths that each refers to.

    files: in the format of `exportReferencesGraph` (Nix manual, "Advanced attributes"):
    for each path a line with it, one with its deriver, the number of references, and
    these.
    """
    graph: dict[str, list[str]] = {}
    for file in files:
        lines = iter(file.read_text().splitlines())
        for path in lines:
            next(lines)
            count = int(next(lines))
            graph[path] = [
                reference for reference in (next(lines) for _ in range(count))
            ]
    return graph


def closures(graph: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Of each path all that it refers to, at first or at second hand, without itself.

    A path may refer to itself, but paths refer to each other in no circle.
    """
    found: dict[str, set[str]] = {}

    def visit(path: str) -> set[str]:
        if path not in found:
            below = set(graph.get(path, ())) - {path}
            found[path] = below.union(*map(visit, below))
        return found[path]

    for path in graph:
        visit(path)
    return found


def in_order(graph: Mapping[str, Sequence[str]], without: Iterable[str]) -> list[str]:
    """The paths, what most others need lowest, so that it stays when these change.

    Each comes after what it refers to, since that is needed by more. Among equals the
    name decides, which is what follows the hash: a changed hash moves nothing.
    `without`: paths that are left out.
    """
    needed = closures(graph)
    users = Counter(path for below in needed.values() for path in below)

    def place(path: str) -> tuple[int, str, str]:
        return -users[path], name_of(path), path

    return sorted(set(needed) - set(without), key=place)


def name_of(path: str) -> str:
    """The name of a store path, without the hash.

    >>> name_of("/nix/store/00000000000000000000000000000000-glibc-2.31")
    'glibc-2.31'
    """
    name = path.rpartition("/")[2]
    return name.partition("-")[2] or name


def comment_on(paths: Iterable[str]) -> str:
    """What the image's history says of a layer of these store paths."""
    return ", ".join(map(name_of, paths))


def group(paths: Sequence[str], sizes: Mapping[str, int], most: int) -> list[list[str]]:
    """Part paths into at most `most` layers: large ones alone, small ones together.

    sizes: the bytes that each path's files hold. The order stays. While there are too
    many, the neighbours that are smallest together are joined, so that what is large
    and stable keeps a layer of its own.
    """
    groups = [[path] for path in paths]
    held = [sizes[path] for path in paths]

    def together(index: int) -> int:
        return held[index] + held[index + 1]

    while len(groups) > max(most, 1):
        first = min(range(len(groups) - 1), key=together)
        groups[first] += groups.pop(first + 1)
        held[first] += held.pop(first + 1)
    return groups
