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

mod layout;
mod rounding;
mod views;

use candle_core::{Result, Tensor, Var};

use super::autograd::graph::{Failure, Source, products, seeded};
use super::check::Check;
use super::judge::verdict::Verdict;
use super::options::Options;
use super::report::{Outcome, Probe, ProbeReport, Report};
use super::support::exec::Exec;
use super::support::rng::SplitMix64;
use super::support::values::{or_zeros, unit_roundoff};
use rounding::Expected;

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
        let probes = chosen(self.options);
        if probes.is_empty() {
            return Ok(());
        }
        let Some(subject) = self.subject(slot, noise) else {
            return Ok(()); // the backward pass fails, and its verdict says so
        };
        let input = subject.input;
        for probe in probes {
            let outcome = match (probe, &subject.gradient) {
                (Probe::Strided | Probe::Offset, _) => self.layout(probe, &subject)?,
                (_, None) => continue,
                (Probe::Twice, Some(gradient)) => self.twice(&subject, gradient)?,
                (Probe::Linear, Some(gradient)) => self.linear(&subject, gradient),
            };
            report.probes.push(ProbeReport {
                probe,
                input,
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
        let gradient = |values| {
            let again = baseline.again.iter().filter_map(|p| p[slot].as_deref());
            Expected {
                values,
                dims: self.inputs[input].dims(),
                dtype: self.inputs[input].dtype(),
                tolerance,
                rounding: rounding::of_gradient(values, again, (scale, tolerance.unit)),
            }
        };
        Some(Subject {
            input,
            slot,
            scale,
            gradient: baseline.products[slot].as_deref().map(gradient),
            value,
        })
    }

    /// vᵀf(x) + vᵀf(x).
    fn twice(&self, subject: &Subject, gradient: &Expected) -> Result<Outcome> {
        let (arguments, var) = self.with_var(subject.input)?;
        let found = products(self.exec.passes(), std::slice::from_ref(&var), || {
            let one = || seeded(&self.exec.call(&arguments)?, &self.weights);
            one()? + one()?
        });
        let found = match found {
            Ok(mut found) => or_zeros(found.swap_remove(0), gradient.values.len()),
            Err(failure) => return Ok(failed(failure)),
        };
        let twice: Vec<f64> = gradient.values.iter().map(|g| 2. * g).collect();
        let twice = Expected {
            values: &twice,
            rounding: 2. * gradient.rounding,
            ..*gradient
        };
        let note = "x is used twice, and its two gradients do not add up";
        Ok(twice.outcome(&found, Verdict::Wrong, note))
    }

    /// The gradients for v + w, for w and for no weights at all, by one graph.
    fn linear(&self, subject: &Subject, gradient: &Expected) -> Outcome {
        let (v, w) = (&self.weights, self.other_weights());
        let both: Vec<f64> = v.iter().zip(&w).map(|(v, w)| v + w).collect();
        let of = |weights: &[f64]| self.product(subject.slot, weights);
        let all = of(&w).and_then(|of_w| Ok((of_w, of(&both)?, of(&vec![0.; w.len()])?)));
        let (of_w, of_both, of_none) = match all {
            Ok(all) => all,
            Err(failure) => return failed(failure),
        };
        let sum = gradient.values.iter().zip(&of_w);
        let sum: Vec<f64> = sum.map(|(of_v, of_w)| of_v + of_w).collect();
        let compared = |values: &[f64], found: &[f64], rounding: f64| {
            let expected = Expected {
                values,
                rounding,
                ..*gradient
            };
            expected.outcome(found, Verdict::Wrong, NOT_LINEAR)
        };
        // Three passes, of which one may round by twice as much.
        let mut outcome = compared(&sum, &of_both, 4. * gradient.rounding);
        if !matches!(outcome, Outcome::Pass) {
            let rounding = gradient.rounding.max(self.rounding(subject, &w, &of_w));
            outcome = compared(&sum, &of_both, 4. * rounding);
        }
        match outcome {
            Outcome::Pass => compared(&vec![0.; sum.len()], &of_none, 0.),
            outcome => outcome,
        }
    }

    /// w: no multiple of v, and no element of v + w is 0. Of v's other sign for one output, so that it
    /// shows where a backward pass is linear on one side of 0 alone.
    fn other_weights(&self) -> Vec<f64> {
        let mut w = SplitMix64::new(self.options.seed, 77).weights(self.weights.len());
        let sign = -(self.weights[0] * w[0]).signum();
        w.iter_mut().for_each(|w| *w *= sign * 11. / 16.);
        w
    }

    fn product(&self, slot: usize, weights: &[f64]) -> std::result::Result<Vec<f64>, Failure> {
        let found = self.graph.vjp(weights)?.swap_remove(slot);
        Ok(or_zeros(found, self.graph.vars[slot].elem_count()))
    }

    fn rounding(&self, subject: &Subject, weights: &[f64], g: &[f64]) -> f64 {
        let again = self.graph.again(weights);
        let again = again.iter().filter_map(|p| p[subject.slot].as_deref());
        let unit = unit_roundoff(self.inputs[subject.input].dtype());
        rounding::of_gradient(g, again, (subject.scale, unit))
    }

    /// The inputs as plain tensors, with input k a variable.
    fn with_var(&self, k: usize) -> Result<(Vec<Tensor>, Var)> {
        let mut arguments: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        let var = Var::from_tensor(&arguments[k])?;
        arguments[k] = var.as_tensor().clone();
        Ok((arguments, var))
    }
}

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

fn chosen(options: &Options) -> Vec<Probe> {
    let mut probes = Vec::new();
    if options.probes {
        probes.push(Probe::Twice);
        if options.layouts {
            probes.extend([Probe::Strided, Probe::Offset]);
        }
        probes.push(Probe::Linear);
    }
    probes
}
