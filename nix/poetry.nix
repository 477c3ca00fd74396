# Poetry for this machine: the environment that the platform image has, without its other programs.
{ pkgs, poetryEnvironment }:

pkgs.writeShellScriptBin "poetry" ''
  unset PYTHONPATH
  exec ${poetryEnvironment}/bin/poetry "$@"
''
