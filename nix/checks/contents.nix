# What is in the images' archives and what is not.
{ pkgs, testEnvironment, tests, imageVariables }:

pkgs.runCommand "contents" imageVariables ''
  set -o pipefail
  mkdir "$out"
  export PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
  cd ${tests}
  ${testEnvironment}/bin/python -m pytest -p no:cacheprovider --junitxml "$out/junit.xml" \
    image/test_contents.py 2>&1 | tee "$out/log"
''
