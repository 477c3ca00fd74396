"""Runs Nix with the package sources of the mirror set, and asks it what it lacks."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Optional

import nix_log
import program
from address import redacted
from errors import MirrorError
from locked_file import LockedFile
from nix_log import Answer
from places import MIRROR_SET

SYSTEM = "x86_64-linux"

# The inputs that the mirror set stands in for, and the folder of it that does.
SWAPPED = {"nixpkgs": "", "poetry2nix": "/poetry2nix"}

# The flake of this checkout, and the name by which other flakes refer to it.
CHECKOUT = MIRROR_SET.parent.parent
BASE = "uvicorn-gunicorn-poetry"

# What Nix 2.8 takes in a `path:` reference as it is (RFC 3986, "pchar").
PLAIN_PATH = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@/-]*")


# What a binary cache's address, and a public key of one, look like.
CACHE = re.compile(r"[a-z0-9+]+://\S+")
PUBLIC_KEY = re.compile(r"[^\s:]+:[A-Za-z0-9+/]+=*")


def substitution(base: Mapping[str, str]) -> list[str]:
    """The settings of Nix by which it asks binary caches, signatures required.

    base: the environment; its MIRROR_CACHE are their addresses, MIRROR_CACHE_KEY public
    keys, one of which has signed what counts; separated by spaces. A cache that does not
    answer is left after a moment. Without MIRROR_CACHE none is asked.
    Raises MirrorError where MIRROR_CACHE has no key, or one of them is something else.
    """
    caches = base.get("MIRROR_CACHE", "").split()
    keys = base.get("MIRROR_CACHE_KEY", "").split()
    if not caches:
        return ["substituters ="]
    for cache in caches:
        if not CACHE.fullmatch(cache):
            raise MirrorError(
                f"MIRROR_CACHE={redacted(cache)} is not the URL of a binary cache: set it"
                " to one, such as https://cache.example or file:///srv/cache"
            )
    if not keys or not all(map(PUBLIC_KEY.fullmatch, keys)):
        raise MirrorError(
            "MIRROR_CACHE needs MIRROR_CACHE_KEY, the public key NAME:KEY that ./mirror"
            " cache shows: set it, or unset MIRROR_CACHE"
        )
    return [
        f"substituters = {' '.join(caches)}",
        f"trusted-public-keys = {' '.join(keys)}",
        "require-sigs = true",
        "fallback = true",
        "connect-timeout = 10",
        "stalled-download-timeout = 10",
        "download-attempts = 2",
        "narinfo-cache-negative-ttl = 60",
    ]


def environment(base: Mapping[str, str]) -> dict[str, str]:
    """The environment in which Nix runs: flakes, the sandbox, a team's binary cache.

    What the user's own NIX_CONFIG says stands last and so wins
    (Nix manual, "nix.conf", "Configuration file format").
    Raises MirrorError as substitution does.
    """
    settings = [
        "experimental-features = nix-command flakes",
        "sandbox = true",
        *substitution(base),
        f"flake-registry = {MIRROR_SET / 'registry.json'}",
        "max-jobs = auto",
    ]
    if os.geteuid() == 0 and not Path("/nix/var/nix/daemon-socket/socket").exists():
        settings.append("build-users-group =")
    if base.get("NIX_CONFIG"):
        settings.append(base["NIX_CONFIG"])
    return {**base, "NIX_CONFIG": "\n".join(settings)}


def flake_folder(installable: str) -> Optional[Path]:
    """The folder of the flake that an installable such as `.#image` names.

    None where it is not below a folder with a flake on this machine.
    """
    reference, _, query = installable.split("#", 1)[0].partition("?")
    for scheme in ("path:", "git+file:"):
        if reference.startswith(scheme):
            reference = re.sub(r"^//(?=/)", "", reference[len(scheme) :])
    folder = Path(reference or ".").absolute()
    for field in query.split("&"):
        if field.startswith("dir="):
            folder /= field[len("dir=") :]
    if not os.path.exists(folder):
        return None
    while not os.path.exists(folder / "flake.nix"):
        if folder == folder.parent:
            return None
        folder = folder.parent
    return folder


def swapped_inputs(lock: Mapping[str, Any]) -> list[str]:
    """The input paths of a flake below which inputs are to be swapped.

    lock: a parsed flake.lock, version 5 to 7: a node's `inputs` are names of nodes, or
    paths that it follows. A flake without such inputs gives [], one that has `nixpkgs`
    and `poetry2nix` itself gives [""], one that takes them through another flake gives
    that input's path, such as ["base/"].
    """
    nodes = lock.get("nodes", {})
    found: list[str] = []

    def visit(node: str, prefix: str, above: frozenset[str]) -> None:
        inputs = nodes.get(node, {}).get("inputs", {})
        if set(SWAPPED) <= set(inputs):
            found.append(prefix)
        for name, target in inputs.items():
            if isinstance(target, str) and target not in above:
                visit(target, f"{prefix}{name}/", above | {target})

    root = lock.get("root", "root")
    visit(root, "", frozenset({root}))
    return found


def unlocked_prefixes(references: Mapping[str, str]) -> list[str]:
    """As swapped_inputs, of a flake's inputs where there is no flake.lock."""
    if set(SWAPPED) <= set(references):
        return [""]
    return [f"{name}/" for name in references]


def locked_inputs(lock: Mapping[str, Any]) -> dict[str, str]:
    """The inputs of a locked flake itself: name to flake reference."""
    nodes = lock.get("nodes", {})
    inputs = nodes.get(lock.get("root", "root"), {}).get("inputs", {})
    return {
        name: locked_reference(nodes.get(target, {}))
        for name, target in inputs.items()
        if isinstance(target, str)
    }


def refers_to_base(reference: str) -> bool:
    """Whether a flake reference ends in the name of this project.

    >>> refers_to_base("github:somebody/uvicorn-gunicorn-poetry/main")
    True
    >>> refers_to_base("git+https://host/uvicorn-gunicorn-poetry.git?ref=main")
    True
    >>> refers_to_base("path:/srv/another")
    False
    >>> refers_to_base("../uvicorn-gunicorn-poetry")
    True
    """
    scheme, _, path = reference.partition("?")[0].rpartition(":")
    parts = path.strip("/").split("/")
    if scheme in ("github", "gitlab", "sourcehut"):
        parts = parts[:2]
    elif scheme in ("", "flake") and not path.startswith(("/", ".")):
        parts = parts[:1]
    return parts[-1].removesuffix(".git") == BASE


def locked_reference(node: Mapping[str, Any]) -> str:
    """A node of a flake.lock as the flake reference that it was written as.

    >>> locked_reference({"original": {"type": "github", "owner": "a", "repo": "b"}})
    'github:a/b'
    """
    original = node.get("original", {})
    if "id" in original:
        return f"flake:{original['id']}"
    if "repo" in original:
        return f"{original.get('type')}:{original.get('owner')}/{original['repo']}"
    return str(original.get("url") or original.get("path") or "")


def checkout_reference() -> str:
    """This checkout as a flake reference: a git repository, or a folder."""
    is_repository = (CHECKOUT / ".git").exists()
    return f"git+file://{CHECKOUT}" if is_repository else f"path:{CHECKOUT}"


def registry_options(mirror_set: Path) -> list[str]:
    """The options that name the mirror set `nixpkgs`, as the registry would.

    `nix develop` takes the shell that it starts from there (Nix manual, "nix develop").
    """
    check_plain_path(mirror_set)
    return ["--override-flake", "nixpkgs", f"path:{mirror_set}"]


def base_options(names: Iterable[str]) -> list[str]:
    """The options that put this checkout in the place of these inputs.

    Raises MirrorError as override_options does.
    """
    options = []
    for name in names:
        check_plain_path(MIRROR_SET)
        options += ["--override-input", name, checkout_reference()]
    return options


def check_plain_path(mirror_set: Path) -> None:
    """Refuse a folder name that Nix 2.8 does not take in a `path:` reference."""
    if PLAIN_PATH.fullmatch(str(mirror_set)):
        return
    fix = "move the project to a path of plain letters, without spaces"
    if mirror_set != MIRROR_SET:
        fix = "set XDG_CACHE_HOME to a path of plain letters, without spaces"
    raise MirrorError(f"Nix cannot take the folder name {str(mirror_set)!r}: {fix}")


def override_options(prefixes: Iterable[str], mirror_set: Path) -> list[str]:
    """The options that swap the package sources below these input paths.

    mirror_set: the folder that stands in for them.
    Raises MirrorError where its path has a character, such as a space, that Nix 2.8
    cannot take in a `path:` reference.
    """
    options = []
    for prefix in dict.fromkeys(prefixes):
        check_plain_path(mirror_set)
        for name, folder in SWAPPED.items():
            source = f"path:{mirror_set}{folder}"
            options += ["--override-input", f"{prefix}{name}", source]
    return options


class Nix:
    """A Nix on this machine."""

    def __init__(self, base: Mapping[str, str]) -> None:
        """base: the environment to run it in, before the mirror set's settings."""
        self.environment = environment(base)
        self._settings: Optional[dict[str, bool]] = None

    def run(
        self,
        words: Sequence[str],
        quiet: bool = False,
        name: str = "nix",
        text: str = "",
    ) -> "subprocess.CompletedProcess[str]":
        """Run `nix` and keep what it prints; quiet: its standard error as well.

        name: of another program of Nix; text: its standard input.
        Raises MirrorError where there is none.
        """
        try:
            return subprocess.run(
                [name, *words],
                env=self.environment,
                input=text,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if quiet else None,
                encoding="utf-8",
                errors="replace",
            )
        except FileNotFoundError:
            raise no_nix() from None

    def replace(self, words: Sequence[str]) -> NoReturn:
        """Become that `nix` command; its exit status is this process's."""
        executable = shutil.which("nix", path=self.environment.get("PATH"))
        if executable is None:
            raise no_nix()
        os.execve(executable, ["nix", *words], self.environment)

    def settings(self) -> Mapping[str, bool]:
        """The settings of this Nix: whether each takes a value on the command line.

        Newer Nix shows them by `nix config show`. Of those with words for values,
        `sandbox` alone is switched by its name.
        """
        if self._settings is None:
            done = self.run(["show-config", "--json"], quiet=True)
            if done.returncode != 0:
                done = self.run(["config", "show", "--json"], quiet=True)
            content = json.loads(done.stdout) if done.returncode == 0 else {}
            self._settings = {
                name: name != "sandbox" and not isinstance(setting["value"], bool)
                for name, setting in content.items()
            }
        return self._settings

    def overrides(
        self, installables: Iterable[str], mirror_set: Path = MIRROR_SET
    ) -> list[str]:
        """The options that swap the package sources of these installables' flakes.

        An input that refers to this project by its name becomes this checkout. A flake
        that was never locked tells by its flake.nix alone what inputs it has, not what
        inputs those have: each is taken for a flake that has what is swapped.
        """
        prefixes: list[str] = []
        bases: list[str] = []
        for folder in dict.fromkeys(map(flake_folder, installables)):
            if folder is None:
                continue
            try:
                lock = json.loads((folder / "flake.lock").read_text("utf-8"))
                prefixes += swapped_inputs(lock)
                references = locked_inputs(lock)
            except FileNotFoundError:
                references = self._unlocked_inputs(folder)
                prefixes += unlocked_prefixes(references)
            except OSError as error:
                raise MirrorError(
                    f"{folder / 'flake.lock'} cannot be read ({error.strerror}):"
                    " let this user read it"
                ) from None
            except (AttributeError, RecursionError, TypeError, ValueError) as error:
                raise MirrorError(
                    f"{folder / 'flake.lock'} is not a lock of a flake ({error}):"
                    " restore it, git checkout flake.lock"
                ) from None
            bases += filter(
                lambda name: refers_to_base(references[name]), sorted(references)
            )
            prefixes += [f"{name}/" for name in bases]
        swapped = override_options(prefixes, mirror_set)
        return base_options(dict.fromkeys(bases)) + swapped

    def _unlocked_inputs(self, folder: Path) -> dict[str, str]:
        file = json.dumps(str(folder / "flake.nix")).replace("${", "\\${")
        expression = (
            'builtins.mapAttrs (name: input: input.url or "")'
            f" ((import {file}).inputs or {{ }})"
        )
        done = self.run(
            ["eval", "--impure", "--json", "--expr", expression], quiet=True
        )
        inputs = dict(json.loads(done.stdout)) if done.returncode == 0 else {}
        return {name: str(reference) for name, reference in inputs.items()}

    def unbuilt(self, words: Sequence[str]) -> Answer:
        """What a `nix build` with these words would build: a dry run's own answer."""
        return self.ask(["build", "--dry-run", "--no-link", *words])

    def ask(self, words: Sequence[str], name: str = "nix") -> Answer:
        """Run `nix` for what its log says; name: of another program of Nix."""
        return Answer.of(self.run([*words, *nix_log.OPTIONS], True, name))

    def unbuilt_derivations(
        self, derivations: Sequence[str], settings: Sequence[str] = ()
    ) -> Answer:
        """What building these derivations would build; settings: Nix's options."""
        if not derivations:
            return Answer(True, [], [], "")
        words = ["--realise", "--dry-run", *settings, *derivations]
        return self.ask(words, "nix-store")

    def input_derivations(self, words: Sequence[str]) -> list[str]:
        """The derivations that the derivations of these installables directly need.

        words: installables and options; [] where they do not evaluate.
        """
        done = self.run(["path-info", "--derivation", *words], quiet=True)
        if done.returncode != 0 or not done.stdout.split():
            return []
        words = ["--query", "--references", *done.stdout.split()]
        done = self.run(words, quiet=True, name="nix-store")
        return [path for path in done.stdout.split() if path.endswith(".drv")]

    def locked_files(self, derivations: Iterable[str]) -> list[LockedFile]:
        """Those of the derivations that stand for a file of a lock.

        Those that the store does not have, as where a dry run lists what it cannot build,
        are left out. Newest Nix shows them below the key "derivations".
        """
        paths = sorted(set(derivations))
        done = self._show(paths)
        if done.returncode != 0:
            words = ["--check-validity", "--print-invalid", *paths]
            unknown = self.run(words, quiet=True, name="nix-store").stdout.split()
            paths = [path for path in paths if path not in unknown]
            done = self._show(paths)
        if done.returncode != 0:
            raise MirrorError(f"nix derivation show: {program.cause(done.stderr)}")
        content = json.loads(done.stdout)
        content = content.get("derivations", content)
        files = map(LockedFile.from_derivation, content.values())
        return [file for file in files if file is not None]

    def _show(self, paths: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        """Have derivations printed as JSON; newer Nix has another command for that."""
        if not paths:
            return subprocess.CompletedProcess([], 0, "{}", "")
        done = self.run(["show-derivation", *paths], quiet=True)
        if done.returncode != 0:
            done = self.run(["derivation", "show", *paths], quiet=True)
        return done

    def evaluate(self, words: Sequence[str]) -> Any:
        """What `nix eval --json` prints for these words; None where it fails."""
        done = self.run(["eval", "--json", *words], quiet=True)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def attribute_names(self, words: Sequence[str]) -> list[str]:
        """The names in an attribute set; [] where the flake has no such output."""
        names = self.evaluate(["--apply", "builtins.attrNames", *words])
        return [str(name) for name in names or []]


def no_nix() -> MirrorError:
    """The error where this machine has no Nix."""
    return MirrorError("no nix on this machine: apt-get install nix-bin")
