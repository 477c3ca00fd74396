# A project's own tests, run with its development environment; the coverage of `app` is the output.
{ pkgs, projectDir, environment, filter }:

let
  folder = name: builtins.path { inherit name filter; path = projectDir + "/${name}"; };
  file = name: builtins.path { inherit name; path = projectDir + "/${name}"; };
in
pkgs.runCommand "tests" { } ''
  set -o pipefail
  mkdir "$out"
  cp -r ${folder "app"} app
  cp -r ${folder "tests"} tests
  cp ${file "pyproject.toml"} pyproject.toml
  export HOME=$PWD PYTHONDONTWRITEBYTECODE=1
  ${environment}/bin/python -m pytest -p no:cacheprovider --junitxml "$out/junit.xml" \
    --cov app --cov-report "xml:$out/coverage.xml" --cov-report "html:$out/coverage" \
    2>&1 | tee "$out/log"
''
