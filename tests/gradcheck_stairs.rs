//! Functions with a cast to 16 bits inside are staircases. Of few elements, at round numbers and at any:
//! a right gradient is not accused, and one that is halved, doubled or turned round does not pass.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

#[path = "common/numbers.rs"]
#[allow(dead_code)] // what other tests use of it
mod numbers;

use candle_core::{DType, Result, Tensor};
use candle_sine::gradcheck::{Options, Verdict, gradcheck};
use numbers::{CPU, Numbers};

type F = fn(&Tensor) -> Result<Tensor>;

const FUNCTIONS: &[(&str, F)] = &[
    ("square", |x| x.sqr()),
    ("root", |x| x.sqr()?.affine(1., 1.)?.sqrt()),
    ("tanh", |x| x.tanh()),
    ("sum of squares", |x| x.sqr()?.sum_all()),
    ("exp of a mean", |x| x.mean_all()?.exp()),
];

/// f behind a cast to `low` and back, its gradient times a factor.
fn stairs(f: F, low: DType, factor: f64, x: &Tensor) -> Result<Tensor> {
    let y = f(&x.to_dtype(low)?.to_dtype(x.dtype())?)?;
    &y + ((&y - y.detach())? * (factor - 1.))?
}

/// Away from 0, where the functions are flat: multiples of 1/`of`, or any.
fn point(numbers: &mut Numbers, n: usize, of: Option<f64>) -> Vec<f64> {
    let one = || {
        let x = 3. * numbers.next();
        let x = x + 0.1 * x.signum();
        of.map_or(x, |of| (x * of).round() / of)
    };
    std::iter::repeat_with(one).take(n).collect()
}

/// How often each verdict was given, of so many.
#[derive(Default, Debug)]
struct Counts {
    all: usize,
    pass: usize,
    accused: usize,
}

#[test]
fn a_staircase_is_neither_accused_nor_passed_by_chance() -> Result<()> {
    let rounds = std::env::var("STAIRS").map_or(3, |n| n.parse().unwrap());
    let mut numbers = Numbers::new(7);
    let (mut right, mut wrong) = (Counts::default(), Counts::default());
    for (name, f) in FUNCTIONS {
        for round in 0..rounds {
            for n in [1, 2, 3, 8, 32] {
                for of in [Some(8.), Some(64.), None] {
                    let x = point(&mut numbers, n, of);
                    for own in [DType::F64, DType::F32] {
                        let x = Tensor::new(&x[..], CPU)?.to_dtype(own)?;
                        for low in [DType::BF16, DType::F16] {
                            for factor in [1., 2., 0.5, -1.] {
                                let options = Options::default().probes(false);
                                let f = |t: &[Tensor]| stairs(*f, low, factor, &t[0]);
                                let report = gradcheck(f, std::slice::from_ref(&x), &options)?;
                                let counts = if factor == 1. { &mut right } else { &mut wrong };
                                let verdict = report.verdict();
                                counts.all += 1;
                                counts.pass += usize::from(verdict == Verdict::Pass);
                                counts.accused += usize::from(verdict.is_defect());
                                let bad = match factor == 1. {
                                    true => verdict.is_defect(),
                                    false => matches!(verdict, Verdict::Pass | Verdict::Kink),
                                };
                                if bad {
                                    println!(
                                        "{name} {round} {of:?} {own:?} {low:?} {factor}: {x} {report}"
                                    );
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    println!("right {right:?}, wrong {wrong:?}");
    assert_eq!(wrong.pass, 0);
    assert!(wrong.accused * 5 >= wrong.all * 4, "{wrong:?}");
    assert!(right.accused * 500 <= right.all, "{right:?}");
    Ok(())
}
