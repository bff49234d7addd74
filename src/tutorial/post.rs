//! The post https://dongdongju96.github.io/posts/pytorch-2 in Rust: its lines, in its order, with its
//! names. The same in PyTorch, line for line: scripts/post.py.
//!
//!     cargo run --release --example post

use anyhow::{Context, Result};
use candle_core::{DType, Tensor, Var};
use candle_sine::device::device;
use candle_sine::plot::Figure;
use candle_sine::pytorch::{linspace, manual_seed, sum};
use std::f64::consts::PI;

fn main() -> Result<()> {
    // The CPU; with `--features cuda` an NVIDIA card, on macOS with `--features metal` Apple's GPU.
    let device = device()?;
    let mut plt = Figure::new();

    let x = linspace(-PI, PI, 1000, DType::F32, &device)?;
    let y = x.sin()?;

    // The post sets no seed; this one gives its numbers, after eight that it had drawn before.
    let mut torch = manual_seed(4034316668, &device);
    torch.randn(8)?;
    let mut a = torch.randn(())?;
    let mut b = torch.randn(())?;
    let mut c = torch.randn(())?;
    let mut d = torch.randn(())?;

    // a x³ + b x² + c x + d: a weight has the shape (), x has (1000,), so candle is told to broadcast.
    let y_rand = (x.powf(3.)?.broadcast_mul(&a)? + x.powf(2.)?.broadcast_mul(&b)?)?;
    let y_rand = (y_rand + x.broadcast_mul(&c)?)?.broadcast_add(&d)?;
    plt.subplot(3, 1, 3);
    plt.title("y random");
    plt.plot(&x, &y_rand)?;

    let learning_rate = 1e-6;
    let mut y_pred = y_rand;
    let (mut weights, mut by_hand) = (vec![], vec![]);
    for epoch in 0..1000 {
        // Forward: the prediction, and the sum of its squared errors.
        y_pred = (x.powf(3.)?.broadcast_mul(&a)? + x.powf(2.)?.broadcast_mul(&b)?)?;
        y_pred = (y_pred + x.broadcast_mul(&c)?)?.broadcast_add(&d)?;
        let loss = sum(&(&y_pred - &y)?.powf(2.)?)?;
        if epoch % 100 == 0 {
            let loss = f64::from(loss.to_scalar::<f32>()?);
            println!("epoch : {}, loss : {loss}", epoch + 1);
        }

        // Backward, by the chain rule: ∂loss/∂a = Σ 2 (y_pred - y) x³, and so on.
        let grad_y_pred = (2. * (&y_pred - &y)?)?;
        let grad_a = sum(&(&grad_y_pred * x.powf(3.)?)?)?;
        let grad_b = sum(&(&grad_y_pred * x.powf(2.)?)?)?;
        let grad_c = sum(&(&grad_y_pred * &x)?)?;
        let grad_d = sum(&grad_y_pred)?;

        // One step downhill. (The two lists are for the end of this file.)
        weights = vec![a.clone(), b.clone(), c.clone(), d.clone()];
        a = (a - learning_rate * &grad_a)?;
        b = (b - learning_rate * &grad_b)?;
        c = (c - learning_rate * &grad_c)?;
        d = (d - learning_rate * &grad_d)?;
        by_hand = vec![grad_a, grad_b, grad_c, grad_d];
    }

    plt.subplot(3, 1, 2);
    plt.title("y pred");
    plt.plot(&x, &y_pred)?;

    plt.subplot(3, 1, 1);
    plt.title("y true");
    plt.plot(&x, &y)?;
    plt.savefig("out/post.png")?;

    // Not in the post: the gradient of the last epoch once more, by candle's autograd.
    let a = Var::from_tensor(&weights[0])?;
    let b = Var::from_tensor(&weights[1])?;
    let c = Var::from_tensor(&weights[2])?;
    let d = Var::from_tensor(&weights[3])?;
    let y_pred = (x.powf(3.)?.broadcast_mul(&a)? + x.powf(2.)?.broadcast_mul(&b)?)?;
    let y_pred = (y_pred + x.broadcast_mul(&c)?)?.broadcast_add(&d)?;
    let grads = sum(&(&y_pred - &y)?.powf(2.)?)?.backward()?;
    // The same: within 0.1% of the largest of them. Rounding to f32 is far below that.
    let largest = Tensor::stack(&by_hand, 0)?
        .abs()?
        .max(0)?
        .to_scalar::<f32>()?;
    for (i, (name, weight)) in [("a", a), ("b", b), ("c", c), ("d", d)].iter().enumerate() {
        let by_hand = by_hand[i].to_scalar::<f32>()?;
        let autograd = grads.get(weight).context("no gradient")?;
        let autograd = autograd.to_scalar::<f32>()?;
        let same = (by_hand - autograd).abs() <= 0.01 + 1e-3 * largest;
        let verdict = if same { "the same" } else { "NOT the same" };
        println!("grad_{name} : {by_hand} by hand, {autograd} by autograd: {verdict}");
    }
    if !device.is_cpu() {
        println!("A GPU adds in another order: the post's ten losses come out within 2e-6.");
    }
    Ok(())
}
