#!/bin/sh
# pytest of the virtual environment; arguments and exit status are pytest's. Its cache and the
# coverage data lie where any user may write: the working folder may belong to another one.
export COVERAGE_FILE="${COVERAGE_FILE:-/tmp/.coverage}"
exec python /entrypoints/run_module.py pytest -o cache_dir=/tmp/.pytest_cache "$@"
