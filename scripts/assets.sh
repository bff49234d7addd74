#!/usr/bin/env bash
# Draws the READMEs' pictures again.
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cargo run --release -- --quiet --animate --out "$scratch"
cp "$scratch/fit.png" assets/
cargo run --release -- --quiet --animate --out "$scratch" --learning-rate 6e-6
cp "$scratch/fit.png" assets/fit-converged.png
