#!/usr/bin/env bash
# Makes assets/audit.md, the card of `candle-sine audit`.
set -euo pipefail
cd "$(dirname "$0")/.."
cargo run --release --quiet -- audit --markdown assets/audit.md
