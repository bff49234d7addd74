#!/usr/bin/env bash
# The guide in headless Chromium. Installs what is missing: Chromium from Debian, playwright-core from npm.
set -euo pipefail
cd "$(dirname "$0")/../.."
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }
missing=()
command -v chromium > /dev/null || missing+=(chromium)
command -v node > /dev/null || missing+=(nodejs npm)
fc-list :lang=ko 2> /dev/null | grep -q . || missing+=(fonts-noto-cjk)
if [ ${#missing[@]} -gt 0 ]; then
    as_root apt-get update -qq
    as_root apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
modules=target/guide-node
[ -d $modules/node_modules/playwright-core ] ||
    npm install --silent --no-audit --no-fund --prefix $modules playwright-core@1.65.1
cargo test --release --test guide_browser -- --include-ignored --nocapture
