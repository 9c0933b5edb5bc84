#!/usr/bin/env bash
# Fetches the page's libraries at fixed versions and rewrites their bare imports to files beside them: the page runs
# without a build step and asks no server but the box. Their checksums stand in SHA256SUMS, which a test compares.
set -euo pipefail
cd "$(dirname "$0")/.."
into=meshnode/web/page/vendor
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

take() { # package@version, file in it, name here
  (cd "$work" && tar xzf "$(npm pack --silent "$1")")
  cp "$work/package/$2" "$into/$3"
  licence=$(ls "$work/package" | grep -i '^licen[cs]e' | head -1)
  cp "$work/package/$licence" "$into/${3%.js}.LICENSE"
  rm -rf "$work/package"
}

take preact@11.2.0 dist/preact.mjs preact.js
take preact@11.2.0 hooks/dist/hooks.mjs hooks.js
take htm@3.1.1 dist/htm.mjs htm.js
take @preact/signals-core@1.14.5 dist/signals-core.mjs signals-core.js
take @preact/signals@2.11.4 dist/signals.mjs signals.js
take qr@0.7.0 decode.js qr-decode.js
take qr@0.7.0 index.js qr.js

sed -i -E 's#"preact/hooks"#"./hooks.js"#g; s#"preact"#"./preact.js"#g; s#"@preact/signals-core"#"./signals-core.js"#g; s#'./index.js'#'./qr.js'#; s#^//\# sourceMappingURL=.*$##' "$into"/*.js
rm -f "$into/hooks.LICENSE" "$into/qr-decode.LICENSE"
(cd "$into" && sha256sum -- *.js *.LICENSE > SHA256SUMS)
