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

use super::autograd::graph::{Failure, products, seeded};
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
    /// The size that a gradient has by nature: that of f's values by that of the input's.
    natural: f64,
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
        let made_of = (self.y.iter().zip(noise))
            .flat_map(|(y, e)| [y.abs(), e / self.oracle.unit])
            .filter(|size| size.is_finite())
            .fold(0., f64::max);
        let dims = self.inputs[input].dims();
        let natural = made_of / self.oracle.size(input).largest.max(f64::MIN_POSITIVE);
        let gradient = |g| {
            let again = baseline.again.iter().filter_map(|p| p[slot].as_deref());
            let rounding = rounding::of_gradient(g, again, (natural, tolerance.unit));
            Expected::new(g, dims, tolerance, rounding)
        };
        let noise = tolerance.unit * made_of;
        Some(Subject {
            input,
            slot,
            natural,
            gradient: baseline.products[slot].as_deref().map(gradient),
            value: Expected::new(&self.y, self.graph.y.dims(), tolerance, noise),
        })
    }

    /// vᵀf(x) + vᵀf(x).
    fn twice(&self, subject: &Subject, gradient: &Expected) -> Result<Outcome> {
        let (arguments, var) = self.with_var(subject.input)?;
        let found = products(self.exec.passes(), std::slice::from_ref(&var), || {
            let one = || seeded(&self.exec.call(&arguments)?, &self.weights);
            one()? + one()?
        });
        let twice: Vec<f64> = gradient.values.iter().map(|g| 2. * g).collect();
        let note = "x is used twice, and its two gradients do not add up";
        Ok(match found {
            Ok(mut found) => {
                let found = or_zeros(found.swap_remove(0), twice.len());
                let twice = gradient.with(&twice, 2. * gradient.rounding);
                twice.outcome(&found, Verdict::Wrong, note)
            }
            Err(failure) => failed(failure),
        })
    }

    /// The gradients for v + w, for w and for no weights at all, by one graph.
    fn linear(&self, subject: &Subject, gradient: &Expected) -> Outcome {
        let of = |weights: &[f64]| {
            let found = self.graph.vjp(weights)?.swap_remove(subject.slot);
            Ok(or_zeros(found, gradient.values.len()))
        };
        let n = self.weights.len();
        let w = SplitMix64::new(self.options.seed, 77).weights(n);
        // Of two signs, so that it shows where only one side of zero is linear.
        let sign = -(self.weights[0] * w[0]).signum();
        let w: Vec<f64> = w.iter().map(|w| sign * w).collect();
        let both: Vec<f64> = self.weights.iter().zip(&w).map(|(v, w)| v + w).collect();
        let all = of(&w).and_then(|of_w| Ok((of_w, of(&both)?, of(&vec![0.; n])?)));
        let (of_w, found, of_none) = match all {
            Ok(all) => all,
            Err(failure) => return failed(failure),
        };
        let sum: Vec<f64> = gradient
            .values
            .iter()
            .zip(&of_w)
            .map(|(g, w)| g + w)
            .collect();
        let none = vec![0.; sum.len()];
        let note = "the gradient is not linear in the output's gradient: something is added, or the \
                    output's gradient is not used as it is";
        let outcome = (gradient.with(&none, 0.)).outcome(&of_none, Verdict::Wrong, note);
        if !matches!(outcome, Outcome::Pass) {
            return outcome;
        }
        let added = |rounding: f64| {
            let sum = gradient.with(&sum, 4. * rounding);
            sum.outcome(&found, Verdict::Wrong, note)
        };
        match added(gradient.rounding) {
            Outcome::Pass => Outcome::Pass,
            _ => added(gradient.rounding.max(self.rounding(subject, &w, &of_w))),
        }
    }

    fn rounding(&self, subject: &Subject, weights: &[f64], g: &[f64]) -> f64 {
        let again = self.graph.again(weights);
        let again = again.iter().filter_map(|p| p[subject.slot].as_deref());
        let unit = unit_roundoff(self.inputs[subject.input].dtype());
        rounding::of_gradient(g, again, (subject.natural, unit))
    }

    /// The inputs as plain tensors, with input k a variable.
    fn with_var(&self, k: usize) -> Result<(Vec<Tensor>, Var)> {
        let mut arguments: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        let var = Var::from_tensor(&arguments[k])?;
        arguments[k] = var.as_tensor().clone();
        Ok((arguments, var))
    }
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
