# poetry2nix, as nix/*.nix use it: with overrides beside its own (its README, "Overlay functions").
#
# - It chooses among the wheels that poetry.lock lists, and an evaluation fails or takes a wrong one
#   where tags are younger than it (vendor/pyproject.nix: lib/pypa.nix, lib/pep600.nix): processors
#   such as riscv64, systems such as android, free-threaded ABIs. It is shown those alone that can
#   run here.
# - Its own overrides (overrides/default.nix) put poetry-core in the place of Poetry, which many
#   projects name as what builds them, and have jeepney, which Poetry needs, wait for trio: both are
#   as locked.
# - Poetry and its plugin for exports need each other, which no two derivations can: Poetry has the
#   plugin, not the other way round.
# - It reads [tool.poetry] alone: an environment of [project] would lack its packages, and is refused.
#
# A package source that is no poetry2nix has none of these traits, and stays as it is.
{ pkgs, poetry2nix }:

let
  inherit (pkgs) lib;

  processor = builtins.head (builtins.match "([^-]+)-.*" pkgs.stdenv.hostPlatform.system);

  # The platform tags of a wheel are separated by dots (PEP 425); they are of one kind.
  fitting = builtins.match
    ".*-(none|abi3|cp[0-9]+m?)-(any|(manylinux[0-9_]+|linux)_${processor}([.][a-z0-9_]+)*)[.]whl";
  fits = { file, ... }: !(lib.hasSuffix ".whl" file) || fitting file != null;

  overridesFor = poetrylock:
    let
      locked = map (package: package.name) (lib.importTOML poetrylock).package;
      kept = builtins.filter (name: builtins.elem name locked) [ "jeepney" "poetry" ];
    in
    [
      (final: previous: {
        mkPoetryDep = package: previous.mkPoetryDep (package // { files = builtins.filter fits package.files; });
        locked-packages = lib.genAttrs kept (name: previous.${name});
      })
      poetry2nix.defaultPoetryOverrides
      (final: previous: lib.genAttrs kept (name: final.locked-packages.${name}))
      (final: previous: lib.optionalAttrs (builtins.elem "poetry-plugin-export" locked) {
        poetry-plugin-export = previous.poetry-plugin-export.overridePythonAttrs (attributes: {
          propagatedBuildInputs = builtins.filter (package: package.pname or "" != "poetry") attributes.propagatedBuildInputs;
        });
      })
    ];

  isRead = pyproject: !(pyproject ? project.dependencies) && !(pyproject ? dependency-groups);

  mended = function: { projectDir, ... }@arguments:
    if !isRead (lib.importTOML (projectDir + "/pyproject.toml"))
    then throw "${toString projectDir}/pyproject.toml: poetry2nix reads no [project] and no [dependency-groups]: use [tool.poetry], or ./mirror"
    else function (arguments // { overrides = overridesFor (projectDir + "/poetry.lock"); });
in
if poetry2nix ? mkPoetryApplication
then {
  mkPoetryEnv = mended poetry2nix.mkPoetryEnv;
  mkPoetryPackages = mended poetry2nix.mkPoetryPackages;
}
else poetry2nix
