#!/usr/bin/env python3
"""The program of the post https://dongdongju96.github.io/posts/pytorch-2 in our own PyTorch: what
src/tutorial/post.rs is in Rust, line for line.

    python3 -m pip install torch==2.15.0 numpy matplotlib
    python3 scripts/post.py
"""

import math
import os

import matplotlib.pyplot as plt
import torch

x = torch.linspace(-math.pi, math.pi, 1000)
y = torch.sin(x)

# The post sets no seed; this one gives its numbers, after eight that it had drawn before.
torch.manual_seed(4034316668)
torch.randn(8)
a = torch.randn(())
b = torch.randn(())
c = torch.randn(())
d = torch.randn(())

y_rand = a * x**3 + b * x**2 + c * x + d
plt.subplot(3, 1, 3)
plt.title("y random")
plt.plot(x, y_rand)

learning_rate = 1e-6
for epoch in range(1000):
    # Forward: the prediction, and the sum of its squared errors.
    y_pred = a * x**3 + b * x**2 + c * x + d
    loss = (y_pred - y).pow(2).sum().item()
    if epoch % 100 == 0:
        print(f"epoch : {epoch + 1}, loss : {loss}")

    # Backward, by the chain rule.
    grad_y_pred = 2.0 * (y_pred - y)
    grad_a = (grad_y_pred * x**3).sum()
    grad_b = (grad_y_pred * x**2).sum()
    grad_c = (grad_y_pred * x).sum()
    grad_d = grad_y_pred.sum()

    # One step downhill; `-=` changes a tensor in place.
    a -= learning_rate * grad_a
    b -= learning_rate * grad_b
    c -= learning_rate * grad_c
    d -= learning_rate * grad_d

plt.subplot(3, 1, 2)
plt.title("y pred")
plt.plot(x, y_pred)

plt.subplot(3, 1, 1)
plt.title("y true")
plt.plot(x, y)
plt.tight_layout()
os.makedirs("out", exist_ok=True)
plt.savefig("out/post_py.png")
