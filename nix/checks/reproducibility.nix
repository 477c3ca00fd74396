# A program: builds images again, under other settings. Started in the repository's folder.
{ pkgs }:

pkgs.writeShellScriptBin "reproducibility" ''
  exec ${pkgs.python39}/bin/${pkgs.python39.executable} -B ${./reproducibility.py} "$@"
''
