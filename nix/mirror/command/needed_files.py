"""Brings into the store what a `nix` command is going to need."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

import nix_command
import nix_log
import overlay
from command_line import Command
from errors import AbsentFiles, MirrorError, one_line
from nix_command import SYSTEM, Nix
from nix_log import Answer

# How often pins are replaced in one run: those of the evaluation's tools, then others.
HEALINGS = 4

# Subcommands that take --override-input, by what they do with their installables.
BUILDING = {"build", "bundle", "copy", "shell", "why-depends"}
DEVELOPING = {"develop", "print-dev-env"}
READING = {("eval",), ("flake", "show"), ("log",), ("path-info",), ("search",)}
EVALUATING = {("edit",), ("repl",)}
SWAPPING = {("flake", "archive"), ("flake", "metadata")}

PROGRAM_DERIVATIONS = "program: builtins.attrNames (builtins.getContext program)"


def takes_inputs(command: Command) -> bool:
    """Whether the command takes --override-input, and is to have its inputs swapped.

    `flake lock` and `flake update` are not: they would write the swapped inputs down.
    """
    subcommand = command.subcommand
    if not subcommand or {"--help", "--version"} & command.flags:
        return False
    return (
        subcommand[0] in BUILDING | DEVELOPING | {"fmt", "run"}
        or subcommand in READING | EVALUATING | SWAPPING
        or subcommand == ("flake", "check")
    )


def split_installable(installable: str) -> tuple[str, str]:
    """A flake reference and the attribute path in it.

    >>> split_installable(".#image^out"), split_installable(".")
    (('.', 'image'), ('.', 'default'))
    """
    reference, _, path = installable.partition("#")
    return reference or ".", path.partition("^")[0] or "default"


class Needs:
    """What one command needs."""

    def __init__(self, nix: Nix, command: Command) -> None:
        """command: one for which takes_inputs holds."""
        self.nix = nix
        self.command = command
        self.installables = list(command.installables)
        if not self.installables and not {"--expr", "--file", "-f"} & command.flags:
            self.installables = ["."]
        self.use_lock()

    def use_lock(self) -> None:
        """Swap the package sources for the mirror set, with the lock that is in force."""
        self.overlay = overlay.read(self.nix.environment)
        self.mirror_set = overlay.mirror_set(self.nix.environment, self.overlay)
        self.swapped = self.nix.overrides(self.installables, self.mirror_set)
        command = self.command
        self.options = [*self.swapped, *command.evaluation, *command.settings]

    @property
    def evaluation_tools(self) -> str:
        """What an evaluation has to build: the choice of wheels is a derivation's output."""
        return f"path:{self.mirror_set}#evaluation"

    def words(self) -> list[str]:
        """The words of the command itself, its inputs swapped."""
        shell = []
        if self.command.subcommand[0] in DEVELOPING:
            shell = nix_command.registry_options(self.mirror_set)
        return self.command.with_options([*self.swapped, *shell])

    def fetch(self, must_evaluate: bool = False) -> None:
        """Bring the files.

        must_evaluate: raise MirrorError where the command does not evaluate; otherwise
        that is left for Nix to say when the command runs.
        Pins whose files no mirror has any more are replaced (healing.py), and what the
        command needs is asked for again.
        """
        if self.overlay and self.swapped:
            print(f"mirror: note: {overlay.reminder(self.overlay)}", file=sys.stderr)
        self.healed(lambda: self.fetch_once(must_evaluate))

    def healed(self, bring: Callable[[], object]) -> None:
        """Bring files, and again after pins that no mirror has any more were replaced."""
        for turn in range(HEALINGS):
            try:
                bring()
                return
            except AbsentFiles as absent:
                if turn == HEALINGS - 1 or not self.swapped:
                    raise
                import healing

                healing.heal(absent, self.nix.environment)
                self.use_lock()

    def fetch_once(self, must_evaluate: bool) -> None:
        """Bring the files; see fetch. Raises AbsentFiles where no mirror has them."""
        subcommand, flags = self.command.subcommand, self.command.flags
        if "--stdin" in flags or subcommand in SWAPPING:
            return
        if subcommand in EVALUATING or "--write-to" in flags:
            self.build_tools()
        elif subcommand == ("flake", "check"):
            # It evaluates all outputs, and builds the checks alone.
            self.build_tools()
            self.ask(lambda: self.of_outputs("packages"))
            if "--no-build" not in flags:
                self.bring(self.ask(lambda: self.of_outputs("checks")))
        elif subcommand in READING:
            words = self.words()
            end = words.index("--") if "--" in words else len(words)
            self.ask(lambda: self.nix.ask(words[:end]))
        else:
            answer = self.ask(self.question())
            if not answer.evaluated and must_evaluate:
                for line in answer.message.splitlines():
                    print(one_line(line), file=sys.stderr)
                raise MirrorError(
                    f"{' '.join(self.installables)}: Nix says above why this does not"
                    " evaluate"
                )
            if "--dry-run" not in flags:
                self.bring(answer)

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Ask, and again after what the evaluation itself has to build was brought.

        These are its own tools, and whatever a failed evaluation began to build beside
        them, such as the tools of another Python.
        """
        answer = question()
        if answer.started and not answer.evaluated and self.build_tools():
            answer = question()
        brought: set[str] = set()
        while not answer.evaluated:
            wanted = self.nix.unbuilt_derivations(answer.started, self.command.settings)
            new = set(wanted.unbuilt) - brought
            if not new or not self.bring(wanted):
                break
            brought |= new
            answer = question()
        return answer

    def bring(self, answer: Answer) -> bool:
        """Bring those of the unbuilt derivations that stand for files; were there any?"""
        files = self.nix.locked_files(answer.unbuilt)
        if files:
            # Its libraries take longer to import than many a command takes.
            import download

            download.fetch_all(files, self.nix.environment)
        return bool(files)

    def build_tools(self) -> bool:
        """Build what an evaluation needs built; returns whether any was missing."""
        if not self.swapped:
            return False
        words = [*self.command.settings, self.evaluation_tools]
        answer = self.nix.unbuilt(words)
        if not answer.unbuilt:
            return False
        self.bring(answer)
        if self.nix.run(["build", "--no-link", *words]).returncode != 0:
            raise MirrorError(
                "Nix says above why the tools that read poetry.lock do not build"
            )
        return True

    def question(self) -> Callable[[], Answer]:
        """What to ask Nix in order to know what the command is going to build."""
        kind = self.command.subcommand[0]
        plain = self.installables
        if kind == "fmt":
            return self.of_build([f".#formatter.{SYSTEM}"])
        if {"--expr", "--file", "-f"} & self.command.flags:
            return self.of_build(plain)
        if kind == "run":
            reference, path = split_installable(plain[0])
            # `.#a.load` is of a package, whether or not an app has the name `a`.
            if "." not in path and path in self.names(reference, "apps"):
                return lambda: self.program(f"{reference}#apps.{SYSTEM}.{path}.program")
        if kind in DEVELOPING:
            reference, path = split_installable(plain[0])
            if path.split(".")[0] in self.names(reference, "devShells"):
                return self.of_build([f"{reference}#devShells.{SYSTEM}.{path}"])
        if "--rebuild" in self.command.flags:
            return self.rebuild
        return self.of_build(plain)

    def names(self, reference: str, output: str) -> list[str]:
        """The names in an output of a flake, such as "apps"; [] where it has none."""
        return self.nix.attribute_names(
            [*self.options, f"{reference}#{output}.{SYSTEM}"]
        )

    def of_build(self, installables: Sequence[str]) -> Callable[[], Answer]:
        """Asks what a build of these would build."""
        return lambda: self.nix.unbuilt([*self.options, *installables])

    def of_outputs(self, output: str) -> Answer:
        """What building all of an output of the flake, such as "checks", would build."""
        reference = split_installable(self.installables[0])[0]
        names = self.names(reference, output)
        attributes = [f'{reference}#{output}.{SYSTEM}."{name}"' for name in names]
        return self.of_build(attributes)() if attributes else Answer(True, [], [], "")

    def program(self, attribute: str) -> Answer:
        """What the program of an app (Nix manual, "nix run", "Apps") would build."""
        words = ["eval", "--json", "--apply", PROGRAM_DERIVATIONS, *self.options]
        done = self.nix.run([*words, attribute, *nix_log.OPTIONS], quiet=True)
        if done.returncode != 0:
            return Answer.of(done)
        derivations = [
            path for path in json.loads(done.stdout) if path.endswith(".drv")
        ]
        return self.nix.unbuilt_derivations(derivations, self.command.settings)

    def rebuild(self) -> Answer:
        """What a build of what is built already would build: what that needs, too."""
        words = [*self.options, *self.installables]
        answer = self.nix.unbuilt(words)
        inputs = self.nix.unbuilt_derivations(
            self.nix.input_derivations(words), self.command.settings
        )
        return Answer(
            answer.evaluated,
            [*answer.unbuilt, *inputs.unbuilt],
            answer.started,
            answer.message,
        )
