//! The probes of an input in another layout, or behind another op.

use candle_core::{Result, Tensor, Var};

use super::held::{Found, compared, failed, furthest, furthest_apart, panicked, skipped};
use super::plain::{Plain, Subject};
use super::views::{self, View};
use crate::gradcheck::autograd::graph::{products, seeded};
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::report::{Outcome, Probe};
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::panics::catch;
use crate::gradcheck::support::rng::SplitMix64;
use crate::gradcheck::support::values::{
    first_line, or_zeros, tensor, to_f64, unit_roundoff, unravel,
};

impl<E: Exec> Plain<'_, E> {
    /// f on a view of a variable.
    pub(super) fn layout(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
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
        let found = match products(self.exec.passes(), std::slice::from_ref(&view.var), || {
            seeded(&y, self.weights)
        }) {
            Ok(mut products) => products.swap_remove(0),
            Err(failure) => return Ok(failed(failure)),
        };
        let cut = found.is_none();
        if cut && !subject.has_gradient {
            return Ok(Outcome::Pass); // as in the plain call, which says so
        }
        if !subject.has_gradient && (probe == Probe::Expanded || !subject.is_known()) {
            return Ok(skipped("the plain call gives no gradient to compare with"));
        }
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
            // The derivative itself where the plain call is cut: another layout may be right.
            let (values, bounds): (Vec<f64>, Vec<f64>) = match subject.has_gradient {
                true => subject.plain.iter().copied().unzip(),
                false => subject.expected.iter().copied().unzip(),
            };
            let gradient = views::pull_back(view, probe, &values)?;
            let bounds = views::pull_back(view, probe, &bounds)?;
            return Ok(Ok(Implied {
                y: self.y.to_vec(),
                gradient: gradient.into_iter().zip(bounds).collect(),
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
        let Ok(mut found) = products(self.exec.passes(), std::slice::from_ref(var), || {
            seeded(&y, self.weights)
        }) else {
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

    /// Whether another float input has a transpose, so that all of them differ from one alone.
    pub(super) fn others_transpose(&self, subject: &Subject) -> bool {
        let others = self.inputs.iter().enumerate();
        let mut others = others.filter(|(k, t)| *k != subject.input && t.dtype().is_float());
        others.any(|(_, t)| views::long_dims(t).is_some())
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
