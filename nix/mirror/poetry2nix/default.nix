# poetry2nix' interface on the mirror set: `import poetry2nix { inherit pkgs; }`.
#
# poetry.lock is read by a derivation (resolve.py, on this set's own Python, whichever one the
# environment is for), and its answer is read back while the flake is evaluated. It depends on
# pyproject.toml and poetry.lock only, so that no edit of the application repeats it. What is locked
# as source, and path dependencies, are built into wheels from locked build requirements (build_wheel.py).
{ pkgs, lib ? pkgs.lib }:

let
  inherit (pkgs) mirror runCommand;
  inherit (lib) elem;

  pythonEnvironment = {
    PYTHONPATH = mirror.wheelLibraries;
    PYTHONHASHSEED = "0";
    PYTHONDONTWRITEBYTECODE = "1";
    PYTHONUTF8 = "1";
  };

  file = path: builtins.path { inherit path; name = baseNameOf path; };

  # Programs, each with the modules that it imports.
  program = name: modules: builtins.path {
    inherit name;
    path = ./.;
    filter = path: type: elem (baseNameOf path) modules;
  };
  resolver = program "resolver" [
    "distribution_files.py"
    "locked_packages.py"
    "locked_project.py"
    "resolution_error.py"
    "resolve.py"
    "target.py"
  ];
  wheelInstaller = program "wheel-installer" [
    "install_wheel.py"
    "strip_libraries.py"
    "unread_suites.py"
    "wheel_exclusions.py"
    "windows_programs.py"
  ];

  # -> [ { name, version, kind, file, sha256, … } ], the packages of an environment; see resolve.py
  resolve = { pyproject, poetrylock, python, groups, extras, preferWheels }:
    let
      resolved = runCommand "python-packages.json"
        ({
          inherit preferWheels;
          groups = lib.concatStringsSep "," groups;
          extras = lib.concatStringsSep "," extras;
        } // pythonEnvironment) ''
        ${mirror.python.interpreter} ${resolver}/resolve.py \
          --python ${python.version} --glibc ${python.stdenv.cc.libc.version} \
          --groups "$groups" --extras "$extras" \
          ${file pyproject} ${file poetrylock} > "$out"
      '';
    in
    lib.importJSON resolved;

  # Files that Python, editors and tests leave beside sources.
  isLitter = name:
    elem name [ "__pycache__" ".git" ".hypothesis" ".mypy_cache" ".pytest_cache" ".ruff_cache" ".tox" ".venv" ]
    || lib.hasSuffix ".pyc" name
    || lib.hasSuffix ".egg-info" name
    || lib.hasSuffix "~" name;

  # What lies beside poetry.lock, a file or a folder.
  beside = projectDir: package:
    let path = projectDir + "/${package.path}"; in
    if builtins.pathExists path
    then path
    else
      throw
        ("poetry.lock: ${package.name} is ${package.path}, which is not in the flake: move it below the folder of"
          + " flake.nix, git add it, and have the project name it there");

  # The file or folder that a package is made of.
  source = projectDir: package:
    if package.kind == "folder" then
      builtins.path
        {
          name = package.name;
          path = beside projectDir package;
          filter = path: type: !(isLitter (baseNameOf path));
        }
    else if package ? path then
      builtins.path
        {
          name = mirror.files.storeName package.file;
          path = beside projectDir package;
          recursive = false;
          inherit (package) sha256;
        }
    else
      mirror.files.pythonFile {
        project = package.name;
        location = package.file;
        inherit (package) sha256;
      };

  # -> a folder with the wheel
  buildWheel = python: projectDir: package: runCommand "${package.name}-${package.version}-wheel"
    (pythonEnvironment // {
      source = source projectDir package;
      fileName = package.file or package.name;
    }) ''
    ${python.interpreter} ${./build_wheel.py} --requirements ${mirror.buildRequirements} --work "$PWD/work" \
      --name ${package.name} --version ${lib.escapeShellArg package.version} --file "$fileName" "$source" "$out"
  '';

  installWheel = python: projectDir: package: runCommand
    "${python.executable}-${package.name}-${package.version}"
    (pythonEnvironment // {
      wheel = if package.kind == "wheel" then source projectDir package else buildWheel python projectDir package;
      # A built wheel has its name; of a locked one only the lock knows it.
      fileName = if package.kind == "wheel" then package.file else "";
      exclusions = builtins.toJSON mirror.wheelExclusions;
      passthru = { pname = package.name; inherit (package) version; src = source projectDir package; pythonModule = python; };
    }) ''
    if [ -z "$fileName" ]; then
      wheel=$(echo "$wheel"/*.whl)
      fileName=''${wheel##*/}
    fi
    ${python.interpreter} ${wheelInstaller}/install_wheel.py --name "$fileName" --exclusions "$exclusions" \
      --patchelf ${mirror.bootstrap.patchelf}/bin/patchelf --loader ${python.loader} --rpath ${python.libraryPath} \
      --strip ${mirror.strip}/bin/strip \
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
    { projectDir ? dirOf poetrylock
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
      poetryPackages = map (installWheel python projectDir)
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
