//! A second opinion, by the gradient theorem, on an input that a numeric derivative accuses or cannot
//! settle.
//!
//! A step sees kinks and staircases inside it, and where f does not run in f64 steps are large. So the
//! worst entry is held against f over segments of its own element; where those refute the step, the
//! whole input is held against f over segments of all its elements.

use candle_core::{DType, Result, Tensor, Var};

use super::check::Check;
use super::compare::alone::{Alone, One, Opinion, STAIRS};
use super::compare::bits::Bits;
use super::compare::walk::Walker;
use super::judge::law::{GROSS, ROUNDING};
use super::judge::segment::RESOLVED;
use super::judge::tolerance::Tolerance;
use super::judge::verdict::Verdict;
use super::report::{Entry, InputReport};
use super::support::exec::Exec;
use super::support::rng::SplitMix64;
use super::support::values::{ravel, tensor, to_f64, unit_roundoff, unit_vector};

/// Looks again at one input: at what is `wrong` or a `kink`, and at what is `inconclusive` where f, or a
/// part of it, does not run in f64.
pub(crate) fn look_again<E: Exec>(
    check: &Check<E>,
    slot: usize,
    report: &mut InputReport,
) -> Result<()> {
    let before = report.verdict;
    if !matches!(
        before,
        Verdict::Wrong | Verdict::Kink | Verdict::Inconclusive | Verdict::Imprecise
    ) {
        return Ok(());
    }
    let finite = |e: &Entry| e.analytic.is_finite() && e.numeric.is_finite();
    let worst = report.worst.clone();
    if worst.as_ref().is_some_and(|worst| !finite(worst)) {
        return Ok(());
    }
    let double = check.oracle.unit <= 2f64.powi(-53);
    // Walks go in the input's own dtype: in a narrower one than the derivative's they see less than it.
    let narrow = check.inputs[check.checked[slot]].dtype() != DType::F64;
    if before == Verdict::Inconclusive && double && narrow {
        return Ok(());
    }
    if let (true, Some(worst)) = (double, &mut report.worst)
        && jumps(check, slot, worst)?
    {
        (worst.verdict, report.verdict) = (Verdict::Kink, Verdict::Kink);
        report
            .notes
            .push("f jumps here: it has no derivative".to_string());
        return Ok(());
    }
    if before == Verdict::Imprecise {
        return Ok(());
    }
    let input = Input::new(check, slot)?;
    let open = match (before, &worst) {
        (Verdict::Wrong, Some(worst)) => input.refutes(worst, double)?,
        (Verdict::Kink, Some(worst)) => !input.bends(worst)?,
        (Verdict::Inconclusive, _) => true,
        _ => false,
    };
    if !open {
        return Ok(());
    }
    let whole = input.whole()?;
    let coarse = input.is_coarse(&whole);
    match before {
        Verdict::Wrong => report
            .notes
            .push(format!("the worst entry's numeric derivative: {STAIRS}")),
        Verdict::Kink if whole.verdict == Verdict::Inconclusive => return Ok(()),
        Verdict::Inconclusive if double && !coarse => return Ok(()),
        _ => {}
    }
    // In f64 a segment may take a step's word back, and certifies nothing: over a distance it says nothing of
    // an element that moves a millionth of the rest, and a jump of f on the way blunts it.
    let fine = double && !coarse && !narrow;
    // In f64 nothing is wrong that a step has not accused: f's rounding may be all that a walk sees.
    report.verdict = match whole.verdict {
        Verdict::Wrong if double && before != Verdict::Wrong => Verdict::Inconclusive,
        Verdict::Pass if fine && before == Verdict::Wrong => Verdict::Inconclusive,
        Verdict::Pass if fine => before,
        verdict => verdict,
    };
    report.resolution = whole.resolution;
    if let Some(worst) = &mut report.worst {
        worst.verdict = report.verdict;
    }
    Ok(())
}

/// Whether f jumps at the worst entry's element: it changes within a few units in the last place, beyond
/// rounding, and by no more within sixteen times as many.
fn jumps<E: Exec>(check: &Check<E>, slot: usize, worst: &Entry) -> Result<bool> {
    if worst.output.is_empty() && !check.graph.y.dims().is_empty() {
        return Ok(false); // of a projection, which is a sum of outputs
    }
    let input = check.checked[slot];
    let output = ravel(&worst.output, check.graph.y.dims());
    let element = ravel(&worst.input, check.inputs[input].dims());
    let x = check.oracle.values(input)[element].abs();
    let own = if x > 0. {
        x
    } else {
        check.oracle.size(input).typical
    };
    let own = if own > 0. { own } else { 1. };
    let f0 = check.oracle.f0[output];
    let mut line = check.oracle.along(check.exec, input, element);
    let step = ROUNDING * check.oracle.unit * own;
    for side in [-1., 1.] {
        let mut change = |step: f64| Ok::<_, candle_core::Error>(line(step)?.y[output] - f0);
        let (near, far) = (change(side * step)?, change(16. * side * step)?);
        let rounding = 64. * check.oracle.unit * f0.abs().max((f0 + near).abs());
        if near.abs() > rounding && far.abs() < 2. * near.abs() && far * near > 0. {
            return Ok(true);
        }
    }
    Ok(false)
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

    /// Whether segments of the worst entry's element take the step's word back.
    fn refutes(&self, worst: &Entry, double: bool) -> Result<bool> {
        let entry = self.entry(worst)?;
        let open = matches!(entry.verdict, Verdict::Inconclusive | Verdict::Pass);
        if !double {
            return Ok(open);
        }
        // What only a step sees (a kink, a staircase) comes of f32 or less inside, and is no finer error.
        let fine = worst.rel_err() <= Tolerance::of(DType::F32).segment();
        let sharper = entry.resolution.is_some_and(|r| 2. * r < worst.rel_err());
        let refuted = entry.verdict == Verdict::Pass && sharper;
        // In f64 a step's word counts, but where it finds another derivative altogether, and a segment
        // does not, or f's values are coarser than f64's by far.
        // A walk in the input's own narrower dtype has that scatter always, and takes back by being open
        // what a staircase changes (the derivative altogether), and no error that it cannot see.
        let narrow = self.vars[0].dtype() != DType::F64;
        let visible = !narrow || worst.rel_err() > RESOLVED;
        let coarse = self.is_coarse(&entry) && open;
        // Steps that meet each step of a staircase alike see a slope between those of its rounded inputs.
        let rounding = worst.rel_err() <= ROUNDING * self.rounding(worst, &entry);
        let stairs = entry.stairs && rounding;
        Ok((!fine && (refuted || (coarse && visible))) || (coarse && stairs))
    }

    /// f's scatter as a share of the worst entry's output, or of what moves it.
    fn rounding(&self, worst: &Entry, opinion: &Opinion) -> f64 {
        let output = ravel(&worst.output, self.check.graph.y.dims());
        let element = ravel(&worst.input, self.vars[0].dims());
        let x = self.check.oracle.values(self.input)[element];
        let moves = (worst.analytic * x).abs();
        opinion.scatter / self.check.y[output].abs().max(moves)
    }

    /// Whether f's values scatter like f32's rather than like f64's: by more than the geometric mean of
    /// the two units of round-off.
    fn is_coarse(&self, opinion: &Opinion) -> bool {
        let between = (unit_roundoff(DType::F32) * unit_roundoff(DType::F64)).sqrt();
        let largest = self.check.y.iter().fold(0f64, |m, y| m.max(y.abs()));
        opinion.scatter > between * largest
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
        Ok((left - right).abs() > GROSS * left.abs().max(right.abs()))
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
            passes: self.check.exec.passes(),
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
            accused: true,
            strict: false,
            typical,
            kappa: self.check.options.kappa,
        };
        let mut rng = SplitMix64::new(self.check.options.seed, 500);
        let tolerance = self.check.options.tolerance(self.vars[0].dtype());
        opinion = alone.settle(&one, tolerance.segment(), &mut rng)?;
        Ok(opinion)
    }
}
