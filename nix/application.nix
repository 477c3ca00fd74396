# A project in the layout of app-example/ -> its images, environments, checks, shell and program.
{ pkgs, environment, applicationServer, buildImage, poetry }:

let
  inherit (pkgs) lib;
  options = import ./application_options.nix { inherit pkgs; };
  source = import ./source.nix { inherit lib; };
in
arguments:

let
  option = options.read arguments;
  inherit (option) projectDir;

  pyproject = lib.importTOML (options.existing projectDir "pyproject.toml" "projectDir is not a project of Poetry's, or poetry init");
  project = import ./project.nix { inherit lib; inherit (options) fail; } pyproject;
  lock = options.existing projectDir "poetry.lock" "poetry lock";

  python = pkgs.${option.python} or (options.fail "the package source has no ${option.python}");

  environmentOf = groups: environment {
    inherit projectDir python groups;
    inherit (option) extras;
  };
  production = environmentOf option.groups;
  development = environmentOf (option.groups ++ option.developmentGroups);

  # Names of what pyproject.toml asks for in development.
  developmentDependencies = builtins.concatMap project.dependencies ([ "main" ] ++ option.developmentGroups);
  has = name: builtins.elem name developmentDependencies;
  demand = name: value:
    if has name then value
    else options.fail "${project.name} has no ${name} among its development dependencies: poetry add --group dev ${name}";

  # The package that is served: "app" of "app.main:app".
  package = builtins.head (builtins.match "([^.:]+).*" option.applicationModule);
  sources =
    if option.sources != null then option.sources
    else if builtins.pathExists (projectDir + "/${package}.py") then [ "${package}.py" ]
    else [ package ];

  # Store paths of files and folders of the project, by their place below projectDir.
  collect = names: lib.genAttrs names (name: source {
    name = baseNameOf name;
    path = options.existing projectDir name "put it there, or say in the options applicationModule, sources and testSources what the project has";
  });

  # Shell commands that copy them below a folder.
  copyInto = folder: files: lib.concatStringsSep "\n" (lib.mapAttrsToList
    (target: file: ''
      mkdir -p "${folder}/$(dirname ${lib.escapeShellArg target})"
      cp -r ${file} "${folder}"/${lib.escapeShellArg target}
    '')
    files) + "chmod -R u+w \"${folder}\"";

  # One store path with all of them, as they lie in /application_root.
  tree = name: files: pkgs.runCommand name { } ''
    mkdir "$out"
    ${copyInto "$out" files}
  '';
  productionFiles = collect sources;
  developmentFiles = collect (lib.unique (sources ++ option.testSources ++ [ "pyproject.toml" ]));
  productionSource = tree "application" productionFiles;
  developmentSource = tree "application-with-tests" developmentFiles;

  copyFile = target: file: ''
    mkdir -p ."$(dirname ${lib.escapeShellArg target})"
    cp -r ${file} .${lib.escapeShellArg target}
    chmod -R u+w .${lib.escapeShellArg target}
  '';

  # Byte code of the application, so that no start compiles it. Python compares it with the source by
  # hash (PEP 552, "checked"), for that one can be edited.
  byteCompile = ''
    if ! PYTHONHASHSEED=0 ${python}/bin/${python.executable} -m compileall -q -p / --invalidation-mode checked-hash application_root; then
      echo "warning: not all of ${project.name} is Python of version ${python.version}: see above" >&2
    fi
  '';

  imageName = if option.imageName != null then option.imageName else lib.toLower project.name;
  # A local version label (PEP 440) is separated by "+", which no tag has.
  imageTag = if option.imageTag != null then option.imageTag else builtins.replaceStrings [ "+" ] [ "-" ] project.version;

  image = { suffix ? "", environment, files, environmentVariables ? { }, ... }@image: buildImage ({
    name = "${imageName}${suffix}";
    lowerName = if environment == production then imageName else "${imageName}-development";
    tag = imageTag;
    inherit python;
    user = { id = 1001; group = 0; name = "application"; } // option.user;
    path = map (package: "${package}/bin") (option.packages pkgs);
    packages = [ environment ] ++ option.packages pkgs;
    own = [{
      inherit (project) name version description;
      licence = if project.license != null then project.license else "";
      locations = map (name: "/application_root/${name}") (builtins.attrNames files);
      requires = builtins.filter (name: name != "python") (builtins.concatMap project.dependencies
        (option.groups ++ lib.optionals (environment != production) option.developmentGroups));
    }];
    environmentVariables = environmentVariables
      // lib.optionalAttrs (arguments ? applicationModule) { APP_MODULE = option.applicationModule; }
      // option.environmentVariables;
    rootCommands = ''
      for program in gunicorn python; do
        if [ ! -x ${environment}/bin/$program ]; then
          echo "mkApplication: the locked packages of ${project.name} have no $program: poetry add $program uvicorn" >&2
          exit 1
        fi
      done
      ln -s ${environment} application_root/.venv
    '';
    topCommands = ''
      ${copyInto "application_root" files}
      ${lib.concatStringsSep "\n" (lib.mapAttrsToList copyFile option.files)}
      ${lib.optionalString (environment == production) byteCompile}
    '';
    labels =
      { "uvicorn-gunicorn-poetry.poetry-lock.sha256" = builtins.hashFile "sha256" lock; }
      // lib.optionalAttrs (project.description != "") { "org.opencontainers.image.description" = project.description; }
      // lib.optionalAttrs (project.license != null) { "org.opencontainers.image.licenses" = project.license; }
      // option.labels;
  } // removeAttrs image [ "suffix" "environment" "files" "environmentVariables" ]);

  developmentImage = suffix: more: image ({
    inherit suffix;
    environment = development;
    files = developmentFiles;
    entrypoints = true;
  } // more);

  images = {
    production = image { environment = production; files = productionFiles; };

    development = developmentImage "-development" {
      environmentVariables = { RELOAD = "True"; LOG_LEVEL = "debug"; };
    };

    test = demand "pytest" (developmentImage "-test" {
      entrypoint = [ "/entrypoints/pytest_entrypoint.sh" ];
      command = lib.optionals (has "pytest-cov") [
        "--cov=${package}"
        "--cov-report=xml:/test_coverage_reports/unit_tests_coverage.xml"
      ];
    });

    black = demand "black" (developmentImage "-black" {
      entrypoint = [ "/entrypoints/black_entrypoint.sh" ];
      command = [ "--check" ] ++ sources ++ option.testSources;
    });
  };

  serve = import ./serve.nix {
    inherit pkgs;
    applicationServer = applicationServer { inherit python; };
    inherit (option) applicationModule environmentVariables;
  };
  app = serve { name = "serve"; environment = production; folder = "${productionSource}"; };

  checks =
    lib.optionalAttrs (has "pytest")
      {
        tests = import ./application_tests.nix {
          inherit pkgs package;
          coverage = has "pytest-cov";
          environment = development;
          source = developmentSource;
        };
      }
    // lib.optionalAttrs (has "black") {
      format = pkgs.runCommand "format" { } ''
        set -o pipefail
        cd ${developmentSource}
        HOME=$TMPDIR ${development}/bin/python -m black --check --diff ${lib.escapeShellArgs (sources ++ option.testSources)} 2>&1 | tee "$out"
      '';
    };

  projectPoetry = poetry { inherit python; };
  devShell = pkgs.mkShell {
    name = project.name;
    packages = [
      development
      projectPoetry
      (serve { name = "serve"; environment = development; folder = "."; variables = { RELOAD = "True"; LOG_LEVEL = "debug"; }; })
    ] ++ option.packages pkgs;
  };

  program = name: package: { type = "app"; program = "${package}/bin/${name}"; };
in
builtins.seq lock {
  inherit project images checks devShell app;
  image = images.production;
  environment = production;
  developmentEnvironment = development;
  source = productionSource;

  # All of it as a flake's outputs.
  outputs.packages.${pkgs.stdenv.hostPlatform.system} = {
    default = images.production;
    image = images.production;
    image-development = images.development;
  } // lib.optionalAttrs (has "pytest") { image-test = images.test; }
  // lib.optionalAttrs (has "black") { image-black = images.black; };
  outputs.checks.${pkgs.stdenv.hostPlatform.system} = checks;
  outputs.devShells.${pkgs.stdenv.hostPlatform.system}.default = devShell;
  outputs.apps.${pkgs.stdenv.hostPlatform.system} = {
    default = program "serve" app;
    poetry = program "poetry" projectPoetry;
  };
}
