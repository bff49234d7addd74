//! The probes of an input used twice.

use candle_core::{Result, Tensor};

use super::held::{Found, compared, failed};
use super::plain::{Plain, Subject, spread};
use crate::gradcheck::autograd::graph::{products, seeded};
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::report::{Outcome, Probe};
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::values::or_zeros;

impl<E: Exec> Plain<'_, E> {
    /// vᵀf(x) + wᵀx in both orders, or vᵀf(x) + vᵀf(x).
    pub(super) fn fan_out(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        let (arguments, var) = self.with_var(subject.input)?;
        let share: Vec<f64> = match probe {
            Probe::Twice => subject.expected.iter().map(|(g, _)| *g).collect(),
            _ => spread(var.elem_count()),
        };
        let found = products(self.exec.passes(), std::slice::from_ref(&var), || {
            let one = |arguments: &[Tensor]| seeded(&self.call(arguments)?, self.weights);
            let f = one(&arguments)?;
            let other = match probe {
                Probe::Twice => one(&arguments)?,
                _ => seeded(var.as_tensor(), &share)?,
            };
            // f may return another dtype than it is given.
            let other = other.to_dtype(f.dtype())?;
            if probe == Probe::XThenF {
                other + f
            } else {
                f + other
            }
        });
        let found = match found {
            Ok(mut products) => or_zeros(products.swap_remove(0), var.elem_count()),
            Err(failure) => return Ok(failed(failure)),
        };
        let (expected, bound): (Vec<f64>, Vec<f64>) = subject.expected.iter().copied().unzip();
        let both: Vec<(f64, f64)> = (expected.iter().zip(&share).zip(&bound))
            .map(|((g, w), e)| (g + w, 2. * e))
            .collect();
        let held = Found {
            found: &found,
            expected: &both,
            dims: var.dims(),
            scale: subject.inside,
        };
        Ok(compared(&held, &subject.tolerance, |at| {
            lost(&found, &expected, &share, at, subject)
        }))
    }
}

/// Which of two branches is missing from a sum of gradients.
fn lost(
    found: &[f64],
    f: &[f64],
    other: &[f64],
    at: usize,
    subject: &Subject,
) -> (Verdict, String) {
    let near = |a: &[f64]| {
        found
            .iter()
            .zip(a)
            .all(|(x, y)| (x - y).abs() <= subject.tolerance.rtol.max(1e-6) * (x.abs() + y.abs()))
    };
    let nothing = found.iter().all(|g| *g == 0.);
    if !subject.has_gradient && (near(other) || nothing) {
        let note = "f's branch is cut, and hides behind the other branch's gradient";
        (Verdict::Severed, note.to_string())
    } else if near(other) || near(f) {
        let note = "one branch's gradient overwrites the other's instead of adding to it";
        (Verdict::Wrong, note.to_string())
    } else {
        let note = format!("the branches' gradients are {} and {}", f[at], other[at]);
        (Verdict::Wrong, note)
    }
}
