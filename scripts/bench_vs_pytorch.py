#!/usr/bin/env python3
"""Measures the ladder against PyTorch, on one machine in one go, and writes the table of assets/ladder.md.

    python3 -m pip install torch==2.15.0 matplotlib
    cargo build --release --example floor --bin candle-sine
    python3 scripts/bench_vs_pytorch.py --write     # without --write: prints the table only

Contenders take turns. A time is the median over all turns of the time an epoch, the loss fetched
every 100 epochs as the post does; a ratio is the median of the ratios of neighbouring turns, so that
what slows the machine down slows both. On a GPU, against the card's copy bandwidth, in one call:

    cargo build --release --features cuda --bin candle-sine
    python3 scripts/bench_vs_pytorch.py --device cuda --json assets/gpu.json
"""

import argparse
import datetime
import json
import math
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUNGS = ["manual", "autograd", "optimizer", "fused", "normal"]
POST = (0.16425246, -0.34843335, -1.9400675, 0.820922)
RATE = 1e-12  # small enough for any number of points: the arithmetic is the same

PROGRAM = """
import math, sys
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
import torch
x = torch.linspace(-math.pi, math.pi, 1000)
y = torch.sin(x)
a, b, c, d = (torch.randn(()) for _ in range(4))
y_rand = a * x**3 + b * x**2 + c * x + d
learning_rate = 1e-6
for epoch in range(1000):
    y_pred = a * x**3 + b * x**2 + c * x + d
    loss = (y_pred - y).pow(2).sum().item()
    if epoch % 100 == 0:
        print(f"epoch : {epoch + 1}, loss : {loss}")
    grad_y_pred = 2.0 * (y_pred - y)
    a -= learning_rate * (grad_y_pred * x**3).sum()
    b -= learning_rate * (grad_y_pred * x**2).sum()
    c -= learning_rate * (grad_y_pred * x).sum()
    d -= learning_rate * grad_y_pred.sum()
for row, (title, curve) in enumerate([("y true", y), ("y pred", y_pred), ("y random", y_rand)]):
    plt.subplot(3, 1, row + 1)
    plt.title(title)
    plt.plot(x, curve)
plt.savefig(sys.argv[1])
"""


def target(name):
    base = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return str(base / "release" / name)


# Before torch is imported: a child's peak memory is never reported smaller than its parent's.
def whole_program(command):
    """Seconds and peak MB of a program from start to end."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def end_to_end(turns, out):
    commands = {
        "python": [sys.executable, "-c", PROGRAM, f"{out}/post.png"],
        "candle-sine": [target("candle-sine"), "--out", out],
    }
    runs = {name: [] for name in commands}
    for command in commands.values():
        whole_program(command)
    for _ in range(turns):
        for name, command in commands.items():
            runs[name].append(whole_program(command))
    return {name: tuple(map(statistics.median, zip(*seen))) for name, seen in runs.items()}


def memory(sizes, device, out):
    """Peak MB of two epochs with each rung, plots included."""

    def peak(rung, points):
        command = [target("candle-sine"), "--gradient", rung, "--points", str(points), "--quiet"]
        command += ["--epochs", "2", "--learning-rate", str(RATE), "--out", out]
        return whole_program(command + ["--device", device])[1]

    return {n: {rung: peak(rung, n) for rung in RUNGS} for n in sizes}


class NoRoom(Exception):
    """The device has not the memory for a contender."""


def ours(rung, points, epochs, device, out):
    command = [target("candle-sine"), "compare", "--gradient", rung, "--points", str(points)]
    command += ["--epochs", str(epochs), "--learning-rate", str(RATE), "--device", device]
    done = subprocess.run(command + ["--out", out, "--json", "-"], capture_output=True, text=True)
    if done.returncode != 0:
        failed = NoRoom if "memory" in done.stderr.lower() else RuntimeError
        raise failed(f"{' '.join(command)}: {done.stderr.strip()}")
    rung = json.loads(done.stdout)["rungs"][0]
    return rung["epoch_seconds"], rung["setup_seconds"]


def floor(points):
    return json.loads(subprocess.check_output([target("examples/floor"), str(points)]))


class PyTorch:
    """The post's loop three times over; each returns a function that runs some epochs."""

    def __init__(self, points, device):
        import torch

        self.torch, self.device = torch, device
        self.x = torch.linspace(-math.pi, math.pi, points).to(device)
        self.y = torch.sin(self.x)

    def weights(self, **how):
        return [self.torch.tensor(w, device=self.device, **how) for w in POST]

    def eager(self):
        x, y, (a, b, c, d) = self.x, self.y, self.weights()

        def run(epochs):
            nonlocal a, b, c, d
            for epoch in range(epochs):
                y_pred = a * x**3 + b * x**2 + c * x + d
                loss = (y_pred - y).pow(2).sum()
                if epoch % 100 == 0:
                    loss.item()
                grad_y_pred = 2.0 * (y_pred - y)
                a -= RATE * (grad_y_pred * x**3).sum()
                b -= RATE * (grad_y_pred * x**2).sum()
                c -= RATE * (grad_y_pred * x).sum()
                d -= RATE * grad_y_pred.sum()

        return run

    def compiled(self):
        x, y, weights = self.x, self.y, self.weights()

        def step(x, y, a, b, c, d):
            y_pred = a * x**3 + b * x**2 + c * x + d
            error = y_pred - y
            loss = error.pow(2).sum()
            grad_y_pred = 2.0 * error
            a = a - RATE * (grad_y_pred * x**3).sum()
            b = b - RATE * (grad_y_pred * x**2).sum()
            c = c - RATE * (grad_y_pred * x).sum()
            d = d - RATE * grad_y_pred.sum()
            return loss, a, b, c, d

        # Compiled for this length alone, and not for any, as a second length would make it.
        self.torch._dynamo.reset()
        step = self.torch.compile(step, dynamic=False)

        def run(epochs):
            nonlocal weights
            for epoch in range(epochs):
                loss, *weights = step(x, y, *weights)
                if epoch % 100 == 0:
                    loss.item()

        return run

    def autograd(self):
        x, y, weights = self.x, self.y, self.weights(requires_grad=True)
        a, b, c, d = weights
        optimizer = self.torch.optim.SGD(weights, lr=RATE)

        def run(epochs):
            for epoch in range(epochs):
                y_pred = a * x**3 + b * x**2 + c * x + d
                loss = (y_pred - y).pow(2).sum()
                if epoch % 100 == 0:
                    loss.item()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

        return run

    def copy(self):
        """Moves as many bytes as reading x and y does."""
        into = self.torch.empty_like(self.x)

        def run(times):
            for _ in range(times):
                into.copy_(self.x)

        return run

    def wait(self):
        if self.device != "cpu":
            self.torch.cuda.synchronize()

    def release(self):
        """Gives the memory that PyTorch keeps for later back to the card."""
        if self.device != "cpu":
            self.torch.cuda.empty_cache()

    def time(self, run, seconds):
        """The median time an epoch, over batches of 2 ms as `candle-sine compare` takes them."""
        run(2)
        self.wait()
        began = time.perf_counter()
        run(1)
        self.wait()
        batch = max(1, min(100, int(2e-3 / (time.perf_counter() - began))))
        times, began = [], time.perf_counter()
        while len(times) < 5 or time.perf_counter() - began < seconds:
            one = time.perf_counter()
            run(batch)
            self.wait()
            times.append((time.perf_counter() - one) / batch)
        return statistics.median(times)


def fits(contender):
    """What `contender` returns; None, with the reason on stderr, where the device has not the memory
    for it, or PyTorch not the compiler."""
    import torch

    try:
        return contender()
    except (NoRoom, torch.OutOfMemoryError, torch._dynamo.exc.TorchDynamoException) as error:
        print(f"left out: {str(error).splitlines()[0][:300]}", file=sys.stderr)
        return None


def measure(points, turns, seconds, device, out):
    """Every contender's seconds an epoch, one list entry a turn; without those that do not fit."""
    pytorch = PyTorch(points, device)
    contenders = {
        "PyTorch eager": pytorch.eager(),
        "PyTorch torch.compile": pytorch.compiled(),
        "PyTorch autograd + SGD": pytorch.autograd(),
    }
    seen = {name: [] for name in [*contenders, *RUNGS, "normal, setup", "read floor"]}
    multiply_adds = []
    epochs = {rung: 200 for rung in RUNGS}
    for turn in range(-1, turns):  # The first turn warms up, compiles, and finds the epochs.
        for name, run in list(contenders.items()):
            if (found := fits(lambda: pytorch.time(run, seconds))) is None:
                del contenders[name]
            else:
                seen[name].append(found)
        pytorch.release()
        for rung in list(epochs):
            if turn < 0:
                if (found := fits(lambda: ours(rung, points, 5, device, out))) is None:
                    del epochs[rung]
                    continue
                epochs[rung] = max(5, min(1_000_000, int(seconds / found[0])))
            per_epoch, setup = ours(rung, points, epochs[rung], device, out)
            seen[rung].append(per_epoch)
            if rung == "normal":
                seen["normal, setup"].append(setup)
        if device == "cpu":
            at_best = floor(points)
            seen["read floor"].append(at_best["read_seconds"])
            multiply_adds.append(at_best["multiply_adds_per_second"])
        else:
            seen["read floor"].append(pytorch.time(pytorch.copy(), seconds))
        print(f"N = {points}: turn {turn + 2} of {turns + 1}", file=sys.stderr)
    return {name: times[1:] for name, times in seen.items() if times[1:]}, multiply_adds


def ratio(slow, fast):
    return statistics.median(s / f for s, f in zip(slow, fast))


def seconds_text(seconds):
    for unit, name in [(1, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")]:
        if seconds >= unit or unit == 1e-9:
            return f"{seconds / unit:.3g} {name}"


def aims(times, whole, device):
    """(what, aim, measured ratio, whether it is reached) for what the ladder is meant to reach."""
    eager, compiled = "PyTorch eager", "PyTorch torch.compile"
    sgd = "PyTorch autograd + SGD"
    pairs = [
        (1_000, "manual", eager, 6),
        (1_000, "manual", compiled, 1.5),
        (1_000, "autograd", sgd, 3),
        (1_000, "fused", eager, 100),
        (1_000, "fused", compiled, 25),
        (1_000_000, "fused", compiled, 1.2),
        (10_000_000, "fused", compiled, 1),
        (1_000_000, "manual", eager, 1),
        (10_000_000, "manual", eager, 1),
        (1_000_000, "autograd", sgd, 1),
        (10_000_000, "autograd", sgd, 1),
    ]
    for points, rung, other, aim in pairs if device == "cpu" else []:
        if {rung, other} <= times.get(points, {}).keys():
            found = ratio(times[points][other], times[points][rung])
            what = f"{rung} against {other}, N = {points:.0e}".replace("e+0", "e")
            at_least = "as fast" if aim == 1 else f"{aim} times faster"
            yield what, at_least, f"{found:.3g} times", found >= aim
    largest = times.get(1_000_000_000)
    if largest and {"fused", "read floor"} <= largest.keys():
        found = ratio(largest["fused"], largest["read floor"])
        what = "fused against moving as many bytes as x and y have, N = 1e9"
        yield what, "1.2 times as long", f"{found:.3g} times as long", found <= 1.2
    largest = times.get(10_000_000) if device == "cpu" else None
    if largest and "read floor" in largest:
        found = ratio(largest["fused"], largest["read floor"])
        what = "fused against reading x and y once, N = 1e7"
        yield what, "1.1 times as long", f"{found:.3g} times as long", found <= 1.1
    if largest:
        pairs = zip(largest["normal, setup"], largest["normal"])
        together = [setup + 1000 * epoch for setup, epoch in pairs]
        found = ratio(together, largest[compiled])
        what = "normal, N = 1e7, 1000 epochs together"
        yield what, "3 epochs of torch.compile", f"{found:.3g} epochs", found <= 3
    if whole:
        (slow, large), (fast, small) = whole["python"], whole["candle-sine"]
        what = "end to end with plots, against the Python program"
        yield what, "40 times faster", f"{slow / fast:.3g} times", slow / fast >= 40
        what = "its memory"
        yield what, "1/10 of it", f"{small:.0f} of {large:.0f} MB", small <= large / 10


def table(rows):
    head, *rest = rows
    lines = ["| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rest]]
    return "\n".join(lines) + "\n"


def size(points):
    return f"{points:.0e}".replace("e+0", "e").replace("e+", "e")


def processor():
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(": ")[1] for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def report(times, whole, peaks, multiply_adds, device):
    import torch

    card = f", {torch.cuda.get_device_name()}, driver {driver()}" if device != "cpu" else ""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    load = os.getloadavg()[0]
    text = (
        f"{datetime.date.today()}, {commit}; {processor()}, {os.cpu_count()} cores, load {load:.1f}"
        f"{card}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads; f32.\n\n"
    )
    names = dict.fromkeys(name for measured in times.values() for name in measured)
    rows = [["seconds an epoch", *(f"N = {size(n)}" for n in times)]]
    for name in names:
        seen = [measured.get(name) for measured in times.values()]
        rows.append([name, *(seconds_text(statistics.median(s)) if s else "no room" for s in seen)])
    text += table(rows) + "\n"
    rows = [["aim", "", "measured", ""]]
    for what, aim, found, reached in aims(times, whole, device):
        rows.append([what, aim, found, "reached" if reached else "not reached"])
    text += table(rows) + "\n" if rows[1:] else ""
    if peaks:
        rows = [["peak memory", *(f"N = {size(n)}" for n in peaks)]]
        for rung in RUNGS:
            rows.append([rung, *(f"{peaks[n][rung]:.0f} MB" for n in peaks)])
        text += table(rows) + "\n"
    rows = [["end to end, with plots", "seconds", "peak memory"]]
    for name, (seconds, megabytes) in whole.items():
        rows.append([name, seconds_text(seconds), f"{megabytes:.0f} MB"])
    text += table(rows) if whole else ""
    if multiply_adds:
        peak = statistics.median(multiply_adds)
        # Nine multiply-adds or multiplications and two additions a point; see `SquaredError`. A
        # register holds twice as many f32.
        text += f"\nOne core's peak: {peak:.3g} multiply-adds a second in f64, twice that in f32: "
        text += f"{seconds_text(11e3 / 2 / peak)} for the eleven operations of a point at N = 1e3.\n"
    return text


def driver():
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    try:
        return subprocess.run(query, capture_output=True, text=True).stdout.splitlines()[0]
    except (OSError, IndexError):
        return "unknown"


def record(times, whole, text):
    """What was measured, for the repository."""
    import torch

    return {
        "date": str(datetime.date.today()),
        "command": " ".join(["python3", *sys.argv]),
        "processor": processor(),
        "card": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "driver": driver(),
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "seconds an epoch, one a turn": {str(n): seen for n, seen in times.items()},
        "end to end, seconds and MB": whole,
        "table": text.splitlines(),
    }


# The table's words in Korean, the longer ones first.
KOREAN = [
    (r"PyTorch (\S+), (\d+) threads", r"PyTorch \1, 스레드 \2개"),
    (r"(\d+) cores, load (\S+)", r"\1코어, 부하 \2"),
    (r"\| seconds an epoch", "| 한 에폭의 시간"),
    (r"\| aim \|  \| measured", "| 비교 | 목표 | 측정"),
    (r"not reached", "미달"),
    (r"reached", "도달"),
    (r"end to end with plots, against the Python program", "그래프까지 프로그램 전체, Python 프로그램 대비"),
    (r"its memory", "그때의 메모리"),
    (r"1/10 of it", "1/10"),
    (r"(\d+) of (\d+) MB", r"\1 MB (Python은 \2 MB)"),
    (r"fused against reading x and y once", "fused 대 x와 y를 한 번 읽기"),
    (r"fused against moving as many bytes as x and y have", "fused 대 x와 y만큼의 바이트를 복사하기"),
    (r"no room", "메모리 부족"),
    (r", driver ", ", 드라이버 "),
    (r"1000 epochs together", "1000 에폭 전체"),
    (r"(\S+) epochs of torch.compile", r"torch.compile \1 에폭"),
    (r"(\S+) epochs", r"\1 에폭"),
    (r" against ", " 대 "),
    (r"as fast", "같은 속도"),
    (r"(\S+) times faster", r"\1배 빠르게"),
    (r"(\S+) times as long", r"\1배의 시간"),
    (r"(\S+) times", r"\1배"),
    (r"\| peak memory \| N", "| 최대 메모리 | N"),
    (r"end to end, with plots \| seconds \| peak memory", "프로그램 전체(그래프 포함) | 시간 | 최대 메모리"),
    (r"normal, setup", "normal, 준비"),
    (r"read floor", "읽기만 할 때"),
    (
        r"One core's peak: (\S+) multiply-adds a second in f64, twice that in f32: (.+) for the eleven "
        r"operations of a point at N = 1e3\.",
        r"코어 하나의 최고 속도는 f64에서 초당 곱셈·덧셈 \1회, f32에서 그 두 배입니다. 점마다 연산 열한 번이면 "
        r"N = 1e3에서 \2입니다.",
    ),
]


def korean(text):
    for words, theirs in KOREAN:
        text = re.sub(words, theirs, text)
    return text


def write(text, device):
    what = "measured" if device == "cpu" else "measured on a GPU"
    begin, end = f"<!-- {what} -->", f"<!-- /{what} -->"
    for name, text in [("ladder.md", text), ("ladder.ko.md", korean(text))]:
        path = ROOT / "assets" / name
        before, rest = path.read_text().split(begin, 1)
        path.write_text(before + begin + "\n" + text.rstrip("\n") + "\n" + end + rest.split(end, 1)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", help="1e3,1e4,1e6,1e7; on a GPU 1e3,1e6,1e8,1e9")
    parser.add_argument("--turns", type=int, help="7; on a GPU 3")
    parser.add_argument("--seconds", type=float, default=0.5, help="of each turn of a contender")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", help="a file for every turn's times, versions and the table")
    parser.add_argument("--write", action="store_true", help="the table into assets/ladder.md and ladder.ko.md")
    args = parser.parse_args()
    usual = "1e3,1e4,1e6,1e7" if args.device == "cpu" else "1e3,1e6,1e8,1e9"
    turns = args.turns or (7 if args.device == "cpu" else 3)
    sizes = [int(float(n)) for n in (args.points or usual).split(",")]
    with tempfile.TemporaryDirectory() as out:
        # On a GPU the epochs alone are compared; a process's own memory says nothing about the card's.
        whole, peaks = {}, {}
        if args.device == "cpu":
            whole = end_to_end(max(1, turns), out)
            peaks = memory(sizes, args.device, out)
        times, multiply_adds = {}, []
        for points in sizes:
            times[points], seen = measure(points, turns, args.seconds, args.device, out)
            multiply_adds += seen
    text = report(times, whole, peaks, multiply_adds, args.device)
    print(text)
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(record(times, whole, text), indent=1) + "\n")
    if args.write:
        write(text, args.device)


if __name__ == "__main__":
    main()
