#!/usr/bin/env python3
"""Holds the programs of the audit's record against PyTorch: each `should_be` is its value.

    python3 -m pip install torch==2.15.0 numpy
    python3 scripts/audit_repro.py

It reads src/audit/known/record/*.toml, evaluates the `torch` of every `repro`, and exits with 1 where
`should_be` is not y, or not the gradient of the sum of y.
"""

import pathlib
import sys
import tomllib

import torch
import torch.nn.functional as F

RECORD = pathlib.Path(__file__).resolve().parent.parent / "src/audit/known/record"


def should_be(repro):
    names = {"torch": torch, "F": F}
    exec(repro["torch"], names)
    value = names["y"]
    if x := repro.get("gradient"):
        (value,) = torch.autograd.grad(value.sum(), names[x])
    return value.detach().double().flatten().tolist()


def main():
    seen, wrong = 0, 0
    for file in sorted(RECORD.glob("*.toml")):
        for defect in tomllib.loads(file.read_text())["defect"]:
            if repro := defect.get("repro"):
                seen += 1
                theirs, within = should_be(repro), repro.get("within", 1e-4)
                pairs = zip(theirs, repro["should_be"], strict=True)
                if not all(abs(a - b) <= within / 10 for a, b in pairs):
                    wrong += 1
                    print(f"{defect['id']}: PyTorch has {theirs}, the record {repro['should_be']}")
    print(f"{seen} programs, {wrong} with another value than PyTorch {torch.__version__}")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
