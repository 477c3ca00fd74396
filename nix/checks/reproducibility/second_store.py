"""A second Nix store on another file system, which lists files in another order."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from derivations import Derivation, Difference
from setting import NotReproducible, Setting

NIX = ("nix", "--extra-experimental-features", "nix-command")


class Order(NamedTuple):
    """How many folders of several files there are, and how many list them otherwise."""

    folders: int
    otherwise: int


def real_path(setting: Setting, path: str) -> Path:
    """Where a store path of a setting's store lies on this machine."""
    return Path(path) if setting.store is None else Path(f"{setting.store}{path}")


def order(pairs: Iterable[tuple[Path, Path]]) -> Order:
    """Compare in which order the file systems list the folders of equal trees."""
    folders = otherwise = 0
    for first, second in pairs:
        for folder, _, _ in os.walk(first):
            names = os.listdir(folder)
            other = os.listdir(second / os.path.relpath(folder, first))
            if len(names) > 1 and sorted(names) == sorted(other):
                folders += 1
                otherwise += names != other
    return Order(folders, otherwise)


def demand_room(setting: Setting, folder: Path, paths: Sequence[str]) -> None:
    """Raises NotReproducible where a folder has no room for what a store has."""
    sizes = setting.run("nix-store", "--query", "--size", *paths).split()
    needed = sum(map(int, sizes)) * 3 // 2
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise NotReproducible(
            f"{folder} has {free / 1e9:.1f} GB free, the second store needs"
            f" {needed / 1e9:.1f} GB: name a folder on another file system than the"
            " store's with --other-file-system FOLDER"
        )


def copy(origin: Setting, target: Setting, paths: Sequence[str]) -> None:
    """Copy store paths, with what they refer to, from store to store."""
    if paths:
        flags = ("copy", "--no-check-sigs", "--to", str(target.store))
        origin.run(*NIX, *flags, *paths)


def valid_paths(setting: Setting) -> set[str]:
    """What a store has."""
    return set(setting.run(*NIX, "path-info", "--all").split())


def contents(setting: Setting, paths: Sequence[str]) -> dict[str, str]:
    """The hash of each store path, of its files, names, modes and links (NAR)."""
    if not paths:
        return {}
    hashes = setting.run("nix-store", "--query", "--hash", *paths).split()
    return dict(zip(paths, hashes))


def compare(
    first: Setting, second: Setting, built: Sequence[Derivation]
) -> tuple[list[Difference], Order]:
    """Compare what both stores have, the chosen wheels of an evaluation among it.

    built: the derivations, in the order of their building. Returns the outputs that
    differ, causes before what was built of them, and how the file systems list.
    """
    both = sorted(valid_paths(first) & valid_paths(second))
    both = [path for path in both if not path.endswith(".drv")]
    hashes = contents(first, both), contents(second, both)
    makers = {
        output: (number, derivation.path)
        for number, derivation in enumerate(built, 1)
        for output in derivation.outputs
    }
    differing = [path for path in both if hashes[0][path] != hashes[1][path]]
    found = [
        (*makers.get(path, (0, path)), path, str(real_path(second, path)))
        for path in differing
    ]
    same = sorted(set(both) - set(differing))
    pairs = ((real_path(first, path), real_path(second, path)) for path in same)
    return [Difference(*rest) for _, *rest in sorted(found)], order(pairs)
