//! One variable by itself along segments of a few fixed lengths, until they say what its gradient is.
//!
//! [`Single::settle`] takes one variable and the signs of its gradient from a plain backward pass, and gives a
//! [`Finding`]: the verdict of [`Readings`] after the last segment, or a pass where f is flat.

use candle_core::{Result, Var};

use super::bits::Bits;
use super::displace::Move;
use super::scalar::{Scalar, signs};
use crate::gradcheck::judge::constants::{AGAIN, BEYOND, CAPS, CLEAR, LENGTHS, SHARP};
use crate::gradcheck::judge::constants::{FARTHEST, LONG};
use crate::gradcheck::judge::readings::{Reading, Readings};
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::support::rng::SplitMix64;

/// The note where segments take back what short distances say of f.
pub(crate) const QUANTISED: &str = "over short distances f is piecewise constant or has a kink, so that \
     differences of it say nothing: a cast to a narrower dtype inside f does that";

/// One variable, and the gradient of a plain backward pass.
pub(crate) struct One<'a> {
    pub(crate) var: usize,
    /// Where its gradient is negative.
    pub(crate) negative: &'a Bits,
    /// Σ|g| over the elements that move.
    pub(crate) sum: f64,
    /// Its root mean square.
    pub(crate) size: f64,
    /// The elements to move, where it is not all of them.
    pub(crate) only: Option<&'a Bits>,
}

impl One<'_> {
    /// A move of this step. Its signs are those of the gradient in more elements than by chance, at most three
    /// quarters of them: where `aligned`, by 16 standard deviations of a random choice, so that the gradient shows;
    /// else by only 4, so that a branch which the gradient misses shows too.
    pub(crate) fn toward(&self, var: &Var, step: f64, aligned: bool, rng: &mut SplitMix64) -> Move {
        let flip = rng.unit() < 0.5;
        let bias = self.bias(var, aligned);
        Move {
            var: self.var,
            step,
            minus: signs(var.elem_count(), self.negative, bias, rng, flip),
            only: self.only.cloned(),
        }
    }

    /// By how much f changes along such a move, per unit of its step.
    pub(crate) fn rate(&self, var: &Var, aligned: bool) -> f64 {
        self.bias(var, aligned) * self.sum
    }

    fn bias(&self, var: &Var, aligned: bool) -> f64 {
        let moved = self.only.map_or(var.elem_count(), Bits::count) as f64;
        let deviations = if aligned { 16. } else { 4. };
        (deviations / moved.sqrt()).min(0.5)
    }
}

/// A factor for the step, between 2/3 and 1 and never the same: segments of one length would meet the steps of a
/// piecewise constant f alike, and segments of a single element would all be the same one.
fn shorter(attempt: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    1. - (GOLDEN * attempt as f64).fract() / 3.
}

/// What segments say of one variable's gradient.
pub(crate) struct Finding {
    /// Pass, wrong, or inconclusive.
    pub(crate) verdict: Verdict,
    /// The relative error of the gradient that would have shown; None without a pass, and where f is flat.
    pub(crate) resolution: Option<f64>,
    /// The last segment that contradicted.
    pub(crate) against: Option<(Evidence, Move)>,
    /// The noise of one value of f, as the last segment saw it.
    pub(crate) noise: f64,
    /// u|f|, the largest of the last segment.
    pub(crate) rounding: f64,
    /// Whether f stands still on a segment, or moves by less than four of its jumps.
    pub(crate) quantised: bool,
}

impl Finding {
    /// Nothing is known.
    pub(crate) fn none() -> Self {
        Self {
            verdict: Verdict::Inconclusive,
            resolution: None,
            against: None,
            noise: 0.,
            rounding: 0.,
            quantised: false,
        }
    }
}

/// What does not change from segment to segment.
pub(crate) struct Single<'a> {
    pub(crate) scalar: &'a Scalar<'a>,
    /// |f|
    pub(crate) loss: f64,
    /// The noise of one value of f, as far as it is known.
    pub(crate) noise: f64,
    /// Whether the derivative at the point has contradicted the gradient or left it open: two segments then have to
    /// agree, and a flat f is no pass.
    pub(crate) flagged: bool,
    /// Whether an error in any direction has to show, not only a wrong factor of the whole gradient: where something
    /// else is cut or contradicted.
    pub(crate) strict: bool,
    /// The root mean square of all variables.
    pub(crate) typical: f64,
    pub(crate) kappa: f64,
}

/// What the segments so far have said.
struct Course {
    finding: Finding,
    readings: Readings,
    attempts: usize,
}

impl Course {
    /// Adds one; true where it contradicts the gradient.
    fn add(&mut self, reading: Reading, evidence: &Evidence, way: Move) -> bool {
        let contradicts = self.readings.add(reading);
        let finding = &mut self.finding;
        (finding.noise, finding.rounding) = (evidence.noise, evidence.rounding);
        if contradicts {
            finding.against = Some((evidence.clone(), way));
        }
        (finding.verdict, finding.resolution) = self.readings.verdict();
        finding.quantised = self.readings.quantised;
        contradicts
    }
}

/// How the segments of one reach (one largest step) ended.
enum End {
    /// They were conclusive, or all of them have been taken.
    Said,
    /// f hardly moves even at the longest step.
    Insensitive,
}

impl Single<'_> {
    /// Takes the segments in the order of [`LENGTHS`], until their readings are conclusive. Where f hardly moves even
    /// at the longest step, it takes them again with steps as for a variable of the size of all, and then [`BEYOND`]
    /// times as long.
    pub(crate) fn settle(&self, one: &One, rtol: f64, rng: &mut SplitMix64) -> Result<Finding> {
        let typical = self.typical.max(one.size);
        let mut course = Course {
            finding: Finding::none(),
            readings: Readings::new(self.flagged, self.strict),
            attempts: 0,
        };
        for size in [one.size, typical, BEYOND * typical] {
            let all = size >= typical;
            match self.reach(one, FARTHEST * size, all, rtol, rng, &mut course)? {
                End::Said => break,
                End::Insensitive => continue,
            }
        }
        Ok(course.finding)
    }

    /// Takes the segments with steps up to `farthest`; `all` where that is measured by the size of all variables.
    fn reach(
        &self,
        one: &One,
        farthest: f64,
        all: bool,
        rtol: f64,
        rng: &mut SplitMix64,
        course: &mut Course,
    ) -> Result<End> {
        let mut again = if self.strict { AGAIN } else { 0 };
        let mut k = 0;
        while k < LENGTHS.len() {
            let (step, long) = self.step(one, k, farthest);
            let var = &self.scalar.vars[one.var];
            let way = one.toward(
                var,
                step * shorter(course.attempts),
                k.is_multiple_of(2),
                rng,
            );
            course.attempts += 1;
            k += 1;
            let moves = std::slice::from_ref(&way);
            let Ok(Some(evidence)) = self.scalar.along(moves)? else {
                continue;
            };
            let reading = Reading::new(&evidence, way.step, long, self.kappa, rtol);
            let contradicts = course.add(reading, &evidence, way);
            let finding = &mut course.finding;
            if finding.verdict != Verdict::Inconclusive {
                return Ok(End::Said);
            }
            // Where short ones resolve something the second is taken again, since longer ones may meet a jump of f.
            if again > 0 && k == 2 && finding.against.is_none() && reading.chance < 0.5 {
                again -= 1;
                k = 1;
            }
            if step >= farthest && !contradicts && evidence.is_noise_dominated() {
                if all && !self.flagged && self.is_flat(&evidence) {
                    finding.verdict = Verdict::Pass;
                    return Ok(End::Said);
                }
                return Ok(End::Insensitive);
            }
        }
        Ok(End::Said)
    }

    /// The step of segment k, and whether it is a long one.
    fn step(&self, one: &One, k: usize, farthest: f64) -> (f64, bool) {
        let rate = one.rate(&self.scalar.vars[one.var], k.is_multiple_of(2));
        let (target, clear) = (LENGTHS[k] * self.loss, CLEAR * self.noise);
        let step = (target / rate).min(farthest * CAPS[k]);
        let step = step.max(clear / rate).min(farthest);
        (
            step,
            step >= farthest || target.max(clear) >= LONG * self.loss,
        )
    }

    /// Whether neither f nor the integral of its gradient moves, though the variable moves by its own size, and by
    /// that of the others.
    fn is_flat(&self, evidence: &Evidence) -> bool {
        let visible = self.kappa * evidence.error;
        let moves = evidence.range.max(evidence.claim());
        moves <= visible && visible <= SHARP * self.loss
    }
}
