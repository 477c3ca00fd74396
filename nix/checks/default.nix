# All checks by name; each is one file.
{ pkgs, poetry2nix, environment, toolPython, mkApplication, compiler, images, applicationChecks }:

let
  inherit (pkgs) lib;

  testEnvironment = environment { projectDir = ./.; python = pkgs.python39; };

  isLitter = name: builtins.elem name [ "__pycache__" ".git" ".hypothesis" ".mypy_cache" ".pytest_cache" ];
  folder = name: path: builtins.path {
    inherit name path;
    filter = entry: type: !(isLitter (baseNameOf entry));
  };

  # The whole repository, the tests, and those of the images alone: an edit elsewhere repeats no run.
  source = folder "source" ../..;
  tests = folder "tests" ../../tests;
  imageTests = pkgs.runCommand "image-tests" { } ''
    mkdir "$out"
    cp -r ${folder "image" ../../tests/image} "$out/image"
    cp ${../../tests/pytest.ini} "$out/pytest.ini"
  '';

  # The module with which the tests of images read archives, too.
  archiveReader = builtins.path {
    name = "archive-reader";
    path = ../sbom;
    filter = entry: type: baseNameOf entry == "image_archive.py";
  };

  # Paths of the image archives, as the tests below tests/image expect them.
  imageVariables = {
    APP_EXAMPLE_IMAGE = images.app-example;
    APP_EXAMPLE_EDITED_IMAGE = images.app-example-edited;
    APP_EXAMPLE_DEVELOPMENT_IMAGE = images.app-example-development;
    APP_EXAMPLE_TEST_IMAGE = images.app-example-test;
    APP_EXAMPLE_BLACK_IMAGE = images.app-example-black;
    APP_EXAMPLE_MODERN_IMAGE = images.app-example-modern;
    APP_EXAMPLE_MODERN_DEVELOPMENT_IMAGE = images.app-example-modern-development;
    APP_EXAMPLE_MODERN_TEST_IMAGE = images.app-example-modern-test;
    APP_EXAMPLE_MODERN_BLACK_IMAGE = images.app-example-modern-black;
    PLATFORM_IMAGE = images.image;
    PLATFORM_FULL_IMAGE = images.image-full;
    PLATFORM_PYTHON311_IMAGE = images.image-python311;
    PLATFORM_PYTHON311_FULL_IMAGE = images.image-python311-full;
    PLATFORM_PYTHON313_IMAGE = images.image-python313;
    PLATFORM_PYTHON313_FULL_IMAGE = images.image-python313-full;
  };

  # What tests/image/test_dockerfile.py builds from, without a network.
  dockerfileVariables = {
    APP_EXAMPLE_FOLDER = folder "app-example" ../../app-example;
    WHEELS = import ./wheels.nix {
      inherit pkgs poetry2nix;
      projects = [
        { projectDir = ../../app-example; python = pkgs.python39; }
        { projectDir = ../../tests/image/compiled_wheels; python = pkgs.python39; }
        { projectDir = ../../tests/image/compiled_wheels_current; python = pkgs.python311; }
        { projectDir = ../../tests/image/compiled_wheels_current; python = pkgs.python313; }
      ];
    };
  };

  # The other formats of two images that differ by an edit, and the programs that test these.
  formatVariables = {
    APP_EXAMPLE_OCI = images.app-example.oci;
    APP_EXAMPLE_STREAM = images.app-example.stream;
    APP_EXAMPLE_LOAD = images.app-example.load;
    APP_EXAMPLE_PUSH = images.app-example.push;
    APP_EXAMPLE_EDITED_LOAD = images.app-example-edited.load;
    APP_EXAMPLE_EDITED_PUSH = images.app-example-edited.push;
    SKOPEO = pkgs.skopeo;
    REGISTRY = pkgs.docker-distribution;
  };

  recordedImages = removeAttrs images [ "app-example-edited" ];

  digests = import ./digests.nix {
    inherit pkgs toolPython;
    images = recordedImages;
    recorded = pkgs.recordedDigests or null;
  };
in
{
  inherit testEnvironment;
  record-digests = digests.record;
  reproducibility = import ./reproducibility.nix { inherit pkgs toolPython; images = builtins.attrNames recordedImages; };

  checks = {
    units = import ./units.nix { inherit pkgs testEnvironment source; };
    format = import ./format.nix { inherit pkgs testEnvironment source; };
    interface = import ./interface.nix { inherit pkgs poetry2nix; };
    compiler = import ./compiler.nix { inherit pkgs compiler; pythons = [ pkgs.python39 pkgs.python311 pkgs.python313 ]; };
    sbom = import ./sbom.nix { inherit pkgs environment toolPython source images; };
    nixpkgs = import ./nixpkgs.nix { inherit pkgs; };
    closure = import ./closure.nix { inherit pkgs testEnvironment imageVariables archiveReader; tests = imageTests; };
    vm = import ./vm.nix {
      inherit pkgs testEnvironment archiveReader;
      tests = imageTests;
      imageVariables = { inherit (imageVariables) APP_EXAMPLE_IMAGE; };
    };
  } // applicationChecks
  # A package source may say what its images are to be.
  // lib.optionalAttrs (pkgs ? recordedDigests) { digests = digests.check; };

  docker-tests = import ./docker_tests.nix {
    inherit pkgs lib testEnvironment archiveReader tests;
    variables = imageVariables // dockerfileVariables // formatVariables
      // { PACKAGE_INDEX = import ./package_index.nix { inherit pkgs; }; };
  };
}
