#!/usr/bin/env bash
# Draws the README's pictures again.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cargo run --release -- --quiet --out "$scratch"
cp "$scratch"/{sine,overlay,loss}.png assets/
cargo run --release -- --quiet --out "$scratch" --learning-rate 6e-6
cp "$scratch/overlay.png" assets/overlay-converged.png
