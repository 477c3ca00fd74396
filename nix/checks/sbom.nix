# The bills of materials: what writes them, and whether the images' own hold what the images hold.
{ pkgs, environment, toolPython, source, images }:

let
  testEnvironment = environment { projectDir = ../sbom; python = toolPython; groups = [ "main" "dev" ]; };

  variables = prefix: image: {
    "${prefix}_IMAGE" = image;
    "${prefix}_SBOM" = image.sbom;
    "${prefix}_MATERIALS" = image.sbom.materials;
  };
in
pkgs.runCommand "sbom"
  (variables "APP_EXAMPLE" images.app-example
    // variables "APP_EXAMPLE_MODERN" images.app-example-modern
    // variables "PLATFORM" images.image
    // variables "PLATFORM_FULL" images.image-full
    // variables "PLATFORM_PYTHON311" images.image-python311
    // variables "PLATFORM_PYTHON313_FULL" images.image-python313-full) ''
  set -o pipefail
  mkdir "$out"
  cd ${source}
  export HOME=$TMPDIR PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1
  ${testEnvironment}/bin/python -m pytest -p no:cacheprovider --junitxml "$out/junit.xml" tests/sbom 2>&1 | tee "$out/log"
''
