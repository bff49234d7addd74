//! A gradient held against what it should be: the outcome of a probe.

use crate::gradcheck::autograd::graph::Failure;
use crate::gradcheck::judge::law::ROUNDING;
use crate::gradcheck::judge::tolerance::Tolerance;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::report::Outcome;
use crate::gradcheck::support::values::unravel;

/// A gradient and what it is held against.
pub(super) struct Found<'a> {
    pub(super) found: &'a [f64],
    pub(super) expected: &'a [(f64, f64)],
    pub(super) dims: &'a [usize],
    pub(super) scale: f64,
}

pub(super) fn skipped(reason: &str) -> Outcome {
    Outcome::Skipped {
        reason: reason.to_string(),
    }
}

pub(super) fn panicked(message: String) -> Outcome {
    failed(Failure {
        verdict: Verdict::Panicked,
        message,
    })
}

pub(super) fn failed(failure: Failure) -> Outcome {
    Outcome::Failed {
        verdict: failure.verdict,
        at: Vec::new(),
        found: f64::NAN,
        expected: f64::NAN,
        note: failure.message,
    }
}

/// Pass, or the worst place with the verdict and note that `explain` gives for it.
pub(super) fn compared(
    held: &Found,
    tolerance: &Tolerance,
    explain: impl Fn(usize) -> (Verdict, String),
) -> Outcome {
    let Some(at) = furthest(held, tolerance) else {
        return Outcome::Pass;
    };
    let (found, (expected, _)) = (held.found[at], held.expected[at]);
    let (verdict, note) = if !found.is_finite() {
        (Verdict::NonFinite, "the gradient is not finite".to_string())
    } else {
        explain(at)
    };
    Outcome::Failed {
        verdict,
        at: unravel(at, held.dims),
        found,
        expected,
        note,
    }
}

/// The place furthest beyond κ·e + rtol·|g| + 8u·max|g|, if any is.
pub(super) fn furthest(held: &Found, tolerance: &Tolerance) -> Option<usize> {
    let largest = held
        .expected
        .iter()
        .fold(held.scale, |m, (g, _)| m.max(g.abs()));
    let mut worst: Option<(usize, f64)> = None;
    for (at, (&found, &(expected, bound))) in held.found.iter().zip(held.expected).enumerate() {
        if !expected.is_finite() {
            continue;
        }
        let allowed = tolerance.kappa * bound
            + tolerance.rtol * found.abs().max(expected.abs())
            + ROUNDING * tolerance.unit * largest;
        let apart = (found - expected).abs();
        let excess = if found.is_finite() {
            apart - allowed
        } else {
            f64::INFINITY
        };
        if excess > 0. && worst.is_none_or(|(_, most)| excess > most) {
            worst = Some((at, excess));
        }
    }
    worst.map(|(at, _)| at)
}

pub(super) fn furthest_apart(a: &[f64], b: &[f64]) -> f64 {
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    apart.filter(|d| d.is_finite()).fold(0., f64::max)
}
