#!/bin/sh
# Makes the virtual environment: locked packages with hashes, then this checkout in editable form.
set -eu
venv=$1
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "meshnode needs Python 3.11 or newer; set PYTHON to one" >&2
    exit 1
}
echo "Setting up $venv (once; a minute or two)" >&2
[ -x "$venv/bin/pip" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet --no-input "$@"; }
# Two steps: sdists are then built with the locked build tools instead of whatever the index offers today.
pip install --require-hashes -r requirements/build.lock
pip install --require-hashes --no-build-isolation -r requirements/dev.lock
pip install --no-deps --no-build-isolation --editable .
