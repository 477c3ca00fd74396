# A project's own tests, run with its development environment; junit.xml, the log and, where
# pytest-cov is installed, the coverage of the application's package are the output.
{ pkgs, package, coverage, environment, source }:

pkgs.runCommand "tests" { } ''
  set -o pipefail
  mkdir "$out"
  cp -r ${source} application
  chmod -R u+w application
  cd application
  export HOME=$TMPDIR PYTHONDONTWRITEBYTECODE=1
  ${environment}/bin/python -m pytest -p no:cacheprovider --junitxml "$out/junit.xml" \
    ${pkgs.lib.optionalString coverage ''--cov ${package} --cov-report "xml:$out/coverage.xml" --cov-report "html:$out/coverage"''} \
    2>&1 | tee "$out/log"
''
