# Tests of what runs inside the images and of the mirror set's Python. No Docker, no network.
{ pkgs, testEnvironment, source }:

pkgs.runCommand "units" { } ''
  set -o pipefail
  mkdir "$out"
  cp -r ${source} source
  chmod -R u+w source
  cd source
  export HOME=$PWD PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
  ${testEnvironment}/bin/python -m pytest -p no:cacheprovider --junitxml "$out/junit.xml" \
    tests/application_server tests/bench tests/checks tests/entrypoints tests/formats tests/mirror 2>&1 | tee "$out/log"
''
