//! The post https://dongdongju96.github.io/posts/pytorch-2 in Rust: its lines, in its order, with its
//! names. The same in PyTorch, line for line: scripts/post.py. On the CPU the ten losses are the post's to
//! the last digit; a GPU adds in another order, and they come out within 2e-6.
//!
//!     cargo run --release --example post

use anyhow::{Context, Result};
use candle_core::{DType, Tensor, Var};
use candle_sine::device;
use candle_sine::plot::Figure;
use candle_sine::pytorch::{linspace, manual_seed, sum};
use std::env::args;
use std::f64::consts::PI;

fn main() -> Result<()> {
    // The CPU; with `--features cuda` or `metal` the GPU, unless `-- --device cpu` is added.
    let device = device::from_args(args())?;
    let mut plt = Figure::new();

    let x = linspace(-PI, PI, 1000, DType::F32, &device)?;
    let y = x.sin()?;

    // Random weights (임의의 가중치). The post sets no seed; this one gives its numbers, after eight that
    // it had drawn before.
    let mut torch = manual_seed(4034316668, &device);
    torch.randn(8)?;
    // candle's backward finds the gradient of a `Var`, and `set` changes it in place: PyTorch's tensor with
    // requires_grad=True.
    let a = Var::from_tensor(&torch.randn(())?)?;
    let b = Var::from_tensor(&torch.randn(())?)?;
    let c = Var::from_tensor(&torch.randn(())?)?;
    let d = Var::from_tensor(&torch.randn(())?)?;

    // a x³ + b x² + c x + d: a weight has the shape (), x has (1000,), so candle is told to broadcast.
    let y_rand = (x.powf(3.)?.broadcast_mul(&a)? + x.powf(2.)?.broadcast_mul(&b)?)?;
    let y_rand = (y_rand + x.broadcast_mul(&c)?)?.broadcast_add(&d)?;
    plt.subplot(3, 1, 3);
    plt.title("y random");
    plt.plot(&x, &y_rand)?;

    let learning_rate = 1e-6;
    let epochs = 1000;
    let mut y_pred = y_rand;
    for epoch in 0..epochs {
        // Forward: the prediction, and the sum of its squared errors (손실, the loss).
        y_pred = (x.powf(3.)?.broadcast_mul(&a)? + x.powf(2.)?.broadcast_mul(&b)?)?;
        y_pred = (y_pred + x.broadcast_mul(&c)?)?.broadcast_add(&d)?;
        let loss = sum(&(&y_pred - &y)?.powf(2.)?)?;
        if epoch % 100 == 0 {
            let loss = f64::from(loss.to_scalar::<f32>()?);
            println!("epoch : {}, loss : {loss}", epoch + 1);
        }

        // Backward, by the chain rule: ∂loss/∂a = Σ 2 (y_pred - y) x³, and so on (변화도, the gradient).
        // `detach`: candle need not remember how these are computed.
        let grad_y_pred = (2. * (y_pred.detach() - &y)?)?;
        let grad_a = sum(&(&grad_y_pred * x.powf(3.)?)?)?;
        let grad_b = sum(&(&grad_y_pred * x.powf(2.)?)?)?;
        let grad_c = sum(&(&grad_y_pred * &x)?)?;
        let grad_d = sum(&grad_y_pred)?;

        // Not in the post: in the last epoch candle's autograd finds the gradients of the loss above.
        if epoch == epochs - 1 {
            let grads = loss.backward()?;
            let size = sum(&grad_y_pred.abs()?)?;
            println!("grad_a : {}", compare(&grad_a, grads.get(&a), &size)?);
            println!("grad_b : {}", compare(&grad_b, grads.get(&b), &size)?);
            println!("grad_c : {}", compare(&grad_c, grads.get(&c), &size)?);
            println!("grad_d : {}", compare(&grad_d, grads.get(&d), &size)?);
        }

        // One step downhill (가중치 업데이트, the update).
        a.set(&(a.as_tensor() - learning_rate * &grad_a)?)?;
        b.set(&(b.as_tensor() - learning_rate * &grad_b)?)?;
        c.set(&(c.as_tensor() - learning_rate * &grad_c)?)?;
        d.set(&(d.as_tensor() - learning_rate * &grad_d)?)?;
    }

    plt.subplot(3, 1, 2);
    plt.title("y pred");
    plt.plot(&x, &y_pred)?;

    plt.subplot(3, 1, 1);
    plt.title("y true");
    plt.plot(&x, &y)?;
    let picture = "out/post.png";
    plt.savefig(picture)?;
    println!("wrote {picture}, computed on {}", device::name(&device));
    Ok(())
}

/// The same: apart by at most 1e-5 of `size`, which is Σ |grad_y_pred|. The rounding of a sum grows with
/// its terms, not with what is left when they cancel.
fn compare(by_hand: &Tensor, autograd: Option<&Tensor>, size: &Tensor) -> Result<String> {
    let by_hand = by_hand.to_scalar::<f32>()?;
    let autograd = autograd.context("the loss does not depend on this weight")?;
    let autograd = autograd.to_scalar::<f32>()?;
    let size = size.to_scalar::<f32>()?;
    let verdict = if !size.is_finite() {
        "diverged: try a smaller learning rate"
    } else if (by_hand - autograd).abs() <= 1e-5 * size {
        "the same"
    } else {
        "NOT the same"
    };
    let numbers = format!("{by_hand} by hand, {autograd} by autograd");
    Ok(format!("{numbers}: {verdict}"))
}
