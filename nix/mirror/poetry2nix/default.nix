# poetry2nix' interface on the mirror set: `import poetry2nix { inherit pkgs; }`.
#
# poetry.lock is read by a derivation (resolve.py, on the environment's own Python), and its answer
# is read back while the flake is evaluated. It depends on pyproject.toml and poetry.lock alone, so
# that no edit of the application repeats it.
{ pkgs, lib ? pkgs.lib }:

let
  inherit (pkgs) mirror runCommand;

  pythonEnvironment = {
    PYTHONPATH = mirror.wheelLibraries;
    PYTHONHASHSEED = "0";
    PYTHONDONTWRITEBYTECODE = "1";
    PYTHONUTF8 = "1";
  };

  file = path: builtins.path { inherit path; name = baseNameOf path; };

  # -> [ { name, version, file, sha256, … } ], the packages of an environment
  resolve = { pyproject, poetrylock, python, groups, extras, preferWheels }:
    let
      resolved = runCommand "python-packages.json"
        ({
          inherit preferWheels;
          groups = lib.concatStringsSep "," groups;
          extras = lib.concatStringsSep "," extras;
        } // pythonEnvironment) ''
        ${python.interpreter} ${./resolve.py} \
          --groups "$groups" --extras "$extras" \
          ${file pyproject} ${file poetrylock} > "$out"
      '';
    in
    lib.importJSON resolved;

  installWheel = python: package: runCommand
    "${python.executable}-${package.name}-${package.version}"
    (pythonEnvironment // rec {
      wheel = mirror.files.pythonFile {
        project = package.name;
        location = package.file;
        inherit (package) sha256;
      };
      passthru = { pname = package.name; inherit (package) version; src = wheel; };
    }) ''
    ${python.interpreter} ${./install_wheel.py} --name ${lib.escapeShellArg package.file} \
      --patchelf ${mirror.bootstrap.patchelf}/bin/patchelf --loader ${python.loader} --rpath ${python.libraryPath} \
      "$wheel" "$out"
    if [ -d "$out/${python.sitePackages}" ]; then
      ${python.interpreter} -I -B ${mirror.byteCodeCompiler} --jobs 1 "$out/${python.sitePackages}"
    fi
  '';

  linkEnvironment = { name, python, packages }: runCommand name
    (pythonEnvironment // {
      inherit packages;
      passthru = { inherit python packages; };
    }) ''
    ${python.interpreter} ${./link_environment.py} --python ${python.interpreter} \
      --site-packages ${python.sitePackages} "$out" $packages
  '';

  # See poetry2nix' README, "mkPoetryPackages" and "mkPoetryEnv"; the arguments below are those that
  # nix/*.nix use. checkGroups only matter to poetry2nix' mkPoetryApplication: accepted, without effect.
  mkPoetryPackages =
    { projectDir ? null
    , pyproject ? projectDir + "/pyproject.toml"
    , poetrylock ? projectDir + "/poetry.lock"
    , python ? pkgs.python39
    , preferWheels ? false
    , groups ? [ "main" ]
    , checkGroups ? [ "dev" ]
    , extras ? [ "*" ]
    }:
    {
      inherit python;
      poetryPackages = map (installWheel python)
        (resolve { inherit pyproject poetrylock python groups extras preferWheels; });
    };
in
{
  inherit mkPoetryPackages;

  mkPoetryEnv =
    { python ? pkgs.python39, groups ? [ "main" "dev" ], ... }@arguments:
    linkEnvironment {
      name = "python3-${python.version}-env";
      inherit python;
      packages = (mkPoetryPackages (arguments // { inherit groups; })).poetryPackages;
    };
}
