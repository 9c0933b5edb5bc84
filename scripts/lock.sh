#!/bin/sh
# Resolves the dependencies again and writes them with hashes and without any index address.
set -eu
tool=$(mktemp -d)
trap 'rm -rf "$tool"' EXIT
python3 -m venv "$tool"
"$tool/bin/pip" --quiet --disable-pip-version-check install uv
compile() {
    "$tool/bin/uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --no-annotate "$@"
}
compile requirements/build.in --output-file requirements/build.lock
compile pyproject.toml --extra dev --output-file requirements/dev.lock
compile pyproject.toml --extra web --extra hardware --constraint requirements/dev.lock --output-file requirements/run.lock
