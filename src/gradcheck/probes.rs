//! Ways of calling f that must not change its gradient.
//!
//! Each probe compares a vector-Jacobian product with the one the plain call implies. Where the plain
//! gradient passed, that is autograd's own, so only rounding separates the two; where it did not, it
//! is the numeric one. A layout that f refuses is skipped with f's reason: saying no is not a wrong
//! gradient.

use candle_core::{Result, Tensor, Var};

use super::analytic::{Failure, Graph, first_line, products, seeded};
use super::compare::ROUNDING;
use super::exec::Exec;
use super::options::{Options, Tolerance};
use super::oracle::{same_shape, to_f64};
use super::panics::catch;
use super::report::{Outcome, Probe, ProbeReport};
use super::verdict::Verdict;
use super::views::{self, View};

/// The plain call, and what it implies.
pub(crate) struct Plain<'a, E> {
    pub(crate) exec: &'a E,
    pub(crate) inputs: &'a [Tensor],
    pub(crate) graph: &'a Graph,
    pub(crate) y: &'a [f64],
    /// v, one weight an output element.
    pub(crate) weights: &'a [f64],
}

/// One input under probes.
pub(crate) struct Subject<'a> {
    pub(crate) input: usize,
    pub(crate) slot: usize,
    pub(crate) tolerance: Tolerance,
    /// vᵀJ as it should be, with a bound: by autograd, or by numbers where the graph is cut.
    pub(crate) expected: &'a [(f64, f64)],
    /// vᵀJ by autograd in the plain call.
    pub(crate) plain: &'a [(f64, f64)],
    /// The largest entry of the Jacobian: what its rounding is measured against where a product of
    /// it cancels.
    pub(crate) scale: f64,
    /// The same, and what cancels inside the backward pass: two ways of adding it up differ by u of it.
    pub(crate) inside: f64,
    /// The largest value that f is made of: an output, or ε/u where larger terms cancel in it.
    pub(crate) made_of: f64,
    /// Whether autograd gave a gradient.
    pub(crate) has_gradient: bool,
}

/// A gradient and what it is held against.
struct Found<'a> {
    found: &'a [f64],
    expected: &'a [(f64, f64)],
    dims: &'a [usize],
    scale: f64,
}

impl<E: Exec> Plain<'_, E> {
    /// Runs the probes that are on, for one input.
    pub(crate) fn probe(&self, subject: &Subject, options: &Options) -> Result<Vec<ProbeReport>> {
        let mut reports = Vec::new();
        for probe in chosen(options) {
            let outcome = self.outcome(probe, subject)?;
            reports.push(ProbeReport {
                probe,
                input: subject.input,
                outcome,
            });
        }
        Ok(reports)
    }

    fn outcome(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        match probe {
            Probe::BackwardTwice | Probe::Scaled | Probe::Zero => self.again(probe, subject),
            Probe::FThenX | Probe::XThenF | Probe::Twice => self.fan_out(probe, subject),
            _ => self.layout(probe, subject),
        }
    }

    /// The same graph, its output's gradient the same, a quarter, or zero.
    fn again(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        let factor = match probe {
            Probe::Scaled => 0.25,
            Probe::Zero => 0.,
            _ => 1.,
        };
        let weights: Vec<f64> = self.weights.iter().map(|w| factor * w).collect();
        let first = match self.graph.vjp(self.weights) {
            Ok(mut products) => products.swap_remove(subject.slot),
            Err(failure) => return Ok(failed(failure)),
        };
        let again = match self.graph.vjp(&weights) {
            Ok(mut products) => products.swap_remove(subject.slot),
            Err(failure) => return Ok(failed(failure)),
        };
        let var = &self.graph.vars[subject.slot];
        let expected: Vec<(f64, f64)> = or_zeros(first, var.elem_count())
            .iter()
            .map(|g| (factor * g, 0.))
            .collect();
        let found = Found {
            found: &or_zeros(again, var.elem_count()),
            expected: &expected,
            dims: var.dims(),
            scale: factor * subject.scale,
        };
        let (verdict, note) = match probe {
            Probe::BackwardTwice => (
                Verdict::Nondeterministic,
                "the same backward pass gave two gradients",
            ),
            _ => (
                Verdict::Wrong,
                "the gradient is not linear in the output's gradient: something is added, or \
                 the output's gradient is not used",
            ),
        };
        Ok(compared(&found, &subject.tolerance, |_| {
            (verdict, note.to_string())
        }))
    }

    /// vᵀf(x) + wᵀx in both orders, or vᵀf(x) + vᵀf(x).
    fn fan_out(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        let (arguments, var) = self.with_var(subject.input, None)?;
        let share: Vec<f64> = match probe {
            Probe::Twice => subject.expected.iter().map(|(g, _)| *g).collect(),
            _ => spread(var.elem_count()),
        };
        let found = products(std::slice::from_ref(&var), || {
            let one = |arguments: &[Tensor]| seeded(&self.call(arguments)?, self.weights);
            let f = one(&arguments)?;
            let other = match probe {
                Probe::Twice => one(&arguments)?,
                _ => seeded(var.as_tensor(), &share)?,
            };
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

    /// f on a view of a variable.
    fn layout(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        let x = self.inputs[subject.input].detach();
        let view = match views::view(probe, &x) {
            Ok(Ok(view)) => view,
            Ok(Err(reason)) => return Ok(skipped(reason)),
            Err(error) => return Ok(skipped(&first_line(&error))),
        };
        let plain = match self.plain_at(probe, subject, &view)? {
            Ok(plain) => plain,
            Err(outcome) => return Ok(outcome),
        };
        let mut arguments: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        arguments[subject.input] = view.view.clone();
        let y = match catch(|| self.call(&arguments)) {
            Ok(Ok(y)) => y,
            Ok(Err(error)) => return Ok(skipped(&format!("f: {}", first_line(&error)))),
            Err(message) => return Ok(panicked(message)),
        };
        if let Some(outcome) = forward_differs(&to_f64(&y)?, &plain.y, &y, subject) {
            return Ok(outcome);
        }
        let found = match products(std::slice::from_ref(&view.var), || seeded(&y, self.weights)) {
            Ok(mut products) => products.swap_remove(0),
            Err(failure) => return Ok(failed(failure)),
        };
        let cut = found.is_none();
        let held = Found {
            found: &or_zeros(found, view.var.elem_count()),
            expected: &plain.gradient,
            dims: view.var.dims(),
            scale: plain.scale,
        };
        Ok(compared(&held, &subject.tolerance, |_| {
            if cut {
                let note = "no gradient reaches the variable through this layout";
                (Verdict::Severed, note.to_string())
            } else {
                let note = "the gradient is different in this layout";
                (Verdict::Wrong, note.to_string())
            }
        }))
    }

    /// The output and gradient that the contiguous call implies for the view's variable.
    fn plain_at(
        &self,
        probe: Probe,
        subject: &Subject,
        view: &View,
    ) -> Result<std::result::Result<Implied, Outcome>> {
        if probe != Probe::Expanded {
            let values: Vec<f64> = subject.plain.iter().map(|(g, _)| *g).collect();
            let gradient = views::pull_back(view, probe, &values)?;
            return Ok(Ok(Implied {
                y: self.y.to_vec(),
                gradient: gradient.into_iter().map(|g| (g, 0.)).collect(),
                scale: subject.inside,
            }));
        }
        // An expanded view is at another point: call f there on a contiguous copy.
        let copy = view.view.detach().contiguous()?;
        let (arguments, var) = self.with_var(subject.input, Some(&copy))?;
        let y = match catch(|| self.call(&arguments)) {
            Ok(Ok(y)) => y,
            _ => return Ok(Err(skipped("f does not run where the view is constant"))),
        };
        let gradient = match products(&[var], || seeded(&y, self.weights)) {
            Ok(mut products) => or_zeros(products.swap_remove(0), copy.elem_count()),
            Err(_) => return Ok(Err(skipped("no gradient where the view is constant"))),
        };
        let y = to_f64(&y)?;
        if !gradient.iter().chain(&y).all(|g| g.is_finite()) {
            return Ok(Err(skipped("not finite where the view is constant")));
        }
        let scale = gradient.iter().fold(subject.inside, |m, g| m.max(g.abs()));
        let gradient = views::pull_back(view, probe, &gradient)?;
        Ok(Ok(Implied {
            y,
            scale,
            gradient: gradient.into_iter().map(|g| (g, 0.)).collect(),
        }))
    }

    /// f, with its shape checked.
    fn call(&self, arguments: &[Tensor]) -> Result<Tensor> {
        let y = self.exec.call(arguments)?;
        same_shape(self.graph.y.dims(), &y)?;
        Ok(y)
    }

    /// The arguments with input k a variable, at its own values or others.
    fn with_var(&self, k: usize, values: Option<&Tensor>) -> Result<(Vec<Tensor>, Var)> {
        let mut arguments: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        let var = Var::from_tensor(values.unwrap_or(&arguments[k]))?;
        arguments[k] = var.as_tensor().clone();
        Ok((arguments, var))
    }
}

/// What the plain call implies for a probe.
struct Implied {
    y: Vec<f64>,
    gradient: Vec<(f64, f64)>,
    scale: f64,
}

/// The probes that are on.
pub(crate) fn chosen(options: &Options) -> Vec<Probe> {
    let mut probes = Vec::new();
    if options.fan_out {
        probes.extend([Probe::FThenX, Probe::XThenF, Probe::Twice]);
    }
    if options.layouts {
        probes.extend([Probe::Transposed, Probe::Narrowed, Probe::Offset]);
        probes.extend([Probe::Expanded, Probe::NonLeaf]);
    }
    if options.determinism {
        probes.push(Probe::BackwardTwice);
    }
    if options.linearity {
        probes.extend([Probe::Scaled, Probe::Zero]);
    }
    probes
}

/// Weights for x's own branch: ±1 and ±2 in turn, none of them zero.
fn spread(n: usize) -> Vec<f64> {
    (0..n).map(|j| [1., -2., 2., -1.][j % 4]).collect()
}

fn or_zeros(gradient: Option<Vec<f64>>, n: usize) -> Vec<f64> {
    gradient.unwrap_or_else(|| vec![0.; n])
}

fn skipped(reason: &str) -> Outcome {
    Outcome::Skipped {
        reason: reason.to_string(),
    }
}

fn panicked(message: String) -> Outcome {
    failed(Failure {
        verdict: Verdict::Panicked,
        message,
    })
}

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed {
        verdict: failure.verdict,
        at: Vec::new(),
        found: f64::NAN,
        expected: f64::NAN,
        note: failure.message,
    }
}

/// Pass, or the worst place with the verdict and note that `explain` gives for it.
fn compared(
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
fn furthest(held: &Found, tolerance: &Tolerance) -> Option<usize> {
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

/// The output furthest from the plain call's, if any is beyond rounding.
fn forward_differs(
    found: &[f64],
    expected: &[f64],
    y: &Tensor,
    subject: &Subject,
) -> Option<Outcome> {
    let expected: Vec<(f64, f64)> = expected.iter().map(|y| (*y, 0.)).collect();
    let held = Found {
        found,
        expected: &expected,
        dims: y.dims(),
        scale: subject.made_of,
    };
    let at = furthest(&held, &subject.tolerance)?;
    Some(Outcome::Forward {
        at: unravel(at, y.dims()),
        found: found[at],
        expected: expected[at].0,
    })
}

/// The index of an element, from its place in row-major order.
pub(crate) fn unravel(mut flat: usize, dims: &[usize]) -> Vec<usize> {
    let mut index = vec![0; dims.len()];
    for (place, dim) in index.iter_mut().zip(dims).rev() {
        *place = flat % dim;
        flat /= dim;
    }
    index
}
