//! A second opinion, by the gradient theorem, on an input that a numeric derivative accuses or cannot
//! settle.
//!
//! A step sees kinks and staircases inside it, and where f does not run in f64 steps are large. So the
//! worst entry is held against f over segments of its own element; where those refute the step, the
//! whole input is held against f over segments of all its elements.

use candle_core::{Result, Tensor, Var};

use super::check::Check;
use super::compare::alone::{Alone, One, Opinion, SHORT, STAIRS};
use super::compare::bits::Bits;
use super::compare::walk::Walker;
use super::judge::verdict::Verdict;
use super::report::{Entry, InputReport};
use super::support::exec::Exec;
use super::support::rng::SplitMix64;
use super::support::values::{ravel, tensor, to_f64, unit_roundoff, unit_vector};

/// Values that scatter by more than this share of themselves were computed in less than f64.
const COARSE: f64 = 9.094947017729282e-13; // 2^-40

/// A kink, a staircase or a wave inside a step changes its derivative by more than this share.
const APART: f64 = 1e-3;

/// Looks again at one input whose verdict is `wrong`; where f does not run in f64, also `inconclusive` or `kink`.
pub(crate) fn look_again<E: Exec>(
    check: &Check<E>,
    slot: usize,
    report: &mut InputReport,
) -> Result<()> {
    let double = check.oracle.unit <= 2f64.powi(-53);
    let again = match report.verdict {
        Verdict::Wrong => true,
        // Where steps are large, a kink is as likely inside the step as at the point.
        Verdict::Inconclusive | Verdict::Kink => !double,
        _ => false,
    };
    let finite = |e: &Entry| e.analytic.is_finite() && e.numeric.is_finite();
    let Some(worst) = report.worst.clone().filter(finite).filter(|_| again) else {
        return Ok(());
    };
    let input = Input::new(check, slot)?;
    if report.verdict == Verdict::Kink && input.bends(&worst)? {
        return Ok(());
    }
    if report.verdict == Verdict::Wrong {
        let entry = input.entry(&worst)?;
        let largest = check.y.iter().fold(0f64, |m, y| m.max(y.abs()));
        let refuted = entry.verdict == Verdict::Pass
            && entry.resolution.is_some_and(|r| 2. * r < worst.rel_err());
        let coarse = entry.scatter > COARSE * largest;
        let open = matches!(entry.verdict, Verdict::Inconclusive | Verdict::Pass);
        // In f64 a step's word counts, but where it finds another derivative altogether, and a segment
        // does not, or f's values are coarser than f64's by far.
        let doubtful = match double {
            true => worst.rel_err() > APART && (refuted || coarse && open),
            false => open,
        };
        if !doubtful {
            return Ok(());
        }
        report
            .notes
            .push(format!("the worst entry's numeric derivative: {STAIRS}"));
        report.verdict = Verdict::Inconclusive;
    }
    let whole = input.whole()?;
    if report.verdict == Verdict::Kink && whole.verdict != Verdict::Pass {
        return Ok(());
    }
    report.verdict = whole.verdict;
    report.resolution = whole.resolution;
    if let Some(worst) = &mut report.worst {
        worst.verdict = whole.verdict;
    }
    Ok(())
}

/// One input as a variable, with f behind it.
struct Input<'a, E> {
    check: &'a Check<'a, E>,
    input: usize,
    vars: [Var; 1],
    origin: [Tensor; 1],
    arguments: Vec<Tensor>,
}

impl<'a, E: Exec> Input<'a, E> {
    fn new(check: &'a Check<'a, E>, slot: usize) -> Result<Self> {
        let input = check.checked[slot];
        let mut arguments: Vec<Tensor> = check.inputs.iter().map(Tensor::detach).collect();
        let origin = arguments[input].contiguous()?;
        let var = Var::from_tensor(&origin.copy()?)?;
        arguments[input] = var.as_tensor().clone();
        Ok(Self {
            check,
            input,
            vars: [var],
            origin: [origin],
            arguments,
        })
    }

    /// The worst entry's element, of the one output.
    fn entry(&self, worst: &Entry) -> Result<Opinion> {
        let output = ravel(&worst.output, self.check.graph.y.dims());
        let element = ravel(&worst.input, self.vars[0].dims());
        let mut only = Bits::new(self.vars[0].elem_count());
        only.set(element);
        let size = self.check.oracle.values(self.input)[element].abs();
        self.opinion(&unit_vector(self.check.y.len(), output), Some(&only), size)
    }

    /// Whether autograd's own gradient of the worst entry changes within a few units in the last place:
    /// whether the kink is where the input is.
    fn bends(&self, worst: &Entry) -> Result<bool> {
        let output = ravel(&worst.output, self.check.graph.y.dims());
        let element = ravel(&worst.input, self.vars[0].dims());
        let f = || self.check.exec.call(&self.arguments);
        let weights = unit_vector(self.check.y.len(), output);
        let walker = Walker {
            vars: &self.vars,
            f: &f,
            weights: &weights,
        };
        let (var, origin) = (&self.vars[0], &self.origin[0]);
        let x = to_f64(origin)?;
        let own = if x[element] == 0. {
            1.
        } else {
            x[element].abs()
        };
        let mut beside = Vec::with_capacity(2);
        for side in [-16., 16.] {
            let mut x = x.clone();
            x[element] += side * unit_roundoff(var.dtype()) * own;
            var.set(&tensor(&x, var.dims(), var.dtype(), var.device())?)?;
            if let Ok(pass) = walker.pass()?
                && let Some(gradient) = &pass.gradients[0]
            {
                beside.push(to_f64(gradient)?[element]);
            }
        }
        var.set(origin)?;
        let [left, right] = beside[..] else {
            return Ok(false);
        };
        Ok((left - right).abs() > 0.01 * left.abs().max(right.abs()))
    }

    /// All elements, of the outputs together.
    fn whole(&self) -> Result<Opinion> {
        self.opinion(&self.check.weights, None, 0.)
    }

    fn opinion(&self, weights: &[f64], only: Option<&Bits>, size: f64) -> Result<Opinion> {
        let f = || self.check.exec.call(&self.arguments);
        let walker = Walker {
            vars: &self.vars,
            f: &f,
            weights,
        };
        let typical = self.check.oracle.size(self.input).typical;
        let typical = if typical > 0. { typical } else { 1. };
        let parts = self.check.y.iter().zip(weights);
        let loss: f64 = parts.map(|(y, v)| (y * v).abs()).sum();
        let unit = unit_roundoff(self.check.graph.y.dtype());
        let mut opinion = Opinion::none();
        let Ok(pass) = walker.pass()? else {
            return Ok(opinion);
        };
        let gradient = pass.gradients[0].as_ref();
        let mut negative = Bits::new(self.vars[0].elem_count());
        let mut sum = 0.;
        if let Some(g) = gradient {
            for (i, g) in to_f64(g)?.into_iter().enumerate() {
                if only.is_none_or(|only| only.get(i)) {
                    sum += g.abs();
                }
                if g < 0. {
                    negative.set(i);
                }
            }
        }
        let one = One {
            var: 0,
            negative: &negative,
            sum,
            size: if size > 0. { size } else { typical },
            only,
        };
        let alone = Alone {
            walker: &walker,
            origin: &self.origin,
            loss,
            scatter: unit * loss,
            first: SHORT,
            accused: true,
            typical,
            kappa: self.check.options.kappa,
        };
        let tolerance = self.check.options.tolerance(self.vars[0].dtype());
        let mut rng = SplitMix64::new(self.check.options.seed, 500);
        opinion = alone.settle(&one, (10. * tolerance.rtol).min(0.05), &mut rng)?;
        Ok(opinion)
    }
}
