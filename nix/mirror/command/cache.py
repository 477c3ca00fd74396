"""A team's binary cache: results, the tools of evaluation, and sources, signed."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import program
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
    secret, public = key(base, Nix(base))
    closure = Closure(installables, base)
    build(closure)
    paths = [path for path in closure.requisites(outputs=True) if not is_recipe(path)]
    paths += evaluated_paths(closure)
    unique = list(dict.fromkeys(paths))
    # A password may stand in these, and only in these.
    web = target.startswith(("http://", "https://"))
    shown = redacted(target) if web else target
    print(f"mirror: copying {len(unique)} store paths to {shown}", file=sys.stderr)
    for some in chunks(unique):
        closure.answer("nix", ["store", "sign", "--key-file", str(secret), *some])
    for some in chunks(unique):
        closure.answer("nix", ["copy", "--to", compressed(target), *some])
    if closure.note:
        print(closure.note, file=sys.stderr)
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
    """Return the file of the secret key of this user, and the public key of it.

    The secret one is made once, in $XDG_CONFIG_HOME/nix-mirror (XDG Base Directory
    Specification), for nobody else to read; one that another machine made can be put
    there instead.
    Raises MirrorError where it cannot be made or read.
    """
    root = base.get("XDG_CONFIG_HOME", "")
    if not os.path.isabs(root):
        root = os.path.join(base.get("HOME") or os.path.expanduser("~"), ".config")
    secret = Path(root) / "nix-mirror/cache-key.secret"
    try:
        if not secret.exists():
            secret.parent.mkdir(parents=True, exist_ok=True)
            make_key(secret, nix)
        content = secret.read_text(encoding="utf-8")
    except OSError as error:
        raise MirrorError(
            f"{secret.parent} cannot be used ({error.strerror}): set XDG_CONFIG_HOME to"
            " a folder that you may write to"
        ) from None
    done = nix.run(["key", "convert-secret-to-public"], quiet=True, text=content)
    if done.returncode != 0:
        raise MirrorError(
            f"{secret} is not a secret key ({program.cause(done.stderr)}): put it there"
            f" again, or rm {secret} to have another one made"
        )
    return secret, done.stdout.strip()


def make_key(secret: Path, nix: Nix) -> None:
    """Write a new secret key. Raises MirrorError and OSError."""
    name = f"{socket.gethostname().partition('.')[0] or 'mirror'}-1"
    with tempfile.TemporaryDirectory(dir=secret.parent) as temporary:
        part = Path(temporary) / secret.name
        words = ["--generate-binary-cache-key", name, str(part), f"{part}.public"]
        if nix.run(words, name="nix-store").returncode != 0:
            raise MirrorError("Nix says above why it makes no key")
        part.chmod(0o600)
        part.rename(secret)


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
