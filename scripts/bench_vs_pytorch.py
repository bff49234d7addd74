#!/usr/bin/env python3
"""Measures the five ways beside PyTorch, on one machine in one go, and writes the table of assets/ladder.md.

    python3 -m pip install torch==2.15.0 matplotlib
    cargo build --release
    python3 scripts/bench_vs_pytorch.py --write     # without --write: prints the table only

The contenders take turns. A time is the least of all turns' medians, a ratio that of two times.
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch

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

PROGRAM = (ROOT / "scripts" / "post.py").read_text()


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


def median_time(epoch, seconds):
    """Over batches of some 2 ms, as benches/ladder.rs takes them."""
    for _ in range(3):
        epoch()
    times, batch, began = [], 1, time.perf_counter()
    while len(times) < 5 or time.perf_counter() - began < seconds:
        start = time.perf_counter()
        for _ in range(batch):
            epoch()
        took = time.perf_counter() - start
        times.append(took / batch)
        batch = max(1, min(4 * batch, int(2e-3 * batch / took)))
    return statistics.median(times)


def ours(points):
    """Seconds an epoch, and before the first, of each way."""
    command = ["cargo", "bench", "-q", "--bench", "ladder", "--", str(points), "json"]
    return json.loads(subprocess.check_output(command, cwd=ROOT))


def measure(points, turns, seconds):
    """Every contender's seconds an epoch, a list entry a turn."""
    x = torch.linspace(-math.pi, math.pi, points)
    rate = 1e-3 / points
    theirs = {name: make(x, torch.sin(x), rate) for name, make in THEIRS.items()}
    seen = {name: [] for name in [*theirs, *WAYS, "normal, before the first"]}
    for turn in range(turns):
        for name, epoch in theirs.items():
            seen[name].append(median_time(epoch, seconds))
        for name, (epoch, setup) in ours(points).items():
            seen[name].append(epoch)
            if name == "normal":
                seen["normal, before the first"].append(setup)
        print(f"N = {points}: turn {turn + 1} of {turns}", file=sys.stderr)
    return {name: min(times) for name, times in seen.items()}


def end_to_end(turns):
    """Seconds of both programs from start to end, plots included."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    commands = {"python": [sys.executable, "-c", PROGRAM], "candle-sine": [target / "release" / "candle-sine"]}
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


def report(times, whole):
    git = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    cpu = [line for line in open("/proc/cpuinfo") if line.startswith("model name")][:1]
    text = (
        f"{datetime.date.today()}, {git.stdout.strip()}; {''.join(cpu).split(': ')[-1].strip()}, {os.cpu_count()} cores, "
        f"load {os.getloadavg()[0]:.1f}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads; f32.\n\n"
    )
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


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", default="1e3,1e4,1e6,1e7")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6, help="of each turn of a contender")
    parser.add_argument("--write", action="store_true", help="the table into assets/ladder.md")
    args = parser.parse_args()
    subprocess.run(["cargo", "bench", "-q", "--bench", "ladder", "--no-run"], cwd=ROOT, check=True)
    whole = end_to_end(args.turns)
    sizes = [int(float(n)) for n in args.points.split(",")]
    text = report({n: measure(n, args.turns, args.seconds) for n in sizes}, whole)
    print(text)
    if args.write:
        path = ROOT / "assets" / "ladder.md"
        before, rest = path.read_text().split("<!-- measured -->\n")
        _, after = rest.split("<!-- /measured -->")
        path.write_text(f"{before}<!-- measured -->\n{text}<!-- /measured -->{after}")


if __name__ == "__main__":
    main()
