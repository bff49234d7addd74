//! The probes of one graph: its backward pass gives the same again, and is linear in the output's
//! gradient.

use candle_core::Result;

use super::held::{Found, compared, failed, furthest_apart};
use super::plain::{Plain, Subject, spread};
use crate::gradcheck::autograd::graph::Failure;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::report::{Outcome, Probe};
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::values::or_zeros;

type Gradient = std::result::Result<Vec<f64>, Failure>;

impl<E: Exec> Plain<'_, E> {
    /// The same graph, with the output's gradient v as it was, -1/4 of it, none of it, or another w
    /// added.
    pub(super) fn again(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        let (factor, other) = match probe {
            Probe::Scaled => (-0.25, 0.),
            Probe::Zero => (0., 0.),
            Probe::Added => (1., 1.),
            _ => (1., 0.),
        };
        let w = spread(self.weights.len());
        let both = self.weights.iter().zip(&w);
        let both: Vec<f64> = both.map(|(v, w)| factor * v + other * w).collect();
        let of_w = match probe {
            Probe::Added => self.gradient(subject, &w),
            _ => Ok(vec![0.; self.len(subject)]),
        };
        let of_v = self.gradient(subject, self.weights);
        Ok(match (of_v, of_w, self.gradient(subject, &both)) {
            (Ok(of_v), Ok(of_w), Ok(found)) => {
                let sum = of_v.iter().zip(&of_w);
                let expected: Vec<_> = sum.map(|(v, w)| (factor * v + w, 0.)).collect();
                let held = |scale| self.held(probe, subject, (&found, &expected), scale);
                if probe != Probe::Added {
                    return Ok(held(factor.abs() * subject.scale));
                }
                // Three passes, of which one is off by twice as much.
                match held(4. * subject.inside) {
                    Outcome::Pass => Outcome::Pass,
                    _ => held(4. * self.rounding(subject, [(self.weights, &of_v), (&w, &of_w)])),
                }
            }
            (Err(failure), ..) | (_, Err(failure), _) | (.., Err(failure)) => failed(failure),
        })
    }

    /// vᵀJ by the graph.
    fn gradient(&self, subject: &Subject, v: &[f64]) -> Gradient {
        let mut products = self.graph.vjp(v)?;
        Ok(or_zeros(
            products.swap_remove(subject.slot),
            self.len(subject),
        ))
    }

    fn len(&self, subject: &Subject) -> usize {
        self.graph.vars[subject.slot].elem_count()
    }

    /// How large the gradients are that cancel inside the backward pass: a third, a fifth, ... of the
    /// pass for 3v, 5v, ... differs from that for v by rounding alone, u times their size. (What
    /// `Subject::inside` says too, of 3v and one weighting; where an alarm depends on it, it is looked
    /// at again.)
    fn rounding(&self, subject: &Subject, passes: [(&[f64], &Vec<f64>); 2]) -> f64 {
        let mut apart = 0f64;
        for (v, plain) in passes {
            for factor in [3., 5., 7., 11., 13.] {
                let many: Vec<f64> = v.iter().map(|v| factor * v).collect();
                if let Ok(many) = self.gradient(subject, &many) {
                    let one: Vec<f64> = many.iter().map(|g| g / factor).collect();
                    apart = apart.max(furthest_apart(&one, plain));
                }
            }
        }
        subject.inside.max(apart / subject.tolerance.unit)
    }

    fn held(
        &self,
        probe: Probe,
        subject: &Subject,
        (found, expected): (&[f64], &[(f64, f64)]),
        scale: f64,
    ) -> Outcome {
        let dims = self.graph.vars[subject.slot].dims();
        let held = Found {
            found,
            expected,
            dims,
            scale,
        };
        let (verdict, note) = match probe {
            Probe::BackwardTwice => (
                Verdict::Nondeterministic,
                "the same backward pass gave two gradients",
            ),
            _ => (
                Verdict::Wrong,
                "the gradient is not linear in the output's gradient: something is added, or \
                 the output's gradient is not used as it is",
            ),
        };
        compared(&held, &subject.tolerance, |_| (verdict, note.to_string()))
    }
}
