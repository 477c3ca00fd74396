#!/bin/sh
# black of the virtual environment; arguments and exit status are black's.
exec python /entrypoints/run_module.py black "$@"
