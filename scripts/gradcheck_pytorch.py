"""What torch.autograd.gradcheck says of twenty functions and ten of the mutants.

    python scripts/gradcheck_pytorch.py > tests/data/gradcheck_pytorch.json

The functions, their inputs and the faults are those of tests/gradcheck_faults/; a fault scales, cuts
or spoils the gradient of input 0. tests/gradcheck_faults/main.rs reads the file and prints a table.
"""

import json
import platform
import warnings

import torch
from torch.autograd import gradcheck

warnings.simplefilter("ignore")

M = [[0.3, -1.2, 0.7], [2.1, 0.4, -0.45]]
M2 = [[-0.8, 0.6, 1.7], [0.9, -1.1, 0.55]]


def t(values):
    return torch.tensor(values, dtype=torch.float64)


def positive():
    return t(M) ** 2 + 0.3


def rms(x, w):
    return x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-5) * w


def layer_norm(x):
    c = x - x.mean(-1, keepdim=True)
    return c / torch.sqrt((c**2).mean(-1, keepdim=True) + 1e-5)


FUNCTIONS = {
    "square": (lambda x: x**2, lambda: [t(M)]),
    "exp": (torch.exp, lambda: [t(M)]),
    "tanh": (torch.tanh, lambda: [t(M)]),
    "sigmoid": (torch.sigmoid, lambda: [t(M)]),
    "log": (torch.log, lambda: [positive()]),
    "sqrt": (torch.sqrt, lambda: [positive()]),
    "recip": (torch.reciprocal, lambda: [t(M)]),
    "mul": (lambda a, b: a * b, lambda: [t(M), t(M2)]),
    "div": (lambda a, b: a / b, lambda: [t(M), t(M2)]),
    "fma": (lambda a, b, c: a * b + c, lambda: [t(M), t(M2), t(M) - t(M2)]),
    "sum dim 1": (lambda x: x.sum(1), lambda: [t(M)]),
    "mean dim 0": (lambda x: x.mean(0), lambda: [t(M)]),
    "sum of squares": (lambda x: (x**2).sum(), lambda: [t(M)]),
    "logsumexp": (lambda x: torch.logsumexp(x, 1), lambda: [t(M)]),
    "squared error": (lambda a, b: ((a - b) ** 2).sum(), lambda: [t(M), t(M2)]),
    "softmax": (lambda x: torch.softmax(x, 1), lambda: [t(M)]),
    "log_softmax": (lambda x: torch.log_softmax(x, 1), lambda: [t(M)]),
    "layer norm": (layer_norm, lambda: [t(M)]),
    "rms norm": (rms, lambda: [t(M), t([0.8, -1.3, 0.6])]),
    "matmul": (torch.matmul, lambda: [t(M), t(M2).T.contiguous()]),
}


def last(g):
    hot = torch.zeros(g.numel(), dtype=g.dtype)
    hot[-1] = 1
    return hot.reshape(g.shape)


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
    inputs = [x.requires_grad_() for x in inputs]
    try:
        return not gradcheck(faulty(f, fault), inputs, fast_mode=fast)
    except RuntimeError:
        return True


def main():
    torch.manual_seed(0)
    caught_by = {}
    for fault_name, fault in FAULTS.items():
        rows = {}
        for name, (f, inputs) in FUNCTIONS.items():
            rows[name] = [caught(f, inputs(), fault, fast) for fast in (False, True)]
        caught_by[fault_name] = rows
    versions = {"torch": torch.__version__, "python": platform.python_version()}
    print(json.dumps({"versions": versions, "caught": caught_by}, indent=1))


if __name__ == "__main__":
    main()
