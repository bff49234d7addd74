//! Faults that were found from outside, each as its kind.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

#[path = "common/numbers.rs"]
mod numbers;

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, Var};
use candle_sine::gradcheck::{Gradcheck, Mode, Options, Report, Verdict, gradcheck};
use numbers::CPU;

/// The identity of what fills its storage, whose backward is what it is given: times k of the gradient, or of
/// another shape.
struct Back<F>(F);

impl<F: Fn(&Tensor) -> Result<Tensor>> CustomOp1 for Back<F> {
    fn name(&self) -> &'static str {
        "back"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        use candle_core::backend::BackendStorage;
        Ok((storage.try_clone(layout)?, layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (self.0)(grad).map(Some)
    }
}

fn scaled(y: &Tensor, k: f64) -> Result<Tensor> {
    y.force_contiguous()?
        .apply_op1(Back(move |grad: &Tensor| grad * k))
}

/// [x ≥ at], as a number.
fn from(x: &Tensor, at: f64) -> Result<Tensor> {
    x.ge(at)?.to_dtype(x.dtype())
}

fn check(f: impl Fn(&Tensor) -> Result<Tensor>, x: &Tensor) -> Report {
    gradcheck(|t| f(&t[0]), std::slice::from_ref(x), &Options::default()).unwrap()
}

fn verdict(f: impl Fn(&Tensor) -> Result<Tensor>, x: &[f64]) -> Verdict {
    check(f, &Tensor::new(x, CPU).unwrap()).verdict()
}

/// By random projections.
fn fast_verdict(f: impl Fn(&Tensor) -> Result<Tensor>, x: &[f64]) -> Verdict {
    let options = Options::default().mode(Mode::Fast);
    let x = Tensor::new(x, CPU).unwrap();
    let report = gradcheck(|t: &[Tensor]| f(&t[0]), &[x], &options);
    report.unwrap().verdict()
}

#[test]
fn no_wrong_gradient_passes_beside_a_jump() {
    let steps = |x: &Tensor| x.mul(&((from(x, 1.)? * 0.2)? + 0.2)?)?.sum_all();
    let x = [0.25, 0.5, 1., 2., -0.3];
    assert_ne!(verdict(|x| scaled(&steps(x)?, 1.2), &x), Verdict::Pass);
    for k in [0.5, 1.3, 2., -1.] {
        for at in [1., 1.0001, 0.999, 1. + 1e-9, 1. - 1e-12] {
            let jump = |x: &Tensor| x.sqr()? + (from(x, 1.)? * 0.3)?;
            let wrong = verdict(|x| scaled(&jump(x)?, k), &[at]);
            assert_ne!(wrong, Verdict::Pass, "times {k} at {at}");
            assert!(!verdict(jump, &[at]).is_defect(), "right at {at}");
        }
    }
}

#[test]
fn a_jump_at_the_point_is_not_differentiable_whatever_the_function() {
    let at_one = |size: f64| verdict(|x| x.sqr()? + (from(x, 1.)? * size)?, &[1.]);
    for size in [1., 1e-3, 1e-6, -0.5] {
        assert_eq!(at_one(size), Verdict::Kink, "{size}");
    }
    assert_eq!(
        verdict(|x| x.gt(0.)?.to_dtype(DType::F64), &[0.]),
        Verdict::Kink
    );
    for op in [Tensor::floor, Tensor::ceil, Tensor::sign] {
        let found = verdict(op, &[0.]);
        assert_eq!(found, Verdict::Kink);
    }
}

#[test]
fn no_frequency_is_an_alias_of_the_steps() {
    for n in 0..40 {
        for k in [
            2f64.powi(n),
            std::f64::consts::PI * 2f64.powi(n),
            1.7 * 1.9f64.powi(n),
        ] {
            let wave = |x: &Tensor| (x * k)?.sin();
            let found = verdict(wave, &[0.]);
            assert!(!found.is_defect(), "sin({k} x) at 0: {found}");
            let cut = |x: &Tensor| (x.detach() * k)?.sin();
            assert_ne!(verdict(cut, &[0.]), Verdict::Pass, "sin({k} x), cut");
        }
    }
    let x = Tensor::new(&[0.5f32], CPU).unwrap();
    for n in 10..22 {
        let k = std::f64::consts::PI * 2f64.powi(n);
        let cut = |x: &Tensor| (x.detach() * k)?.sin();
        assert_ne!(
            check(cut, &x).verdict(),
            Verdict::Pass,
            "sin({k} x), cut, in f32"
        );
    }
}

#[test]
fn a_right_loss_passes_at_its_minimum_and_a_cut_one_does_not() {
    let c = Tensor::new(&[0.3, -1.2, 2.5], CPU).unwrap();
    let mse = |x: &Tensor| (x - &c)?.sqr()?.mean_all();
    let spread = |x: &Tensor| x.broadcast_sub(&x.mean_keepdim(0)?)?.sqr()?.mean_all();
    let square = |x: &Tensor| (x - 1.)?.sqr()?.sum_all();
    let cut = |x: &Tensor| (x.detach() - 1.)?.sqr()?.sum_all();
    for x in [&[1.][..], &[1.; 3]] {
        assert_eq!(verdict(square, x), Verdict::Pass);
        assert_eq!(fast_verdict(square, x), Verdict::Pass);
        assert_ne!(verdict(cut, x), Verdict::Pass);
        assert_ne!(fast_verdict(cut, x), Verdict::Pass);
    }
    // Terms that cancel leave a loss of 0 that scatters: that is no jump.
    let probability = candle_nn::ops::softmax(&c, 0).unwrap();
    let divergence = |x: &Tensor| {
        let log = x.broadcast_sub(&x.log_sum_exp(0)?)?;
        probability.mul(&(probability.log()? - log)?)?.sum_all()
    };
    let off = |x: &Tensor| divergence(x)? + ((x.sum_all()? - x.detach().sum_all()?)? * 0.1)?;
    assert_eq!(verdict(divergence, &[0.3, -1.2, 2.5]), Verdict::Pass);
    let found = check(off, &Tensor::new(&[0.3, -1.2, 2.5], CPU).unwrap());
    assert!(found.verdict().is_defect(), "{found}");
    assert_eq!(verdict(mse, &[0.3, -1.2, 2.5]), Verdict::Pass);
    assert_eq!(fast_verdict(mse, &[0.3, -1.2, 2.5]), Verdict::Pass);
    assert_eq!(verdict(spread, &[0.7; 4]), Verdict::Pass);
    assert_eq!(fast_verdict(spread, &[0.7; 4]), Verdict::Pass);
}

#[test]
fn the_larger_of_two_at_a_tie_is_a_kink_by_entries_and_by_projections() {
    let b = Tensor::new(&[0.3, 1.2, 2.], CPU).unwrap();
    for op in [Tensor::maximum, Tensor::minimum] {
        let tie = |x: &Tensor| op(x, &b);
        assert_eq!(verdict(tie, &[0.3, -1.2, 2.5]), Verdict::Kink);
        assert_eq!(fast_verdict(tie, &[0.3, -1.2, 2.5]), Verdict::Kink);
        let doubled = |x: &Tensor| scaled(&tie(x)?, 2.);
        assert!(fast_verdict(doubled, &[0.3, -1.2, 2.5]).is_defect());
    }
}

/// A function of one variable with kinks or jumps at the threshold 1/2, as large as `size`.
fn broken(x: &Tensor, kind: usize, size: f64) -> Result<Tensor> {
    let part = match kind {
        0 => from(x, 0.5)?,
        1 => x.mul(&from(x, 0.5)?)?,
        2 => (x * 2.)?.floor()?,
        3 => (x - 0.5)?.relu()?,
        _ => (x - 0.5)?.abs()?,
    };
    (x * 0.7)?.exp()? + (part * size)?
}

#[test]
fn where_f_jumps_or_bends_no_wrong_entry_passes_and_no_right_one_is_flagged() {
    let mut draw = numbers::Numbers::new(5);
    let mut draw = |n: usize| ((draw.next() + 1.) / 2. * n as f64) as usize % n;
    let sizes = [0.3, 1., -0.5, 1e-3, 1e-6];
    for case in 0..600 {
        let (kind, size) = (draw(5), sizes[draw(5)]);
        let dtype = [DType::F64, DType::F32][draw(2)];
        // The first element is far from the threshold; the others are at it, beside it, or anywhere.
        let beside = |k: usize| match k % 3 {
            0 => 0.5,
            1 => 0.5 + 10f64.powi(-(k as i32) / 3) * if k.is_multiple_of(2) { 0.3 } else { -0.3 },
            _ => 0.04 * k as f64 - 0.7,
        };
        let x: Vec<f64> = (0..1 + draw(4)).map(|_| beside(draw(36))).collect();
        let x = [&[1.3][..], &x].concat();
        let ones: Vec<f64> = (0..x.len()).map(|i| f64::from(i == 0)).collect();
        let x = Tensor::new(x, CPU).and_then(|x| x.to_dtype(dtype)).unwrap();
        let mode = [Mode::Full, Mode::Fast][draw(2)];
        let found = |k: f64| {
            let f = |t: &[Tensor]| {
                let factor = Tensor::new(ones.clone(), CPU)?.affine(k - 1., 1.)?;
                let back = Back(move |grad: &Tensor| grad.mul(&factor.to_dtype(grad.dtype())?));
                broken(&t[0].force_contiguous()?.apply_op1(back)?, kind, size)?.sum_all()
            };
            let options = Options::default().mode(mode).seed(case);
            gradcheck(f, std::slice::from_ref(&x), &options).unwrap()
        };
        let right = found(1.);
        assert!(
            !right.verdict().is_defect(),
            "{case} {kind} {size}: {x}\n{right}"
        );
        for k in [1.2, 0.5, -1.] {
            let wrong = found(k);
            assert!(
                !wrong.is_pass(),
                "{case} {kind} {size} times {k}: {x}\n{wrong}"
            );
        }
    }
}

#[test]
fn a_relu_beside_its_kink_is_no_defect() {
    for n in 0..60 {
        let x = 10f64.powf(-0.25 * f64::from(n));
        for x in [x, -x] {
            for op in [Tensor::relu, Tensor::abs] {
                for (found, mode) in [
                    (verdict(op, &[x, 1.3]), "full"),
                    (fast_verdict(op, &[x, 1.3]), "fast"),
                ] {
                    assert!(!found.is_defect(), "{x} {mode}: {found}");
                }
                let wrong = verdict(|x| scaled(&op(x)?, 2.), &[x, 1.3]);
                assert!(wrong.is_defect(), "{x} doubled: {wrong}");
            }
        }
    }
}

#[test]
fn a_penalty_of_a_millionth_bends_at_zero() {
    let penalised = |x: &Tensor| (x - 0.4)?.sqr()? + (x.abs()? * 1e-6)?;
    let wrong = |x: &Tensor| scaled(&penalised(x)?, 1.01);
    let x = [0., 0.3, -0.2];
    assert!(!verdict(penalised, &x).is_defect() && !fast_verdict(penalised, &x).is_defect());
    assert!(verdict(wrong, &x).is_defect() && fast_verdict(wrong, &x).is_defect());
}

/// Another number from 0 to 1 at each call.
fn noise() -> f64 {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let call = CALLS.fetch_add(1, Ordering::Relaxed) + 1;
    let z = call.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 29)) >> 11) as f64 / (1u64 << 53) as f64
}

#[test]
fn rare_randomness_and_that_of_the_backward_pass_is_said_to_be_that() {
    let mut wrong = 0;
    let x: Vec<f64> = (0..20).map(|k| 0.3 + 0.1 * f64::from(k)).collect();
    for _ in 0..100 {
        // a dropout of 1%
        let dropout = |x: &Tensor| {
            let keep: Vec<f64> = (0..20).map(|_| f64::from(noise() >= 0.01) / 0.99).collect();
            x.mul(&Tensor::new(keep, CPU)?)?.sqr()
        };
        wrong += usize::from(matches!(
            verdict(dropout, &x),
            Verdict::Wrong | Verdict::Severed
        ));
    }
    assert!(wrong <= 1, "{wrong} of 100");
    let backward = |x: &Tensor| {
        x.force_contiguous()?
            .apply_op1(Back(|grad: &Tensor| grad * (0.5 + noise())))?
            .sqr()
    };
    let report = check(backward, &Tensor::new(&x[..], CPU).unwrap());
    assert_eq!(report.verdict(), Verdict::Nondeterministic, "{report}");
    assert!(report.probes.is_empty());
}

#[test]
fn of_an_empty_input_the_gradients_shape_is_checked() -> Result<()> {
    let x = Tensor::zeros((0, 3), DType::F64, CPU)?;
    let turned = |x: &Tensor| {
        x.force_contiguous()?
            .apply_op1(Back(|grad: &Tensor| grad.t()?.contiguous()))
    };
    assert!(check(turned, &x).verdict().is_defect());
    assert_eq!(check(|x| x.sqr(), &x).verdict(), Verdict::Pass);
    let x = Tensor::zeros((2, 0), DType::F64, CPU)?;
    let two = |t: &[Tensor], _: &Tensor| Ok(vec![t[0].clone(), t[0].clone()]);
    let check = Gradcheck::of(|t| t[0].sqr()).by_hand(two);
    assert!(check.run(&[x]).is_err());
    Ok(())
}

#[test]
fn an_f_that_writes_to_its_argument_does_not_write_to_the_callers() -> Result<()> {
    let x = Tensor::new(&[1.5, -2.], CPU)?;
    let f = |t: &[Tensor]| {
        let y = t[0].sqr()?;
        t[0].zero_set()?;
        Ok(y)
    };
    let _ = gradcheck(
        f,
        std::slice::from_ref(&x),
        &Options::default().mode(Mode::Full),
    );
    assert_eq!(x.to_vec1::<f64>()?, [1.5, -2.]);
    Ok(())
}

#[test]
fn a_function_steep_at_zero_is_resolved_and_a_wrong_gradient_of_it_seen() {
    for k in [1e2, 1e3, 1e4, 1e5, 1e6] {
        for op in [Tensor::exp, Tensor::tanh, Tensor::sin] {
            let steep = |x: &Tensor| op(&(x * k)?);
            let found = verdict(steep, &[0.]);
            assert!(!found.is_defect() && found != Verdict::Kink, "{k}: {found}");
            let wrong = verdict(|x| scaled(&steep(x)?, 1.1), &[0.]);
            assert_ne!(wrong, Verdict::Pass, "{k}");
        }
        assert_eq!(verdict(|x| (x * k)?.exp(), &[0.]), Verdict::Pass, "{k}");
        let at_one = |x: &Tensor| ((x - 1.)? * k)?.exp();
        assert_eq!(verdict(at_one, &[1.]), Verdict::Pass, "{k}");
    }
}

#[test]
fn a_wave_too_fast_for_f32_is_no_defect_and_seldom_a_kink() {
    let mut kinks = 0;
    for n in 0..135u8 {
        let w = 1e5 * 10f64.powf(f64::from(n) / 134.);
        let x = Tensor::new(&[0.37 + 0.001 * f32::from(n)], CPU).unwrap();
        let found = check(|x| (x * w)?.sin(), &x).verdict();
        assert!(!found.is_defect(), "sin({w} x): {found}");
        kinks += usize::from(found == Verdict::Kink);
    }
    assert!(kinks <= 135 / 5, "{kinks}");
}

#[test]
fn an_output_whose_dtype_depends_on_the_data_is_an_error() {
    let x = Tensor::new(&[0.5, 1.], CPU).unwrap();
    let f = |t: &[Tensor]| {
        let y = t[0].sqr()?;
        let single = t[0].sum_all()?.to_scalar::<f64>()? > 1.5;
        y.to_dtype(if single { DType::F32 } else { DType::F64 })
    };
    let error = gradcheck(f, &[x], &Options::default()).unwrap_err();
    assert!(
        error.to_string().contains("its dtype depends on the data"),
        "{error}"
    );
}

/// Models: what a VarMap holds besides parameters of the model's dtype.
#[cfg(feature = "nn")]
mod models {
    use super::*;
    use candle_nn::{Init, VarBuilder, VarMap};
    use candle_sine::gradcheck;

    /// A bf16 layer and an f32 norm of this name.
    fn mixed(name: &str) -> Result<Verdict> {
        let varmap = VarMap::new();
        let x = numbers::Numbers::new(1).tensor(&[4, 8], 1., DType::BF16)?;
        let f = |vb: VarBuilder| {
            let w = vb.get_with_hints((8, 8), "w", Init::Const(0.1))?;
            let norm = vb
                .to_dtype(DType::F32)
                .get_with_hints(8, name, Init::Const(1.))?;
            let y = x.to_dtype(vb.dtype())?.matmul(&w)?.to_dtype(DType::F32)?;
            y.broadcast_mul(&norm)?.sqr()?.mean_all()
        };
        f(VarBuilder::from_varmap(&varmap, DType::BF16, CPU))?;
        numbers::fill(&varmap, 3)?;
        let counter = Var::from_tensor(&Tensor::new(&[1u32], CPU)?)?;
        varmap
            .data()
            .lock()
            .unwrap()
            .insert("a.counter".into(), counter);
        Ok(gradcheck::model(&varmap, f, &Options::default())?.verdict())
    }

    #[test]
    fn a_bf16_model_with_an_f32_norm_passes_whatever_its_name() -> Result<()> {
        assert_eq!(mixed("a.norm")?, Verdict::Pass);
        assert_eq!(mixed("z.norm")?, Verdict::Pass);
        Ok(())
    }

    /// x wᵀ + x a b, LoRA at its start, with or without a's graph.
    fn lora(cut: bool) -> Result<gradcheck::ModelReport> {
        let varmap = VarMap::new();
        let x = numbers::Numbers::new(2).tensor(&[4, 6], 1., DType::F32)?;
        let f = |vb: VarBuilder| {
            let w = vb.get_with_hints((6, 3), "w", Init::Const(0.2))?;
            let a = vb.get_with_hints((6, 2), "lora.a", Init::Const(0.3))?;
            let b = vb.get_with_hints((2, 3), "lora.b", Init::Const(0.))?;
            let a = if cut { a.detach() } else { a };
            (x.matmul(&w)? + x.matmul(&a)?.matmul(&b)?)?
                .tanh()?
                .sqr()?
                .mean_all()
        };
        f(VarBuilder::from_varmap(&varmap, DType::F32, CPU))?;
        gradcheck::model(&varmap, f, &Options::default())
    }

    #[test]
    fn what_the_loss_is_flat_in_is_said_to_be_that() -> Result<()> {
        let report = lora(false)?;
        report.assert_pass();
        assert!(report.to_string().contains("flat in it"), "{report}");
        let report = lora(true)?;
        let a = report.parameter("lora.a").unwrap();
        assert_eq!(a.verdict, Verdict::Severed, "{report}");
        assert!(report.unread.is_empty());
        Ok(())
    }

    #[test]
    fn a_threshold_that_moves_the_loss_by_jumps_alone_does_not_pass() -> Result<()> {
        let w = Var::new(&[0.7f32, -1.1], CPU)?;
        let router = Var::new(&[0.5f32], CPU)?;
        let named = [("w", &w), ("router", &router)].map(|(n, v)| (n.to_string(), v.clone()));
        let f = || {
            // Its gradient is there, and zero; beyond 0.6 the loss is doubled.
            let zero = router.mul(&router.zeros_like()?)?;
            let gate = ((router.ge(0.6f32)?.to_dtype(DType::F32)? + 1.)? + zero)?;
            w.sin()?.sqr()?.broadcast_mul(&gate)?.sum_all()
        };
        let report = gradcheck::vars(&named, f, &Options::default())?;
        let verdict = |name: &str| report.parameter(name).map(|p| p.verdict);
        assert_eq!(verdict("w"), Some(Verdict::Pass), "{report}");
        let open = [Some(Verdict::Inconclusive), Some(Verdict::Severed)];
        assert!(open.contains(&verdict("router")), "{report}");
        Ok(())
    }

    #[test]
    fn an_unused_parameter_is_listed_and_not_judged() -> Result<()> {
        let varmap = VarMap::new();
        let f = |vb: VarBuilder| {
            let w = vb.get_with_hints(4, "w", Init::Const(0.2))?;
            vb.get_with_hints(3, "spare", Init::Const(1.))?;
            w.sin()?.sqr()?.sum_all()
        };
        f(VarBuilder::from_varmap(&varmap, DType::F32, CPU))?;
        let report = gradcheck::model(&varmap, f, &Options::default())?;
        report.assert_pass();
        assert_eq!(report.unread, ["spare"]);
        Ok(())
    }

    #[test]
    fn what_differs_from_call_to_call_is_named() -> Result<()> {
        let varmap = VarMap::new();
        let f = |vb: VarBuilder| {
            let w = vb.get_with_hints((4, 5), "embedding", Init::Const(0.2))?;
            let drawn = Tensor::randn(0f32, 1., (4, 5), CPU)?;
            (w + drawn)?.sin()?.sum_all()
        };
        f(VarBuilder::from_varmap(&varmap, DType::F32, CPU))?;
        let report = gradcheck::model(&varmap, f, &Options::default())?;
        assert_eq!(report.verdict(), Verdict::Nondeterministic);
        let text = report.to_string();
        assert!(text.contains("[4, 5], and is made of embedding"), "{text}");
        Ok(())
    }
}
