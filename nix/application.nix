# A project in the layout of app-example/ -> its image and environments.
{ pkgs, environment, buildImage }:

# projectDir  a folder with pyproject.toml, poetry.lock and app/
# files       further files of the image: absolute path in the container -> store path or path
{ projectDir, files ? { } }:

let
  inherit (pkgs) lib;
  python = pkgs.python39;

  project = (lib.importTOML (projectDir + "/pyproject.toml")).tool.poetry;

  production = environment { inherit projectDir python; };
  development = environment { inherit projectDir python; groups = [ "main" "dev" ]; };

  # Files that Python, editors and tests leave beside the sources.
  isLitter = name:
    builtins.elem name [ "__pycache__" ".pytest_cache" ".mypy_cache" ".ruff_cache" ".coverage" ".git" ".DS_Store" ]
    || lib.hasSuffix ".pyc" name
    || lib.hasSuffix "~" name;

  source = builtins.path {
    name = "app";
    path = projectDir + "/app";
    filter = path: type: !(isLitter (baseNameOf path));
  };
  copyFile = target: file: ''
    mkdir -p ."$(dirname ${lib.escapeShellArg target})"
    cp -r ${file} .${lib.escapeShellArg target}
    chmod -R u+w .${lib.escapeShellArg target}
  '';

  tests = import ./application_tests.nix {
    inherit pkgs projectDir;
    environment = development;
    filter = path: type: !(isLitter (baseNameOf path));
  };
in
{
  inherit project source;
  checks = { inherit tests; };
  environment = production;
  developmentEnvironment = development;

  image = buildImage {
    inherit (project) name;
    tag = project.version;
    inherit python;
    rootCommands = "ln -s ${production} application_root/.venv";
    topCommands = ''
      cp -r ${source} application_root/app
      chmod -R u+w application_root/app
      ${lib.concatStringsSep "\n" (lib.mapAttrsToList copyFile files)}
    '';
    labels = {
      "org.opencontainers.image.description" = project.description;
    } // lib.optionalAttrs (project ? license) {
      "org.opencontainers.image.licenses" = project.license;
    };
  };
}
