# Stands in for poetry2nix: `import poetry2nix { inherit pkgs; }`. mkPoetryEnv takes the arguments
# that poetry2nix takes and chooses packages by groups as it does, those traps included; markers and
# extras of packages are left out of account.
{ pkgs, lib ? pkgs.lib }:

let
  fail = message: throw "stand-in for poetry2nix: ${message}";

  # Names as indexes spell them (PEP 503).
  canonical = name: builtins.replaceStrings [ "_" "." ] [ "-" "-" ] (lib.toLower name);

  # Everything that packages of these names need, by the lock.
  closure = locked: names: map (entry: entry.key) (builtins.genericClosure {
    startSet = map (name: { key = canonical name; }) names;
    operator = { key }: map (name: { key = canonical name; })
      (builtins.filter (name: locked ? ${canonical name}) (builtins.attrNames (locked.${key}.dependencies or { })));
  });

  # A locked package; the first wheel is as good as any. Tags younger than poetry2nix end it.
  packageOf = python: { name, version, files ? [ ], ... }:
    let
      unknown = file: builtins.match ".*(riscv64|android|ios|pyodide|graalpy).*[.]whl" file.file != null;
      wheels =
        if builtins.any unknown files then fail "${name}: unknown platform tag"
        else builtins.filter (file: lib.hasSuffix ".whl" file.file) files;
      store = name: derivation { inherit (python) system; inherit name; builder = "/stand-in"; };
      package = store "${python.executable}-${canonical name}-${version}" // {
        pname = canonical name;
        inherit version;
        src = store (if wheels == [ ] then "${name}-${version}.tar.gz" else (builtins.head wheels).file);
        propagatedBuildInputs = [ ];
        overridePythonAttrs = change: package // change package;
      };
    in
    package;

  defaultPoetryOverrides = final: previous: { poetry = final.poetry-core; };

  mkPoetryPackages =
    { projectDir ? null
    , pyproject ? projectDir + "/pyproject.toml"
    , poetrylock ? projectDir + "/poetry.lock"
    , poetrylockPos ? { file = toString poetrylock; line = 0; column = 0; }
    , overrides ? defaultPoetryOverrides
    , python ? pkgs.python3
    , pwd ? projectDir
    , preferWheels ? false
    , editablePackageSources ? { }
    , pyProject ? lib.importTOML pyproject
    , groups ? [ "main" ]
    , checkGroups ? [ "dev" ]
    , extras ? [ "*" ]
    }:
    let
      project = pyProject.tool.poetry;
      lock = (lib.importTOML poetrylock).package;
      locked = builtins.listToAttrs (map (package: { name = canonical package.name; value = package; }) lock);

      tables = { main.dependencies = project.dependencies or { }; } // project.group or { };
      asked = builtins.concatMap (group: builtins.attrNames (tables.${group}.dependencies or { })) (groups ++ checkGroups)
        # whatever the groups are
        ++ builtins.attrNames (project.dev-dependencies or { });
      names = closure locked (builtins.filter (name: canonical name != "python") asked);
      missing = builtins.filter (name: !(locked ? ${name})) names;

      extend = previous: overlay: final: let before = previous final; in before // overlay final before;
      overlays = if builtins.isList overrides then overrides else [ overrides ];
      base = final: { mkPoetryDep = packageOf python; } // builtins.mapAttrs (name: final.mkPoetryDep) locked;
      packages = builtins.foldl' extend base overlays;
      all = packages all;
    in
    if python.outPath != pkgs.${python.pythonAttr}.outPath then
      fail "the Python ${python.version} is not the package set's ${python.pythonAttr} ${pkgs.${python.pythonAttr}.version}: it belongs into an overlay"
    else if missing != [ ] then
      fail "${toString poetrylock} has no ${builtins.head missing}"
    else
      { inherit python; poetryPackages = map (name: all.${name}) names; };
in
{
  inherit mkPoetryPackages defaultPoetryOverrides;

  mkPoetryApplication = fail "mkPoetryApplication is not used";

  mkPoetryEnv =
    { projectDir ? null
    , pyproject ? projectDir + "/pyproject.toml"
    , poetrylock ? projectDir + "/poetry.lock"
    , overrides ? defaultPoetryOverrides
    , pwd ? projectDir
    , python ? pkgs.python3
    , preferWheels ? false
    , editablePackageSources ? { }
    , extraPackages ? _: [ ]
    , groups ? [ "main" "dev" ]
    , checkGroups ? [ "dev" ]
    , extras ? [ "*" ]
    }:
    let
      packages = (mkPoetryPackages {
        inherit pyproject poetrylock overrides pwd python preferWheels editablePackageSources groups checkGroups extras;
      }).poetryPackages;
    in
    derivation
      {
        inherit (python) system;
        name = "${python.name}-env";
        builder = "/stand-in";
        inherit preferWheels extras packages;
      } // { inherit python packages; };
}
