"""Our check of an MLP beside torch.autograd.gradcheck's, slow and fast, in one run, alternating.

    cargo bench --bench gradcheck --no-run
    python scripts/gradcheck_vs_pytorch.py target/release/deps/gradcheck-<hash> [repeats]

The same function (Linear 64x64 + tanh, twice, batch 8, f64, all 8,320 parameters), the same numbers,
the same machine. Prints the medians, the ratios, and what each says of one Jacobian entry that is
off by 1e-6 of its value.
"""

import json
import os
import statistics
import subprocess
import sys
import time

import torch

WIDTH, BATCH = 64, 8


def values(n, start, scale):
    k = torch.arange(start, start + n, dtype=torch.float64)
    return scale * torch.sin(0.61803398875 * k + 0.1)


def inputs():
    weight = lambda start: values(WIDTH * WIDTH, start, 0.125).reshape(WIDTH, WIDTH)
    parts = [weight(0), values(WIDTH, 5000, 0.125), weight(10000), values(WIDTH, 15000, 0.125)]
    return [p.requires_grad_() for p in parts]


X = values(BATCH * WIDTH, 20000, 1.0).reshape(BATCH, WIDTH)


def mlp(w1, b1, w2, b2):
    return torch.tanh(torch.tanh(X @ w1.T + b1) @ w2.T + b2)


class OneEntry(torch.autograd.Function):
    """The identity, with element [4, 44] of its gradient off by a millionth."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        grad = grad.clone()
        grad[4, 44] *= 1 + 1e-6
        return grad


def faulty(w1, b1, w2, b2):
    bias = OneEntry.apply(b2.expand(BATCH, WIDTH).contiguous())
    return torch.tanh(torch.tanh(X @ w1.T + b1) @ w2.T + bias)


def seconds(fast):
    parts = inputs()
    start = time.perf_counter()
    assert torch.autograd.gradcheck(mlp, parts, fast_mode=fast)
    return time.perf_counter() - start


def sees(fast):
    try:
        torch.autograd.gradcheck(faulty, inputs(), fast_mode=fast)
        return False
    except RuntimeError:
        return True


def central_difference_error():
    """The largest error of PyTorch's own derivative: central differences at its eps of 1e-6."""
    parts = inputs()
    jacobian = torch.autograd.functional.jacobian(lambda w: mlp(w, *parts[1:]), parts[0])
    worst = 0.0
    with torch.no_grad():
        for flat in range(0, WIDTH * WIDTH, 61):
            i, j = divmod(flat, WIDTH)
            at = parts[0][i, j].item()
            parts[0][i, j] = at + 1e-6
            plus = mlp(*parts)
            parts[0][i, j] = at - 1e-6
            minus = mlp(*parts)
            parts[0][i, j] = at
            error = ((plus - minus) / 2e-6 - jacobian[:, :, i, j]).abs().max().item()
            worst = max(worst, error)
    return worst


def ours(binary):
    # candle's matmul asks for the number of cores each time; without this it reads /proc/cpuinfo.
    cores = str(len(os.sched_getaffinity(0)))
    env = dict(os.environ, GRADCHECK_JSON="1", GRADCHECK_REPEATS="3", RAYON_NUM_THREADS=cores)
    return json.loads(subprocess.run([binary], env=env, check=True, capture_output=True).stdout)


def main():
    binary, repeats = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    # Its best: on matrices this small a second thread only waits, up to hundreds of times as long
    # where the cores are busy.
    torch.set_num_threads(1)
    seconds(True)
    slow, fast, full, projected, probed = [], [], [], [], []
    for _ in range(repeats):
        run = ours(binary)
        # As for torch below, the first of a process is warming up.
        full.append(statistics.median(r["full"] for r in run["runs"][1:]))
        projected.append(statistics.median(r["fast"] for r in run["runs"][1:]))
        probed.append(statistics.median(r["fast_probes"] for r in run["runs"][1:]))
        slow.append(seconds(False))
        fast.append(seconds(True))
    median = {
        "torch slow": statistics.median(slow),
        "torch fast": statistics.median(fast),
        "full": statistics.median(full),
        "fast": statistics.median(projected),
        "fast, with probes": statistics.median(probed),
    }
    error = central_difference_error()
    print(f"torch {torch.__version__} on one thread, ours on {os.cpu_count()} cores, medians of {repeats} runs\n")
    print("| | seconds | derivative's largest error | sees an entry off by 1e-6 |")
    print("|---|---:|---:|---|")
    print(f"| torch, slow mode | {median['torch slow']:.2f} | {error:.0e} | {sees(False)} |")
    print(f"| torch, fast mode | {median['torch fast']:.4f} | | {sees(True)} |")
    print(f"| full mode | {median['full']:.2f} | {run['furthest']:.0e} | True |")
    where = f"{run['fault_verdict']}, input {run['fault_input']}, at {run['fault_at']}"
    print(f"| fast mode | {median['fast']:.4f} | | {run['fault_input'] >= 0}: {where} |")
    print(f"| fast mode with probes | {median['fast, with probes']:.4f} | | |")
    print(f"\nfull / torch slow: {median['full'] / median['torch slow']:.2f}")
    print(f"fast / torch fast: {median['fast'] / median['torch fast']:.1f}")
    print(f"error of torch's derivative / ours: {error / run['furthest']:.0f}")
    print(f"evaluations: {run['evaluations']} full, {run['fast_evaluations']} fast")


if __name__ == "__main__":
    main()
