# A program: bench/, with what it measures. Started in the repository's folder.
{ pkgs, toolPython, testEnvironment, wheels, example, images, applicationServer }:

let
  inherit (pkgs) lib;

  # What an image is written of, for the writer alone: store paths and their references.
  closure = pkgs.runCommand "closure"
    { exportReferencesGraph = [ "graph" example.environment ]; }
    ''cp graph "$out"'';

  variables = {
    APP_EXAMPLE_IMAGE = images.app-example;
    PLATFORM_IMAGE = images.image;
    APP_EXAMPLE_ENVIRONMENT = example.environment;
    APPLICATION_SERVER = applicationServer { python = pkgs.python39; };
    CLOSURE = closure;
    WHEELS = wheels;
    WRITER_PYTHON = "${toolPython}/bin/${toolPython.executable}";
  };
in
pkgs.writeShellScriptBin "bench" ''
  ${lib.concatStringsSep "\n" (lib.mapAttrsToList (name: value: "export ${name}=${value}") variables)}
  export PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
  if [ ! -f bench/__main__.py ]; then
    echo "bench: start it in the repository's folder" >&2
    exit 1
  fi
  exec ${testEnvironment}/bin/python bench "$@"
''
