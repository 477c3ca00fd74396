# Puts the project together from a package source.
#
# pkgs, poetry2nix   the source: nixpkgs and poetry2nix, or what stands in for them. Of them no more
#                    is used than interface.nix lists.
{ pkgs, poetry2nix }:

let
  environment = import ./environment.nix { inherit poetry2nix; };
  virtualEnvironment = import ./virtual_environment.nix { inherit pkgs; };
  applicationServer = import ./application_server.nix { inherit pkgs; };
  compiler = import ./compiler.nix { inherit pkgs; };
  buildImage = import ./image.nix { inherit pkgs applicationServer; };

  # A project -> its image, environments and checks.
  mkApplication = import ./application.nix { inherit pkgs environment buildImage; };

  # The platform image: Python, Gunicorn, Uvicorn, Poetry, no application.
  platform = arguments: import ./platform.nix
    ({ inherit pkgs environment virtualEnvironment compiler buildImage; } // arguments);
  image = platform { };
  image-full = platform { full = true; };

  example = mkApplication { projectDir = ../app-example; };
  edited = mkApplication {
    projectDir = ../app-example;
    files."/application_root/app/edited.txt" = pkgs.writeText "edited.txt" "an edit\n";
  };

  proof = import ./checks {
    inherit pkgs poetry2nix environment compiler;
    images = { inherit image image-full; app-example = example.image; app-example-edited = edited.image; };
    applicationChecks = example.checks;
  };
in
{
  inherit mkApplication;
  inherit (proof) checks;
  packages = {
    inherit image image-full;
    app-example = example.image;
    inherit (proof) docker-tests;
    default = image;
  };
}
