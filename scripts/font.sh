#!/usr/bin/env bash
# Makes assets/font/DejaVuSans.ttf: matplotlib's default font, cut down to what the figures write.
#   python3 -m pip install fonttools==4.68.0 matplotlib==3.11.2
#   scripts/font.sh
set -euo pipefail
cd "$(dirname "$0")/.."
fonts=$(python3 -c 'import matplotlib, pathlib; print(pathlib.Path(matplotlib.get_data_path(), "fonts/ttf"))')
# ASCII, Latin-1, Greek, superscripts, the minus sign and the multiplication signs.
python3 -m fontTools.subset "$fonts/DejaVuSans.ttf" --output-file=assets/font/DejaVuSans.ttf \
  --unicodes=U+20-7E,U+A0-FF,U+391-3C9,U+2070-207B,U+2212,U+22C5 --no-hinting --desubroutinize \
  --layout-features=kern --name-IDs='*'
cp "$fonts/LICENSE_DEJAVU" assets/font/LICENSE
