#!/usr/bin/env bash
# Makes the guide again: assets/guide/index.html (Korean), en.html, and candle.js, which both load.
#
#     python3 -m pip install -r scripts/guide/requirements.txt
#     rustup target add wasm32-unknown-unknown
#     scripts/guide.sh
#
# Without rustup, Debian's packages can build the standard library for the browser:
#
#     apt-get install --no-install-recommends rustc-web cargo-web rust-web-src lld
#
# Whoever only reads or tests the page needs none of this.
set -euo pipefail
cd "$(dirname "$0")/.."
target=wasm32-unknown-unknown
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# The module, with the versions of the project's lock file.
cp Cargo.lock scripts/guide/Cargo.lock
build=(rustc --release --target "$target" --manifest-path scripts/guide/Cargo.toml --target-dir target/guide)
flags='--cfg getrandom_backend="wasm_js"'
if [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    RUSTFLAGS=$flags cargo "${build[@]}" -- -C strip=symbols
else
    RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTFLAGS="-C linker=wasm-ld $flags" \
        /usr/bin/cargo "${build[@]}" -Z build-std=std,panic_abort -- -C strip=symbols
fi

# What the programs print, and their pictures; PyTorch's program prints into a folder of its own.
FACTS="$scratch/facts.json" cargo test --release --test guide -- --ignored --exact facts_for_the_page
post=$PWD/scripts/post.py
(cd "$scratch" && python3 "$post" > post.txt)

python3 scripts/guide/make.py "$scratch/facts.json" "$scratch/post.txt" "target/guide/$target/release/guide_wasm.wasm"
