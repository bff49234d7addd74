//! The post with an op of our own: `Square`, with a backward pass that we write and `gradcheck` checks.
//! The file is optimizer.rs but for that, with the same losses; PyTorch's `torch.autograd.Function`.
//!
//!     cargo run --release --example custom_op

use anyhow::Result;
use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Shape, Tensor, Var};
use candle_nn::{Linear, Module, Optimizer, SGD};
use candle_sine::device;
use candle_sine::gradcheck::{Options, gradcheck};
use candle_sine::plot::Figure;
use candle_sine::pytorch::{linspace, manual_seed, sum};
use std::f64::consts::PI;

/// e², element by element.
struct Square;

impl CustomOp1 for Square {
    fn name(&self) -> &'static str {
        "square"
    }

    // Forward: from the numbers of `e` to the numbers of e².
    fn cpu_fwd(&self, e: &CpuStorage, layout: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        Ok((e.powf(layout, 2.)?, layout.shape().clone()))
    }

    // Backward: given ∂loss/∂(e²), the chain rule gives ∂loss/∂e = 2 e ∂loss/∂(e²).
    fn bwd(
        &self,
        e: &Tensor,
        _square: &Tensor,
        grad: &Tensor,
    ) -> candle_core::Result<Option<Tensor>> {
        Ok(Some(((2. * e)? * grad)?))
    }
}

fn main() -> Result<()> {
    // Always the CPU: on a GPU candle would look for a `cuda_fwd` or `metal_fwd` beside our `cpu_fwd`.
    let device = Device::Cpu;
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

    // a x³ + b x² + c x + d is a linear layer of three inputs: the columns x³, x², x, of shape (1000, 3),
    // times the weight (a, b, c), of shape (1, 3), and the bias d.
    let columns = Tensor::stack(&[x.powf(3.)?, x.powf(2.)?, x.clone()], 1)?;
    let weight = Var::from_tensor(&Tensor::stack(&[a, b, c], 0)?.unsqueeze(0)?)?;
    let bias = Var::from_tensor(&d.unsqueeze(0)?)?;
    let linear = Linear::new(weight.as_tensor().clone(), Some(bias.as_tensor().clone()));

    let y_rand = linear.forward(&columns)?.squeeze(1)?;
    plt.subplot(3, 1, 3);
    plt.title("y random");
    plt.plot(&x, &y_rand)?;

    // Before it is used: is `bwd` the derivative of the forward pass? At nine numbers from -2 to 2.
    let e = linspace(-2., 2., 9, DType::F32, &device)?;
    let report = gradcheck(|t| t[0].apply_op1(Square), &[e], &Options::default())?;
    println!("square, {report}");

    let learning_rate = 1e-6;
    let epochs = 1000;
    let mut sgd = SGD::new(vec![weight, bias], learning_rate)?;
    let mut y_pred = y_rand;
    for epoch in 0..epochs {
        // Forward: the prediction, and the sum of its squared errors (손실, the loss).
        // `candle_nn::loss::mse` is their mean: its gradient is a thousand times smaller.
        y_pred = linear.forward(&columns)?.squeeze(1)?;
        let loss = sum(&(&y_pred - &y)?.apply_op1(Square)?)?;
        if epoch % 100 == 0 {
            let loss = f64::from(loss.to_scalar::<f32>()?);
            println!("epoch : {}, loss : {loss}", epoch + 1);
        }

        // Backward, and one step downhill (가중치 업데이트, the update).
        sgd.backward_step(&loss)?;
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
    let picture = "out/custom_op.png";
    plt.savefig(picture)?;
    println!("wrote {picture}, computed on {}", device::name(&device));
    Ok(())
}
