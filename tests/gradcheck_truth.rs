//! What is true of functions and models on which a checker is easily misled.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

use candle_core::{CpuStorage, Layout, Shape, bail};
use candle_core::{CustomOp1, D, DType, Device, Result, Tensor, Var};
use candle_nn::{LayerNorm, Module, RmsNorm, VarBuilder};
use candle_sine::gradcheck::{self, Mode, Options, Report, Verdict, gradcheck};

#[path = "audit/one_thread.rs"]
mod one_thread;

const CPU: &Device = &Device::Cpu;

/// Numbers from -1 to 1, the same on every machine.
fn numbers(seed: u64, n: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.
        })
        .collect()
}

fn random(seed: u64, dims: &[usize], scale: f64, dtype: DType) -> Result<Tensor> {
    let values: Vec<f64> = numbers(seed, dims.iter().product());
    Tensor::from_vec(values, dims, CPU)?
        .affine(scale, 0.)?
        .to_dtype(dtype)
}

/// 8 to 32 to 1 with relu, as candle-nn initialises it; the data are f's own, in f32.
fn relu_mlp(seed: u64) -> Result<(Vec<Tensor>, Tensor)> {
    let dims: [&[usize]; 4] = [&[32, 8], &[32], &[1, 32], &[1]];
    let scales = [0.6, 0.35, 0.3, 0.18];
    let parameters = dims.iter().zip(scales).enumerate();
    let parameters = parameters.map(|(k, (d, s))| random(10 * seed + k as u64, d, s, DType::F32));
    Ok((
        parameters.collect::<Result<_>>()?,
        random(seed + 7000, &[16, 8], 1.7, DType::F32)?,
    ))
}

fn mlp_loss(t: &[Tensor], x: &Tensor) -> Result<Tensor> {
    let h = x.matmul(&t[0].t()?)?.broadcast_add(&t[1])?.relu()?;
    h.matmul(&t[2].t()?)?
        .broadcast_add(&t[3])?
        .sqr()?
        .mean_all()
}

#[test]
fn right_relu_networks_with_captured_f32_data_are_right() -> Result<()> {
    one_thread::one_thread_an_op();
    for seed in 1..=20 {
        let (parameters, x) = relu_mlp(seed)?;
        for mode in [Mode::Auto, Mode::Fast] {
            let options = Options::default().mode(mode).probes(seed == 1);
            let report = gradcheck(|t| mlp_loss(t, &x), &parameters, &options)?;
            assert!(report.is_pass(), "seed {seed}, {mode:?}\n{report}");
            let notes = report.notes.join("\n");
            assert!(
                notes.contains("to_dtype"),
                "no message suggests the cast: {notes}"
            );
        }
    }
    Ok(())
}

/// The identity with its gradient times k.
#[derive(Clone, Copy)]
struct Times(f64);

impl CustomOp1 for Times {
    fn name(&self) -> &'static str {
        "times"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        match layout.contiguous_offsets() {
            Some(_) => Ok((storage.clone(), layout.shape().clone())),
            None => bail!("contiguous input only"),
        }
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (grad * self.0).map(Some)
    }
}

#[test]
fn wrong_relu_networks_with_captured_f32_data_are_wrong() -> Result<()> {
    one_thread::one_thread_an_op();
    for seed in 1..=3 {
        let (parameters, x) = relu_mlp(seed)?;
        for k in [2., 0.5, -1.] {
            let f = |t: &[Tensor]| {
                let mut t = t.to_vec();
                t[2] = t[2].contiguous()?.apply_op1(Times(k))?;
                mlp_loss(&t, &x)
            };
            let options = Options::default().probes(false);
            let report = gradcheck(f, &parameters, &options)?;
            let (found, others) = (report.inputs[2].verdict, [0, 1, 3]);
            assert_eq!(found, Verdict::Wrong, "seed {seed}, {k}\n{report}");
            for k in others {
                assert_eq!(
                    report.inputs[k].verdict,
                    Verdict::Pass,
                    "seed {seed}\n{report}"
                );
            }
        }
    }
    Ok(())
}

/// Row r of an f32 network's first layer has its gradient times k: the entry that is named lies in it, and
/// the two sides along it alone are apart by that factor.
#[test]
fn the_worst_entry_of_a_wrong_parameter_is_named() -> Result<()> {
    one_thread::one_thread_an_op();
    let (mut named, mut all) = (0, 0);
    for seed in 1..=10 {
        let (parameters, x) = relu_mlp(seed)?;
        let vars: Vec<Var> = parameters
            .iter()
            .map(Var::from_tensor)
            .collect::<Result<_>>()?;
        let names = ["a", "a bias", "b", "b bias"].map(String::from);
        let named_vars: Vec<_> = names.into_iter().zip(vars.iter().cloned()).collect();
        for (row, k) in [(3, -5.), (30, 8.)] {
            let hot = |i: usize| if i == row { 1f32 } else { 0. };
            let hot = Tensor::from_iter((0..32).map(hot), &Device::Cpu)?.reshape((32, 1))?;
            let loss = || {
                let mut t: Vec<Tensor> = vars.iter().map(|v| v.as_tensor().clone()).collect();
                let part = t[0].broadcast_mul(&hot)?;
                // w + (k - 1) (part - part), the second part detached
                t[0] = (&t[0] + ((&part - part.detach())? * (k - 1.))?)?;
                mlp_loss(&t, &x)
            };
            let report = gradcheck::vars(&named_vars, loss, &Options::default())?;
            let p = report.parameter("a").unwrap();
            assert_eq!(p.verdict, Verdict::Wrong, "seed {seed}\n{report}");
            all += 1;
            let (Some(entry), Some(worst)) = (&p.worst_entry, &p.worst) else {
                continue;
            };
            named += 1;
            let ratio = worst.integral / worst.difference;
            assert_eq!(entry[0], row, "seed {seed}\n{report}");
            assert!(
                (ratio / k - 1.).abs() < 0.1,
                "seed {seed}: {ratio}\n{report}"
            );
            let place = format!("a{entry:?}: moving it");
            assert!(report.to_string().contains(&place), "{report}");
        }
    }
    println!("worst entries named: {named} of {all}");
    assert!(named * 10 >= all * 9);
    Ok(())
}

fn with_cast(low: DType, own: DType, x: &Tensor) -> impl Fn(&[Tensor]) -> Result<Tensor> {
    let x = x.clone();
    move |t: &[Tensor]| {
        let h = x.to_dtype(low)?.matmul(&t[0].to_dtype(low)?)?.tanh()?;
        h.matmul(&t[1].to_dtype(low)?)?
            .to_dtype(own)?
            .sqr()?
            .mean_all()
    }
}

#[test]
fn a_cast_to_a_narrower_dtype_inside_is_no_fault() -> Result<()> {
    one_thread::one_thread_an_op();
    let (mut undecided, mut named) = (0, 0);
    for (low, own) in [
        (DType::BF16, DType::F32),
        (DType::F16, DType::F32),
        (DType::BF16, DType::F64),
        (DType::F16, DType::F64),
    ] {
        for seed in 0..5 {
            let x = random(seed, &[16, 8], 1.7, own)?;
            let a = random(seed + 100, &[8, 16], 0.5, own)?;
            let b = random(seed + 200, &[16, 4], 0.5, own)?;
            let f = with_cast(low, own, &x);
            for mode in [Mode::Full, Mode::Fast] {
                let options = Options::default().mode(mode).probes(false);
                let report = gradcheck(&f, &[a.clone(), b.clone()], &options)?;
                let verdict = report.verdict();
                assert!(
                    !verdict.is_defect(),
                    "{low:?} in {own:?}, seed {seed}, {mode:?}\n{report}"
                );
                undecided += usize::from(verdict != Verdict::Pass);
            }
            // And a gradient that is doubled does not hide behind the staircase.
            let doubled = |t: &[Tensor]| f(&[t[0].apply_op1(Times(2.))?, t[1].clone()]);
            for mode in [Mode::Full, Mode::Fast] {
                let options = Options::default().mode(mode).probes(false);
                let report = gradcheck(doubled, &[a.clone(), b.clone()], &options)?;
                let verdict = report.inputs[0].verdict;
                let said = format!("{low:?} in {own:?}, {mode:?}\n{report}");
                assert!(!matches!(verdict, Verdict::Pass | Verdict::Kink), "{said}");
                named += usize::from(verdict == Verdict::Wrong);
            }
        }
    }
    println!("casts inside: {undecided} of 40 undecided; doubled: {named} of 40 wrong");
    assert_eq!(undecided, 0);
    assert!(named >= 32, "{named}");
    Ok(())
}

#[test]
fn an_f32_softmax_in_an_f64_model_is_no_fault() -> Result<()> {
    for seed in 0..20 {
        let x = random(seed, &[3, 5], 2., DType::F64)?;
        let f = |t: &[Tensor]| {
            let p = candle_nn::ops::softmax(&t[0].to_dtype(DType::F32)?, D::Minus1)?;
            p.to_dtype(DType::F64)?.sqr()?.sum_all()
        };
        let report = gradcheck(f, &[x], &Options::default().probes(false))?;
        let verdict = report.verdict();
        assert!(
            matches!(
                verdict,
                Verdict::Pass | Verdict::Imprecise | Verdict::Inconclusive
            ),
            "{report}"
        );
    }
    Ok(())
}

#[test]
fn a_captured_model_is_an_error_that_says_what_to_write() -> Result<()> {
    let varmap = candle_nn::VarMap::new();
    let vb = VarBuilder::from_varmap(&varmap, DType::F32, CPU);
    let layer = candle_nn::linear(3, 2, vb)?;
    let x = random(1, &[4, 3], 1., DType::F32)?;
    let vars: Vec<Tensor> = varmap
        .all_vars()
        .iter()
        .map(|v| v.as_tensor().clone())
        .collect();
    let captured = |_: &[Tensor]| layer.forward(&x)?.sqr()?.mean_all();
    let error = gradcheck(captured, &vars, &Options::default())
        .unwrap_err()
        .to_string();
    for word in [
        "ignores its inputs",
        "from_tensors",
        "gradcheck::vars",
        "gradcheck::model",
    ] {
        assert!(error.contains(word), "{error}");
    }
    Ok(())
}

#[test]
fn a_missing_gradient_is_not_certified_by_a_large_bound() -> Result<()> {
    let small = random(1, &[4], 1e-6, DType::F64)?;
    let large = random(2, &[4], 1e6, DType::F64)?;
    let f = |t: &[Tensor]| t[0].detach().sqr()?.sum_all()? + t[1].sqr()?.sum_all()?;
    for mode in [Mode::Full, Mode::Fast] {
        let options = Options::default().mode(mode).probes(false);
        let report = gradcheck(f, &[small.clone(), large.clone()], &options)?;
        let found = report.inputs[0].verdict;
        assert!(
            matches!(found, Verdict::Severed | Verdict::Inconclusive),
            "{mode:?}\n{report}"
        );
        assert_eq!(report.inputs[1].verdict, Verdict::Pass, "{report}");
    }
    Ok(())
}

#[test]
fn a_small_element_among_large_ones_is_not_certified_by_their_size() -> Result<()> {
    // far above, and just above, what counts as larger by far
    let far = Tensor::new(&[1e-6f64, 1e6, 2e-6, 3.], CPU)?;
    let just = Tensor::new(&[1e-6f64, 2., 2e-6, 1.3], CPU)?;
    let factors = [1.5, 2., 0., -1.].into_iter();
    for (k, x) in factors.flat_map(|k| [(k, &far), (k, &just)]) {
        let factor = Tensor::new(&[k, 1., 1., 1.], CPU)?;
        let f = |t: &[Tensor]| {
            let scaled = (&t[0] * &factor)?;
            // The value is x; the first element's gradient is k times its own.
            let x = (&scaled + (&t[0] - &scaled)?.detach())?;
            x.sqr()?.sum_all()
        };
        let options = Options::default().mode(Mode::Full).probes(false);
        let report = gradcheck(f, std::slice::from_ref(x), &options)?;
        assert_ne!(report.verdict(), Verdict::Pass, "{k}\n{report}");
    }
    Ok(())
}

fn norm_report(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Result<Report> {
    gradcheck(f, inputs, &Options::default())
}

#[test]
fn fused_normalisations_are_severed() -> Result<()> {
    let x = random(3, &[4, 8], 1., DType::F32)?;
    let w = random(4, &[8], 1., DType::F32)?;
    let b = random(5, &[8], 1., DType::F32)?;
    let rms = |t: &[Tensor]| RmsNorm::new(t[1].clone(), 1e-5).forward(&t[0]);
    let report = norm_report(rms, &[x.clone(), w.clone()])?;
    assert_eq!(report.verdict(), Verdict::Severed, "{report}");
    let layer = |t: &[Tensor]| LayerNorm::new(t[1].clone(), t[2].clone(), 1e-5).forward(&t[0]);
    let report = norm_report(layer, &[x, w, b])?;
    assert_eq!(report.verdict(), Verdict::Severed, "{report}");
    for probe in &report.probes {
        let verdict = probe.outcome.verdict();
        assert_ne!(
            verdict,
            Some(Verdict::Wrong),
            "the right gradient is reported\n{report}"
        );
    }
    Ok(())
}

#[test]
fn a_relu_that_is_just_dead_costs_no_walk() -> Result<()> {
    for seed in 0..4 {
        let (alive, x) = relu_mlp(seed)?;
        // unit 0 is 0.04 below zero for all data; the others' weights are 0.35 in the mean
        let others = |t: &Tensor| t.narrow(0, 1, 31);
        let mut dead = alive.clone();
        dead[0] = Tensor::cat(
            &[
                &Tensor::zeros((1, 8), DType::F32, CPU)?,
                &others(&alive[0])?,
            ],
            0,
        )?;
        dead[1] = Tensor::cat(&[&Tensor::new(&[-0.04f32], CPU)?, &others(&alive[1])?], 0)?;
        let passes = |t: &[Tensor]| -> Result<usize> {
            let vars: Vec<(String, Var)> = (t.iter().enumerate())
                .map(|(k, t)| Ok((k.to_string(), Var::from_tensor(t)?)))
                .collect::<Result<_>>()?;
            let loss = || {
                let t: Vec<Tensor> = vars.iter().map(|v| v.1.as_tensor().clone()).collect();
                mlp_loss(&t, &x)
            };
            let report = gradcheck::vars(&vars, loss, &Options::default())?;
            assert!(report.is_pass(), "{report}");
            Ok(report.passes)
        };
        let (without, with) = (passes(&alive)?, passes(&dead)?);
        // at most a walk more of all parameters, as kinks will have it; none for the dead unit
        assert!(with <= without.max(53), "seed {seed}: {with} for {without}");
    }
    Ok(())
}

#[test]
fn an_input_of_minus_infinity_is_not_accused() -> Result<()> {
    let x = Tensor::new(&[0.5f64, f64::NEG_INFINITY, -1.2, 2.], CPU)?;
    for dtype in [DType::F64, DType::F32] {
        let f = |t: &[Tensor]| t[0].log_sum_exp(0);
        let report = gradcheck(f, &[x.to_dtype(dtype)?], &Options::default().probes(false))?;
        assert!(!report.verdict().is_defect(), "{report}");
        // A gradient that is infinite there is one.
        let square = |t: &[Tensor]| t[0].sqr();
        let options = Options::default().probes(false);
        let report = gradcheck(square, &[x.to_dtype(dtype)?], &options)?;
        assert_eq!(report.verdict(), Verdict::NonFinite, "{report}");
    }
    Ok(())
}

#[test]
fn a_fast_oscillation_is_resolved() -> Result<()> {
    let mut resolved = 0;
    for k in 0..60 {
        let x = [Tensor::new(&[0.1 + 0.031 * f64::from(k)], CPU)?];
        let options = Options::default().probes(false);
        let sine = |t: &Tensor| (t * 1e7)?.sin();
        let report = gradcheck(|t: &[Tensor]| sine(&t[0]), &x, &options)?;
        assert!(!report.verdict().is_defect(), "{k}\n{report}");
        resolved += usize::from(report.is_pass());
        // the value of x with twice its gradient
        let doubled = |t: &[Tensor]| sine(&((&t[0] * 2.)? - t[0].detach())?);
        assert!(!gradcheck(doubled, &x, &options)?.is_pass(), "{k}");
    }
    assert_eq!(resolved, 60);
    Ok(())
}

#[test]
fn a_kink_is_a_kink_in_every_dtype() -> Result<()> {
    for dtype in [DType::F64, DType::F32] {
        let zero = Tensor::zeros(3, dtype, CPU)?;
        let at_zero = Tensor::new(&[0f64, 0.7, -1.3], CPU)?.to_dtype(dtype)?;
        let maximum = |t: &[Tensor]| t[0].maximum(&zero);
        let options = Options::default().probes(false);
        let report = gradcheck(maximum, std::slice::from_ref(&at_zero), &options)?;
        assert_eq!(report.verdict(), Verdict::Kink, "{dtype:?}\n{report}");
        let clamp = |t: &[Tensor]| t[0].clamp(0f32, 1f32);
        let report = gradcheck(clamp, std::slice::from_ref(&at_zero), &options)?;
        assert_eq!(report.verdict(), Verdict::Kink, "clamp {dtype:?}\n{report}");
    }
    Ok(())
}
