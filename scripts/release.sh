#!/bin/sh
# Builds the wheel, installs it into a clean environment and sends a message to oneself with it.
set -eu
version=$(.venv/bin/python -c 'import meshnode; print(meshnode.__version__)')
.venv/bin/towncrier build --yes --version "$version"
rm -rf dist
.venv/bin/python -m hatchling build
clean=$(mktemp -d)
trap 'rm -rf "$clean"' EXIT
python3 -m venv "$clean"
"$clean/bin/pip" --quiet install --require-hashes -r requirements/build.lock
"$clean/bin/pip" --quiet install --require-hashes --no-build-isolation -r requirements/dev.lock
"$clean/bin/pip" --quiet install --no-deps dist/meshnode-"$version"-py3-none-any.whl
"$clean/bin/meshnode" demo
echo "dist/meshnode-$version-py3-none-any.whl sent a message to itself. Tag it: git tag v$version"
