#!/usr/bin/env python3
"""Makes tests/data/audit_pytorch.json: the audit's cases in PyTorch, in f64 on the CPU.

    python3 -m pip install torch==2.15.0 numpy
    python3 scripts/audit_reference.py

It needs a Rust toolchain, to ask the catalogue for its cases; the tests read the file and need
neither. For each case: the value, and the gradient of the sum of its elements with alternating
signs (+, -, +, ...) with respect to each float input.
"""

import json
import pathlib
import platform
import subprocess

import torch
import torch.nn.functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
torch.set_default_dtype(torch.float64)


def lstm(x, w_ih, w_hh, b_ih, b_hh):
    """h of every step, (batch, time, hidden), from zero."""
    h = c = x.new_zeros(x.shape[0], w_hh.shape[1])
    states = []
    for t in range(x.shape[1]):
        h, c = torch._VF.lstm_cell(x[:, t], (h, c), w_ih, w_hh, b_ih, b_hh)
        states.append(h)
    return torch.stack(states, 1)


def gru(x, w_ih, w_hh, b_ih, b_hh):
    """h of every step, (batch, time, hidden), from zero."""
    h = x.new_zeros(x.shape[0], w_hh.shape[1])
    states = []
    for t in range(x.shape[1]):
        h = torch._VF.gru_cell(x[:, t], h, w_ih, w_hh, b_ih, b_hh)
        states.append(h)
    return torch.stack(states, 1)


def rope(x, cos, sin):
    """Halves rotated; x is (batch, heads, time, width)."""
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], -1)


def rope_i(x, cos, sin):
    """Neighbours rotated; x is (batch, heads, time, width)."""
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def attention(q, k, v, causal, mask=None, bias=None, cap=None):
    """q, k, v are (batch, time, heads, width); the result has heads before time, scale 1/2."""
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    if (mask, bias, cap) != (None, None, None) or k.shape[1] < q.shape[1]:
        return scored(q, k, v, causal, mask, bias, cap)
    if causal:
        s, t = q.shape[2], k.shape[2]
        mask = torch.ones(s, t, dtype=torch.bool).tril(t - s)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=0.5)


def scored(q, k, v, causal, mask, bias, cap):
    """With keys shared by heads, a soft cap, ALiBi and a mask."""
    heads, s, t = q.shape[1], q.shape[2], k.shape[2]
    k, v = (x.repeat_interleave(heads // x.shape[1], 1) for x in (k, v))
    scores = q @ k.transpose(2, 3) / 2
    if cap is not None:
        scores = cap * torch.tanh(scores / cap)
    if bias is not None:
        slopes = 2 ** (-bias * (torch.arange(heads, dtype=torch.float64) + 1) / heads)
        distance = (torch.arange(s)[:, None] + t - s - torch.arange(t)).abs()
        scores = scores - slopes[:, None, None] * distance
    if mask is not None:
        scores = scores + mask
    if causal:
        scores = scores.masked_fill(~torch.ones(s, t, dtype=torch.bool).tril(t - s), -torch.inf)
    return scores.softmax(-1) @ v


def packed_attention(q, k, v, lengths):
    """Sequences one after another, each attending to itself; (total, heads, width)."""
    parts = zip(*(t.split(lengths) for t in (q, k, v)))
    one = lambda a, b, c: attention(a[None], b[None], c[None], False)[0].transpose(0, 1)
    return torch.cat([one(*p) for p in parts])


HELPERS = dict(
    torch=torch,
    F=F,
    inf=float("inf"),
    lstm=lstm,
    gru=gru,
    rope=rope,
    rope_i=rope_i,
    attention=attention,
    packed_attention=packed_attention,
)


def tensor(arg):
    if arg["kind"] == "float":
        t = torch.tensor(arg["data"], dtype=torch.float64).reshape(arg["dims"])
        return t.requires_grad_()
    t = torch.tensor(arg["data"], dtype=torch.int64).reshape(arg["dims"])
    return t


def numbers(t):
    return [float(f"{x:.12g}") if x == x and abs(x) != float("inf") else str(x) for x in t.flatten().tolist()]


def evaluate(case):
    args = {a["name"]: tensor(a) for a in case["args"]}
    y = eval(case["torch"], HELPERS, args).to(torch.float64)
    signs = torch.ones(y.numel(), dtype=torch.float64)
    signs[1::2] = -1
    floats = [(n, t) for n, t in args.items() if t.requires_grad]
    total = (y.reshape(-1) * signs).sum()
    if total.requires_grad:
        grads = torch.autograd.grad(total, [t for _, t in floats], allow_unused=True)
    else:
        grads = [None] * len(floats)
    zero = lambda g, t: torch.zeros_like(t) if g is None else g
    return {
        "path": case["path"],
        "case": case["case"],
        "value": numbers(y),
        "grads": {n: numbers(zero(g, t)) for (n, t), g in zip(floats, grads)},
    }


def main():
    command = ["cargo", "run", "--release", "--quiet", "--example", "audit_cases"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    cases = [evaluate(case) for case in json.loads(listed.stdout)]
    head = {"torch": torch.__version__, "python": platform.python_version(), "dtype": "float64"}
    body = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    text = json.dumps(head)[:-1] + ', "cases": [\n' + body + "\n]}\n"
    (ROOT / "tests/data/audit_pytorch.json").write_text(text)
    print(len(cases), "cases")


if __name__ == "__main__":
    main()
