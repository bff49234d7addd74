#!/usr/bin/env python3
"""Makes tests/data/golden.json: what PyTorch gives where this crate claims the same.

    python3 -m pip install torch==2.15.0 numpy
    python3 scripts/golden.py

The tests read the file; they need no Python.
"""

import json
import math
import pathlib
import platform

import numpy
import torch

SEEDS = [0, 1, 42, 2**32 - 1, 2**32, 2**64 - 1, 4034316668] + [
    (k * 0x9E3779B97F4A7C15) % 2**64 for k in range(1, 60)
]
DTYPES = {"f32": torch.float32, "f64": torch.float64}


def bits(tensor):
    """The elements' bits in hexadecimal, each most significant digit first."""
    array = tensor.contiguous().numpy()
    words = array.view(numpy.uint32 if array.dtype == numpy.float32 else numpy.uint64)
    return " ".join(format(int(w), f"0{2 * array.itemsize}x") for w in words.reshape(-1))


def draws(seed, count):
    torch.manual_seed(seed)
    return [torch.stack([torch.randn(()) for _ in range(4)]) for _ in range(count)]


def points(n, dtype):
    x = torch.linspace(-math.pi, math.pi, n, dtype=dtype)
    return x, torch.sin(x)


def scattered(n, dtype):
    """(i 2654435761 mod 2^32) / 2^31 - 1: as good as random, and the same in any language."""
    words = torch.arange(n, dtype=torch.int64) * 2654435761 % 2**32
    return words.to(dtype) / 2**31 - 1


def train(weights, n, epochs, learning_rate, dtype):
    """Gradient descent on the sum of squared errors, as the post writes it."""
    x, y = points(n, dtype)
    a, b, c, d = (w.clone() for w in weights.to(dtype))
    losses = []
    for _ in range(epochs):
        error = a * x**3 + b * x**2 + c * x + d - y
        losses.append(error.pow(2).sum().item())
        grad = 2.0 * error
        steps = [(grad * x**3).sum(), (grad * x**2).sum(), (grad * x).sum(), grad.sum()]
        for weight, step in zip((a, b, c, d), steps):
            weight -= learning_rate * step
    return losses, torch.stack([a, b, c, d])


def runs():
    settings = [
        (4034316668, 3, 1000, 1000, 1e-6),
        (0, 1, 1000, 1000, 1e-6),
        (42, 2, 1000, 2000, 5e-6),
        (7, 1, 100, 500, 2e-5),
        (1, 1, 2, 50, 1e-4),
        (2**63, 1, 33333, 60, 1e-7),
    ]
    for seed, draw, n, epochs, learning_rate in settings:
        for name, dtype in DTYPES.items():
            weights = draws(seed, draw)[-1]
            losses, final = train(weights, n, epochs, learning_rate, dtype)
            yield {
                "seed": str(seed),
                "draw": draw,
                "points": n,
                "epochs": epochs,
                "learning_rate": learning_rate,
                "dtype": name,
                "log_every": epochs // 10,
                "losses": losses[:: epochs // 10],
                "weights": final.tolist(),
            }


def main():
    golden = {
        "made_by": "python3 scripts/golden.py",
        "torch": torch.__version__.split("+")[0],
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}",
        "randn": [
            {"seed": str(seed), "draws": [bits(d) for d in draws(seed, 3)]} for seed in SEEDS
        ],
        "randn_of_a_shape": [
            {"seed": str(seed), "shape": shape, "draws": bits(torch.randn(shape))}
            for seed, shape in ((42, [8]), (7, [15]), (4034316668, [2, 4]), (1, [3, 1, 2]))
            if torch.manual_seed(seed)
        ],
        "points": [
            {"points": n, "dtype": name, "x": bits(x), "y": bits(y)}
            for n in (2, 3, 7, 100, 1000, 1001)
            for name, dtype in DTYPES.items()
            for x, y in [points(n, dtype)]
        ],
        "sums": [
            {"points": n, "dtype": name, "sum": bits(scattered(n, dtype).sum())}
            for n in (1, 7, 8, 31, 32, 100, 511, 512, 1000, 4097, 65536, 100003, 1000003, 9999999)
            for name, dtype in DTYPES.items()
        ],
        "runs": list(runs()),
    }
    path = pathlib.Path(__file__).parent.parent / "tests/data/golden.json"
    path.write_text(json.dumps(golden) + "\n")
    print(f"wrote {path.name}, {path.stat().st_size} bytes")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
