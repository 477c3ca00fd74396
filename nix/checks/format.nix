# Formatter and linters.
{ pkgs, testEnvironment, source }:

pkgs.runCommand "format" { nativeBuildInputs = [ pkgs.shellcheck ]; } ''
  set -o pipefail
  cd ${source}
  export PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1 XDG_CACHE_HOME=$TMPDIR
  {
    ${testEnvironment}/bin/black --check --diff bench nix tests
    ${testEnvironment}/bin/black --check --diff --config app-example/pyproject.toml app-example
    ${testEnvironment}/bin/black --check --diff --config nix/template/pyproject.toml nix/template
    ${testEnvironment}/bin/flake8 --config nix/checks/flake8.ini bench nix tests app-example
    for folder in bench nix nix/application_server nix/checks nix/checks/reproducibility nix/entrypoints nix/formats \
        nix/sbom nix/mirror/command nix/mirror/builders nix/mirror/poetry2nix tests tests/application_server \
        tests/bench tests/checks tests/entrypoints tests/formats tests/sbom tests/image tests/machine tests/mirror \
        tests/mirror/corpus; do
      MYPYPATH=$folder:nix:nix/checks:nix/checks/reproducibility:nix/formats:nix/sbom:nix/mirror/command:nix/mirror/builders:nix/mirror/poetry2nix:tests/mirror/support:bench \
        ${testEnvironment}/bin/mypy --config-file nix/checks/mypy.ini --cache-dir "$TMPDIR/mypy" "$folder"/*.py
    done
    shellcheck mirror .ci/run .ci/docker nix/entrypoints/*.sh nix/mirror/debian_tree.sh nix/mirror/guest/*.sh \
      nix/poetry/poetry.sh
  } 2>&1 | tee "$out"
''
