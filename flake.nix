{
  description = "Poetry projects as layered, reproducible OCI images that serve ASGI with Gunicorn and Uvicorn";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-24.11";
    poetry2nix = {
      url = "github:nix-community/poetry2nix";
      flake = false;
    };
  };

  outputs = { self, nixpkgs, poetry2nix }:
    let
      systems = [ "x86_64-linux" ];
      forSystems = nixpkgs.lib.genAttrs systems;
      project = system: import ./nix {
        inherit system nixpkgs poetry2nix;
      };
    in
    {
      lib.mkApplication = { system ? "x86_64-linux", ... }@arguments:
        (project system).mkApplication (removeAttrs arguments [ "system" ]);

      packages = forSystems (system: {
        inherit (project system) image;
        app-example = (self.lib.mkApplication { inherit system; projectDir = ./app-example; }).image;
        default = self.packages.${system}.image;
      });
    };
}
