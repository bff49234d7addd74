//! The post by the normal equations: the thousand points are read once, before the first epoch.
//! The loss Σ (y_pred - y)² is a quadratic in the four weights, so 4 by 4 numbers say all about it. In f64
//! nothing is rounded to f32 on the way, so the post's ten losses come out within 2e-6.
//!
//!     cargo run --release --example normal

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_sine::device;
use candle_sine::plot::Figure;
use candle_sine::pytorch::{linspace, manual_seed};
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
    let a = torch.randn(())?;
    let b = torch.randn(())?;
    let c = torch.randn(())?;
    let d = torch.randn(())?;

    // With the columns x³, x², x, 1 as X, of shape (1000, 4), and w = (a, b, c, d), of shape (4, 1):
    // y_pred = X w. In f64, since the loss below is a small difference of large numbers; a GPU need
    // not have f64, so on the CPU.
    let wide = |t: &Tensor| t.to_device(&Device::Cpu)?.to_dtype(DType::F64);
    let columns = Tensor::stack(&[x.powf(3.)?, x.powf(2.)?, x.clone(), x.ones_like()?], 1)?;
    let (big_x, big_y) = (wide(&columns)?, wide(&y.unsqueeze(1)?)?);
    let mut w = wide(&Tensor::stack(&[a, b, c, d], 0)?.unsqueeze(1)?)?;

    let y_rand = big_x.matmul(&w)?;
    plt.subplot(3, 1, 3);
    plt.title("y random");
    plt.plot(&x, &y_rand)?;

    // All that the descent needs to know of the data: XᵀX (4 by 4), Xᵀy (4 by 1) and yᵀy.
    let xtx = big_x.t()?.matmul(&big_x)?;
    let xty = big_x.t()?.matmul(&big_y)?;
    let yty = big_y.t()?.matmul(&big_y)?;

    let learning_rate = 1e-6;
    let epochs = 1000;
    let mut y_pred_w = w.clone();
    for epoch in 0..epochs {
        // ‖X w - y‖² = wᵀ XᵀX w - 2 wᵀ Xᵀy + yᵀy, and its gradient 2 (XᵀX w - Xᵀy).
        let half_grad = (xtx.matmul(&w)? - &xty)?;
        let loss = (w.t()?.matmul(&(&half_grad - &xty)?)? + &yty)?;
        if epoch % 100 == 0 {
            let loss = f64::from(loss.squeeze(0)?.squeeze(0)?.to_scalar::<f64>()? as f32);
            println!("epoch : {}, loss : {loss}", epoch + 1);
        }

        // One step downhill (가중치 업데이트, the update).
        y_pred_w = w.clone();
        w = (w - learning_rate * (2. * half_grad)?)?;
    }

    let y_pred = big_x.matmul(&y_pred_w)?;
    if !y_pred.sum_all()?.to_scalar::<f64>()?.is_finite() {
        println!("diverged: try a smaller learning rate");
    }

    plt.subplot(3, 1, 2);
    plt.title("y pred");
    plt.plot(&x, &y_pred)?;

    plt.subplot(3, 1, 1);
    plt.title("y true");
    plt.plot(&x, &y)?;
    let picture = "out/normal.png";
    plt.savefig(picture)?;
    println!("wrote {picture}, computed on {}", device::name(&device));
    Ok(())
}
