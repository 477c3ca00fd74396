# The bills of materials: what writes them, and whether the images' own hold what the images hold.
{ pkgs, environment, source, images }:

let
  testEnvironment = environment { projectDir = ../sbom; python = pkgs.python39; groups = [ "main" "dev" ]; };
in
pkgs.runCommand "sbom"
{
  APP_EXAMPLE_IMAGE = images.app-example;
  APP_EXAMPLE_SBOM = images.app-example.sbom;
  APP_EXAMPLE_MATERIALS = images.app-example.sbom.materials;
  PLATFORM_IMAGE = images.image;
  PLATFORM_SBOM = images.image.sbom;
  PLATFORM_MATERIALS = images.image.sbom.materials;
} ''
  set -o pipefail
  mkdir "$out"
  cd ${source}
  export HOME=$TMPDIR PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
  ${testEnvironment}/bin/python -m pytest -p no:cacheprovider --junitxml "$out/junit.xml" tests/sbom 2>&1 | tee "$out/log"
''
