# A program: the tests of the images and of ./mirror, on the machine that it runs on and with its
# Docker. Started in the repository's folder.
{ pkgs, lib, testEnvironment, archiveReader, tests, variables }:

pkgs.writeShellScriptBin "docker-tests" ''
  ${lib.concatStringsSep "\n" (lib.mapAttrsToList (name: value: "export ${name}=${value}") variables)}
  export PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
  export PYTHONPATH=${tests}:${archiveReader}
  exec ${testEnvironment}/bin/python -m pytest -p no:cacheprovider -p junit_reports -c ${tests}/pytest.ini \
    --rootdir ${tests} ${tests}/image ${tests}/machine "$@"
''
