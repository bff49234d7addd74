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
use super::options::{Options, Tolerance, unit_roundoff};
use super::oracle::{same_shape, tensor, to_f64};
use super::panics::catch;
use super::report::{Outcome, Probe, ProbeReport};
use super::rng::SplitMix64;
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
pub(super) struct Found<'a> {
    pub(super) found: &'a [f64],
    pub(super) expected: &'a [(f64, f64)],
    pub(super) dims: &'a [usize],
    pub(super) scale: f64,
}

impl<E: Exec> Plain<'_, E> {
    /// Runs the probes that are on, for one input.
    pub(crate) fn probe(&self, subject: &Subject, options: &Options) -> Result<Vec<ProbeReport>> {
        let mut reports = Vec::new();
        for probe in chosen(options) {
            if probe == Probe::AllTransposed && !self.others_transpose(subject) {
                continue;
            }
            let outcome = self.outcome(probe, subject)?;
            reports.push(ProbeReport {
                probe,
                input: subject.input,
                outcome,
            });
        }
        Ok(reports)
    }

    /// Whether another float input has a transpose, so that all of them differ from one alone.
    fn others_transpose(&self, subject: &Subject) -> bool {
        let others = self.inputs.iter().enumerate();
        let mut others = others.filter(|(k, t)| *k != subject.input && t.dtype().is_float());
        others.any(|(_, t)| views::long_dims(t).is_some())
    }

    fn outcome(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        match probe {
            Probe::BackwardTwice | Probe::Scaled | Probe::Added | Probe::Zero => {
                self.again(probe, subject)
            }
            Probe::FThenX | Probe::XThenF | Probe::Twice => self.fan_out(probe, subject),
            _ => self.layout(probe, subject),
        }
    }

    /// vᵀf(x) + wᵀx in both orders, or vᵀf(x) + vᵀf(x).
    fn fan_out(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        let (arguments, var) = self.with_var(subject.input)?;
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

    /// f on a view of a variable.
    fn layout(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        let x = self.inputs[subject.input].detach();
        let view = match views::view(probe, &x) {
            Ok(Ok(view)) => view,
            Ok(Err(reason)) => return Ok(skipped(reason)),
            Err(error) => return Ok(skipped(&first_line(&error))),
        };
        let implied = match self.implied(probe, subject, &view)? {
            Ok(implied) => implied,
            Err(outcome) => return Ok(outcome),
        };
        let outcome = self.on_view(probe, subject, &view, &implied)?;
        let scatters = matches!(probe, Probe::Expanded | Probe::AllTransposed);
        if !scatters || !matches!(outcome, Outcome::Forward { .. }) {
            return Ok(outcome);
        }
        let implied = self.with_scatter(probe, subject, &view, implied)?;
        self.on_view(probe, subject, &view, &implied)
    }

    /// f of the view, and its gradient, against what the contiguous call implies.
    fn on_view(
        &self,
        probe: Probe,
        subject: &Subject,
        view: &View,
        implied: &Implied,
    ) -> Result<Outcome> {
        let mut arguments: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        if probe == Probe::AllTransposed {
            let strided = arguments.iter().map(views::strided);
            arguments = strided.collect::<Result<_>>()?;
        }
        arguments[subject.input] = view.view.clone();
        let y = match catch(|| self.call(&arguments)) {
            Ok(Ok(y)) => y,
            Ok(Err(error)) => return Ok(skipped(&format!("f: {}", first_line(&error)))),
            Err(message) => return Ok(panicked(format!("f itself: {message}"))),
        };
        if let Some(outcome) = forward_differs(&to_f64(&y)?, implied, &y, subject) {
            return Ok(outcome);
        }
        let found = match products(std::slice::from_ref(&view.var), || seeded(&y, self.weights)) {
            Ok(mut products) => products.swap_remove(0),
            Err(failure) => return Ok(failed(failure)),
        };
        let cut = found.is_none();
        let held = Found {
            found: &or_zeros(found, view.var.elem_count()),
            expected: &implied.gradient,
            dims: view.var.dims(),
            scale: implied.scale,
        };
        let (verdict, note) = match cut {
            true => (
                Verdict::Severed,
                "no gradient reaches the variable through this layout",
            ),
            false => (Verdict::Wrong, "the gradient is different in this layout"),
        };
        let explain = |_| (verdict, note.to_string());
        Ok(compared(&held, &subject.tolerance, explain))
    }

    /// The output and gradient that the contiguous call implies for the view's variable.
    fn implied(
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
                made_of: subject.made_of,
            }));
        }
        // An expanded view is at another point: call f there on a contiguous copy.
        let copy = Var::from_tensor(&view.view.detach().contiguous()?)?;
        let (y, gradient) = match self.at(subject, &copy, copy.as_tensor())? {
            Some(found) => found,
            None => return Ok(Err(skipped("f does not run where the view is constant"))),
        };
        if !gradient.iter().chain(&y).all(|g| g.is_finite()) {
            return Ok(Err(skipped("not finite where the view is constant")));
        }
        // The variable's gradient is a sum over the view's, which may cancel in it.
        let sizes: Vec<f64> = gradient.iter().map(|g| g.abs()).collect();
        let sizes = views::pull_back(view, probe, &sizes)?;
        let scale = sizes.into_iter().fold(subject.inside, f64::max);
        let gradient = views::pull_back(view, probe, &gradient)?;
        Ok(Ok(Implied {
            y,
            scale,
            gradient: gradient.into_iter().map(|g| (g, 0.)).collect(),
            made_of: subject.made_of,
        }))
    }

    /// f of x, which is made of `var`, and vᵀJ by that; None where it has none.
    fn at(&self, subject: &Subject, var: &Var, x: &Tensor) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
        let mut arguments: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        arguments[subject.input] = x.clone();
        let Ok(Ok(y)) = catch(|| self.call(&arguments)) else {
            return Ok(None);
        };
        let Ok(mut found) = products(std::slice::from_ref(var), || seeded(&y, self.weights)) else {
            return Ok(None);
        };
        let gradient = or_zeros(found.swap_remove(0), var.elem_count());
        Ok(Some((to_f64(&y)?, gradient)))
    }

    /// `implied` with room for what rounding alone does to f, where the view is constant or more than
    /// one input is in another layout: how far f moves when each element of those does, by the
    /// square root of their number of units in the last place, as a sum of them may. (A row that is
    /// constant has no variance but rounding, which a normalisation makes large.)
    fn with_scatter(
        &self,
        probe: Probe,
        subject: &Subject,
        view: &View,
        mut implied: Implied,
    ) -> Result<Implied> {
        for sample in 0..2 {
            let mut arguments: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
            if probe == Probe::AllTransposed {
                let moved = arguments.iter().map(|t| scattered(t, sample));
                arguments = moved.collect::<Result<_>>()?;
            }
            arguments[subject.input] = scattered(&view.view.detach(), sample)?;
            if let Ok(Ok(y)) = catch(|| self.call(&arguments)) {
                let apart = furthest_apart(&implied.y, &to_f64(&y)?);
                let unit = subject.tolerance.unit;
                implied.made_of = implied.made_of.max(apart / unit);
            }
        }
        Ok(implied)
    }

    /// f, with its shape checked.
    fn call(&self, arguments: &[Tensor]) -> Result<Tensor> {
        let y = self.exec.call(arguments)?;
        same_shape(self.graph.y.dims(), &y)?;
        Ok(y)
    }

    /// The arguments with input k a variable.
    fn with_var(&self, k: usize) -> Result<(Vec<Tensor>, Var)> {
        let mut arguments: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        let var = Var::from_tensor(&arguments[k])?;
        arguments[k] = var.as_tensor().clone();
        Ok((arguments, var))
    }
}

/// What the plain call implies for a probe.
struct Implied {
    y: Vec<f64>,
    gradient: Vec<(f64, f64)>,
    /// What the rounding of the gradient is measured against, and that of f's value.
    scale: f64,
    made_of: f64,
}

/// Contiguous, and each element moved by √n units in the last place, up or down; integers as they are.
fn scattered(t: &Tensor, sample: u64) -> Result<Tensor> {
    if !t.dtype().is_float() {
        return Ok(t.clone());
    }
    let x = to_f64(t)?;
    let step = 2. * unit_roundoff(t.dtype()) * (x.len() as f64).sqrt();
    let signs = SplitMix64::new(sample, 77).signs(x.len());
    let moved: Vec<f64> = x.iter().zip(signs).map(|(x, s)| x + s * step * x).collect();
    tensor(&moved, t.dims(), t.dtype(), t.device())
}

pub(super) fn furthest_apart(a: &[f64], b: &[f64]) -> f64 {
    let apart = a.iter().zip(b).map(|(a, b)| (a - b).abs());
    apart.filter(|d| d.is_finite()).fold(0., f64::max)
}

/// The probes that are on.
pub(crate) fn chosen(options: &Options) -> Vec<Probe> {
    let mut probes = Vec::new();
    if options.fan_out {
        probes.extend([Probe::FThenX, Probe::XThenF, Probe::Twice]);
    }
    if options.layouts {
        probes.extend([Probe::Transposed, Probe::Narrowed, Probe::Offset]);
        probes.extend([Probe::Expanded, Probe::AllTransposed, Probe::NonLeaf]);
    }
    if options.determinism {
        probes.push(Probe::BackwardTwice);
    }
    if options.linearity {
        probes.extend([Probe::Scaled, Probe::Added, Probe::Zero]);
    }
    probes
}

/// Weights for x's own branch: ±1 and ±2 in turn, none of them zero.
pub(super) fn spread(n: usize) -> Vec<f64> {
    (0..n).map(|j| [1., -2., 2., -1.][j % 4]).collect()
}

pub(super) fn or_zeros(gradient: Option<Vec<f64>>, n: usize) -> Vec<f64> {
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
    implied: &Implied,
    y: &Tensor,
    subject: &Subject,
) -> Option<Outcome> {
    let expected: Vec<(f64, f64)> = implied.y.iter().map(|y| (*y, 0.)).collect();
    let held = Found {
        found,
        expected: &expected,
        dims: y.dims(),
        scale: implied.made_of,
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
