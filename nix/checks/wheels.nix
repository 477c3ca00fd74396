# The wheels that projects' locks choose, as a simple index (PEP 503) once a web server lists the
# folders: a folder for each package by its normalised name, in it the wheels.
#
# projects  a list of { projectDir; python; }
{ pkgs, poetry2nix, projects }:

let
  inherit (pkgs) lib;

  packages = { projectDir, python }: (poetry2nix.mkPoetryPackages {
    inherit projectDir python;
    groups = [ "main" "dev" ];
    preferWheels = true;
    checkGroups = [ ];
  }).poetryPackages;

  isWheel = package: lib.hasSuffix ".whl" (package.src.name or "");
  wheels = map (package: package.src) (builtins.filter isWheel (builtins.concatMap packages projects));
in
pkgs.runCommand "wheels" { } ''
  add() {
    project=$(printf %s "''${1%%-*}" | tr 'A-Z_.' 'a-z--')
    mkdir -p "$out/$project"
    ln -sf "$2" "$out/$project/$1"
  }
  ${lib.concatStringsSep "\n" (map (file: "add ${lib.escapeShellArg file.name} ${file}") wheels)}
''
