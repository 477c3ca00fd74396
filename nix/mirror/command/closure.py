"""What outputs of a flake are made of, down to the locked files."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence

import command_line
import store_access
from errors import MirrorError
from locked_file import LockedFile
from needed_files import PROGRAM_DERIVATIONS, Needs
from nix_command import SYSTEM, Nix

# The outputs of which all attributes count where nothing else is asked for.
OUTPUTS = ("packages", "checks", "devShells")


class Closure:
    """Installables, and the derivations that they need.

    installables: those that Nix can build; derivations: theirs, of the programs of apps,
    and of the tools with which an evaluation reads locks.
    """

    def __init__(self, installables: Sequence[str], base: Mapping[str, str]) -> None:
        """Evaluate installables; what that needs is fetched and built.

        installables: none for all outputs of the flake of this folder, checks and apps
        included; base: the environment.
        Raises MirrorError where they do not evaluate.
        """
        self.nix = Nix(base)
        programs: list[str] = []
        self.needs = self.needs_of(installables or ["."])
        if not installables:
            self.needs.healed(self.needs.build_tools)
            found = [
                f'.#{output}.{SYSTEM}."{name}"'
                for output in OUTPUTS
                for name in self.needs.names(".", output)
            ]
            programs = [
                f'.#apps.{SYSTEM}."{name}".program'
                for name in self.needs.names(".", "apps")
            ]
            if not found:
                raise MirrorError(
                    "the flake of this folder has no outputs for"
                    f" {SYSTEM}: name what to build, or cd to another folder"
                )
            self.needs = self.needs_of(found)
        self.needs.fetch(must_evaluate=True)
        self.installables = self.needs.installables
        options = self.needs.options
        self.derivations = [
            *self.derivations_of([*options, *self.installables]),
            *(path for one in programs for path in self.program([*options, one])),
            *self.derivations_of([self.needs.evaluation_tools]),
        ]

    def needs_of(self, installables: Sequence[str]) -> Needs:
        """Return what a build of installables needs, in this store."""
        command = command_line.read(["build", *installables], self.nix.settings)
        store_access.prepare(command, self.nix.environment)
        return Needs(self.nix, command)

    def derivations_of(self, words: Sequence[str]) -> list[str]:
        """Return the derivations of installables, among options for their evaluation."""
        return self.answer("nix", ["path-info", "--derivation", *words]).split()

    def program(self, words: Sequence[str]) -> list[str]:
        """Return the derivations of an app's program."""
        evaluated = ["eval", "--json", "--apply", PROGRAM_DERIVATIONS, *words]
        paths = json.loads(self.answer("nix", evaluated))
        return [path for path in paths if path.endswith(".drv")]

    def answer(self, name: str, words: Sequence[str]) -> str:
        """Return what a program of Nix prints; raises MirrorError where it fails."""
        done = self.nix.run(words, quiet=True, name=name)
        if done.returncode != 0:
            sys.stderr.write(done.stderr)
            raise MirrorError(f"{name} {words[0]}: Nix says above what is wrong")
        return done.stdout

    def requisites(self, outputs: bool = False) -> list[str]:
        """Return the store paths that the derivations need, themselves included.

        outputs: with the outputs of all these derivations that are valid
        (nix-store(1), "--include-outputs").
        """
        words = ["--query", "--requisites", *(["--include-outputs"] if outputs else [])]
        return self.answer("nix-store", [*words, *self.derivations]).split()

    @property
    def note(self) -> str:
        """What the user of another machine has to know of these outputs, or ""."""
        if not self.needs.overlay:
            return ""
        return (
            "mirror: note: these are of replaced pins, which other machines do not have:"
            " ./mirror lock, and commit that"
        )

    def locked_files(self) -> list[LockedFile]:
        """Return all locked files that are needed, whether or not the store has them."""
        paths = [path for path in self.requisites() if path.endswith(".drv")]
        files = {file.sha256: file for file in self.nix.locked_files(paths)}
        return sorted(files.values(), key=lambda file: file.location)
