# Puts the project together from a package source.
#
# pkgs, poetry2nix   the source: nixpkgs and poetry2nix, or what stands in for them. Of them no more
#                    is used than interface.nix lists.
{ pkgs, poetry2nix }:

let
  # What only works on images, whichever Python is in them, runs on this one.
  toolPython = pkgs.python313;

  environment = import ./environment.nix { inherit poetry2nix; };
  virtualEnvironment = import ./virtual_environment.nix { inherit pkgs; };
  applicationServer = import ./application_server.nix { inherit pkgs; };
  compiler = import ./compiler.nix { inherit pkgs; };
  formats = import ./formats.nix { inherit pkgs toolPython; };
  sbom = import ./sbom.nix { inherit pkgs environment toolPython; };
  buildImage = import ./image.nix { inherit pkgs applicationServer formats sbom; };

  poetryOn = python: environment { projectDir = ./poetry; inherit python; };
  poetry = import ./poetry.nix { inherit pkgs; poetryEnvironment = poetryOn toolPython; };

  # A project -> its images, environments, checks, shell and program.
  mkApplication = import ./application.nix { inherit pkgs environment applicationServer buildImage poetry; };

  # The platform images: Python, Gunicorn, Uvicorn, Poetry, no application. `image` keeps to the
  # releases that its users lock; the others have current ones, locked once for all their Pythons.
  platform = import ./platform.nix { inherit pkgs environment virtualEnvironment compiler buildImage; };
  currentPlatform = { python, full ? false }: platform {
    inherit python full;
    projectDir = ./platform/current;
    poetryEnvironment = environment { projectDir = ./poetry/current; inherit python; };
  };
  kept = { python = pkgs.python39; projectDir = ./platform; poetryEnvironment = poetryOn pkgs.python39; };
  platformImages = {
    image = platform kept;
    image-full = platform (kept // { full = true; });
    image-python311 = currentPlatform { python = pkgs.python311; };
    image-python311-full = currentPlatform { python = pkgs.python311; full = true; };
    image-python313 = currentPlatform { python = pkgs.python313; };
    image-python313-full = currentPlatform { python = pkgs.python313; full = true; };
  };
  inherit (platformImages) image;

  example = mkApplication { projectDir = ../app-example; };
  edited = mkApplication {
    projectDir = ../app-example;
    files."/application_root/app/edited.txt" = pkgs.writeText "edited.txt" "an edit\n";
  };

  # The template, as it is started with.
  modern = mkApplication {
    projectDir = ./template;
    python = "python313";
    imageName = "app-example-modern";
  };

  exampleImages = {
    app-example = example.images.production;
    app-example-development = example.images.development;
    app-example-test = example.images.test;
    app-example-black = example.images.black;
    app-example-modern = modern.images.production;
    app-example-modern-development = modern.images.development;
    app-example-modern-test = modern.images.test;
    app-example-modern-black = modern.images.black;
  };

  proof = import ./checks {
    inherit pkgs poetry2nix environment toolPython mkApplication compiler;
    images = platformImages // exampleImages // { app-example-edited = edited.image; };
    applicationChecks = { app-example = example.checks.tests; app-example-modern = modern.checks.tests; };
  };
in
{
  inherit mkApplication;
  inherit (proof) checks;
  packages = platformImages // exampleImages // {
    poetry = poetry { python = pkgs.python39; };
    inherit (proof) docker-tests record-digests reproducibility;
    bench = import ./bench.nix {
      inherit pkgs toolPython example applicationServer;
      inherit (proof) testEnvironment;
      wheels = import ./checks/wheels.nix {
        inherit pkgs poetry2nix;
        projects = map (projectDir: { inherit projectDir; python = pkgs.python39; }) [ ../app-example ./poetry ];
      };
      images = { inherit image; app-example = example.images.production; };
    };
    default = image;
  };
  apps.app-example = example.outputs.apps.${pkgs.stdenv.hostPlatform.system}.default;
  devShells = rec {
    app-example = example.devShell;
    default = app-example;
  };
}
