#!/bin/sh
# Poetry, for any user id: one without a name has / as its home, where no cache can be written.
if [ -z "${POETRY_CACHE_DIR:-}" ] && [ ! -w "${HOME:-/}" ]; then
    POETRY_CACHE_DIR=/tmp/poetry-$(id -u)
    export POETRY_CACHE_DIR
fi
exec /opt/poetry/venv/bin/poetry "$@"
