# pyproject.toml + poetry.lock -> the Python environment that they lock.
{ poetry2nix }:

# groups: dependency groups; "main" are [tool.poetry.dependencies].
{ projectDir, python, groups ? [ "main" ], extras ? [ "*" ] }:

poetry2nix.mkPoetryEnv {
  inherit projectDir python groups extras;
  preferWheels = true;
  # Without this, poetry2nix adds the group "dev" on its own.
  checkGroups = [ ];
}
