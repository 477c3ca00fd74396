# Evaluates every output of this project with a package source, and says what the environments and
# images hold; nothing is built. What does not evaluate, or is not as it must be, is an error.
#
#     ./mirror nix eval --impure --raw --file nix/checks/evaluation.nix --argstr nixpkgs PATH --argstr poetry2nix PATH report
#
# nixpkgs, poetry2nix   paths: what `import nixpkgs { … }` and `import poetry2nix { … }` take
# overlays              further overlays of nixpkgs
{ nixpkgs, poetry2nix, overlays ? [ ], system ? "x86_64-linux" }:

let
  # A package source, put together as flake.nix does it.
  load = { nixpkgs, poetry2nix, overlays ? [ ] }:
    let
      pkgs = import nixpkgs { inherit system; config = { }; overlays = overlays ++ [ (import ../python.nix) ]; };
    in
    { inherit pkgs; poetry2nix = import poetry2nix { inherit pkgs; }; };

  # The same with builders of images and environments that remember their arguments.
  remembering = { pkgs, poetry2nix }: {
    pkgs = pkgs // {
      dockerTools = pkgs.dockerTools // {
        buildLayeredImage = arguments: pkgs.dockerTools.buildLayeredImage arguments // { inherit arguments; };
      };
    };
    poetry2nix =
      let poetry = import ../poetry2nix.nix { inherit pkgs poetry2nix; }; in
      poetry // { mkPoetryEnv = arguments: poetry.mkPoetryEnv arguments // { inherit arguments; }; };
  };

  source = load { inherit nixpkgs poetry2nix overlays; };
  standIns = load { nixpkgs = ./stand_in/nixpkgs; poetry2nix = ./stand_in/poetry2nix; };
  given = remembering source;
  project = import ../. given;
  mirrorSource = remembering (load { nixpkgs = ../mirror; poetry2nix = ../mirror/poetry2nix; });
  mirror = import ../. mirrorSource;

  inherit (given.pkgs) lib;
  fold = prefix: lib.mapAttrsToList (name: value: { name = "${prefix}.${name}"; inherit value; });

  # The checks that call this file or compare sources are left out.
  checks = removeAttrs project.checks [ "interface" "nixpkgs" ];
  outputs = fold "packages" project.packages ++ fold "checks" checks ++ fold "devShells" project.devShells
    ++ fold "apps" (builtins.mapAttrs (name: app: app.program) project.apps);

  # The derivation of an output, or that of the program that an app starts.
  derivationOf = name: value:
    if builtins.isString value then builtins.head (builtins.attrNames (builtins.getContext value))
    else if builtins.isAttrs value && value.type or null == "derivation" then builtins.unsafeDiscardStringContext value.drvPath
    else throw "${name} is no derivation";
  evaluated = map ({ name, value }: "${name} ${derivationOf name value}") outputs;

  # The names of production's dependencies and of those of development alone, and the environments.
  readProject = projectDir: import ../project.nix { inherit lib; fail = throw; }
    (lib.importTOML (projectDir + "/pyproject.toml"));
  application = { projectDir, ... }@arguments:
    let
      made = project.mkApplication arguments;
      inherit (readProject projectDir) dependencies;
    in
    {
      inherit projectDir;
      main = dependencies "main";
      development = dependencies "dev";
      environments = { production = made.environment; development = made.developmentEnvironment; };
    };
  alone = python: projectDir: {
    inherit projectDir;
    main = (readProject projectDir).dependencies "main";
    development = [ ];
    environments.production = import ../environment.nix { inherit (given) poetry2nix; } {
      inherit projectDir;
      python = given.pkgs.${python};
    };
  };
  projects = {
    app-example = application { projectDir = ../../app-example; };
    app-example-modern = application { projectDir = ../template; python = "python313"; };
    platform = alone "python39" ../platform;
    platform-python311 = alone "python311" ../platform/current;
    platform-python313 = alone "python313" ../platform/current;
    poetry = alone "python39" ../poetry;
    poetry-of-shells = alone "python313" ../poetry;
    poetry-python311 = alone "python311" ../poetry/current;
    poetry-python313 = alone "python313" ../poetry/current;
    sbom = alone "python313" ../sbom;
    checks = alone "python39" ./.;
  };

  # An environment's packages, and its Python: [ { name; version; } ].
  # nixpkgs' buildEnv names the store paths that it joins in its attribute `pkgs`.
  packagesOf = environment:
    if environment ? packages then
      map (package: { name = package.pname; inherit (package) version; }) environment.packages
      ++ [{ name = "python3"; inherit (environment.python) version; }]
    else
      map named (lib.unique (builtins.concatMap ({ paths, ... }: paths)
        (builtins.fromJSON (builtins.unsafeDiscardStringContext environment.drvAttrs.pkgs))));
  named = path:
    let found = builtins.match ".*/[0-9a-z]{32}-(python3[.][0-9]+-)?(.*)-([0-9][^-]*)" path; in
    { name = canonical (builtins.elemAt found 1); version = builtins.elemAt found 2; };
  listed = environment: lib.concatMapStringsSep ", " ({ name, version }: "${name} ${version}") (packagesOf environment);

  # Names as indexes spell them (PEP 503).
  canonical = name: builtins.replaceStrings [ "_" "." ] [ "-" "-" ] (lib.toLower name);
  names = dependencies: map canonical (builtins.filter (name: name != "python") dependencies);

  # What nixpkgs builds Python packages with, and what that needs, comes from there, whatever is locked.
  ofNixpkgs = [ "build" "flit-core" "installer" "packaging" "pyproject-hooks" "setuptools" "toml" "tomli" "wheel" ];

  # What is wrong with an environment, as lines.
  faults = name: kind: { projectDir, main, development, environments }:
    let
      environment = environments.${kind};
      inherit (environment.arguments) python;
      packages = packagesOf environment;
      pythons = builtins.filter (package: package.name == "python3") packages;
      others = builtins.filter (package: package.name != "python3") packages;
      present = map (package: package.name) others;
      locked = map (package: { name = canonical package.name; inherit (package) version; })
        (lib.importTOML (projectDir + "/poetry.lock")).package;

      asked = names main ++ lib.optionals (kind == "development") (names development);
      unasked = lib.optionals (kind == "production") (names development);
      within = list: builtins.filter (name: builtins.elem name list);
      without = list: builtins.filter (name: !(builtins.elem name list));
      strange = builtins.filter
        (package: !(builtins.elem package locked) && !(builtins.elem package.name ofNixpkgs))
        others;
      isSource = package: package ? src && !(lib.hasSuffix ".whl" package.src.name) && !(builtins.elem package.pname ofNixpkgs);
      sources = builtins.filter isSource
        (builtins.filter (package: package.pname or "python3" != "python3")
          (given.poetry2nix.mkPoetryPackages environment.arguments).poetryPackages);
    in
    map (fault: "${name}, ${kind} environment: ${fault}") (
      map (name: "it has ${name}, a development dependency") (within present unasked)
      ++ map (name: "it lacks ${name}") (without present asked)
      ++ map ({ name, version }: "${name} ${version} is not what poetry.lock has") strange
      ++ map (package: "${package.pname} comes as ${package.src.name}, not as a wheel") sources
      ++ lib.optional (map (python: python.version) pythons != [ python.version ])
        "its Pythons are ${builtins.toJSON pythons}, not ${python.version} alone"
    );

  # An image's configuration, its name and tag, without store paths and version of Python.
  configurationOf = source: image:
    let
      inherit (image.arguments) name tag config;
      text = builtins.unsafeDiscardStringContext (builtins.toJSON { inherit name tag config; });
      withoutPaths = lib.concatStringsSep "STORE"
        (builtins.filter builtins.isString (builtins.split "/nix/store/[0-9a-z]{32}-[0-9A-Za-z+._?=-]+" text));
    in
    builtins.replaceStrings (map (python: python.version) [ source.python39 source.python311 source.python313 ])
      [ "VERSION" "VERSION" "VERSION" ]
      withoutPaths;
  imageNames = builtins.filter (name: project.packages.${name} ? arguments.config) (builtins.attrNames project.packages);
  configurations = lib.genAttrs imageNames (name: configurationOf given.pkgs project.packages.${name});
  different = builtins.filter
    (name: configurations.${name} != configurationOf mirrorSource.pkgs mirror.packages.${name})
    imageNames;

  # The stand-ins are no truer than their arguments: what one takes that the source does not.
  argumentsOf = function: function.__functionArgs or (builtins.functionArgs function);
  untaken = name: find: map (argument: "${name} takes no argument ${argument}, the stand-in does")
    (builtins.attrNames (removeAttrs (argumentsOf (find standIns)) (builtins.attrNames (argumentsOf (find source)))));

  problems =
    builtins.concatLists (lib.mapAttrsToList untaken {
      mkPoetryEnv = source: source.poetry2nix.mkPoetryEnv;
      mkPoetryPackages = source: source.poetry2nix.mkPoetryPackages;
      "python39.override" = source: source.pkgs.python39.override;
      # nixpkgs' buildLayeredImage hands on what it does not take itself
      buildLayeredImage = { pkgs, ... }: { __functionArgs = argumentsOf pkgs.dockerTools.buildLayeredImage
        // argumentsOf (pkgs.dockerTools.streamLayeredImage or { __functionArgs = { }; }); };
    }) ++
    builtins.concatLists (lib.mapAttrsToList
      (name: project: builtins.concatMap (kind: faults name kind project) (builtins.attrNames project.environments))
      projects)
    ++ map (name: "${name}: the image's configuration is not the mirror set's: ${configurations.${name}}") different;

  lines = [ "${toString (builtins.length evaluated)} outputs evaluate to derivations:" ] ++ evaluated
    ++ builtins.concatLists (lib.mapAttrsToList
    (name: project: lib.mapAttrsToList
      (kind: environment: "\n${name}, ${kind}: ${listed environment}")
      project.environments)
    projects)
    ++ [ "\n${toString (builtins.length imageNames)} images have the configuration that the mirror set's have:" ]
    ++ lib.mapAttrsToList (name: text: "\n${name}: ${text}") configurations;
in
{
  # As text, one output, environment or image a line.
  report =
    if problems != [ ] then throw (lib.concatStringsSep "\n" problems)
    else lib.concatStringsSep "\n" lines + "\n";
}
