#!/usr/bin/env python3
"""Writes assets/models.md: which of candle-transformers' models train, where the others are cut, and which of them
train with the candle-nn that scripts/trainable.py makes.

    scripts/models.py                       # the whole page, in some minutes
    scripts/models.py --check llama vit     # whether the page says of these what is found now

Three builds of scripts/models: with the crates as published, which says what autograd gives; with a candle-core that
also prints where a tensor in the graph goes into one that is not; and with that and the cured candle-nn, where central
differences (in f64 where the model runs in it) tell what is true. Progress goes to stderr. Python's standard library
and cargo.
"""
import argparse
import collections
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import trainable  # noqa: E402

PAGE = ROOT / "assets" / "models.md"
TARGET = ROOT / "target"

# Where candle-core can leave the graph: file, function, what is cut when it is tracked.
LEAVES = [
    ("custom_op.rs", "apply_op1_no_bwd", "self"),
    ("custom_op.rs", "apply_op2_no_bwd", "self rhs"),
    ("custom_op.rs", "apply_op3_no_bwd", "self t2 t3"),
    ("custom_op.rs", "inplace_op1", "self"),
    ("custom_op.rs", "inplace_op2", "self rhs"),
    ("custom_op.rs", "inplace_op3", "self t2 t3"),
    ("tensor_cat.rs", "slice_set", "src"),
    ("tensor.rs", "scatter_set", "source"),
    ("tensor.rs", "scatter_add_set", "source"),
    ("tensor.rs", "detach", "self"),
    ("tensor.rs", "to_scalar", "self"),
    ("tensor.rs", "to_vec1", "self"),
    ("tensor.rs", "to_vec2", "self"),
    ("tensor.rs", "to_vec3", "self"),
    ("tensor.rs", "storage_and_layout", "self"),
]

TELL = """
/// Prints which function of candle was called with a tensor of the graph, and at which line of which model.
pub(crate) fn leaves_the_graph(function: &str) {
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    let lines: Vec<&str> = trace.lines().map(str::trim).collect();
    let Some(model) = lines.iter().position(|l| l.contains("/src/models/")) else { return };
    let nn = lines[..model].iter().rfind(|l| l.contains("candle_nn::")).unwrap_or(&"");
    let at = lines[model].rsplit("/src/models/").next().unwrap_or_default();
    println!("leaves\\t{function}\\t{nn}\\t{at}");
}
"""


def traced(folder):
    """A candle-core that prints where the graph is left."""
    source = trainable.registry("candle-core")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("tests", "benches", "examples"))
    manifest = folder / "Cargo.toml"
    manifest.write_text(trainable.without_targets(manifest.read_text()))
    for file, function, inputs in LEAVES:
        path = folder / "src" / file
        text = path.read_text()
        tracked = " || ".join(f"{i}.track_op()" for i in inputs.split())
        if "no_bwd" in function:
            # What gives integers, such as an order, has no gradient to lose.
            tracked = f"storage.dtype().is_float() && ({tracked})"
            pattern = rf"(pub fn {function}\b.*?)(\n        Ok\()"
        else:
            pattern = rf"(pub fn {function}\b[^{{]*\{{)()"
        tell = f'\n        if {tracked} {{ crate::leaves_the_graph("{function}"); }}'
        text, found = re.subn(pattern, lambda m: m[1] + tell + m[2], text, count=1, flags=re.S)
        if found != 1:
            raise trainable.Refused(f"{path}: no function {function}")
        path.write_text(text)
    lib = folder / "src" / "lib.rs"
    lib.write_text(lib.read_text() + TELL)


def run(patches, flags, names):
    """The lines that scripts/models prints with these crates in the place of the published ones."""
    shutil.copy(ROOT / "Cargo.lock", ROOT / "scripts" / "models" / "Cargo.lock")
    cargo = ["cargo", "run", "--release", "--quiet", "--manifest-path", str(ROOT / "scripts" / "models" / "Cargo.toml")]
    cargo += ["--target-dir", str(TARGET)]
    for crate, folder in patches.items():
        cargo += ["--config", f'patch.crates-io.{crate}.path="{folder}"']
    if patches:
        cargo += ["--config", 'profile.release.debug="line-tables-only"']
    done = subprocess.run(cargo + ["--"] + flags + names, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise trainable.Refused("scripts/models could not be built or run, see above")
    return [line.split("\t") for line in done.stdout.splitlines()]
