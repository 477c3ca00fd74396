# Puts the project together from a package source: { image, mkApplication, … }.
#
# nixpkgs, poetry2nix   the flake's inputs, or what stands in for them
{ system, nixpkgs, poetry2nix }:

let
  pkgs = import nixpkgs { inherit system; overlays = [ (import ./python.nix) ]; };
  inherit (pkgs) lib;

  environment = import ./environment.nix { poetry2nix = import poetry2nix { inherit pkgs; }; };
  virtualEnvironment = import ./virtual_environment.nix { inherit pkgs; };
  applicationServer = import ./application_server.nix { inherit pkgs; };
  buildImage = import ./image.nix { inherit pkgs applicationServer; };
in
{
  inherit pkgs;

  # The platform image: Python, Gunicorn, Uvicorn, Poetry, no application.
  image = import ./platform.nix { inherit lib environment virtualEnvironment buildImage; python = pkgs.python39; };

  mkApplication = import ./application.nix { inherit lib environment buildImage; python = pkgs.python39; };
}
