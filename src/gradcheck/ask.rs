//! Answers to what [`next`](super::judge::input::next) asks of one input: whether f jumps, whether its gradient bends,
//! and what segments say. [`Input`] finds them by calls of f.

use candle_core::{DType, Result, Tensor, Var};

use super::check::Check;
use super::compare::bits::Bits;
use super::compare::found::Worst;
use super::compare::scalar::Scalar;
use super::compare::single::{Finding, One, Single};
use super::judge::constants::{GROSS, ROUNDING};
use super::judge::input::{Known, Question, Segments};
use super::numeric::noise::along;
use super::support::exec::Exec;
use super::support::rng::SplitMix64;
use super::support::values::{tensor, to_f64, unit_roundoff, unit_vector};

/// One input as a variable, with f behind it.
pub(crate) struct Input<'a, E> {
    check: &'a Check<'a, E>,
    slot: usize,
    input: usize,
    vars: [Var; 1],
    origin: [Tensor; 1],
    arguments: Vec<Tensor>,
}

impl<'a, E: Exec> Input<'a, E> {
    pub(crate) fn new(check: &'a Check<'a, E>, slot: usize) -> Result<Self> {
        let input = check.checked[slot];
        let mut arguments: Vec<Tensor> = check.inputs.iter().map(Tensor::detach).collect();
        let origin = arguments[input].contiguous()?;
        let var = Var::from_tensor(&origin.copy()?)?;
        arguments[input] = var.as_tensor().clone();
        Ok(Self {
            check,
            slot,
            input,
            vars: [var],
            origin: [origin],
            arguments,
        })
    }

    /// Adds one answer to what is known. Where there is no `worst` entry, the verdict is one on sums of entries: then
    /// the answers to whether f jumps or bends at the entry are no, and segments take the whole input for its element.
    pub(crate) fn answer(
        &self,
        question: Question,
        worst: Option<&Worst>,
        known: &mut Known,
    ) -> Result<()> {
        match (question, worst) {
            (Question::Jumps, worst) => {
                known.jumps = Some(worst.map_or(Ok(false), |worst| self.jumps(worst))?);
            }
            (Question::Bends, worst) => {
                known.bends = Some(worst.map_or(Ok(false), |worst| self.bends(worst))?);
            }
            (Question::Element, Some(worst)) => known.element = Some(self.element(worst)?),
            (Question::Element, None) => known.element = Some(self.whole(None)?),
            (Question::Whole, _) => known.whole = Some(self.whole(worst)?),
        }
        Ok(())
    }

    /// Whether f jumps at the worst entry's element: it changes within a few units in the last place, beyond
    /// rounding, and by the same, give or take a quarter, within up to sixteen times as many.
    fn jumps(&self, worst: &Worst) -> Result<bool> {
        let (check, input) = (self.check, self.input);
        let f0 = check.reference.f0[worst.output];
        let mut line = check.reference.along(check.exec, input, worst.input);
        let step = ROUNDING * check.reference.unit * self.own(worst);
        for side in [-1., 1.] {
            let mut change = |times: f64| {
                let point = line(side * times * step)?;
                Ok::<_, candle_core::Error>(point.y[worst.output] - f0)
            };
            let near = change(1.)?;
            let rounding = 64. * check.reference.unit * f0.abs().max((f0 + near).abs());
            if near.abs() <= rounding {
                continue;
            }
            let mut same = true;
            for times in [2., 4., 8., 16.] {
                same &= (change(times)? - near).abs() < near.abs() / 4.;
            }
            if same {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The size of the worst entry's element; of its input, where it is 0.
    fn own(&self, worst: &Worst) -> f64 {
        let reference = &self.check.reference;
        let x = reference.values(self.input)[worst.input].abs();
        let sizes = [x, reference.size(self.input).typical];
        sizes.into_iter().find(|size| *size > 0.).unwrap_or(1.)
    }

    /// Whether f's values are coarse, as those of f32 are rather than of f64: along the worst entry's element their
    /// noise is more than the geometric mean of the two units of round-off, as a share of the `largest` f on a
    /// segment; or they do not move at all where the gradient says that they do.
    fn coarse(&self, worst: Option<&Worst>, largest: f64) -> Result<bool> {
        let (check, reference) = (self.check, &self.check.reference);
        let between = (unit_roundoff(DType::F32) * unit_roundoff(DType::F64)).sqrt();
        let Some(worst) = worst else {
            return Ok(check.noise(&[self.slot]).iter().sum::<f64>() > between * largest);
        };
        let (f0, own) = (reference.f0[worst.output], self.own(worst));
        let claim = worst.pair.analytic.abs() * own;
        let mut line = reference.along(check.exec, self.input, worst.input);
        let (noise, still) = along(&mut line, worst.output, f0, (own, reference.unit))?;
        // An f that is nothing but rounding is measured by what its gradient claims.
        let largest = match largest > 64. * noise {
            true => largest,
            false => claim,
        };
        // The samples are 2^-24 of x away, where the gradient moves f by 64 units of rounding. A derivative that is 0 for
        // certain is that of a constant f.
        let moves = claim > 2f64.powi(30) * reference.unit * f0.abs();
        let quantised = still && moves && worst.pair.bound > 0.;
        Ok(quantised || noise > between * largest)
    }

    /// What segments of the worst entry's element say, of the one output.
    fn element(&self, worst: &Worst) -> Result<Segments> {
        let mut only = Bits::new(self.vars[0].elem_count());
        only.set(worst.input);
        let x = self.check.reference.values(self.input)[worst.input].abs();
        let weights = unit_vector(self.check.y.len(), worst.output);
        let finding = self.finding(&weights, Some(&only), x)?;
        let moves = (worst.pair.analytic * x).abs();
        let size = self.check.y[worst.output].abs().max(moves);
        self.segments(&finding, size, Some(worst))
    }

    /// What segments of all elements say, of the outputs together.
    fn whole(&self, worst: Option<&Worst>) -> Result<Segments> {
        let finding = self.finding(&self.check.weights, None, 0.)?;
        self.segments(&finding, 1., worst)
    }

    /// What a finding says as [`Segments`]; `size` is what the noise is a share of.
    fn segments(&self, finding: &Finding, size: f64, worst: Option<&Worst>) -> Result<Segments> {
        let unit = unit_roundoff(self.check.graph.y.dtype());
        Ok(Segments {
            verdict: finding.verdict,
            resolution: finding.resolution,
            coarse: self.coarse(worst, finding.rounding / unit)?,
            quantised: finding.quantised,
            rounding: finding.noise / size,
        })
    }

    /// Whether autograd's own gradient of the worst entry changes by more than a tenth within a few units in the last
    /// place: then the kink is where the input is.
    fn bends(&self, worst: &Worst) -> Result<bool> {
        let element = worst.input;
        let f = || self.check.exec.call(&self.arguments);
        let weights = unit_vector(self.check.y.len(), worst.output);
        let scalar = Scalar {
            vars: &self.vars,
            origin: &self.origin,
            f: &f,
            weights: &weights,
            passes: self.check.exec.passes(),
        };
        let (var, origin) = (&self.vars[0], &self.origin[0]);
        let x = to_f64(origin)?;
        let own = if x[element] == 0. {
            1.
        } else {
            x[element].abs()
        };
        let mut beside = Vec::with_capacity(2);
        for side in [-ROUNDING, ROUNDING] {
            let mut x = x.clone();
            x[element] += side * unit_roundoff(var.dtype()) * own;
            var.set(&tensor(&x, var.dims(), var.dtype(), var.device())?)?;
            if let Ok(pass) = scalar.pass()?
                && let Some(gradient) = &pass.gradients[0]
            {
                beside.push(to_f64(gradient)?[element]);
            }
        }
        var.set(origin)?;
        let [left, right] = beside[..] else {
            return Ok(false);
        };
        Ok((left - right).abs() > GROSS * left.abs().max(right.abs()))
    }

    /// What segments of vᵀf say; they move the elements `only`, or all. `size` is |x| of a single element, else 0.
    fn finding(&self, v: &[f64], only: Option<&Bits>, size: f64) -> Result<Finding> {
        let f = || self.check.exec.call(&self.arguments);
        let scalar = Scalar {
            vars: &self.vars,
            origin: &self.origin,
            f: &f,
            weights: v,
            passes: self.check.exec.passes(),
        };
        let Ok(pass) = scalar.pass()? else {
            return Ok(Finding::none());
        };
        let (negative, sum) = self.signs(pass.gradients[0].as_ref(), only)?;
        let typical = self.check.reference.size(self.input).typical;
        let typical = if typical > 0. { typical } else { 1. };
        let one = One {
            var: 0,
            negative: &negative,
            sum,
            size: if size > 0. { size } else { typical },
            only,
        };
        let parts = self.check.y.iter().zip(v);
        let loss: f64 = parts.map(|(y, v)| (y * v).abs()).sum();
        let single = Single {
            scalar: &scalar,
            loss,
            noise: unit_roundoff(self.check.graph.y.dtype()) * loss,
            flagged: true,
            strict: false,
            typical,
            kappa: self.check.options.kappa,
        };
        let mut rng = SplitMix64::new(self.check.options.seed, 500);
        let tolerance = self.check.options.tolerance(self.vars[0].dtype());
        single.settle(&one, tolerance.segment(), &mut rng)
    }

    /// Where the gradient is negative, and Σ|g| of the elements that move.
    fn signs(&self, gradient: Option<&Tensor>, only: Option<&Bits>) -> Result<(Bits, f64)> {
        let mut negative = Bits::new(self.vars[0].elem_count());
        let mut sum = 0.;
        let Some(gradient) = gradient else {
            return Ok((negative, sum));
        };
        for (i, g) in to_f64(gradient)?.into_iter().enumerate() {
            if only.is_none_or(|only| only.get(i)) {
                sum += g.abs();
            }
            if g < 0. {
                negative.set(i);
            }
        }
        Ok((negative, sum))
    }
}
