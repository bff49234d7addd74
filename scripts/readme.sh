#!/usr/bin/env bash
# Writes the READMEs' table of candle's silent defects again: the audit's record, in the words of
# scripts/before_you_train.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
WRITE=1 cargo test --release --quiet --test readme the_table_is_what_the_record_gives
