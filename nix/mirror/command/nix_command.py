"""Runs Nix with the package sources of the mirror set, and asks it what it lacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from errors import MirrorError
from locked_file import LockedFile

MIRROR_SET = Path(__file__).resolve().parent.parent

# Subcommands of `nix` that take installables and --override-input.
WITH_INPUTS = {
    "build",
    "bundle",
    "develop",
    "edit",
    "eval",
    "log",
    "path-info",
    "print-dev-env",
    "repl",
    "run",
    "search",
    "shell",
    "why-depends",
}
FLAKE_WITH_INPUTS = {"archive", "check", "lock", "metadata", "show"}

# Options of Nix that take values, by the number of values, so that the others are installables.
OPTIONS_WITH_VALUES = {
    "--arg": 2,
    "--argstr": 2,
    "--override-input": 2,
    "--option": 2,
    "--override-flake": 2,
    "--set-env-var": 2,
    **dict.fromkeys(
        [
            "--builders",
            "--command",
            "-c",
            "--cores",
            "--eval-store",
            "--expr",
            "--file",
            "-f",
            "-I",
            "--include",
            "--inputs-from",
            "-j",
            "--keep",
            "-k",
            "--log-format",
            "--max-jobs",
            "-o",
            "--out-link",
            "--phase",
            "--profile",
            "--reference-lock-file",
            "--store",
            "--timeout",
            "--unset",
            "-u",
            "--update-input",
            "--apply",
        ],
        1,
    ),
}


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment in which Nix runs: flakes, the sandbox, no substituters.

    What the user's own NIX_CONFIG says stands last and so wins
    (Nix manual, "nix.conf", "Configuration file format").
    """
    settings = [
        "experimental-features = nix-command flakes",
        "sandbox = true",
        "substituters =",
        "flake-registry =",
        "max-jobs = auto",
    ]
    if os.geteuid() == 0 and not Path("/nix/var/nix/daemon-socket/socket").exists():
        settings.append("build-users-group =")
    if base.get("NIX_CONFIG"):
        settings.append(base["NIX_CONFIG"])
    return {**base, "NIX_CONFIG": "\n".join(settings)}


def flake_folder(installable: str) -> Path:
    """The folder that an installable or flake reference such as `.#image` names."""
    reference = installable.split("#", 1)[0].split("?", 1)[0]
    for scheme in ("path:", "git+file://", "git+file:"):
        if reference.startswith(scheme):
            reference = reference[len(scheme) :]
    folder = Path(reference or ".").absolute()
    while not (folder / "flake.nix").exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def swapped_inputs(folder: Path) -> list[str]:
    """The input paths of a flake that are to be swapped, without the names' ends.

    A flake without such inputs gives [], one whose lock has `nixpkgs` and `poetry2nix` of its own gives [""]; one that
    takes them through other flakes gives those inputs' paths, such as ["base/"]
    (flake.lock, version 7: a node's `inputs` are node names, or paths that it follows).
    """
    try:
        lock = json.loads((folder / "flake.lock").read_text())
    except (OSError, ValueError):
        return []
    nodes = lock.get("nodes", {})
    found: list[str] = []
    def visit(node: str, prefix: str, seen: frozenset[str]) -> None:
        inputs = nodes.get(node, {}).get("inputs", {})
        if {"nixpkgs", "poetry2nix"} <= set(inputs):
            found.append(prefix)
        for name, target in inputs.items():
            if isinstance(target, str) and target not in seen:
                visit(target, f"{prefix}{name}/", seen | {target})

    root = lock.get("root", "root")
    visit(root, "", frozenset({root}))
    return found


def overrides(folder: Path) -> list[str]:
    """The options that swap the package sources of the flake in `folder`.

    Raises MirrorError where this project's own path has a space, which Nix 2.8
    cannot take in a `path:` reference.
    """
    if " " in str(MIRROR_SET):
        raise MirrorError(
            f"Nix cannot take the space in {str(MIRROR_SET)!r}: move the project to a"
            " folder without one"
        )
    options = []
    for prefix in swapped_inputs(folder):
        options += ["--override-input", f"{prefix}nixpkgs", f"path:{MIRROR_SET}"]
        options += [
            "--override-input",
            f"{prefix}poetry2nix",
            f"path:{MIRROR_SET}/poetry2nix",
        ]
    return options


def split_command(words: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Part `nix` arguments into subcommand, the rest, and what stands after `--`.

    >>> split_command(["flake", "check", "-L"])
    (['flake', 'check'], ['-L'], [])
    >>> split_command(["run", ".#x", "--", "push"])
    (['run'], ['.#x'], ['--', 'push'])
    """
    words = list(words)
    after: list[str] = []
    if "--" in words:
        cut = words.index("--")
        words, after = words[:cut], words[cut:]
    for index, word in enumerate(words):
        if not word.startswith("-"):
            length = 2 if word == "flake" else 1
            subcommand = words[index : index + length]
            return subcommand, words[:index] + words[index + length :], after
    return [], words, after


def takes_inputs(subcommand: Sequence[str]) -> bool:
    """Whether the subcommand accepts --override-input."""
    if not subcommand:
        return False
    if subcommand[0] == "flake":
        return len(subcommand) == 2 and subcommand[1] in FLAKE_WITH_INPUTS
    return subcommand[0] in WITH_INPUTS


def part_options(rest: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the words after a subcommand into installables and options with their values.

    >>> part_options(["-L", ".#image", "-o", "out", "--option", "cores", "1"])
    (['.#image'], ['-L', '-o', 'out', '--option', 'cores', '1'])
    """
    installables: list[str] = []
    options: list[str] = []
    position = 0
    while position < len(rest):
        word = rest[position]
        if not word.startswith("-"):
            installables.append(word)
            position += 1
            continue
        length = 1 + OPTIONS_WITH_VALUES.get(word, 0)
        options += rest[position : position + length]
        position += length
    return installables, options


class Nix:
    """A Nix on this machine."""

    def __init__(self, base: Mapping[str, str]) -> None:
        """base: the environment to run it in, before the mirror set's settings."""
        self.environment = environment(base)

    def run(
        self, words: Sequence[str], quiet: bool = False
    ) -> "subprocess.CompletedProcess[str]":
        """Run `nix` and keep what it prints; quiet: its standard error as well."""
        return subprocess.run(
            ["nix", *words],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if quiet else None,
            text=True,
        )

    def replace(self, words: Sequence[str]) -> None:
        """Become that `nix` command; its exit status is this process's."""
        executable = shutil.which("nix", path=self.environment.get("PATH"))
        if executable is None:
            raise MirrorError("no nix on this machine: apt-get install nix-bin")
        os.execve(executable, ["nix", *words], self.environment)

    def unbuilt(self, words: Sequence[str]) -> tuple[bool, list[str], str]:
        """What a `nix build` with these words would build: a dry run's own answer.

        Returns whether the evaluation went through, the paths of the derivations,
        and what Nix printed.
        """
        done = self.run(["build", "--dry-run", "--no-link", *words], quiet=True)
        derivations = re.findall(r"^\s+(/\S+\.drv)\b", done.stderr, re.MULTILINE)
        return done.returncode == 0, derivations, done.stderr

    def locked_files(self, derivations: Iterable[str]) -> list[LockedFile]:
        """Those of the derivations that stand for a file of a lock."""
        paths = sorted(set(derivations))
        if not paths:
            return []
        done = self.run(["show-derivation", *paths], quiet=True)
        if done.returncode != 0:
            done = self.run(["derivation", "show", *paths], quiet=True)
        if done.returncode != 0:
            raise MirrorError(f"nix show-derivation: {done.stderr.strip()}")
        files = map(LockedFile.from_derivation, json.loads(done.stdout).values())
        return [file for file in files if file is not None]

    def attribute_names(self, words: Sequence[str]) -> list[str]:
        """The names in an attribute set; [] where the flake has no such output."""
        done = self.run(
            ["eval", "--json", "--apply", "builtins.attrNames", *words], quiet=True
        )
        if done.returncode != 0:
            return []
        return [str(name) for name in json.loads(done.stdout)]
