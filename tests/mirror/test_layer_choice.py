"""Which store paths share a layer, and in which order layers lie."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from image_parts import NAMES
from layer_choice import comment_on, group, in_order, read_closures

GRAPHS = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=4)
)


@given(GRAPHS)
def test_each_path_comes_after_what_it_refers_to(graph: dict[str, list[str]]) -> None:
    ordered = in_order(graph, [])
    assert len(set(ordered)) == len(ordered)
    assert set(graph) <= set(ordered)

    def reaches(start: str, end: str, seen: frozenset[str]) -> bool:
        return start == end or any(
            reaches(below, end, seen | {start})
            for below in graph.get(start, [])
            if below not in seen
        )

    for path, below in graph.items():
        for reference in below:
            if not reaches(reference, path, frozenset()):
                assert ordered.index(reference) < ordered.index(path)


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
