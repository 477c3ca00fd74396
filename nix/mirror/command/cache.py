"""A team's binary cache: results, the tools of evaluation, and sources, signed."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import store
from address import redacted
from closure import Closure
from errors import MirrorError
from nix_command import Nix

# Paths that one command is given; the length of a command is limited (execve(2)).
PATHS = 500

# Targets that are binary caches, whose files Nix compresses, and how: fast.
BINARY_CACHES = ("file://", "http://", "https://", "s3://")
COMPRESSION = "compression=zstd"


def fill(target: str, installables: Sequence[str], base: Mapping[str, str]) -> None:
    """Build installables, and copy them with all that they are made of to a cache.

    target: what `nix copy --to` takes; installables: none for all outputs of the flake
    of this folder; base: the environment.
    With MIRROR_CACHE, a machine that has nothing then builds and fetches nothing else
    for them; after an edit it builds what depends on that.
    Raises MirrorError where they do not build, or the cache cannot be written.
    """
    closure = Closure(installables, base)
    build(closure)
    paths = [path for path in closure.requisites(outputs=True) if not is_recipe(path)]
    paths += evaluated_paths(closure)
    secret, public = key(base, closure.nix)
    unique = list(dict.fromkeys(paths))
    # A password may stand in these, and only in these.
    web = target.startswith(("http://", "https://"))
    shown = redacted(target) if web else target
    print(f"mirror: copying {len(unique)} store paths to {shown}", file=sys.stderr)
    for some in chunks(unique):
        closure.answer("nix", ["store", "sign", "--key-file", str(secret), *some])
    for some in chunks(unique):
        closure.answer("nix", ["copy", "--to", compressed(target), *some])
    print(
        "mirror: done; a machine that reaches this cache uses it with\n"
        f"MIRROR_CACHE={shown}\n"
        f"MIRROR_CACHE_KEY={public}",
        file=sys.stderr,
    )


def is_recipe(path: str) -> bool:
    """Say whether a store path is a derivation, which evaluation makes anew."""
    return path.endswith(".drv")


def build(closure: Closure) -> None:
    """Build installables, the programs of apps, and the tools of evaluation.

    Raises MirrorError where one does not build.
    """
    words = ["--realise", "--no-gc-warning", *closure.derivations]
    if closure.nix.run(words, name="nix-store").returncode != 0:
        raise MirrorError("Nix says above what does not build")


def evaluated_paths(closure: Closure) -> list[str]:
    """Return the store paths that an evaluation brings or has built.

    They are in no derivation's closure (Nix manual, "Import From Derivation"): so the
    installables are evaluated once more with an empty store that takes what it needs
    from this one, and its content is the answer.
    """
    with tempfile.TemporaryDirectory() as temporary:
        options = ["--store", temporary, "--option", "substituters", "auto"]
        options += ["--option", "require-sigs", "false"]
        words = [*options, *closure.needs.options, *closure.installables]
        environment = dict(closure.nix.environment)
        environment.pop("NIX_REMOTE", None)
        fresh = Nix(environment)
        if fresh.run(["path-info", "--derivation", *words]).returncode != 0:
            raise MirrorError("Nix says above why this does not evaluate")
        done = fresh.run(["path-info", "--all", "--store", temporary], quiet=True)
        paths = [path for path in done.stdout.split() if not is_recipe(path)]
    return store.valid(paths, closure.nix.environment)


def key(base: Mapping[str, str], nix: Nix) -> tuple[Path, str]:
    """Return the file of the secret key of this user, and the public key.

    Both are made once, in $XDG_CONFIG_HOME/nix-mirror (XDG Base Directory
    Specification), the secret one for nobody else to read.
    Raises MirrorError where they cannot be made.
    """
    root = base.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(root):
        root = os.path.join(base.get("HOME") or os.path.expanduser("~"), ".config")
    folder = Path(root) / "nix-mirror"
    secret, public = folder / "cache-key.secret", folder / "cache-key.public"
    try:
        if not (secret.exists() and public.exists()):
            folder.mkdir(parents=True, exist_ok=True)
            parts = [path.with_name(f"{path.name}.part") for path in (secret, public)]
            name = f"{socket.gethostname().partition('.')[0] or 'mirror'}-1"
            words = ["--generate-binary-cache-key", name, *map(str, parts)]
            try:
                if nix.run(words, name="nix-store").returncode != 0:
                    raise MirrorError("Nix says above why it makes no key")
                parts[0].chmod(0o600)
                parts[1].rename(public)
                parts[0].rename(secret)
            finally:
                for part in parts:
                    part.unlink(missing_ok=True)
        return secret, public.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise MirrorError(
            f"{folder} cannot be used ({error.strerror}): set XDG_CONFIG_HOME to a"
            " folder that you may write to"
        ) from None


def compressed(target: str) -> str:
    """Return a target with the compression that its files are to have.

    >>> compressed("file:///srv/cache"), compressed("ssh://host")
    ('file:///srv/cache?compression=zstd', 'ssh://host')
    """
    if not target.startswith(BINARY_CACHES) or "compression=" in target:
        return target
    return f"{target}{'&' if '?' in target else '?'}{COMPRESSION}"


def chunks(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield store paths, as many at once as one command is given."""
    for start in range(0, len(paths), PATHS):
        yield paths[start : start + PATHS]
