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
      forSystems = nixpkgs.lib.genAttrs [ "x86_64-linux" ];
      project = forSystems (system:
        let pkgs = import nixpkgs { inherit system; overlays = [ (import ./nix/python.nix) ]; }; in
        import ./nix {
          inherit pkgs;
          poetry2nix = import ./nix/poetry2nix.nix { inherit pkgs; poetry2nix = import poetry2nix { inherit pkgs; }; };
        });
    in
    {
      # A project -> its images, environments, checks, shell and program; see README.md, "Your own project".
      lib.mkApplication = { system ? "x86_64-linux", ... }@arguments:
        project.${system}.mkApplication (removeAttrs arguments [ "system" ]);

      packages = forSystems (system: project.${system}.packages);
      checks = forSystems (system: project.${system}.checks);
      apps = forSystems (system: project.${system}.apps);
      devShells = forSystems (system: project.${system}.devShells);

      templates.default = {
        path = ./nix/template;
        description = "An ASGI application, its images, checks and development shell";
      };
    };
}
