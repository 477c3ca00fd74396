# Puts the project together from a package source.
#
# pkgs, poetry2nix   the source: nixpkgs and poetry2nix, or what stands in for them. Of them no more
#                    is used than interface.nix lists.
{ pkgs, poetry2nix }:

let
  environment = import ./environment.nix { inherit poetry2nix; };
  virtualEnvironment = import ./virtual_environment.nix { inherit pkgs; };
  applicationServer = import ./application_server.nix { inherit pkgs; };
  buildImage = import ./image.nix { inherit pkgs applicationServer; };

  # A project -> its image, environments and checks.
  mkApplication = import ./application.nix { inherit pkgs environment buildImage; };

  # The platform image: Python, Gunicorn, Uvicorn, Poetry, no application.
  image = import ./platform.nix { inherit pkgs environment virtualEnvironment buildImage; };

  example = mkApplication { projectDir = ../app-example; };
  edited = mkApplication {
    projectDir = ../app-example;
    files."/application_root/app/edited.txt" = pkgs.writeText "edited.txt" "an edit\n";
  };

  proof = import ./checks {
    inherit pkgs poetry2nix environment;
    images = { inherit image; app-example = example.image; app-example-edited = edited.image; };
    applicationChecks = example.checks;
  };
in
{
  inherit mkApplication;
  inherit (proof) checks;
  packages = {
    inherit image;
    app-example = example.image;
    inherit (proof) docker-tests;
    default = image;
  };
}
