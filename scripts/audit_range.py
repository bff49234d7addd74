#!/usr/bin/env python3
"""Makes tests/data/audit_range.json: what PyTorch does where candle is grossly wrong.

    python3 -m pip install torch==2.15.0 numpy
    python3 scripts/audit_range.py

It needs a Rust toolchain, to sweep candle; the test reads the file and needs neither. Each finding
of the sweep brings some of the samples where candle is wrong. They are evaluated in PyTorch in the
same type with the same upstream gradient. A sample counts as alike where PyTorch is grossly wrong too and candle is off by no
more than ten times as much, or PyTorch just is not and candle is off by no more than twice as much.
"""

import json
import math
import pathlib
import platform
import subprocess

import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
TYPES = dict(f64=torch.float64, f32=torch.float32, f16=torch.float16, bf16=torch.bfloat16)
# The catalogue spells these out; PyTorch's own functions are the measure here.
OWN = {
    "torch.where(xs > 0, 1.0625 * xs, 1.0625 * 1.625 * torch.expm1(xs))": "F.elu(xs, 1.625) * 1.0625",
    "xs / torch.sqrt((xs * xs).mean(-1, keepdim=True) + 1/1024) * alpha": "F.rms_norm(xs, (4,), alpha, 1/1024)",
    "x / torch.sqrt((x * x).mean(-1, keepdim=True) + 1/1024) * weight": "F.rms_norm(x, (4,), weight, 1/1024)",
}


def tensor(arg, numbers, dtype):
    if not arg["float"]:
        return torch.tensor(numbers, dtype=torch.int64).reshape(arg["dims"])
    wide = torch.tensor(numbers, dtype=torch.float64).reshape(arg["dims"])
    return wide.to(dtype).requires_grad_()


def pytorch(finding, sample):
    """PyTorch's number for what candle has wrong."""
    dtype = TYPES[finding["dtype"]]
    tensors = [tensor(a, x, dtype) for a, x in zip(finding["args"], sample["inputs"])]
    names = {a["name"]: t for a, t in zip(finding["args"], tensors)}
    expression = OWN.get(finding["torch"], finding["torch"])
    y = eval(expression, dict(torch=torch, F=F), names)
    if finding["of"] is None:
        return y.detach().double().flatten()[sample["at"]].item()
    seed = torch.tensor(finding["weights"], dtype=torch.float64) * finding["scale"]
    source = tensors[finding["of"]]
    (grad,) = torch.autograd.grad(y, source, seed.reshape(y.shape).to(y.dtype), allow_unused=True)
    return 0.0 if grad is None else grad.double().flatten()[sample["at"]].item()


def alike(finding, sample):
    ours, theirs, true = float(sample["found"]), pytorch(finding, sample), sample["expected"]
    if not math.isfinite(theirs):
        return True
    rounding = 4 * finding["smallest"] * max(1, finding["scale"])
    off = abs(theirs - true)
    gross = off > 0.1 * abs(true) + rounding
    return abs(ours - true) <= (10 if gross else 2) * off


def main():
    command = ["cargo", "run", "--release", "--quiet", "--example", "range_cases"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    rows = []
    for line in listed.stdout.splitlines():
        f = json.loads(line)
        n = sum(alike(f, s) for s in f["samples"])
        rows.append([f["path"], f["case"], f["input"], f["dtype"], f["probe"], n, len(f["samples"])])
    head = {"torch": torch.__version__, "python": platform.python_version()}
    body = ",\n".join(json.dumps(r, separators=(",", ":")) for r in rows)
    text = json.dumps(head)[:-1] + ', "findings": [\n' + body + "\n]}\n"
    (ROOT / "tests/data/audit_range.json").write_text(text)
    print(len(rows), "findings")


if __name__ == "__main__":
    main()
