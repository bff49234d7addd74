#!/usr/bin/env python3
"""Your candle model does not learn? This makes a copy of candle-nn whose fast functions have gradients.

    scripts/trainable.py FOLDER [--no-check]

softmax_last_dim, rms_norm, layer_norm, rope, rope_i and rope_thd give their input no gradient in candle-nn 0.11.1,
and no error either. FOLDER becomes a copy of the candle-nn in cargo's registry in which these six have a backward
pass. They compute their values as before. Then gradcheck compares the gradients of all six with numeric derivatives,
and they are timed (--no-check leaves that out). Last come three lines for your Cargo.toml.

Python's standard library and cargo; no network where a project with candle has been built before.
Exit: 0 done, 1 a function fails the check, 2 it could not be done.
"""
import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

VERSION = "0.11.1"
HERE = pathlib.Path(__file__).resolve().parent

def rope(name, heads, interleaved):
    """What a rope gets: its gradient is turned back by the same angles."""
    return (f"""
    if cos.track_op() || sin.track_op() {{
        return rope_trainable(xs, cos, sin, {heads}, {interleaved});
    }}""", f"""
    fn bwd(
        &self,
        _: &Tensor,
        cos: &Tensor,
        sin: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {{
        Ok((Some({name}(&grad.contiguous()?, cos, &sin.neg()?)?), None, None))
    }}
""")


# File, function, the hash of its text, the operation that it applies, lines that go before that, the operation's bwd.
CURES = [
    ("ops.rs", "softmax_last_dim", "cfa2109397852acf", "SoftmaxLastDim", "", """
    fn bwd(&self, _xs: &Tensor, ys: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let product = (grad * ys)?;
        Ok(Some((&product - ys.broadcast_mul(&product.sum_keepdim(D::Minus1)?)?)?))
    }
"""),
    ("ops.rs", "rms_norm", "b5086684103a45b9", "RmsNorm", """
    if xs.dtype() == DType::F64 {
        return rms_norm_slow(xs, alpha, eps);
    }""", """
    fn bwd(&self, xs: &Tensor, alpha: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (xs, alpha) = norm_bwd(xs, alpha, grad, self.eps, false)?;
        Ok((Some(xs), Some(alpha)))
    }
"""),
    ("ops.rs", "layer_norm", "39be1aecd90dcedf", "LayerNorm", """
    if xs.dtype() == DType::F64 {
        return layer_norm_slow(xs, alpha, beta, eps);
    }""", """
    fn bwd(
        &self,
        xs: &Tensor,
        alpha: &Tensor,
        beta: &Tensor,
        _: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (xs, alpha) = norm_bwd(xs, alpha, grad, self.eps, true)?;
        let beta = grad.reshape(((), beta.dim(0)?))?.sum(0)?;
        Ok((Some(xs), Some(alpha), Some(beta)))
    }
"""),
    ("rotary_emb.rs", "rope", "8c1258ec17962d62", "RotaryEmb", *rope("rope", 1, "false")),
    ("rotary_emb.rs", "rope_i", "8cb01465c0676172", "RotaryEmbI", *rope("rope_i", 1, "true")),
    ("rotary_emb.rs", "rope_thd", "741054d26c264ed3", "RotaryEmbThd", *rope("rope_thd", 2, "false")),
]

# Appended to the file.
MORE = {
    "ops.rs": """
/// With n the normalised input: its gradient is (g - mean(g) - n mean(g n)) / deviation, of g = grad alpha (the mean
/// of g is left out where none was subtracted), and alpha's is the sum of grad n over all rows.
fn norm_bwd(xs: &Tensor, alpha: &Tensor, grad: &Tensor, eps: f32, remove_mean: bool) -> Result<(Tensor, Tensor)> {
    let dtype = xs.dtype();
    let single = |t: &Tensor| t.to_dtype(DType::F32);
    let (mut xs, alpha, grad) = (single(xs)?, single(alpha)?, single(grad)?);
    if remove_mean {
        xs = xs.broadcast_sub(&xs.mean_keepdim(D::Minus1)?)?;
    }
    let scale = (xs.sqr()?.mean_keepdim(D::Minus1)? + eps as f64)?.sqrt()?.recip()?;
    let normed = xs.broadcast_mul(&scale)?;
    let grad_alpha = (&grad * &normed)?.reshape(((), alpha.dim(0)?))?.sum(0)?;
    let mut grad = grad.broadcast_mul(&alpha)?;
    let along = (&grad * &normed)?.mean_keepdim(D::Minus1)?;
    if remove_mean {
        grad = grad.broadcast_sub(&grad.mean_keepdim(D::Minus1)?)?;
    }
    let grad_xs = (grad - normed.broadcast_mul(&along)?)?.broadcast_mul(&scale)?;
    Ok((grad_xs.to_dtype(dtype)?, grad_alpha.to_dtype(dtype)?))
}
""",
    # candle's own rope_slow and rope_i_slow take one table for the whole batch; the fast ones also one a sequence.
    "rotary_emb.rs": """
/// Rotary embeddings from operations that have gradients, for tables that are trained themselves; `heads` is the
/// dimension of the heads in `xs`.
fn rope_trainable(xs: &Tensor, cos: &Tensor, sin: &Tensor, heads: usize, interleaved: bool) -> Result<Tensor> {
    let (b, m, n, d) = xs.dims4()?;
    let (seq_len, half) = (xs.dim(3 - heads)?, d / 2);
    let table = |cs: &Tensor| {
        let cs = cs.narrow(cs.rank() - 2, 0, seq_len)?;
        cs.reshape(((), seq_len, half))?.unsqueeze(heads)
    };
    let (cos, sin) = (table(cos)?, table(sin)?);
    let (pairs, dim) = if interleaved { ((b, m, n, half, 2), 4) } else { ((b, m, n, 2, half), 3) };
    let pairs = xs.reshape(pairs)?;
    let (x0, x1) = (pairs.narrow(dim, 0, 1)?.squeeze(dim)?, pairs.narrow(dim, 1, 1)?.squeeze(dim)?);
    let y0 = (x0.broadcast_mul(&cos)? - x1.broadcast_mul(&sin)?)?;
    let y1 = (x0.broadcast_mul(&sin)? + x1.broadcast_mul(&cos)?)?;
    Tensor::stack(&[y0, y1], dim)?.reshape((b, m, n, d))
}
""",
}


class Refused(Exception):
    """Why it could not be done, in one line."""


def registry(crate="candle-nn"):
    """The crate's folder in cargo's registry."""
    home = pathlib.Path(os.environ.get("CARGO_HOME") or pathlib.Path.home() / ".cargo")
    found = sorted(home.glob(f"registry/src/*/{crate}-{VERSION}"))
    if not found:
        others = sorted(p.name for p in home.glob(f"registry/src/*/{crate}-*"))
        have = f" (there: {', '.join(others)})" if others else ""
        raise Refused(f"no {crate} {VERSION} in {home}/registry/src{have}: run `cargo fetch` in a project that uses it")
    return found[-1]


def function(text, name):
    """From where to where the function of this name goes."""
    start = text.find(f"\npub fn {name}(") + 1
    end = text.find("\n}\n", start) + 3
    return (start, end) if start and end > 2 else (0, 0)


def cure(source):
    """The copy's changed files, by name."""
    texts = {file: (source / "src" / file).read_text(encoding="utf-8") for file in MORE}
    for file, name, known, operation, before, bwd in CURES:
        start, end = function(texts[file], name)
        body = texts[file][start:end]
        head = re.findall(rf"\nimpl candle::CustomOp[123] for {operation} \{{\n", texts[file])
        if hashlib.sha256(body.encode()).hexdigest()[:16] != known or len(head) != 1:
            raise Refused(f"{source}: {name} is not that of candle-nn {VERSION}, for which this was written")
        applied = re.sub(r"\n    xs\.apply_op([123])_no_bwd\((.*)&", rf"{before}\n    xs.apply_op\1(\2", body)
        texts[file] = texts[file].replace(body, applied).replace(head[0], head[0] + bwd.lstrip("\n") + "\n")
    return {file: text + MORE[file] for file, text in texts.items()}


def copy(source, folder):
    """The copy, complete or not there at all."""
    if folder.exists():
        raise Refused(f"{folder}: is there already; name a folder that is not")
    if not folder.parent.is_dir():
        raise Refused(f"{folder}: no such folder as {folder.parent}")
    texts = cure(source)
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".candle-nn-") as scratch:
            made = pathlib.Path(scratch) / "candle-nn"
            shutil.copytree(source, made, ignore=shutil.ignore_patterns(".cargo-ok", ".cargo_vcs_info.json", "tests", "benches", "examples"))
            manifest = made / "Cargo.toml"
            manifest.write_text(without_targets(manifest.read_text(encoding="utf-8")), encoding="utf-8")
            for file, text in texts.items():
                (made / "src" / file).write_text(text, encoding="utf-8")
            made.rename(folder)
    except OSError as error:
        raise Refused(f"{folder}: {error.strerror}") from error


def without_targets(manifest):
    """Without the tables of tests, benches and examples, whose files are not copied."""
    tables = manifest.split("\n[")
    keep = [t for t in tables if not t.startswith(("[test]]", "[bench]]", "[example]]"))]
    return "\n[".join(keep)


CHECK = """[package]
name = "trainable-check"
version = "0.0.0"
edition = "2024"
[workspace]
[[bin]]
name = "trainable-check"
path = {main}
[dependencies]
candle-core = "{version}"
candle-nn = "{version}"
candle-sine = {{ path = {sine}, default-features = false }}
[patch.crates-io]
candle-nn = {{ path = {folder} }}
"""


def check(folder):
    """gradcheck of the six, their values and times. Whether all is well."""
    quoted = lambda path: '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)
        (scratch / "Cargo.toml").write_text(
            CHECK.format(version=VERSION, sine=quoted(HERE.parent), folder=quoted(folder), main=quoted(HERE / "trainable.rs"))
        )
        shutil.copy(HERE.parent / "Cargo.lock", scratch / "Cargo.lock")
        cargo = ["cargo", "run", "--release", "--quiet", "--manifest-path", str(scratch / "Cargo.toml")]
        cargo += ["--target-dir", str(HERE.parent / "target" / "trainable")]
        print("building the check (some minutes the first time)", file=sys.stderr)
        for offline in (["--offline"], []):
            done = subprocess.run(cargo + offline, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            if done.returncode in (0, 1) and done.stdout:
                sys.stdout.write(done.stdout)
                return done.returncode == 0
    line = next((l for l in done.stderr.splitlines() if l.startswith("error")), "it did not say why")
    raise Refused(f"the check could not be built or run: {line}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", metavar="FOLDER", type=pathlib.Path)
    parser.add_argument("--no-check", action="store_true")
    asked = parser.parse_args()
    folder = asked.folder.absolute()
    try:
        copy(registry(), folder)
        well = asked.no_check or check(folder)
    except Refused as refused:
        print(f"trainable.py: {refused}", file=sys.stderr)
        return 2
    if not well:
        print(f"trainable.py: {folder}: not every function passed, see above", file=sys.stderr)
        return 1
    print(f"""
For your Cargo.toml:

# candle-nn {VERSION} with gradients for softmax_last_dim, rms_norm, layer_norm and the ropes
[patch.crates-io]
candle-nn = {{ path = "{folder}" }}""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
