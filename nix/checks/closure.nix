# What is in the images' archives and what is not; a failure names the chain of references.
{ pkgs, testEnvironment, archiveReader, tests, imageVariables }:

pkgs.runCommand "closure" imageVariables ''
  set -o pipefail
  mkdir "$out"
  export PYTHONPATH=${archiveReader} PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
  cd ${tests}
  ${testEnvironment}/bin/python -m pytest -p no:cacheprovider --junitxml "$out/junit.xml" \
    image/test_contents.py 2>&1 | tee "$out/log"
''
