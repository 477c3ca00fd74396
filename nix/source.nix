# A file or folder of a project -> a store path without what tools leave beside sources. The
# names are left out whatever `.gitignore` says: a flake that is no git repository has none.
{ lib }:

let
  litter = [
    # version control
    ".git"
    ".hg"
    ".svn"
    ".gitignore"
    ".gitattributes"
    ".dockerignore"
    # virtual environments and secrets for development
    ".venv"
    ".direnv"
    ".env"
    # caches
    "__pycache__"
    ".cache"
    ".pytest_cache"
    ".mypy_cache"
    ".ruff_cache"
    ".hypothesis"
    ".tox"
    ".nox"
    ".eggs"
    ".ipynb_checkpoints"
    # coverage
    ".coverage"
    "coverage.xml"
    "htmlcov"
    # editors and file managers
    ".idea"
    ".vscode"
    ".DS_Store"
  ];
  litterSuffixes = [ ".pyc" ".pyo" ".egg-info" ".swp" "~" ];

  isLitter = path: type:
    let name = baseNameOf path; in
    builtins.elem name litter
    || lib.hasPrefix ".coverage." name
    || builtins.any (suffix: lib.hasSuffix suffix name) litterSuffixes
    # a virtual environment under whatever name (PEP 405)
    || type == "directory" && builtins.pathExists (path + "/pyvenv.cfg");
in
{ name, path }: builtins.path {
  inherit name path;
  filter = path: type: !(isLitter path type);
}
