#!/usr/bin/env python3
"""Measures candle-sine beside PyTorch, on one machine in one go.

    python3 -m pip install torch==2.15.0 matplotlib
    cargo build --release
    python3 scripts/bench_vs_pytorch.py training     # the five ways to the gradient; --write: into assets/ladder.md
    python3 scripts/bench_vs_pytorch.py gradcheck    # an MLP and a GPT, beside torch.autograd.gradcheck
    python3 scripts/bench_vs_pytorch.py faults       # which faults that finds: tests/data/gradcheck_pytorch.json

The contenders take turns. Of training a time is the least of all turns' medians, of gradcheck their median. A ratio
is that of two times.
"""

import argparse
import collections
import datetime
import json
import math
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
POST = (0.16425246, -0.34843335, -1.9400675, 0.820922)
WAYS = ["manual", "autograd", "optimizer", "fused", "normal"]
# What the simplest form of each way is to keep: points, ours, theirs, how many times as fast.
AIMS = [
    (1_000, "manual", "PyTorch eager", 6),
    (1_000_000, "manual", "PyTorch eager", 1),
    (1_000, "autograd", "PyTorch autograd + SGD", 3),
    (1_000, "fused", "PyTorch eager", 60),
    (1_000, "fused", "PyTorch torch.compile", 15),
    (1_000_000, "fused", "PyTorch torch.compile", 1),
    (10_000_000, "fused", "PyTorch torch.compile", 1),
]


def eager(x, y, rate):
    a, b, c, d = map(torch.tensor, POST)

    def epoch():
        nonlocal a, b, c, d
        y_pred = a * x**3 + b * x**2 + c * x + d
        loss = (y_pred - y).pow(2).sum().item()
        grad_y_pred = 2.0 * (y_pred - y)
        a -= rate * (grad_y_pred * x**3).sum()
        b -= rate * (grad_y_pred * x**2).sum()
        c -= rate * (grad_y_pred * x).sum()
        d -= rate * grad_y_pred.sum()
        return loss

    return epoch


def compiled(x, y, rate):
    weights = list(map(torch.tensor, POST))

    def step(x, y, a, b, c, d):
        error = a * x**3 + b * x**2 + c * x + d - y
        grad_y_pred = 2.0 * error
        a = a - rate * (grad_y_pred * x**3).sum()
        b = b - rate * (grad_y_pred * x**2).sum()
        c = c - rate * (grad_y_pred * x).sum()
        d = d - rate * grad_y_pred.sum()
        return error.pow(2).sum(), a, b, c, d

    # For this length alone, and not for any, as a second length would make it.
    torch._dynamo.reset()
    step = torch.compile(step, dynamic=False)

    def epoch():
        nonlocal weights
        loss, *weights = step(x, y, *weights)
        return loss.item()

    return epoch


def autograd(x, y, rate):
    weights = a, b, c, d = [torch.tensor(w, requires_grad=True) for w in POST]
    optimizer = torch.optim.SGD(weights, lr=rate)

    def epoch():
        y_pred = a * x**3 + b * x**2 + c * x + d
        loss = (y_pred - y).pow(2).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return epoch


THEIRS = {"PyTorch eager": eager, "PyTorch torch.compile": compiled, "PyTorch autograd + SGD": autograd}


def median_time(epoch):
    """In 0.6 seconds, over batches of some 2 ms, as benches/ladder.rs takes them."""
    for _ in range(3):
        epoch()
    times, batch, began = [], 1, time.perf_counter()
    while len(times) < 5 or time.perf_counter() - began < 0.6:
        start = time.perf_counter()
        for _ in range(batch):
            epoch()
        took = time.perf_counter() - start
        times.append(took / batch)
        batch = max(1, min(4 * batch, int(2e-3 * batch / took)))
    return statistics.median(times)


def build(bench):
    subprocess.run(["cargo", "bench", "-q", "--bench", bench, "--no-run"], cwd=ROOT, check=True)


def ours(bench, *args, **env):
    command = ["cargo", "bench", "-q", "--bench", bench, "--", *map(str, args)]
    return json.loads(subprocess.check_output(command, cwd=ROOT, env={**os.environ, **env}))


def measure(points, turns):
    """Every contender's seconds an epoch, a list entry a turn."""
    x = torch.linspace(-math.pi, math.pi, points)
    rate = 1e-3 / points
    theirs = {name: make(x, torch.sin(x), rate) for name, make in THEIRS.items()}
    seen = {name: [] for name in [*theirs, *WAYS, "normal, before the first"]}
    for turn in range(turns):
        for name, epoch in theirs.items():
            seen[name].append(median_time(epoch))
        for name, (epoch, setup) in ours("ladder", points, "json").items():
            seen[name].append(epoch)
            if name == "normal":
                seen["normal, before the first"].append(setup)
        print(f"N = {points}: turn {turn + 1} of {turns}", file=sys.stderr)
    return {name: min(times) for name, times in seen.items()}


def end_to_end(turns):
    """Seconds of both programs from start to end, plots included."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    commands = {"python": [sys.executable, ROOT / "scripts" / "post.py"], "candle-sine": [target / "release" / "candle-sine"]}
    seen = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as out:
        for _ in range(turns + 1):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, cwd=out, check=True, stdout=subprocess.DEVNULL)
                seen[name].append(time.perf_counter() - began)
    return {name: min(times) for name, times in seen.items()}


def text_of(seconds):
    for unit, name in [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")]:
        if seconds >= unit or unit == 1e-9:
            return f"{seconds / unit:.3g} {name}"


def table(rows):
    head, *rest = rows
    return "".join("| " + " | ".join(row) + " |\n" for row in [head, ["---"] * len(head), *rest])


def size(points):
    return f"N = {points:.0e}".replace("e+0", "e")


def setting():
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    cpu = [line for line in open("/proc/cpuinfo") if line.startswith("model name")][:1]
    return (
        f"{datetime.date.today()}, {git.stdout.strip()}; {''.join(cpu).split(': ')[-1].strip()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
    )


def report(times, whole):
    text = f"{setting()}; f32.\n\n"
    rows = [["an epoch", *map(size, times)]]
    for name in next(iter(times.values())):
        rows.append([name, *(text_of(seen[name]) for seen in times.values())])
    text += table(rows) + "\n"
    rows = [["", "aim", "measured"]]
    for points, way, other, aim in AIMS:
        if points in times:
            found = times[points][other] / times[points][way]
            rows.append([f"{way} and {other}, {size(points)}", f"{aim} times as fast", f"{found:.3g} times"])
    found = whole["python"] / whole["candle-sine"]
    seconds = f"{text_of(whole['candle-sine'])} and {text_of(whole['python'])}: {found:.3g} times"
    rows.append(["the whole program with its plots, and scripts/post.py", "20 times as fast", seconds])
    return text + table(rows)


def training(args):
    build("ladder")
    whole = end_to_end(args.turns)
    sizes = [int(float(n)) for n in args.points.split(",")]
    text = report({n: measure(n, args.turns) for n in sizes}, whole)
    print(text)
    if args.write:
        path = ROOT / "assets" / "ladder.md"
        before, rest = path.read_text().split("<!-- measured -->\n")
        _, after = rest.split("<!-- /measured -->")
        path.write_text(f"{before}<!-- measured -->\n{text}<!-- /measured -->{after}")


def load(path):
    """The f64 tensors of a safetensors file, by name."""
    data = bytearray(path.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    flat = torch.frombuffer(data[start:], dtype=torch.float64)
    header = json.loads(data[8:start])
    header.pop("__metadata__", None)
    places = {name: (t["shape"], [at // 8 for at in t["data_offsets"]]) for name, t in sorted(header.items())}
    return {name: flat[first:last].reshape(shape) for name, (shape, (first, last)) in places.items()}


class Spoilt(torch.autograd.Function):
    """The identity, its gradient times k."""

    @staticmethod
    def forward(ctx, x, k):
        ctx.k = k
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.k, None


def mlp(x, spoil=lambda bias: bias):
    """Of benches/gradcheck.rs."""

    def f(w1, b1, w2, b2):
        bias = spoil(b2.expand(len(x), -1).contiguous())
        return torch.tanh(torch.tanh(x @ w1.T + b1) @ w2.T + bias)

    return f


def one_entry(bias):
    k = torch.ones_like(bias)
    k[4, 44] += 1e-6
    return Spoilt.apply(bias, k)


def gpt(names, spoil=lambda w: w):
    """The loss of tests/common/gpt.rs, as a function of its parameters; spoil is done to one weight."""
    ids = torch.tensor([[1, 4, 2, 9, 0, 3], [7, 7, 1, 5, 10, 2]])
    targets = torch.tensor([4, 2, 9, 0, 3, 6, 7, 1, 5, 10, 2, 8])

    def f(*parameters):
        p = dict(zip(names, parameters))
        p["blocks.1.mlp.c_fc.weight"] = spoil(p["blocks.1.mlp.c_fc.weight"])
        linear = lambda x, at: F.linear(x, p[f"{at}.weight"], p[f"{at}.bias"])
        norm = lambda x, at: F.layer_norm(x, x.shape[-1:], p[f"{at}.weight"], p[f"{at}.bias"])
        heads = lambda x: x.unflatten(-1, (2, -1)).transpose(1, 2)
        x = p["wte.weight"][ids] + p["wpe.weight"]
        for at in ("blocks.0", "blocks.1"):
            q, k, v = map(heads, linear(norm(x, f"{at}.ln_1"), f"{at}.attn.c_attn").chunk(3, -1))
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + linear(y.transpose(1, 2).flatten(2), f"{at}.attn.c_proj")
            h = F.gelu(linear(norm(x, f"{at}.ln_2"), f"{at}.mlp.c_fc"), approximate="tanh")
            x = x + linear(h, f"{at}.mlp.c_proj")
        logits = F.linear(norm(x, "ln_f"), p["lm_head.weight"])
        return F.cross_entropy(logits.flatten(0, 1), targets)

    return f


def torch_says(f, inputs, fast=True):
    try:
        torch.autograd.gradcheck(f, inputs, fast_mode=fast)
        return "passes"
    except RuntimeError as error:
        return "fails: " + str(error).strip().split("\n")[0][:70]


def torch_seconds(f, inputs, fast=True):
    start = time.perf_counter()
    assert torch.autograd.gradcheck(f, inputs, fast_mode=fast)
    return time.perf_counter() - start


def central_error(f, inputs):
    """Of PyTorch's own derivative, central differences at its eps of 1e-6, in 68 elements of w1."""
    w1, *rest = (t.detach() for t in inputs)
    jacobian = torch.autograd.functional.jacobian(lambda w: f(w, *rest), w1).flatten(2)
    worst = 0.0
    for k in range(0, w1.numel(), 61):
        step = torch.zeros_like(w1)
        step.view(-1)[k] = 1e-6
        found = (f(w1 + step, *rest) - f(w1 - step, *rest)) / 2e-6
        worst = max(worst, (found - jacobian[..., k]).abs().max().item())
    return worst


def checks(turns):
    """Ours of the last turn, seconds of each turn, PyTorch's functions and inputs."""
    # Without RAYON_NUM_THREADS candle's matmul reads /proc/cpuinfo each time.
    cores = str(len(os.sched_getaffinity(0)))
    with tempfile.TemporaryDirectory() as out:
        path = pathlib.Path(out) / "values.safetensors"
        run, values = ours("gradcheck", path, RAYON_NUM_THREADS=cores), load(path)
    x, *w = (values.pop(f"mlp.{name}") for name in ("x", "w1", "b1", "w2", "b2"))
    w, p = ([t.requires_grad_() for t in inputs] for inputs in (w, values.values()))
    loss = gpt(values)(*p).item()
    assert abs(run["gpt"]["loss"] / loss - 1) < 1e-12, (run["gpt"]["loss"], loss)
    torch_seconds(mlp(x), w)
    torch_seconds(gpt(values), p)
    seen = collections.defaultdict(list)
    for turn in range(turns):
        seen["MLP: PyTorch, slow mode"].append(torch_seconds(mlp(x), w, fast=False))
        seen["MLP: PyTorch, fast mode"].append(torch_seconds(mlp(x), w))
        seen["GPT: PyTorch, fast mode, f64"].append(torch_seconds(gpt(values), p))
        run = ours("gradcheck", RAYON_NUM_THREADS=cores)
        for name in ("full", "fast", "fast, with probes"):
            seen[f"MLP: {name}"].append(run["mlp"][name])
        for name in ("f64", "f32"):
            seen[f"GPT: by name, {name}"].append(run["gpt"][name])
        print(f"turn {turn + 1} of {turns}", file=sys.stderr)
    return run, seen, (x, w), (values, p)


def gradcheck(args):
    build("gradcheck")
    warnings.simplefilter("ignore")  # torch says at each input that f32 will not do
    # Its best: on matrices this small a second thread only waits, up to hundreds of times as long where cores are busy.
    torch.set_num_threads(1)
    # Where fast mode fails, PyTorch runs slow mode to say where: minutes for each fault of the GPT, and not asked for.
    sys.modules["torch.autograd.gradcheck"]._run_slow_mode_and_get_error = lambda *_: ""
    run, seen, (x, w), (names, p) = checks(args.turns)
    print(setting() + "\n")
    rows = [[name, text_of(statistics.median(times))] for name, times in sorted(seen.items())]
    print(table([["check", "median"], *rows]))
    print("MLP, calls of f: full {}, fast {}".format(*run["mlp"]["calls"]))
    print(f"MLP, the derivative's largest error: full {run['mlp']['differs by']:.0e}, PyTorch {central_error(mlp(x), w):.0e}")
    single = [t.detach().float().requires_grad_() for t in p]
    print(f"GPT in f32, right: PyTorch {torch_says(gpt(names), single)}\n")
    said = [torch_says(mlp(x, one_entry), w, fast) for fast in (False, True)]
    said += [run["mlp"]["fault"][mode] for mode in ("full", "fast")]
    head = ["MLP", "PyTorch, slow mode", "PyTorch, fast mode", "full", "fast"]
    print(table([head, ["one entry off by 1e-6", *said]]))
    rows = [["GPT, blocks.1.mlp.c_fc.weight", "PyTorch, fast mode, f64", "by name, f64", "by name, f32"]]
    for name, k in [("cut", None), ("doubled", 2.0), ("scaled by 1.01", 1.01), ("scaled by 1.001", 1.001)]:
        spoil = (lambda w: w.detach()) if k is None else (lambda w: Spoilt.apply(w, k))
        rows.append([name, torch_says(gpt(names, spoil), p), *run["gpt"]["faults"][name]])
    print(table(rows))


# The functions, inputs and faults of tests/gradcheck_faults: a fault scales, cuts or spoils the gradient of input 0.
M, M2 = torch.tensor([[[0.3, -1.2, 0.7], [2.1, 0.4, -0.45]], [[-0.8, 0.6, 1.7], [0.9, -1.1, 0.55]]], dtype=torch.float64)
ABOVE_0 = M**2 + 0.3


def rms(x, w):
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-5) * w


def layer_norm(x):
    c = x - x.mean(-1, keepdim=True)
    return c / torch.sqrt((c**2).mean(-1, keepdim=True) + 1e-5)


FUNCTIONS = {
    "square": (lambda x: x**2, [M]),
    "exp": (torch.exp, [M]),
    "tanh": (torch.tanh, [M]),
    "sigmoid": (torch.sigmoid, [M]),
    "log": (torch.log, [ABOVE_0]),
    "sqrt": (torch.sqrt, [ABOVE_0]),
    "recip": (torch.reciprocal, [M]),
    "mul": (lambda a, b: a * b, [M, M2]),
    "div": (lambda a, b: a / b, [M, M2]),
    "fma": (lambda a, b, c: a * b + c, [M, M2, M - M2]),
    "sum dim 1": (lambda x: x.sum(1), [M]),
    "mean dim 0": (lambda x: x.mean(0), [M]),
    "sum of squares": (lambda x: (x**2).sum(), [M]),
    "logsumexp": (lambda x: torch.logsumexp(x, 1), [M]),
    "squared error": (lambda a, b: ((a - b) ** 2).sum(), [M, M2]),
    "softmax": (lambda x: torch.softmax(x, 1), [M]),
    "log_softmax": (lambda x: torch.log_softmax(x, 1), [M]),
    "layer norm": (layer_norm, [M]),
    "rms norm": (rms, [M, torch.tensor([0.8, -1.3, 0.6], dtype=torch.float64)]),
    "matmul": (torch.matmul, [M, M2.T.contiguous()]),
}


def last(g):
    return (torch.arange(g.numel()) == g.numel() - 1).reshape(g.shape)


FAULTS = {
    "none": lambda g, x: g,
    "scaled +1e-2": lambda g, x: g * (1 + 1e-2),
    "scaled +1e-3": lambda g, x: g * (1 + 1e-3),
    "scaled +1e-6": lambda g, x: g * (1 + 1e-6),
    "sign": lambda g, x: -g,
    "doubled": lambda g, x: 2 * g,
    "one entry +1e-2": lambda g, x: g + 0.01 * g * last(g),
    "one entry +1e-6": lambda g, x: g + 1e-6 * g * last(g),
    "constant": lambda g, x: g + 0.05,
    "cut": lambda g, x: None,
    "noncontiguous": lambda g, x: g if x.is_contiguous() else 1.5 * g,
}


def faulty(f, fault):
    """f as a Function whose backward spoils the gradient of input 0."""

    class Op(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *inputs):
            ctx.save_for_backward(*inputs)
            return f(*(x.detach() for x in inputs))

        @staticmethod
        def backward(ctx, grad):
            with torch.enable_grad():
                inputs = [x.detach().requires_grad_() for x in ctx.saved_tensors]
                grads = list(torch.autograd.grad(f(*inputs), inputs, grad))
            grads[0] = fault(grads[0], ctx.saved_tensors[0])
            return tuple(grads)

    return Op.apply


def caught(f, inputs, fault, fast):
    inputs = [x.clone().requires_grad_() for x in inputs]
    return torch_says(faulty(f, fault), inputs, fast) != "passes"


def faults(args):
    caught_by = {
        name: {f: [caught(*FUNCTIONS[f], fault, fast) for fast in (False, True)] for f in FUNCTIONS}
        for name, fault in FAULTS.items()
    }
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    path = ROOT / "tests/data/gradcheck_pytorch.json"
    path.write_text(json.dumps({"versions": versions, "caught": caught_by}) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["training", "gradcheck", "faults"])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--points", default="1e3,1e4,1e6,1e7", help="of training")
    parser.add_argument("--write", action="store_true", help="training's table into assets/ladder.md")
    args = parser.parse_args()
    {"training": training, "gradcheck": gradcheck, "faults": faults}[args.what](args)


if __name__ == "__main__":
    main()
