//! No false alarm: random compositions of ops whose gradients are right, on random shapes and values.
//!
//! `cargo test --release --test gradcheck_property -- --nocapture` prints the counts.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Result, Tensor};
use candle_sine::gradcheck::{Mode, Options, Verdict, gradcheck};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// An op that keeps the shape [rows, columns], with a gradient that was read to be right.
#[derive(Clone, Copy, Debug)]
enum Step {
    Sin,
    Cos,
    Tanh,
    Exp,
    Sqr,
    Log1pSqr,
    SqrtSqrPlus,
    Recip,
    Sigmoid,
    Silu,
    Erf,
    Abs,
    Relu,
    Affine,
    Neg,
    MulInput,
    AddInput,
    DivInput,
    SubMean,
    Softmax,
    Normalise,
    MatmulGram,
    TransposeTwice,
    NarrowCat,
    MaxKeep,
    Reuse,
}

const STEPS: [Step; 26] = {
    use Step::*;
    [
        Sin,
        Cos,
        Tanh,
        Exp,
        Sqr,
        Log1pSqr,
        SqrtSqrPlus,
        Recip,
        Sigmoid,
        Silu,
        Erf,
        Abs,
        Relu,
        Affine,
        Neg,
        MulInput,
        AddInput,
        DivInput,
        SubMean,
        Softmax,
        Normalise,
        MatmulGram,
        TransposeTwice,
        NarrowCat,
        MaxKeep,
        Reuse,
    ]
};

fn step(step: Step, x: &Tensor, t: &[Tensor]) -> Result<Tensor> {
    let last = x.rank() - 1;
    match step {
        Step::Sin => x.sin(),
        Step::Cos => x.cos(),
        Step::Tanh => x.tanh(),
        Step::Exp => (x * 0.5)?.tanh()?.exp(),
        Step::Sqr => x.sqr(),
        Step::Log1pSqr => (x.sqr()? + 1.)?.log(),
        Step::SqrtSqrPlus => (x.sqr()? + 0.5)?.sqrt(),
        Step::Recip => (x.sqr()? + 1.)?.recip(),
        Step::Sigmoid => (x * 0.5)?.tanh()?.affine(0.5, 0.5),
        Step::Silu => x.silu(),
        Step::Erf => x.erf(),
        Step::Abs => x.abs(),
        Step::Relu => x.relu(),
        Step::Affine => x.affine(-1.7, 0.3),
        Step::Neg => x.neg(),
        Step::MulInput => x * &t[1],
        Step::AddInput => x + &t[1],
        Step::DivInput => x / (t[1].sqr()? + 1.)?,
        Step::SubMean => x.broadcast_sub(&x.mean_keepdim(last)?),
        Step::Softmax => {
            let e = x.broadcast_sub(&x.max_keepdim(last)?.detach())?.exp()?;
            e.broadcast_div(&e.sum_keepdim(last)?)
        }
        Step::Normalise => {
            let rms = (x.sqr()?.mean_keepdim(last)? + 0.1)?.sqrt()?;
            x.broadcast_div(&rms)
        }
        Step::MatmulGram => x.tanh()?.matmul(&x.t()?.tanh()?)?.matmul(x)? / 4.,
        Step::TransposeTwice => (x.t()?.contiguous()? * 1.5)?.t(),
        Step::NarrowCat => Tensor::cat(&[&x.narrow(0, 0, 1)?, x], 0)?.narrow(0, 1, x.dim(0)?),
        Step::MaxKeep => x.broadcast_sub(&x.max_keepdim(0)?),
        Step::Reuse => (x * 0.5)? + x.sin(),
    }
}

/// The last step: what comes out.
#[derive(Clone, Copy, Debug)]
enum Head {
    Whole,
    Sum,
    Mean,
    SumRows,
    Gather,
    Flat,
}

fn head(head: Head, x: &Tensor) -> Result<Tensor> {
    match head {
        Head::Whole => Ok(x.clone()),
        Head::Sum => x.sum_all(),
        Head::Mean => x.mean(0),
        Head::SumRows => x.sum(1),
        Head::Gather => x
            .contiguous()?
            .index_select(&Tensor::new(&[0u32, 0], x.device())?, 1),
        Head::Flat => x.flatten_all(),
    }
}

#[derive(Clone, Debug)]
struct Case {
    shape: (usize, usize),
    values: Vec<f64>,
    steps: Vec<Step>,
    head: Head,
    dtype: DType,
    mode: Mode,
    scale: f64,
}

fn cases() -> impl Strategy<Value = Case> {
    let heads = [
        Head::Whole,
        Head::Sum,
        Head::Mean,
        Head::SumRows,
        Head::Gather,
        Head::Flat,
    ];
    (
        (1usize..=4, 1usize..=4),
        prop::collection::vec(-3f64..3., 32),
        prop::collection::vec(prop::sample::select(&STEPS[..]), 1..=4),
        prop::sample::select(heads.to_vec()),
        prop::sample::select(vec![DType::F64, DType::F64, DType::F32]),
        prop::sample::select(vec![Mode::Full, Mode::Full, Mode::Fast]),
        prop::sample::select(vec![1., 1., 1., 0.1, 3.]),
    )
        .prop_map(|(shape, values, steps, head, dtype, mode, scale)| Case {
            shape,
            values,
            steps,
            head,
            dtype,
            mode,
            scale,
        })
}

impl Case {
    fn check(&self) -> Result<candle_sine::gradcheck::Report> {
        let n = self.shape.0 * self.shape.1;
        let input = |from: usize| {
            let scaled: Vec<f64> = self.values[from..from + n]
                .iter()
                .map(|v| v * self.scale)
                .collect();
            Tensor::from_vec(scaled, self.shape, &Device::Cpu)?.to_dtype(self.dtype)
        };
        let inputs = [input(0)?, input(16)?];
        let f = |t: &[Tensor]| {
            let mut x = t[0].clone();
            for s in &self.steps {
                x = step(*s, &x, t)?;
            }
            head(self.head, &x)
        };
        gradcheck(f, &inputs, &Options::default().mode(self.mode))
    }
}

const CASES: u32 = 20_000;

#[test]
fn correct_functions_raise_no_alarm() {
    let counts: [AtomicUsize; 16] = Default::default();
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let config = Config {
        cases: CASES,
        failure_persistence: None,
        ..Config::default()
    };
    let outcome = TestRunner::new_with_rng(config, rng).run(&cases(), |case| {
        let report = case
            .check()
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        let verdict = report.verdict();
        counts[verdict as usize].fetch_add(1, Ordering::Relaxed);
        if verdict == Verdict::Inconclusive && std::env::var_os("GRADCHECK_SHOW").is_some() {
            println!("{case:?}\n{report}");
        }
        prop_assert!(!verdict.is_defect(), "{report}");
        Ok(())
    });
    let count = |v: Verdict| counts[v as usize].load(Ordering::Relaxed);
    println!("| cases | pass | kink | inconclusive | wrong, severed or any other accusation |");
    println!("|---:|---:|---:|---:|---:|");
    let (pass, kink) = (count(Verdict::Pass), count(Verdict::Kink));
    let unsure = count(Verdict::Inconclusive);
    let all: usize = counts.iter().map(|c| c.load(Ordering::Relaxed)).sum();
    println!(
        "| {all} | {pass} | {kink} | {unsure} | {} |",
        all - pass - kink - unsure
    );
    if let Err(error) = outcome {
        panic!("{error}");
    }
    let open = unsure + kink;
    assert!(500 * open < all, "{open} of {all} left open");
}
