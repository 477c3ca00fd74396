"""Which store paths share a layer, and in which order layers lie."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from image_parts import NAMES
from layer_choice import closures, comment_on, group, in_order, read_closures

# Each path refers to earlier ones, and perhaps to itself: there are no circles.
GRAPHS = st.lists(
    st.sets(st.integers(0, len(NAMES) - 1), max_size=4), max_size=len(NAMES)
).map(
    lambda rows: {
        NAMES[number]: [NAMES[below] for below in sorted(row) if below <= number]
        for number, row in enumerate(rows)
    }
)


@given(GRAPHS)
def test_each_path_comes_after_what_it_refers_to(graph: dict[str, list[str]]) -> None:
    ordered = in_order(graph, [])
    assert sorted(ordered) == sorted(graph)
    for path, below in graph.items():
        for reference in set(below) - {path}:
            assert ordered.index(reference) < ordered.index(path)


@given(GRAPHS)
def test_closures(graph: dict[str, list[str]]) -> None:
    found = closures(graph)
    for path, below in found.items():
        direct = set(graph[path]) - {path}
        assert below == direct.union(*(found[reference] for reference in direct))
        assert path not in below


def test_what_most_others_need_lies_lowest() -> None:
    graph = {
        "1-accounts": [],
        "2-python3-3.9-env": ["3-python3-3.9", "4-python3.9-anyio"],
        "3-python3-3.9": ["5-glibc", "3-python3-3.9"],
        "4-python3.9-anyio": [],
        "5-glibc": [],
        "6-files": ["2-python3-3.9-env", "1-accounts"],
    }
    ordered = in_order(graph, ["6-files"])
    assert ordered == [
        *("5-glibc", "3-python3-3.9", "4-python3.9-anyio"),
        *("1-accounts", "2-python3-3.9-env"),
    ]


@given(GRAPHS, st.randoms(), st.sets(st.sampled_from(NAMES)))
def test_the_order_depends_on_names_alone(
    graph: dict[str, list[str]], random: Any, without: set[str]
) -> None:
    items = list(graph.items())
    random.shuffle(items)
    turned = {path: below[::-1] for path, below in items}
    ordered = in_order(graph, without)
    assert ordered == in_order(turned, without)
    assert not without & set(ordered)

    def renamed(path: str) -> str:
        return "z" * 32 + path[32:]

    moved = {renamed(path): list(map(renamed, below)) for path, below in items}
    expected = list(map(renamed, in_order(graph, [])))
    assert in_order(moved, []) == expected


@given(st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES))))
def test_closures_are_read_as_nix_writes_them(graph: dict[str, list[str]]) -> None:
    with tempfile.NamedTemporaryFile("w") as file:
        for path, references in graph.items():
            lines = [path, "" if len(references) % 2 else "/nix/store/x.drv"]
            file.write("\n".join([*lines, str(len(references)), *references]) + "\n")
        file.flush()
        assert read_closures([Path(file.name)]) == graph


@given(sizes=st.lists(st.integers(0, 1000), max_size=20), most=st.integers(min_value=1))
def test_groups(sizes: list[int], most: int) -> None:
    paths = [str(number) for number in range(len(sizes))]
    groups = group(paths, dict(zip(paths, sizes)), most)
    assert [path for group in groups for path in group] == paths
    assert len(groups) == min(len(paths), most)
    assert all(groups)


def test_large_paths_keep_their_layers() -> None:
    sizes = {"a": 1, "b": 900, "c": 2, "d": 3, "e": 800}
    assert group(list("abcde"), sizes, 4) == [["a"], ["b"], ["c", "d"], ["e"]]


def test_a_layer_is_described_by_names() -> None:
    assert comment_on([f"/nix/store/{name}" for name in NAMES[:2]]) == "p0, p1"
