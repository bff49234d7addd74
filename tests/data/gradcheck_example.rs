use candle_core::{CpuStorage, CustomOp1, Device, Layout, Result, Shape, Tensor};
use candle_sine::gradcheck::{Options, Verdict, gradcheck};

/// x³, one value at a time.
struct Cube;

impl CustomOp1 for Cube {
    fn name(&self) -> &'static str {
        "cube"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let (CpuStorage::F64(values), Some((start, end))) = (storage, layout.contiguous_offsets())
        else {
            candle_core::bail!("cube: contiguous f64 only")
        };
        let cubes = values[start..end].iter().map(|x| x.powi(3)).collect();
        Ok((CpuStorage::F64(cubes), layout.shape().clone()))
    }

    // Should be 3x².
    fn bwd(&self, x: &Tensor, _cubes: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some((grad * (x.sqr()? * 2.)?)?))
    }
}

fn report_of_the_wrong_cube() -> Result<()> {
    let x = Tensor::new(&[[0.5f64, -1.], [2., 0.25]], &Device::Cpu)?;
    let report = gradcheck(|t| t[0].apply_op1(Cube), &[x], &Options::default())?;
    println!("{report}");

    assert_eq!(report.verdict(), Verdict::Wrong);
    let worst = report.inputs[0].worst.as_ref().unwrap();
    assert_eq!((worst.output.as_slice(), worst.input.as_slice()), (&[1, 0][..], &[1, 0][..]));
    assert_eq!(worst.analytic, 8.);
    assert!((worst.numeric - 12.).abs() <= worst.bound);
    Ok(())
}
