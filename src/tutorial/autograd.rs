//! The post with candle's autograd: `backward` finds the gradient, and no derivative is written down.
//! The file is post.rs but for that; PyTorch's `requires_grad=True` and `loss.backward()`. candle's backward
//! adds in another order, so the post's ten losses come out within 2e-6.
//!
//!     cargo run --release --example autograd

use anyhow::{Context, Result};
use candle_core::{DType, Var};
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

        // Backward (변화도, the gradient): candle walks from the loss back to every Var. PyTorch leaves a
        // gradient in `a.grad`, where the next one is added to it; candle returns all of them, new each
        // time, so there is no `zero_grad`. `get` finds nothing for a Var that the loss does not depend on.
        let grads = loss.backward()?;
        let grad_a = grads.get(&a).context("no gradient of a")?;
        let grad_b = grads.get(&b).context("no gradient of b")?;
        let grad_c = grads.get(&c).context("no gradient of c")?;
        let grad_d = grads.get(&d).context("no gradient of d")?;

        // One step downhill (가중치 업데이트, the update).
        a.set(&(a.as_tensor() - learning_rate * grad_a)?)?;
        b.set(&(b.as_tensor() - learning_rate * grad_b)?)?;
        c.set(&(c.as_tensor() - learning_rate * grad_c)?)?;
        d.set(&(d.as_tensor() - learning_rate * grad_d)?)?;
    }

    if !sum(&y_pred)?.to_scalar::<f32>()?.is_finite() {
        println!("diverged: try a smaller learning rate");
    }

    plt.subplot(3, 1, 2);
    plt.title("y pred");
    plt.plot(&x, &y_pred)?;

    plt.subplot(3, 1, 1);
    plt.title("y true");
    plt.plot(&x, &y)?;
    let picture = "out/autograd.png";
    plt.savefig(picture)?;
    println!("wrote {picture}, computed on {}", device::name(&device));
    Ok(())
}
