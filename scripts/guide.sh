#!/usr/bin/env bash
# Makes the guide's pages, assets/guide/index.html (Korean) and en.html, from scripts/guide: in a second.
#
#     python3 -m pip install -r scripts/guide/requirements.txt
#     scripts/guide.sh
#
# Before that it makes again what the pages show, where it is asked to:
#
#     --facts     what our programs print, their numbers and pictures: scripts/guide/facts.json
#     --pytorch   what scripts/post.py prints, with PyTorch: scripts/guide/post.txt
#     --module    candle.js, candle as WebAssembly: rustup target add wasm32-unknown-unknown
set -euo pipefail
cd "$(dirname "$0")/.."

facts() { cargo test --release --test guide -- --ignored --exact facts_for_the_page; }

# The program leaves its picture in the folder where it runs.
pytorch() {
    local post=$PWD/scripts/post.py out=$PWD/scripts/guide/post.txt scratch
    scratch=$(mktemp -d)
    (cd "$scratch" && python3 "$post" > "$out")
    rm -r "$scratch"
}

module() {
    local target=wasm32-unknown-unknown flags='--cfg getrandom_backend="wasm_js"'
    # With the versions of the project's lock file.
    cp Cargo.lock scripts/guide/Cargo.lock
    local build=(rustc --release --target $target --manifest-path scripts/guide/Cargo.toml --target-dir target/guide)
    if [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
        RUSTFLAGS=$flags cargo "${build[@]}" -- -C strip=symbols
    elif [ -d /usr/share/doc/rust-web-src ]; then
        # Debian: apt-get install --no-install-recommends rustc-web cargo-web rust-web-src lld
        RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTFLAGS="-C linker=wasm-ld $flags" \
            /usr/bin/cargo "${build[@]}" -Z build-std=std,panic_abort -- -C strip=symbols
    else
        echo "error: --module: Rust cannot build for $target here: rustup target add $target" >&2
        exit 1
    fi
    python3 scripts/guide/make.py "target/guide/$target/release/guide_wasm.wasm"
}

for switch in "$@"; do
    case $switch in
        --facts | --pytorch | --module) "${switch#--}" ;;
        *) echo "error: $switch: --facts, --pytorch and --module are known" >&2 && exit 2 ;;
    esac
done
python3 scripts/guide/make.py
