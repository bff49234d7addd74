//! Bad input, odd input, and functions that break in their own ways.

// The helpers of a test may unwrap, and the planted fault panics.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::Cell;

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, bail};
use candle_sine::gradcheck::{
    Gradcheck, Mode, OddOneOut, Options, Outcome, Probe, Report, Verdict, gradcheck,
};

fn x() -> Tensor {
    Tensor::new(&[[0.3f64, -1.2, 0.7], [2.1, 0.4, -0.45]], &Device::Cpu).unwrap()
}

fn check(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Report {
    gradcheck(f, inputs, &Options::default()).unwrap()
}

fn error(f: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor], options: &Options) -> String {
    let error = gradcheck(f, inputs, options).unwrap_err().to_string();
    error.lines().next().unwrap().to_string()
}

#[test]
fn bad_input_is_an_error() {
    let o = Options::default();
    let sum = |t: &[Tensor]| t[0].sum_all();
    let ints = Tensor::new(&[1u32, 2], &Device::Cpu).unwrap();
    assert_eq!(error(|_| bail!("unused"), &[], &o), "gradcheck: no inputs");
    assert!(error(sum, &[ints], &o).contains("no float input"));
    assert!(error(sum, &[x()], &o.clone().rtol(-1.)).contains("rtol must be"));
    assert!(error(sum, &[x()], &o.clone().atol(f64::NAN)).contains("atol must be"));
    assert!(error(sum, &[x()], &o.clone().kappa(0.)).contains("kappa must be"));
    assert!(error(sum, &[x()], &o.clone().inputs([3])).contains("input 3"));
    assert!(error(|t| t[0].to_dtype(DType::U32), &[x()], &o).contains("no derivative"));
    assert_eq!(
        error(|_| bail!("its own words"), &[x()], &o),
        "its own words"
    );
    let f32 = x().to_dtype(DType::F32).unwrap();
    assert!(error(|t| &t[0] + &t[1], &[x(), f32], &o).contains("dtype mismatch"));
}

#[test]
fn an_output_that_changes_shape_is_an_error() {
    let calls = Cell::new(0);
    let f = |t: &[Tensor]| {
        calls.set(calls.get() + 1);
        t[0].narrow(0, 0, if calls.get() > 3 { 1 } else { 2 })
    };
    assert!(error(f, &[x()], &Options::default()).contains("on a later call"));
}

#[test]
fn an_ignored_input_passes_and_is_noted() {
    let report = check(|t| t[0].sqr(), &[x(), x()]);
    assert!(report.is_pass(), "{report}");
    assert!(report.inputs[1].notes[0].contains("ignores this input"));
}

#[test]
fn ranks_and_empty_tensors() {
    for dims in [vec![], vec![0], vec![2, 0, 3], vec![1, 1], vec![2, 1, 2, 1]] {
        let n = dims.iter().product::<usize>();
        let values: Vec<f64> = (0..n).map(|i| 0.3 + i as f64).collect();
        let x = Tensor::from_vec(values, dims.as_slice(), &Device::Cpu).unwrap();
        let report = check(|t| t[0].sin(), &[x]);
        assert!(report.is_pass(), "{dims:?}: {report}");
    }
}

#[test]
fn every_float_dtype() {
    for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16] {
        let report = check(|t| t[0].tanh()?.sum(1), &[x().to_dtype(dtype).unwrap()]);
        assert!(report.is_pass(), "{dtype:?}: {report}");
        let report = check(
            |t| t[0].detach().tanh()?.sum(1),
            &[x().to_dtype(dtype).unwrap()],
        );
        assert_eq!(report.verdict(), Verdict::Severed, "{dtype:?}: {report}");
    }
}

#[test]
fn a_function_of_f32_alone_is_checked_in_f32() {
    let w = x().to_dtype(DType::F32).unwrap();
    let report = check(|t| (&t[0] * &w)?.sin(), std::slice::from_ref(&w));
    assert_eq!(report.numeric_dtype, DType::F32);
    assert!(!report.verdict().is_defect(), "{report}");
    let report = check(
        |t| (&t[0] * &w)?.sin()?.detach() + &t[0],
        std::slice::from_ref(&w),
    );
    assert!(report.verdict().is_defect(), "{report}");
}

#[test]
fn tiny_and_huge_inputs() {
    for scale in [1e-30, 1e-12, 1e12, 1e30] {
        let x = (x() * scale).unwrap();
        let report = check(|t| (&t[0] / scale)?.sin(), &[x]);
        assert!(report.is_pass(), "{scale}: {report}");
    }
}

#[test]
fn what_rounding_hides_is_not_a_pass() {
    let f = |t: &[Tensor]| (t[0].detach() + 1e16)? + (&t[0] * 2.)? - &t[0].detach();
    let report = gradcheck(f, &[x()], &Options::default().probes(false)).unwrap();
    assert_eq!(report.verdict(), Verdict::Inconclusive, "{report}");
}

#[test]
fn kinks_are_no_errors() {
    let zeros = Tensor::zeros((2, 2), DType::F64, &Device::Cpu).unwrap();
    for f in [Tensor::relu, Tensor::abs] {
        let report = check(|t| f(&t[0]), std::slice::from_ref(&zeros));
        assert_eq!(report.verdict(), Verdict::Kink, "{report}");
        assert!(!report.is_pass());
    }
}

#[test]
fn the_edge_of_a_domain() {
    let x = Tensor::new(&[0.01f64, 1e-6, 30.], &Device::Cpu).unwrap();
    assert!(check(|t| t[0].log(), std::slice::from_ref(&x)).is_pass());
    assert!(check(|t| t[0].sqrt(), std::slice::from_ref(&x)).is_pass());
    assert!(check(|t| t[0].recip(), &[x]).is_pass());
    let zero = Tensor::new(&[0f64], &Device::Cpu).unwrap();
    assert_eq!(
        check(|t| t[0].sqrt(), &[zero]).verdict(),
        Verdict::NonFinite
    );
}

#[test]
fn randomness_is_found() {
    let calls = Cell::new(0.);
    let f = |t: &[Tensor]| {
        calls.set(calls.get() + 1.);
        &t[0] * calls.get()
    };
    assert_eq!(check(f, &[x()]).verdict(), Verdict::Nondeterministic);
}

/// candle-core 0.11.1, `backprop.rs`, `Op::UpsampleNearest1D`: `*sum_grad = conv_sum`, where every
/// other op adds (huggingface/candle #3507).
#[test]
fn an_overwritten_accumulation_is_found() {
    let x = x().unsqueeze(0).unwrap();
    let report = check(|t| t[0].upsample_nearest1d(6), &[x]);
    assert_eq!(report.inputs[0].verdict, Verdict::Pass, "{report}");
    assert_eq!(report.verdict(), Verdict::Wrong, "{report}");
    let failed = report
        .probes
        .iter()
        .filter(|p| matches!(p.outcome, Outcome::Failed { .. }));
    let failed: Vec<Probe> = failed.map(|p| p.probe).collect();
    assert_eq!(failed, [Probe::Twice], "{report}");
}

struct Panics;

impl CustomOp1 for Panics {
    fn name(&self) -> &'static str {
        "panics"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let CpuStorage::F64(v) = storage else {
            bail!("f64 only")
        };
        Ok((CpuStorage::F64(v.clone()), layout.shape().clone()))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        panic!("out of cheese\nand out of luck")
    }
}

#[test]
fn a_panic_is_a_verdict_in_one_line() {
    let report = check(|t| t[0].apply_op1(Panics), &[x()]);
    assert_eq!(report.verdict(), Verdict::Panicked);
    assert_eq!(report.inputs[0].notes, ["backward: out of cheese"]);
}

#[test]
fn an_op_without_backward_is_unsupported() {
    let x = x().reshape((1, 1, 2, 3)).unwrap();
    let report = check(|t| t[0].upsample_bilinear2d(4, 6, false), &[x]);
    assert_eq!(report.verdict(), Verdict::Unsupported);
    assert_eq!(
        report.inputs[0].notes,
        ["backward: backward not supported for upsample_bilinear2d"]
    );
}

#[test]
fn the_checker_catches_what_it_plants() {
    candle_sine::gradcheck::negative_control().unwrap();
}

#[test]
fn three_ways() {
    let cubes = |t: &[Tensor]| t[0].powf(3.)?.sum_all();
    let cut = |t: &[Tensor]| t[0].detach().powf(3.)?.sum_all();
    let by_hand = |by: f64| move |t: &[Tensor], _: &Tensor| Ok(vec![(t[0].sqr()? * by)?]);
    let x = (x().abs().unwrap() + 0.1).unwrap();
    for mode in [Mode::Full, Mode::Fast] {
        let o = Options::default().mode(mode);
        let odd_one_out = |report: Report| report.inputs[0].manual.as_ref().unwrap().odd_one_out;
        let inputs = std::slice::from_ref(&x);
        let run = |f: &dyn Fn(&[Tensor]) -> Result<Tensor>, by| {
            let check = Gradcheck::of(f).by_hand(by_hand(by)).options(o.clone());
            odd_one_out(check.run(inputs).unwrap())
        };
        assert_eq!(run(&cubes, 3.), OddOneOut::None);
        assert_eq!(run(&cubes, 2.), OddOneOut::Manual);
        assert_eq!(run(&cut, 3.), OddOneOut::Autograd);
        assert_eq!(run(&cut, 2.), OddOneOut::All);
    }
    let none = |_: &[Tensor], _: &Tensor| Ok(Vec::<Tensor>::new());
    assert!(Gradcheck::of(cubes).by_hand(none).run(&[x]).is_err());
}

#[test]
fn the_same_seed_gives_the_same_report() {
    let f = |t: &[Tensor]| t[0].sin();
    for mode in [Mode::Full, Mode::Fast] {
        let o = Options::default().mode(mode).seed(3);
        let reports = [(); 2].map(|()| gradcheck(f, &[x()], &o).unwrap().to_string());
        assert_eq!(reports[0], reports[1]);
    }
}

/// In f32 exp(-100) keeps one digit of a gradient that f64 knows; 1 - erf(10) is 0 in both.
#[test]
fn advice_that_fits() {
    let tried = |f: fn(&[Tensor]) -> Result<Tensor>, x: f64, dtype| {
        let x = Tensor::new(&[x], &Device::Cpu).and_then(|x| x.to_dtype(dtype));
        let report = check(f, &[x.unwrap()]);
        let advice = "  try: f64 inputs";
        (report.verdict(), report.to_string().contains(advice))
    };
    let exp = |t: &[Tensor]| t[0].exp();
    assert_eq!(tried(exp, -100., DType::F32), (Verdict::Inconclusive, true));
    assert_eq!(tried(exp, -100., DType::F64), (Verdict::Pass, false));
    let erfc = |t: &[Tensor]| t[0].erf()?.affine(-1., 1.);
    assert_eq!(tried(erfc, 10., DType::F32), (Verdict::Inconclusive, false));
    assert_eq!(tried(erfc, 10., DType::F64), (Verdict::Inconclusive, false));
    assert_eq!(tried(erfc, 3., DType::F64), (Verdict::Pass, false));
}

#[test]
#[should_panic(expected = "NOT OK (severed)")]
fn assert_pass_panics_with_the_table() {
    check(|t| t[0].detach().sin(), &[x()]).assert_pass();
}
