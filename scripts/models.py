#!/usr/bin/env python3
"""Writes assets/models.md: which of candle-transformers' models train, where the others are cut, and which of them
train with the candle-nn that scripts/trainable.py makes.

    scripts/models.py                       # the whole page
    scripts/models.py --check llama vit     # whether the page says of these what is found now

Three builds of scripts/models: with the crates as published, which says what autograd gives; with a candle-core that
also prints where a tensor in the graph goes into one that is not; and with that and the cured candle-nn, where central
differences (in f64 where the model runs in it) tell what is true. Progress goes to stderr. Python's standard library
and cargo.
"""
import argparse
import collections
import concurrent.futures
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))
import trainable  # noqa: E402

PAGE = ROOT / "assets" / "models.md"
TARGET = ROOT / "target" / "models"

# Seconds for one model in one build; what takes longer is named on the page, without figures.
LIMIT = 300

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
    ("tensor.rs", "detach", "self"),  # not of a variable, as BatchNorm does with its statistics
    ("tensor.rs", "to_scalar", "self"),
    ("tensor.rs", "to_vec1", "self"),
    ("tensor.rs", "to_vec2", "self"),
    ("tensor.rs", "to_vec3", "self"),
    ("tensor.rs", "storage_and_layout", "self"),
]

TELL = """
/// Prints which function of candle was called with a tensor of the graph, and at which line of which model.
pub(crate) fn leaves_the_graph(function: &str) {
    if std::env::var_os("LEAVES").is_none() {
        return;
    }
    let trace = std::backtrace::Backtrace::force_capture().to_string();
    let lines: Vec<&str> = trace.lines().map(str::trim).collect();
    let Some(model) = lines.iter().position(|l| l.contains("/src/models/") && !l.contains("with_tracing.rs")) else { return };
    let nn = lines[..model].iter().rfind(|l| l.contains("candle_nn::")).unwrap_or(&"");
    let at = lines[model].rsplit("/src/models/").next().unwrap_or_default();
    println!("leaves\\t{function}\\t{nn}\\t{at}");
}
"""


def traced(folder):
    """A candle-core that prints where the graph is left."""
    source = trainable.registry("candle-core")
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("tests", "benches", "examples"))
    manifest = folder / "Cargo.toml"
    manifest.write_text(trainable.without_targets(manifest.read_text()))
    for file, function, inputs in LEAVES:
        path = folder / "src" / file
        text = path.read_text()
        tracked = " || ".join(f"{i}.track_op()" for i in inputs.split())
        if function == "detach":
            tracked = "self.op.is_some()"
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


def build(label, patches):
    """scripts/models with these crates in the place of the published ones."""
    package = ROOT / "scripts" / "models"
    shutil.copy(ROOT / "Cargo.lock", package / "Cargo.lock")
    cargo = ["cargo", "build", "--release", "--quiet", "--manifest-path", str(package / "Cargo.toml")]
    cargo += ["--target-dir", str(TARGET)]
    for crate, folder in patches.items():
        cargo += ["--config", f"patch.crates-io.{crate}.path='{folder}'"]
    if patches:
        cargo += ["--config", "profile.release.debug='line-tables-only'"]
    print(f"building with {', '.join(patches) or 'the crates as published'}", file=sys.stderr)
    if subprocess.run(cargo).returncode:
        raise trainable.Refused("scripts/models could not be built, see above")
    return shutil.copy(TARGET / "release" / "models", TARGET / label)


def run(binary, flags, *model):
    """What it prints of this model, line by line; that it took too long, where it did."""
    # Models run side by side. Without this variable candle reads /proc/cpuinfo at each product of matrices.
    env = {**os.environ, "RAYON_NUM_THREADS": "1"} | ({"LEAVES": "1"} if "--forward" in flags else {})
    try:
        done = subprocess.run([binary, *flags, *model], stdout=subprocess.PIPE, text=True, env=env, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        print(f"{model[0]}: stopped after {LIMIT} s", file=sys.stderr)
        return [["late", *model]]
    if done.returncode:
        raise trainable.Refused("scripts/models could not be run, see above")
    return [line.split("\t") for line in done.stdout.splitlines()]


Tensor = collections.namedtuple("Tensor", "norm says along")
LATE = f"not finished in {LIMIT // 60} minutes"


class Found:
    """What one build says: of each model its loss, its tensors, and why it failed if it did."""

    def __init__(self, lines):
        self.files, self.losses, self.tensors, self.errors = {}, {}, collections.defaultdict(dict), {}
        for kind, model, *rest in lines:
            if kind == "tensor":
                name, _, norm, says, *along = rest
                along = [tuple(map(float, triple.split())) for triple in along]
                self.tensors[model][name] = Tensor(0.0 if norm == "none" else float(norm), says, along)
            elif kind == "error":
                self.files[model], self.errors[model] = rest
            elif kind == "late":
                self.errors[model] = LATE
            elif kind == "model":
                self.files[model], self.losses[model] = rest[0], float(rest[1])


def verdict(autograd, truth, loss):
    """What is true of autograd's gradient of a tensor: along three directions of random signs, beside the central
    differences and their errors. Which error of the whole they see: 0.3%, or 5% where only f32 could be had."""
    numeric = [(n, e) for _, n, e in truth.along]
    if all(abs(n) <= 4 * e + 1e-9 * loss for n, e in numeric):
        small = autograd.norm <= 1e-5 * loss + 4 * max(e for _, e in numeric)
        return "wrong" if not small else "unread" if all(n == 0 for n, _ in numeric) else "right"
    if autograd.norm == 0:
        return "cut"
    size = max(max(abs(a), abs(n)) for (a, *_), (n, _) in zip(autograd.along, numeric))
    seen = 3e-3 if max(e for _, e in numeric) < 1e-4 * size else 5e-2
    apart = [abs(a - n) > 4 * e + seen * size for (a, *_), (n, e) in zip(autograd.along, numeric)]
    # Where only f32 can be had a kink can spoil one direction, and its error not show it.
    if any(apart):
        return "wrong" if seen < 1e-2 or sum(apart) > 1 else "undecided"
    return "right" if 4 * max(e for _, e in numeric) < 0.3 * size else "undecided"


def count(found, truth, model):
    """How many tensors of the model are right, cut, wrong, by the truth of the third build."""
    loss = truth.losses[model]
    each = [verdict(t, truth.tensors[model][name], loss) for name, t in found.tensors[model].items()]
    return collections.Counter(each)


OPERATIONS = {"SoftmaxLastDim": "softmax_last_dim", "RmsNorm": "rms_norm", "LayerNorm": "layer_norm", "RotaryEmbI": "rope_i",
              "RotaryEmbThd": "rope_thd", "RotaryEmb": "rope"}
OTHERS = {"storage_and_layout": "flash_attn", "apply_op3_no_bwd": "its own operation"}


def leaves(lines):
    """Of each model the functions that leave the graph, with the lines that call them."""
    at, model = collections.defaultdict(lambda: collections.defaultdict(set)), None
    for kind, *rest in lines:
        if kind == "model":
            model = rest[0]
            at[model] = collections.defaultdict(set)
        elif kind == "leaves" and model:
            function, nn, place = rest
            operation = re.search("|".join(OPERATIONS), nn)
            function = OPERATIONS[operation[0]] if operation else OTHERS.get(function, function)
            file, line, _ = place.split(":")
            at[model][function].add((file, int(line)))
    return at


def places(functions):
    """`rope` llama.rs:267; `detach` ..."""
    def one(function):
        files = collections.defaultdict(list)
        for file, line in sorted(functions[function]):
            files[file].append(str(line))
        return f"`{function}` " + ", ".join(f"{file}:{', '.join(lines)}" for file, lines in files.items())
    return "; ".join(map(one, sorted(functions)))


def asked(binaries, model):
    """Of one model: autograd and gradcheck as published, where the graph is left without and with the cure, the truth."""
    published, traced, cured = binaries
    kinds = [(published, []), (traced, ["--forward"]), (cured, ["--forward"]), (cured, ["--no-check", "--truth"])]
    lines = []
    for binary, flags in kinds:
        late = ["late", model] in sum(lines, [])
        lines.append([] if late else run(binary, flags, model))
    return lines


def rows(names):
    """A line of the table for each model, and what they sum to."""
    TARGET.mkdir(parents=True, exist_ok=True)
    # Named by what is changed in them: what is there already need not be built again.
    version = hashlib.sha256(repr((LEAVES, TELL, trainable.CURES, trainable.MORE)).encode())
    cured, core = (TARGET / f"{crate}-{version.hexdigest()[:8]}" for crate in ("candle-nn", "candle-core"))
    if not cured.exists():
        trainable.copy(trainable.registry(), cured)
    if not core.exists():
        traced(core)
    binaries = [build("published", {}), build("traced", {"candle-core": core})]
    binaries.append(build("cured", {"candle-core": core, "candle-nn": cured}))
    files = dict(run(binaries[0], ["--list"]))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        found = zip(*pool.map(lambda model: asked(binaries, model), names or files))
        published, where, left, truth = [sum(lines, []) for lines in found]
    published, where, left, truth = Found(published), leaves(where), leaves(left), Found(truth)
    table, sums = {}, collections.Counter()
    for model in names or files:
        file = files[model]
        error = published.errors.get(model) or model in truth.errors and f"with the cure: {truth.errors[model]}"
        if error:
            table[model] = f"| {model} | {file} | {error} |"
            sums["errors"] += 1
            continue
        before, after = count(published, truth, model), count(truth, truth, model)
        tensors = sum(before.values()) - before["unread"]
        if 4 * before["undecided"] > tensors:
            open_ = f"the differences leave {before['undecided']} of {tensors} tensors undecided"
            table[model] = f"| {model} | {file} | {open_} |"
            continue
        says = agreement(published, truth, model)
        sums.update(says, compared=bool(says))
        sums.update(models=1, tensors=tensors, trains=before["right"] == tensors, cured=after["right"] == tensors)
        right = [str(n["right"]) + (f" ({n['undecided']} undecided)" if n["undecided"] else "") for n in (before, after)]
        cells = [model, file, tensors, right[0], before["cut"], before["wrong"], places(where[model]) or "-", right[1],
                 places(left[model]) if after["right"] != tensors else ""]
        table[model] = "| " + " | ".join(map(str, cells)) + " |"
    return table, sums


def agreement(found, truth, model):
    """How gradcheck's verdicts on the published model stand to the truth."""
    sums = collections.Counter()
    for name, tensor in found.tensors[model].items():
        true = verdict(tensor, truth.tensors[model][name], truth.losses[model])
        says = tensor.says.split(",")[0]
        if true in ("right", "cut", "wrong") and says != "-":
            wanted = {"right": ("pass",), "cut": ("severed",), "wrong": ("wrong", "severed")}[true]
            kind = "agree" if says in wanted else "open" if says == "inconclusive" else f"says {says} where {true}"
            sums[kind] += 1
            if kind.startswith("says"):
                print(f"{model}: {name}: gradcheck {kind}", file=sys.stderr)
    return sums


HEAD = """# Which of candle-transformers' models train

{models} models of [candle-transformers](https://github.com/huggingface/candle/tree/main/candle-transformers) {version},
as published: small configurations, built from a `VarMap`, f32, on the CPU, the loss a mean square. **{trains} of them get
a right gradient for every tensor. With the candle-nn that [scripts/trainable.py](../scripts/trainable.py) makes, {cured} do.**
No error tells. A tensor is *cut* if autograd gives it no gradient, or zeros, though the loss depends on it; *wrong* if
the gradient is another than the derivative, mostly since a branch is cut and only the way around it counts; all others
are *right*. Where the graph is left, with the line of the model's file, is what a copy of candle-core printed that looks
for tensors of the graph going into what has no backward pass.

What is true was found without gradcheck: central differences over shrinking steps, each tensor along three directions of
random signs, in f64 where the model runs in it. They see an error of 0.3% of the whole gradient, of 5% where something
in the model is in f32 alone; in a model of over 100,000 numbers all tensors may be moved at once, which sees 20% of one.
{said}

[scripts/models](../scripts/models) holds the models, a few lines each; `scripts/models.py` writes this page in one run.

| model | file | tensors | right | cut | wrong | where the graph is left | right with the cure | where it still is |
|---|---|---:|---:|---:|---:|---|---:|---|
"""

TAIL = """
## Without figures

| model | file | backward's error, or why else |
|---|---|---|
{errors}

## What this does not say

A loss of the output, without labels; no dropout, no caches from an earlier call, one batch; one drawing of the values.
Tensors that the loss does not reach are not counted. Other lines of a model's file may leave the graph too: those for a
GPU, for f16, for another configuration.

Not here: quantized models; rwkv v7, fastvit and mobileclip, which cannot be built from an empty `VarMap` (the first asks
for tensors that may be missing, the others get all optional layers at once); hiera, vgg, yi, mpt, csm, nvembed v2, eva2,
tiny vit and stable diffusion's text encoder, whose configurations are fixed or cannot be made small; llava, whose parts
are here; stable diffusion 3's time step, which is f16 alone (the rest is here); metavoice's speaker and wuerstchen's prior,
which divide by numbers near 0 here; efficientvit, which needs 224 pixels. *Undecided* is what the differences do not tell.
"""


def page(table, sums):
    """The page's text."""
    apart = {kind: n for kind, n in sums.items() if kind.startswith("says")}
    compared = sums["agree"] + sums["open"] + sum(apart.values())
    said = f"`gradcheck::model`, with its default seed, says the same of {sums['agree']} of {compared} tensors"
    said += f" in the {sums['compared']} models that it was run on"
    said += f" and leaves {sums['open']} open" + "".join(f"; it {kind}: {n}" for kind, n in sorted(apart.items())) + "."
    errors = [row for row in table.values() if row.count("|") == 4]
    rest = [row for row in table.values() if row.count("|") > 4]
    head = HEAD.format(version=trainable.VERSION, said=said, **{key: sums[key] for key in ("models", "trains", "cured")})
    return head + "\n".join(rest) + "\n" + TAIL.format(errors="\n".join(errors))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", nargs="+", metavar="MODEL", default=[])
    asked = parser.parse_args()
    try:
        table, sums = rows(asked.check)
        if not asked.check:
            PAGE.write_text(page(table, sums), encoding="utf-8")
            return 0
        said = PAGE.read_text(encoding="utf-8").splitlines()
    except (trainable.Refused, OSError) as error:
        print(f"models.py: {error}", file=sys.stderr)
        return 2
    for row in table.values():
        if row not in said:
            print(f"models.py: {PAGE.name} does not say: {row}", file=sys.stderr)
    return int(any(row not in said for row in table.values()))


if __name__ == "__main__":
    sys.exit(main())
