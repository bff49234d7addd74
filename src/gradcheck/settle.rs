//! One input's verdict: what the numeric derivative at the point says, and where that is not the last word, what
//! [`next`](super::judge::input::next) asks, answered by calls of f.

use candle_core::{DType, Result, Tensor, Var};

use super::check::Check;
use super::compare::alone::{Alone, One, Opinion, STAIRS};
use super::compare::bits::Bits;
use super::compare::tally::Worst;
use super::compare::walk::Walker;
use super::judge::constants::{GROSS, ROUNDING};
use super::judge::input::{Known, Next, Question, Segments, next};
use super::judge::verdict::Verdict;
use super::report::{Entry, InputReport};
use super::support::exec::Exec;
use super::support::rng::SplitMix64;
use super::support::values::{rel_err, tensor, to_f64, unit_roundoff, unit_vector};

/// The verdict on an input, and why.
pub(crate) struct Settled {
    pub(crate) verdict: Verdict,
    /// The relative error that would have shown, where segments made it a pass.
    pub(crate) resolution: Option<f64>,
    pub(crate) note: Option<String>,
}

/// Settles the input in `slot`, of which the numeric derivative says `point`; `cut` where no gradient flows though
/// f moves.
pub(crate) fn settle<E: Exec>(
    check: &Check<E>,
    slot: usize,
    point: Verdict,
    worst: Option<&Worst>,
    cut: bool,
) -> Result<Settled> {
    let mut known = Known {
        point,
        rel_err: worst.map_or(0., |w| rel_err(w.pair.analytic, w.pair.numeric)),
        double: check.oracle.unit <= unit_roundoff(DType::F64),
        narrow: check.inputs[check.checked[slot]].dtype() != DType::F64,
        cut,
        jumps: None,
        bends: None,
        element: None,
        whole: None,
    };
    let finite = |w: &Worst| w.pair.analytic.is_finite() && w.pair.numeric.is_finite();
    if !worst.is_none_or(finite) {
        return Ok(settled(&known, point));
    }
    let mut input = None;
    loop {
        let question = match next(&known) {
            Next::Verdict(verdict) => return Ok(settled(&known, verdict)),
            Next::Ask(question) => question,
        };
        let input = match &mut input {
            Some(input) => input,
            none => none.insert(Input::new(check, slot)?),
        };
        // A verdict without an entry is of sums of them, which say nothing of a jump or a kink.
        let Some(worst) = worst else {
            (known.jumps, known.bends) = (Some(false), Some(false));
            known.whole = Some(input.whole()?);
            continue;
        };
        match question {
            Question::Jumps => known.jumps = Some(jumps(check, slot, worst)?),
            Question::Bends => known.bends = Some(input.bends(worst)?),
            Question::Element => known.element = Some(input.element(worst)?),
            Question::Whole => known.whole = Some(input.whole()?),
        }
    }
}

fn settled(known: &Known, verdict: Verdict) -> Settled {
    let refuted = known.point == Verdict::Wrong && known.whole.is_some();
    let note = match known.jumps {
        Some(true) => Some("f jumps here: it has no derivative".to_string()),
        _ if refuted => Some(format!("the worst entry's numeric derivative: {STAIRS}")),
        _ => None,
    };
    let whole = known.whole.filter(|_| verdict == Verdict::Pass);
    Settled {
        verdict,
        resolution: whole.and_then(|whole| whole.resolution),
        note,
    }
}

impl<E: Exec> Check<'_, E> {
    /// Writes one input's verdict, its worst entry, and why.
    pub(crate) fn conclude(
        &self,
        slot: usize,
        (point, worst): (Verdict, Option<Worst>),
        settled: Settled,
        missing: bool,
        report: &mut InputReport,
    ) {
        report.verdict = settled.verdict;
        report.resolution = settled.resolution;
        report.worst = worst.map(|worst| Entry {
            verdict: match worst.verdict {
                verdict if verdict == point => settled.verdict,
                verdict => verdict,
            },
            ..self.entry(slot, &worst)
        });
        let why = match (settled.verdict, missing) {
            (Verdict::Severed, true) => Some("autograd gave no gradient at all"),
            (Verdict::Severed, false) => Some("the gradient is all zeros"),
            (Verdict::Pass, true) if point == Verdict::Pass => {
                Some("no gradient, and the derivative is zero: f ignores this input here")
            }
            _ => None,
        };
        let notes = why.map(str::to_string).into_iter().chain(settled.note);
        report.notes.extend(notes);
    }
}

/// Whether f jumps at the worst entry's element: it changes within a few units in the last place, beyond
/// rounding, and by no more within sixteen times as many.
fn jumps<E: Exec>(check: &Check<E>, slot: usize, worst: &Worst) -> Result<bool> {
    let input = check.checked[slot];
    let x = check.oracle.values(input)[worst.input].abs();
    let sizes = [x, check.oracle.size(input).typical, 1.];
    let own = sizes.into_iter().find(|size| *size > 0.).unwrap_or(1.);
    let f0 = check.oracle.f0[worst.output];
    let mut line = check.oracle.along(check.exec, input, worst.input);
    let step = ROUNDING * check.oracle.unit * own;
    for side in [-1., 1.] {
        let mut change = |step: f64| Ok::<_, candle_core::Error>(line(step)?.y[worst.output] - f0);
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

    /// What segments of the worst entry's element say, of the one output.
    fn element(&self, worst: &Worst) -> Result<Segments> {
        let mut only = Bits::new(self.vars[0].elem_count());
        only.set(worst.input);
        let x = self.check.oracle.values(self.input)[worst.input].abs();
        let weights = unit_vector(self.check.y.len(), worst.output);
        let opinion = self.opinion(&weights, Some(&only), x)?;
        let moves = (worst.pair.analytic * x).abs();
        let size = self.check.y[worst.output].abs().max(moves);
        Ok(self.segments(&opinion, size))
    }

    /// What segments of all elements say, of the outputs together.
    fn whole(&self) -> Result<Segments> {
        let opinion = self.opinion(&self.check.weights, None, 0.)?;
        Ok(self.segments(&opinion, 1.))
    }

    /// f's values scatter like f32's rather than like f64's where they do by more than the geometric mean of
    /// the two units of round-off; `size` is what the scatter is a share of.
    fn segments(&self, opinion: &Opinion, size: f64) -> Segments {
        let between = (unit_roundoff(DType::F32) * unit_roundoff(DType::F64)).sqrt();
        let largest = self.check.y.iter().fold(0f64, |m, y| m.max(y.abs()));
        Segments {
            verdict: opinion.verdict,
            resolution: opinion.resolution,
            coarse: opinion.scatter > between * largest,
            stairs: opinion.stairs,
            rounding: opinion.scatter / size,
        }
    }

    /// Whether autograd's own gradient of the worst entry changes within a few units in the last place:
    /// whether the kink is where the input is.
    fn bends(&self, worst: &Worst) -> Result<bool> {
        let element = worst.input;
        let f = || self.check.exec.call(&self.arguments);
        let weights = unit_vector(self.check.y.len(), worst.output);
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
