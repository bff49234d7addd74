//! Mistakes that authors of ops make, and right functions that a check might accuse.

use candle_core::{
    CpuStorage, CustomOp1, D, DType, Device, Layout, Result, Shape, Storage, Tensor, bail,
};
use candle_sine::gradcheck::{Gradcheck, Mode, OddOneOut, Options, Report, Verdict, gradcheck};

const CPU: &Device = &Device::Cpu;

type Forward = fn(&Tensor) -> Result<Tensor>;
/// The gradient by x, from x, f(x) and the output's gradient.
type Backward = fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor>;

/// An op whose forward and backward passes are made of tensor operations.
#[derive(Clone, Copy)]
struct Op(Forward, Backward);

impl CustomOp1 for Op {
    fn name(&self) -> &'static str {
        "op"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("contiguous input only")
        };
        let x = match storage {
            CpuStorage::F64(v) => Tensor::from_slice(&v[start..end], layout.shape(), CPU)?,
            CpuStorage::F32(v) => Tensor::from_slice(&v[start..end], layout.shape(), CPU)?,
            CpuStorage::F16(v) => Tensor::from_slice(&v[start..end], layout.shape(), CPU)?,
            CpuStorage::BF16(v) => Tensor::from_slice(&v[start..end], layout.shape(), CPU)?,
            _ => bail!("floats only"),
        };
        let y = (self.0)(&x)?.contiguous()?;
        let (storage, _) = y.storage_and_layout();
        match &*storage {
            Storage::Cpu(storage) => Ok((storage.clone(), y.shape().clone())),
            _ => bail!("on the CPU"),
        }
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (self.1)(x, y, grad).map(Some)
    }
}

/// 24 numbers from -1.2 to 1.9, none of them 0.
fn x() -> Tensor {
    let values = (0..24).map(|k| 1.6 * (0.9 * f64::from(k) + 0.3).sin() + 0.3);
    let x = Tensor::from_iter(values, CPU).and_then(|x| x.reshape((4, 6)));
    x.unwrap()
}

fn check(op: Op, x: &Tensor, mode: Mode) -> Report {
    let options = Options::default().mode(mode);
    gradcheck(|t| t[0].apply_op1(op), std::slice::from_ref(x), &options).unwrap()
}

fn softmax(x: &Tensor) -> Result<Tensor> {
    let e = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    e.broadcast_div(&e.sum_keepdim(D::Minus1)?)
}

fn centred(x: &Tensor) -> Result<Tensor> {
    x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)
}

/// Backward passes that are right for a gradient of one 1 among zeros, and not linear in it.
#[test]
fn a_backward_pass_is_linear_in_the_outputs_gradient() {
    let nonlinear: [(&str, Op); 6] = [
        ("x², relu", Op(Tensor::sqr, |x, _, g| (g.relu()? * x)? * 2.)),
        ("x², abs", Op(Tensor::sqr, |x, _, g| (g.abs()? * x)? * 2.)),
        (
            "softmax, max for sum",
            Op(softmax, |_, y, g| {
                let gy = (g * y)?;
                &gy - y.broadcast_mul(&gy.max_keepdim(D::Minus1)?)?
            }),
        ),
        (
            "softmax, signed largest for sum",
            Op(softmax, |_, y, g| {
                let gy = (g * y)?;
                let (most, least) = (gy.max_keepdim(D::Minus1)?, gy.min_keepdim(D::Minus1)?);
                &gy - y.broadcast_mul(&(most + least)?)?
            }),
        ),
        (
            "x - mean, max for sum",
            Op(centred, |_, _, g| {
                g.broadcast_sub(&(g.max_keepdim(D::Minus1)? / 6.)?)
            }),
        ),
        (
            "x - mean, norm for sum",
            Op(centred, |_, _, g| {
                g.broadcast_sub(&(g.sqr()?.sum_keepdim(D::Minus1)?.sqrt()? / 6.)?)
            }),
        ),
    ];
    for (name, op) in nonlinear {
        for mode in [Mode::Full, Mode::Fast] {
            let report = check(op, &x(), mode);
            assert_eq!(
                report.verdict(),
                Verdict::Wrong,
                "{name}, {mode:?}\n{report}"
            );
        }
    }
    let right = Op(softmax, |_, y, g| {
        let gy = (g * y)?;
        &gy - y.broadcast_mul(&gy.sum_keepdim(D::Minus1)?)?
    });
    for mode in [Mode::Full, Mode::Fast] {
        check(right, &x(), mode).assert_pass();
    }
}

/// A fault in a narrow dtype alone, where the same op in f64 is right.
#[test]
fn a_gross_fault_in_a_narrow_dtype_is_not_rounding() {
    let doubled: Backward = |_, y, g| {
        let narrow = y.dtype() != DType::F64;
        (g * y)? * if narrow { 2. } else { 1. }
    };
    let flipped: Backward = |x, _, g| {
        let narrow = x.dtype() != DType::F64;
        (g * x.sin()?)? * if narrow { 1. } else { -1. }
    };
    for dtype in [DType::F16, DType::BF16, DType::F32] {
        for size in [0.01, 0.1, 1.] {
            let x = (x() * size).and_then(|x| x.to_dtype(dtype)).unwrap();
            for mode in [Mode::Full, Mode::Fast] {
                for op in [Op(Tensor::exp, doubled), Op(Tensor::cos, flipped)] {
                    let report = check(op, &x, mode);
                    assert!(!report.is_pass(), "{dtype:?} {size}\n{report}");
                }
                let right = Op(Tensor::exp, |_, y, g| g * y);
                let report = check(right, &x, mode);
                assert!(!report.verdict().is_defect(), "{dtype:?} {size}\n{report}");
            }
        }
    }
}

/// In f16 and bf16 with nothing wider to look at, a pass leaves room for a quarter of an entry.
#[test]
fn a_narrow_dtype_by_itself_certifies_little() {
    let options = Options::default().widen(false);
    for dtype in [DType::F16, DType::BF16] {
        let x = x().to_dtype(dtype).unwrap();
        for factor in [0.6, 0.7, 1.3, 1.5] {
            let wrong = |t: &[Tensor]| {
                let exp: Backward = |_, y, g| g * y;
                let y = t[0].apply_op1(Op(Tensor::exp, exp))?;
                // The value is y's, the gradient `factor` times y's.
                (&y * factor)? + (y.detach() * (1. - factor))?
            };
            let report = gradcheck(wrong, std::slice::from_ref(&x), &options).unwrap();
            assert!(!report.is_pass(), "{dtype:?} {factor}\n{report}");
        }
    }
}

#[test]
fn right_functions_are_not_accused() {
    let layer_norm = |t: &[Tensor]| {
        let x = centred(&t[0])?;
        let variance = x.sqr()?.mean_keepdim(D::Minus1)?;
        x.broadcast_div(&(variance + 1e-5)?.sqrt()?)
    };
    let long = |rows: usize, columns: usize, dtype| {
        let values = (0..rows * columns).map(|k| (0.7 * k as f64 + 0.2).sin() * 1.5);
        let x = Tensor::from_iter(values, CPU)?.reshape((rows, columns))?;
        x.to_dtype(dtype)
    };
    for (rows, columns, dtype) in [
        (16, 768, DType::F32),
        (2, 33, DType::F32),
        (2, 128, DType::BF16),
        (8, 100, DType::BF16),
    ] {
        for mode in [Mode::Auto, Mode::Fast] {
            let x = long(rows, columns, dtype).unwrap();
            let options = Options::default().mode(mode);
            let report = gradcheck(layer_norm, &[x], &options).unwrap();
            assert!(!report.verdict().is_defect(), "{rows} {columns} {report}");
        }
    }
    // Another dtype comes out than went in.
    let x32 = x().to_dtype(DType::F32).unwrap();
    let wider = |t: &[Tensor]| t[0].to_dtype(DType::F64)?.sin();
    gradcheck(wider, std::slice::from_ref(&x32), &Options::default())
        .unwrap()
        .assert_pass();
    let mixed = |t: &[Tensor]| t[0].to_dtype(DType::F64)?.matmul(&t[1].t()?);
    gradcheck(mixed, &[x32, x()], &Options::default())
        .unwrap()
        .assert_pass();
    // A strided input: sums in another order.
    let strided = long(1024, 4, DType::F32).and_then(|x| x.t()).unwrap();
    let report = gradcheck(|t| t[0].sum(1), &[strided], &Options::default()).unwrap();
    assert!(!report.verdict().is_defect(), "{report}");
}

/// Functions that repeat themselves, on whole numbers and fractions of them above all.
#[test]
fn oscillations_do_not_hide_from_the_steps() {
    let x = Tensor::from_iter((0..96).map(|k| 0.3717 + 0.005 * f64::from(k)), CPU).unwrap();
    // Slow in the columns that are tried first, whole periods a step in others.
    let frequencies = (0..96).map(|k| {
        if k % 16 == 0 {
            1e-3
        } else {
            f64::from(1 << (k % 8))
        }
    });
    let frequencies = Tensor::from_iter(frequencies, CPU).unwrap();
    let waves = |t: &[Tensor]| (t[0].mul(&frequencies)? * std::f64::consts::TAU)?.sin();
    let options = Options::default().mode(Mode::Full);
    gradcheck(waves, std::slice::from_ref(&x), &options)
        .unwrap()
        .assert_pass();
    let cut = |t: &[Tensor]| waves(&[t[0].detach()]);
    let report = gradcheck(cut, std::slice::from_ref(&x), &options).unwrap();
    assert_eq!(report.verdict(), Verdict::Severed, "{report}");
    assert_eq!(report.inputs[0].certified, 96 * 95, "{report}");
    for k in 0..19 {
        let fast = |t: &[Tensor]| (&t[0] * (f64::from(1 << k) * std::f64::consts::PI))?.sin();
        let report = gradcheck(fast, &[x.narrow(0, 3, 5).unwrap()], &options).unwrap();
        assert!(!report.verdict().is_defect(), "2^{k} {report}");
        let cut = |t: &[Tensor]| fast(&[t[0].detach()]);
        let report = gradcheck(cut, &[x.narrow(0, 3, 5).unwrap()], &options).unwrap();
        assert!(!report.is_pass(), "2^{k} {report}");
    }
}

/// What lies outside a function's domain may be an error instead of NaN.
#[test]
fn an_error_beside_the_input_makes_steps_smaller() {
    let arcsine = |t: &[Tensor]| {
        let largest: f64 = t[0].detach().abs()?.max_all()?.to_scalar()?;
        if largest >= 1. {
            bail!("outside [-1, 1]: {largest}")
        }
        (t[0].sqr()? * -1.)?.affine(1., 1.)?.sqrt()?.log()
    };
    let x = Tensor::new(&[0.999, -0.5, 0.25], CPU).unwrap();
    for mode in [Mode::Full, Mode::Fast] {
        let options = Options::default().mode(mode);
        let report = gradcheck(arcsine, std::slice::from_ref(&x), &options).unwrap();
        assert!(report.is_pass(), "{report}");
    }
    // A gradient that is NaN is found all the same.
    let nan = |t: &[Tensor]| {
        let largest: f64 = t[0].detach().abs()?.max_all()?.to_scalar()?;
        if largest >= 1. {
            bail!("outside [-1, 1]: {largest}")
        }
        t[0].apply_op1(Op(Tensor::sqr, |x, _, g| (g * x)? * f64::NAN))
    };
    let report = gradcheck(nan, std::slice::from_ref(&x), &Options::default()).unwrap();
    assert_eq!(report.verdict(), Verdict::NonFinite, "{report}");
    // Nowhere but at the input itself.
    let only_here = |t: &[Tensor]| match t[0].detach().to_vec1::<f64>()? {
        here if here == [0.999, -0.5, 0.25] => t[0].sqr(),
        _ => bail!("not here"),
    };
    let error = gradcheck(only_here, &[x], &Options::default()).unwrap_err();
    assert!(error.to_string().contains("not here"), "{error}");
}

/// Moving everything at once may leave a domain that no element leaves by itself.
#[test]
fn fast_mode_does_not_accuse_what_it_cannot_see() {
    let options = Options::default().mode(Mode::Fast);
    let x = Tensor::new(&[1e-8, 1., 1e-30, 1e8], CPU).unwrap();
    let report = gradcheck(|t| t[0].log(), &[x], &options).unwrap();
    assert!(!report.verdict().is_defect(), "{report}");
}

/// All zeros are no gradient, in both modes.
#[test]
fn a_gradient_of_zeros_is_severed() {
    let op = Op(Tensor::exp, |_, _, g| g.zeros_like());
    for mode in [Mode::Full, Mode::Fast] {
        let report = check(op, &x(), mode);
        assert_eq!(report.inputs[0].verdict, Verdict::Severed, "{report}");
        let note = ["the gradient is all zeros"];
        assert_eq!(report.inputs[0].notes, note, "{mode:?} {report}");
    }
}

/// A scalar's backward pass that takes the output's gradient for 1: every entry is right, no projection is.
#[test]
fn the_worst_entry_is_none_that_passes() {
    let sum: Forward = |x| x.sqr()?.sum_all();
    let report = check(Op(sum, |x, _, _| x * 2.), &x(), Mode::Fast);
    assert_eq!(report.verdict(), Verdict::Wrong, "{report}");
    let input = &report.inputs[0];
    assert_eq!(input.verdict, Verdict::Inconclusive, "{report}");
    assert!(input.worst.is_none(), "{report}");
    let note = ["a projection disagrees, but no single entry does"];
    assert_eq!(input.notes, note, "{report}");
}

/// The hand-written gradient is judged by itself in fast mode too.
#[test]
fn a_mistake_made_twice_is_one_of_both() {
    let first: Backward = |x, _, g| {
        let mut factors = vec![2.; x.elem_count()];
        factors[0] = 4.;
        (g * x)? * Tensor::from_vec(factors, x.shape(), CPU)?
    };
    let f = |t: &[Tensor]| t[0].apply_op1(Op(Tensor::sqr, first));
    let by_hand = |t: &[Tensor], g: &Tensor| Ok(vec![first(&t[0], &t[0], g)?]);
    for mode in [Mode::Full, Mode::Fast] {
        let options = Options::default().mode(mode);
        let check = Gradcheck::of(f).by_hand(by_hand).options(options.clone());
        let report = check.run(&[x()]).unwrap();
        let manual = report.inputs[0].manual.as_ref().unwrap();
        assert_eq!(manual.verdict, Verdict::Wrong, "{mode:?} {report}");
        assert_eq!(manual.odd_one_out, OddOneOut::Numeric, "{mode:?} {report}");
        let worst = manual.worst.as_ref().map(|w| (&w.output[..], &w.input[..]));
        assert_eq!(worst, Some((&[0, 0][..], &[0, 0][..])), "{mode:?} {report}");
        let cut = |t: &[Tensor]| t[0].detach().sqr();
        let check = Gradcheck::of(cut).by_hand(by_hand).options(options);
        let report = check.run(&[x()]).unwrap();
        let manual = report.inputs[0].manual.as_ref().unwrap();
        assert_eq!(manual.verdict, Verdict::Wrong, "{mode:?} {report}");
        assert_eq!(manual.odd_one_out, OddOneOut::All, "{mode:?} {report}");
    }
}

/// A contiguous tensor need not begin where its storage does.
#[test]
fn an_op_that_reads_from_the_start_of_the_storage() {
    struct Double;
    impl CustomOp1 for Double {
        fn name(&self) -> &'static str {
            "double"
        }

        fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
            match s {
                CpuStorage::F64(v) if l.is_contiguous() => {
                    let v = v[..l.shape().elem_count()].iter().map(|x| 2. * x);
                    Ok((CpuStorage::F64(v.collect()), l.shape().clone()))
                }
                _ => bail!("contiguous f64 only"),
            }
        }

        fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
            Ok(Some((grad * 2.)?))
        }
    }
    let report = gradcheck(|t| t[0].apply_op1(Double), &[x()], &Options::default()).unwrap();
    assert_eq!(report.inputs[0].verdict, Verdict::Pass, "{report}");
    assert_eq!(report.verdict(), Verdict::Wrong, "{report}");
}

/// Both inputs strided at once: neither alone shows the fault.
#[test]
fn an_op_that_forgets_strides_when_all_inputs_have_them() {
    let flat = |t: &Tensor| -> Result<Tensor> {
        let (storage, layout) = t.storage_and_layout();
        let start = layout.start_offset();
        match &*storage {
            Storage::Cpu(CpuStorage::F64(v)) => {
                let v = v[start..start + t.elem_count()].to_vec();
                Tensor::from_vec(v, t.shape(), CPU)
            }
            _ => bail!("f64 only"),
        }
    };
    let product = |t: &[Tensor]| {
        let right = (&t[0] * &t[1])?;
        match t.iter().any(Tensor::is_contiguous) {
            true => Ok(right),
            // The values in the order of storage, with a graph that is right.
            false => (&right - right.detach())? + (flat(&t[0])? * flat(&t[1])?)?,
        }
    };
    let inputs = [x(), (x() + 2.).unwrap()];
    let report = gradcheck(product, &inputs, &Options::default()).unwrap();
    assert_eq!(report.verdict(), Verdict::Wrong, "{report}");
}

/// The report counts the calls of f that were made.
#[test]
fn evaluations_are_calls_of_f() {
    for (dtype, mode) in [
        (DType::F64, Mode::Full),
        (DType::F32, Mode::Full),
        (DType::F64, Mode::Fast),
        (DType::F32, Mode::Fast),
    ] {
        let calls = std::cell::Cell::new(0);
        let f = |t: &[Tensor]| {
            calls.set(calls.get() + 1);
            t[0].sin()
        };
        let x = x().to_dtype(dtype).unwrap();
        let report = gradcheck(f, &[x], &Options::default().mode(mode)).unwrap();
        assert_eq!(report.evaluations, calls.get(), "{dtype:?} {mode:?}");
    }
}
