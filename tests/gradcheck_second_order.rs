//! Second derivatives, where candle keeps the graph of gradients. A process of its own, since candle
//! reads the environment once a thread.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor, bail};
use candle_sine::gradcheck::{Options, Verdict, gradcheck, gradgradcheck};

/// x² whose backward is right in value and wrong as a function: the x in 2x is detached.
struct Square;

impl CustomOp1 for Square {
    fn name(&self) -> &'static str {
        "square"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (CpuStorage::F64(v), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            bail!("contiguous f64 only")
        };
        let squares = v[start..end].iter().map(|x| x * x).collect();
        Ok((CpuStorage::F64(squares), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        ((grad * x.detach())? * 2.).map(Some)
    }
}

#[test]
fn second_derivatives_need_the_graph_of_gradients() -> Result<()> {
    let x = Tensor::new(&[0.5f64, -1.5, 2.], &Device::Cpu)?;
    let on_a_thread_without = std::thread::spawn({
        let x = x.clone();
        move || gradgradcheck(|t| t[0].sin(), &[x], &Options::default()).map(|_| ())
    });
    let error = on_a_thread_without.join().unwrap().unwrap_err().to_string();
    assert!(error.contains("CANDLE_GRAD_DO_NOT_DETACH"), "{error}");

    // SAFETY: no other thread of this test reads the environment now.
    unsafe { std::env::set_var("CANDLE_GRAD_DO_NOT_DETACH", "1") };
    let cubic = |t: &[Tensor]| (t[0].sqr()? * &t[0])? + t[0].tanh()?;
    gradgradcheck(cubic, std::slice::from_ref(&x), &Options::default())?.assert_pass();

    let square = |t: &[Tensor]| t[0].apply_op1(Square);
    let options = Options::default().probes(false);
    gradcheck(square, std::slice::from_ref(&x), &options)?.assert_pass();
    let report = gradgradcheck(square, &[x], &options)?;
    assert_eq!(report.verdict(), Verdict::Severed, "{report}");
    Ok(())
}
