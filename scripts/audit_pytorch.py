#!/usr/bin/env python3
"""Asks PyTorch for what the audit's defects say it has: `should_be` is y, or the gradient of y.sum().

    python3 -m pip install torch==2.15.0 numpy
    python3 scripts/audit_pytorch.py [NAME ...]

It reads tests/audit/defects/*.rs, evaluates each `torch` with its x, and exits with 1 where `should_be` differs.
"""

import pathlib
import re
import sys

import torch
import torch.nn.functional as F

DEFECTS = pathlib.Path(__file__).resolve().parent.parent / "tests/audit/defects"
DTYPES = {"f16": torch.float16, "bf16": torch.bfloat16, "f32": torch.float32, "f64": torch.float64}


def numbers(text):
    """`1., f64::NAN` or `1.; 9`."""
    text = text.replace("f64::NAN", "nan").replace("f64::NEG_INFINITY", "-inf").replace("f64::INFINITY", "inf")
    text, _, times = text.partition(";")
    return [float(x) for x in text.split(",") if x.strip()] * int(times or 1)


def ask(entry):
    """What PyTorch has, and what the entry says."""
    dtype, data, dims = re.search(r" x: (\w+)\(\s*&\[(.*?)\],\s*&\[(.*?)\],?\s*\)", entry, re.S).groups()
    shape = [int(n) for n in dims.split(",") if n.strip()]
    x = torch.tensor(numbers(data), dtype=torch.float64).to(DTYPES[dtype]).reshape(shape).requires_grad_()
    expression = re.search(r' torch: "((?:\\.|[^"\\])*)"', entry, re.S)[1]
    expression = re.sub(r"\\\n\s*", "", expression).replace('\\"', '"')
    y = eval(expression, {"torch": torch, "F": F, "x": x})
    if " of: Gradient," in entry:
        (y,) = torch.autograd.grad(y.sum(), x)
    should_be = re.search(r" should_be: &\[(.*?)\]", entry, re.S)[1]
    within = re.search(r" within: ([\d.e-]+),", entry)
    return y.detach().double().flatten().tolist(), numbers(should_be), float(within[1]) if within else 1e-4


def main():
    seen, wrong = 0, 0
    for file in sorted(DEFECTS.glob("*.rs")):
        for entry in file.read_text().split("    Defect {\n")[1:]:
            name = re.search(r'name: "(.*?)"', entry)[1]
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            theirs, ours, within = ask(entry)
            same = len(theirs) == len(ours) and all(a == b or abs(a - b) <= within / 10 for a, b in zip(theirs, ours))
            seen, wrong = seen + 1, wrong + (not same)
            if sys.argv[1:] or not same:
                print(f"{name}: PyTorch {torch.__version__} has {theirs}, the entry {ours}")
    print(f"{seen} entries, {wrong} with another value than PyTorch's")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
