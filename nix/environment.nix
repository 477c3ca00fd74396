# pyproject.toml + poetry.lock -> the Python environment that they lock.
{ poetry2nix }:

# groups: dependency groups; "main" are [tool.poetry.dependencies].
{ projectDir, python, groups ? [ "main" ], extras ? [ "*" ] }:

let
  arguments = {
    inherit projectDir python groups extras;
    preferWheels = true;
    # Without this, poetry2nix adds the group "dev" on its own.
    checkGroups = [ ];
  };
in
poetry2nix.mkPoetryEnv arguments // {
  # The locked packages, for bills of materials: nixpkgs' environment only names their paths.
  distributions = (poetry2nix.mkPoetryPackages arguments).poetryPackages;
}
