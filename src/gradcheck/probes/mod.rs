//! Ways of calling f, and of running its backward pass, that must not change its gradient.
//!
//! Each starts from g = vᵀJ, the gradient of the plain call for fixed random weights v of the outputs:
//!
//! ```text
//! f(x) + f(x)   x used twice has the gradient 2 g
//! strided       x and the other inputs in another order in memory: the same values, the same g
//! offset        x not at the start of its memory: the same values, the same g
//! linear        the weights v + w have the gradient of w and g; no weights have none
//! ```
//!
//! What rounding may do is measured. Where the backward pass is linear, (kv)ᵀJ / k is g but for its
//! rounding, so with r the largest difference for k = 3, 5, 7, 11, 13 a gradient may be off by
//! rtol |g| + 8 (u max|g| + r) + atol. A value of f may be off by as much, with y for g and the noise
//! of f that the comparison measured for r.

mod rounding;
mod views;

use candle_core::{Device, Result, Tensor, Var};

use super::autograd::graph::{Backward, Failure, Products, Source, products, seeded};
use super::check::Check;
use super::judge::verdict::Verdict;
use super::report::{Outcome, Probe, ProbeReport, Report};
use super::support::exec::Exec;
use super::support::panics::catch;
use super::support::rng::SplitMix64;
use super::support::values::{first_line, or_zeros, same_shape, to_f64};
use rounding::Expected;
use views::View;

/// One input under probes.
struct Subject<'a> {
    input: usize,
    slot: usize,
    /// f's characteristic scale: the size of its values over that of the input's.
    scale: f64,
    /// g; None where the plain call gives no gradient, so that only values of f can be compared.
    gradient: Option<Expected<'a>>,
    /// f's value at the inputs.
    value: Expected<'a>,
}

impl<E: Exec> Check<'_, E> {
    /// The probes of one input, with the noise of f's outputs when it moves.
    pub(crate) fn probe(&self, slot: usize, noise: &[f64], report: &mut Report) -> Result<()> {
        if !self.options.probes {
            return Ok(());
        }
        let Some(subject) = self.subject(slot, noise) else {
            return Ok(()); // the backward pass fails, and its verdict says so
        };
        for probe in [Probe::Twice, Probe::Strided, Probe::Offset, Probe::Linear] {
            let outcome = match (probe, &subject.gradient) {
                (Probe::Strided | Probe::Offset, _) if !self.options.layouts => continue,
                (Probe::Strided, _) => self.strided(&subject)?,
                (Probe::Offset, _) => self.on_view(View::Offset, self.plain(), &subject)?,
                (_, None) => continue,
                (Probe::Twice, _) => self.on_view(View::Itself, self.plain(), &subject)?,
                (Probe::Linear, Some(g)) => self.linear(&subject, g).unwrap_or_else(failed),
            };
            report.probes.push(ProbeReport {
                probe,
                input: subject.input,
                outcome,
            });
        }
        Ok(())
    }

    /// What the plain call gave for one input.
    fn subject(&self, slot: usize, noise: &[f64]) -> Option<Subject<'_>> {
        let baseline = self.graph.baseline(&self.weights)?;
        let input = self.checked[slot];
        let tolerance = self.options.tolerance(self.inputs[input].dtype());
        // ε / u is the size of the terms that f adds up, where they cancel in its value.
        let terms = (self.y.iter().zip(noise))
            .flat_map(|(y, e)| [y.abs(), e / self.reference.unit])
            .filter(|size| size.is_finite())
            .fold(0., f64::max);
        let value = Expected {
            values: &self.y,
            dims: self.graph.y.dims(),
            dtype: self.graph.y.dtype(),
            tolerance,
            rounding: tolerance.unit * terms,
        };
        let scale = terms / self.reference.size(input).largest.max(f64::MIN_POSITIVE);
        let gradient = baseline.products[slot].as_deref();
        let gradient = gradient.map(|g| self.gradient(slot, g, &baseline.again, scale));
        Some(Subject {
            input,
            slot,
            scale,
            gradient,
            value,
        })
    }

    /// A gradient of one input, with the rounding that `again` shows.
    fn gradient<'g>(
        &'g self,
        slot: usize,
        values: &'g [f64],
        again: &[Products],
        scale: f64,
    ) -> Expected<'g> {
        let x = &self.inputs[self.checked[slot]];
        let tolerance = self.options.tolerance(x.dtype());
        let again = again.iter().filter_map(|p| p[slot].as_deref());
        Expected {
            values,
            dims: x.dims(),
            dtype: x.dtype(),
            tolerance,
            rounding: rounding::of_gradient(values, again, (scale, tolerance.unit)),
        }
    }

    fn plain(&self) -> Vec<Tensor> {
        self.inputs.iter().map(Tensor::detach).collect()
    }

    /// f on strided views. Where it refuses the other inputs strided too, they are left as they are.
    fn strided(&self, subject: &Subject) -> Result<Outcome> {
        let strided = |t: &Tensor| View::strided(t).take(&View::strided(t).store(t)?);
        let plain = self.plain();
        let others = plain.iter().map(strided).collect::<Result<_>>()?;
        let view = View::strided(&plain[subject.input]);
        match self.on_view(view, others, subject)? {
            Outcome::Skipped { .. } if plain.len() > 1 => self.on_view(view, plain, subject),
            outcome => Ok(outcome),
        }
    }

    /// f on a view of a variable, or the sum of two calls of f where the view is the variable itself. A layout that f
    /// refuses is skipped with f's reason, which is no wrong gradient.
    fn on_view(
        &self,
        view: View,
        mut arguments: Vec<Tensor>,
        subject: &Subject,
    ) -> Result<Outcome> {
        let x = self.inputs[subject.input].detach();
        let var = Var::from_tensor(&view.store(&x)?)?;
        arguments[subject.input] = view.take(&var)?;
        let call = |_| {
            let y = self.exec.call(&arguments)?;
            same_shape(self.graph.y.dims(), &y)?;
            Ok(y)
        };
        let calls = if view == View::Itself { 2 } else { 1 };
        let called = catch(|| (0..calls).map(call).collect::<Result<Vec<Tensor>>>());
        let ys = match called {
            Ok(Ok(ys)) => ys,
            Ok(Err(error)) => {
                let reason = format!("f: {}", first_line(&error));
                return Ok(Outcome::Skipped { reason });
            }
            Err(message) => return Ok(failed(Failure::panicked(format!("f itself: {message}")))),
        };
        for y in &ys {
            if let Some(outcome) = subject.value.forward(&to_f64(y)?) {
                return Ok(outcome);
            }
        }
        match &subject.gradient {
            Some(gradient) => self.gradient_on_view(view, &var, &ys, gradient),
            // No gradient in the plain call either, whose verdict says so.
            None => Ok(Outcome::Pass),
        }
    }

    fn gradient_on_view(
        &self,
        view: View,
        var: &Var,
        ys: &[Tensor],
        gradient: &Expected,
    ) -> Result<Outcome> {
        let found = products(self.exec.passes(), std::slice::from_ref(var), || {
            let seeded = ys.iter().map(|y| seeded(y, &self.weights));
            let sum = seeded.reduce(|sum, y| sum? + y?);
            sum.unwrap_or_else(|| self.graph.y.sum_all())
        });
        let found = match found {
            Ok(mut products) => products.swap_remove(0),
            Err(failure) => return Ok(failed(failure)),
        };
        let (verdict, note) = match (&found, view) {
            (None, _) => (Verdict::Severed, "no gradient reaches the variable"),
            (_, View::Itself) => (Verdict::Wrong, NOT_ADDED),
            _ => (Verdict::Wrong, "the gradient is different in this layout"),
        };
        let stored = or_zeros(found, var.elem_count());
        let stored = Tensor::from_vec(stored, var.dims(), &Device::Cpu)?;
        let found = to_f64(&view.take(&stored)?)?;
        let calls = ys.len() as f64;
        let values: Vec<f64> = gradient.values.iter().map(|g| calls * g).collect();
        let expected = Expected {
            values: &values,
            rounding: calls * gradient.rounding,
            ..*gradient
        };
        Ok(expected.outcome(&found, verdict, note))
    }

    /// The gradients for v + w, for w and for no weights at all, by one graph.
    fn linear(&self, subject: &Subject, of_v: &Expected) -> Backward<Outcome> {
        let (v, w, none) = (&self.weights, self.other_weights(), vec![0.; self.y.len()]);
        let both: Vec<f64> = v.iter().zip(&w).map(|(v, w)| v + w).collect();
        let of = |weights: &[f64]| {
            let found = self.graph.vjp(weights)?.swap_remove(subject.slot);
            Ok(or_zeros(found, of_v.values.len()))
        };
        let (of_w, of_both, of_none) = (of(&w)?, of(&both)?, of(&none)?);
        let sum = of_v.values.iter().zip(&of_w);
        let sum: Vec<f64> = sum.map(|(of_v, of_w)| of_v + of_w).collect();
        let compared = |values: &[f64], found: &[f64], rounding: f64| {
            let expected = Expected {
                values,
                rounding,
                ..*of_v
            };
            expected.outcome(found, Verdict::Wrong, NOT_LINEAR)
        };
        // Three passes, of which one may round by twice as much.
        let mut outcome = compared(&sum, &of_both, 4. * of_v.rounding);
        if !matches!(outcome, Outcome::Pass) {
            let again = self.graph.again(&w);
            let of_w = self.gradient(subject.slot, &of_w, &again, subject.scale);
            outcome = compared(&sum, &of_both, 4. * of_v.rounding.max(of_w.rounding));
        }
        Ok(match outcome {
            Outcome::Pass => compared(&vec![0.; sum.len()], &of_none, 0.),
            outcome => outcome,
        })
    }

    /// w: no multiple of v, and no element of v + w is 0. Of v's other sign for one output, so that it
    /// shows where a backward pass is linear on one side of 0 alone.
    fn other_weights(&self) -> Vec<f64> {
        let mut w = SplitMix64::new(self.options.seed, 77).weights(self.weights.len());
        let sign = -(self.weights[0] * w[0]).signum();
        w.iter_mut().for_each(|w| *w *= sign * 11. / 16.);
        w
    }
}

const NOT_ADDED: &str = "x is used twice, and its two gradients do not add up";

const NOT_LINEAR: &str = "the gradient is not linear in the output's gradient: something is added, or the \
     output's gradient is not used as it is";

fn failed(failure: Failure) -> Outcome {
    Outcome::Failed {
        verdict: failure.verdict,
        at: Vec::new(),
        found: f64::NAN,
        expected: f64::NAN,
        note: failure.message,
    }
}
