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

  wheelOf = package: mirror.files.pythonFile {
    project = package.name;
    location = package.file;
    inherit (package) sha256;
  };

  installWheel = python: package: runCommand
    "${python.executable}-${package.name}-${package.version}"
    (pythonEnvironment // {
      wheel = wheelOf package;
      passthru = { pname = package.name; inherit (package) version; src = wheelOf package; pythonModule = python; };
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
in
{
  # See poetry2nix' README, "mkPoetryEnv"; the arguments below are those that nix/*.nix use.
  # checkGroups only matter to poetry2nix' mkPoetryApplication: accepted, without effect.
  mkPoetryEnv =
    { projectDir ? null
    , pyproject ? projectDir + "/pyproject.toml"
    , poetrylock ? projectDir + "/poetry.lock"
    , python ? pkgs.python39
    , preferWheels ? false
    , groups ? [ "main" "dev" ]
    , checkGroups ? [ "dev" ]
    , extras ? [ "*" ]
    }:
    let
      resolved = resolve { inherit pyproject poetrylock python groups extras preferWheels; };
    in
    linkEnvironment {
      name = "python3-${python.version}-env";
      inherit python;
      packages = map (installWheel python) resolved;
    };
}
