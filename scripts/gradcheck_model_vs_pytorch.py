"""A GPT of 100,000 parameters, checked by name, beside torch.autograd.gradcheck's fast mode, in one run.

    cargo bench --bench gradcheck_model --no-run
    python scripts/gradcheck_model_vs_pytorch.py target/release/deps/gradcheck_model-<hash> [repeats]

The same model (tests/common/gpt.rs: two blocks, 29 tensors, f64), the same numbers, the same machine,
alternating; the two losses have to agree to 12 digits before anything is timed. Prints the medians, and
what each says of faults in one matrix's gradient. PyTorch has nothing for a model in f32: its fast mode
is run there too, to show what it says of a right one.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import warnings

import torch
import torch.nn.functional as F

N, WORDS, LENGTH, HEADS = 64, 11, 6, 2
IDS = torch.tensor([[1, 4, 2, 9, 0, 3], [7, 7, 1, 5, 10, 2]])
TARGETS = torch.tensor([4, 2, 9, 0, 3, 6, 7, 1, 5, 10, 2, 8])
FAULTY = "blocks.1.mlp.c_fc.weight"


def shapes():
    """The names and shapes of the parameters, in the order of the names."""
    shape = {"wte.weight": (WORDS, N), "wpe.weight": (LENGTH, N), "lm_head.weight": (WORDS, N)}
    norms = ["ln_f"] + [f"blocks.{k}.ln_{i}" for k in (0, 1) for i in (1, 2)]
    for name in norms:
        shape |= {f"{name}.weight": (N,), f"{name}.bias": (N,)}
    for k in (0, 1):
        for name, rows, columns in [
            ("attn.c_attn", 3 * N, N),
            ("attn.c_proj", N, N),
            ("mlp.c_fc", 4 * N, N),
            ("mlp.c_proj", N, 4 * N),
        ]:
            shape |= {f"blocks.{k}.{name}.weight": (rows, columns), f"blocks.{k}.{name}.bias": (rows,)}
    return dict(sorted(shape.items()))


class Numbers:
    """tests/common/numbers.rs: Knuth's MMIX generator."""

    def __init__(self, seed):
        self.state = (seed * 0x9E3779B97F4A7C15 % 2**64) ^ 0x123456789ABCDEF1
        for _ in range(8):
            self.next()

    def next(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 11) / 2**52 - 1

    def tensor(self, shape, scale):
        count = torch.Size(shape).numel()
        values = [scale * (self.next() + self.next() + self.next()) for _ in range(count)]
        return torch.tensor(values, dtype=torch.float64).reshape(shape)


def parameters(dtype=torch.float64):
    numbers, out = Numbers(0), []
    for name, shape in shapes().items():
        norm = name.endswith("weight") and ("ln" in name or "bn" in name)
        if norm:
            mean, scale = 1.0, 0.1
        elif len(shape) == 1:
            mean, scale = 0.0, 0.1
        else:
            mean, scale = 0.0, 1 / torch.Size(shape[1:]).numel() ** 0.5
        out.append((numbers.tensor(shape, scale) + mean).to(dtype).requires_grad_())
    return out


def attention(x, p, at):
    b, s, n = x.shape
    qkv = F.linear(x, p[f"{at}.c_attn.weight"], p[f"{at}.c_attn.bias"])
    q, k, v = (t.reshape(b, s, HEADS, n // HEADS).transpose(1, 2) for t in qkv.split(n, 2))
    scores = q @ k.transpose(-1, -2) * (n // HEADS) ** -0.5
    mask = torch.full((s, s), float("-inf"), dtype=x.dtype).triu(1)
    y = (torch.softmax(scores + mask, -1) @ v).transpose(1, 2).reshape(b, s, n)
    return F.linear(y, p[f"{at}.c_proj.weight"], p[f"{at}.c_proj.bias"])


def norm(x, p, at):
    return F.layer_norm(x, (N,), p[f"{at}.weight"], p[f"{at}.bias"], 1e-5)


def loss(*tensors):
    p = dict(zip(shapes(), tensors))
    x = p["wte.weight"][IDS] + p["wpe.weight"][:LENGTH]
    for k in (0, 1):
        at = f"blocks.{k}"
        x = x + attention(norm(x, p, f"{at}.ln_1"), p, f"{at}.attn")
        h = F.linear(norm(x, p, f"{at}.ln_2"), p[f"{at}.mlp.c_fc.weight"], p[f"{at}.mlp.c_fc.bias"])
        h = F.gelu(h, approximate="tanh")
        x = x + F.linear(h, p[f"{at}.mlp.c_proj.weight"], p[f"{at}.mlp.c_proj.bias"])
    logits = F.linear(norm(x, p, "ln_f"), p["lm_head.weight"])
    return F.cross_entropy(logits.flatten(0, 1), TARGETS)


class Times(torch.autograd.Function):
    @staticmethod
    def forward(ctx, w, k):
        ctx.k = k
        return w.clone()

    @staticmethod
    def backward(ctx, grad):
        return grad * ctx.k, None


def faulty(k):
    at = list(shapes()).index(FAULTY)

    def f(*tensors):
        tensors = list(tensors)
        tensors[at] = tensors[at].detach() if k is None else Times.apply(tensors[at], k)
        return loss(*tensors)

    return f


# Where fast mode fails, PyTorch runs slow mode to say where: minutes for each fault here, and not asked for.
sys.modules["torch.autograd.gradcheck"]._run_slow_mode_and_get_error = lambda *_: ""


def says(f, tensors):
    try:
        torch.autograd.gradcheck(f, tensors, fast_mode=True)
        return "passes"
    except RuntimeError as error:
        return "fails: " + str(error).strip().split("\n")[0][:70]


def seconds(tensors):
    start = time.perf_counter()
    assert torch.autograd.gradcheck(loss, tensors, fast_mode=True)
    return time.perf_counter() - start


def ours(binary):
    cores = str(len(os.sched_getaffinity(0)))
    env = dict(os.environ, RAYON_NUM_THREADS=cores)
    return json.loads(subprocess.run([binary], env=env, check=True, capture_output=True).stdout)


def main():
    binary, repeats = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 5
    warnings.simplefilter("ignore")  # torch says at each input that f32 will not do
    torch.set_num_threads(1)  # its best on matrices this small
    double = parameters()
    value = loss(*double).item()
    seconds(double)
    theirs, f64, f32 = [], [], []
    for _ in range(repeats):
        run = ours(binary)
        assert abs(run["loss"] / value - 1) < 1e-12, (run["loss"], value)
        f64.append(run["f64"])
        f32.append(run["f32"])
        theirs.append(seconds(double))
    print(f"torch {torch.__version__} on one thread, ours on {os.cpu_count()} cores, medians of {repeats} runs")
    print(f"{run['numbers']} numbers in {len(double)} tensors, {run['passes']} passes\n")
    print("| | seconds |\n|---|---:|")
    print(f"| torch, fast mode, f64 | {statistics.median(theirs):.3f} |")
    print(f"| by name, f64 | {statistics.median(f64):.3f} |")
    print(f"| by name, f32 | {statistics.median(f32):.3f} |")
    ratios = [a / b for a, b in zip(f64, theirs)]
    print(f"\nby name in f64 / torch: {statistics.median(ratios):.2f}")
    print(f"torch's fast mode on the right model in f32: {says(loss, parameters(torch.float32))}\n")
    print(f"| the gradient of {FAULTY} | torch, fast mode, f64 | by name, f64 | by name, f32 |\n|---|---|---|---|")
    for name, k in [("cut", None), ("doubled", 2.0), ("scaled by 1.01", 1.01), ("scaled by 1.001", 1.001)]:
        row = {r["dtype"]: r["of"] for r in run["faults"] if r["fault"] == name}
        print(f"| {name} | {says(faulty(k), double)} | {row['f64']} | {row['f32']} |")


if __name__ == "__main__":
    main()
