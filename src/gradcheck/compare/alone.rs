//! One variable by itself along segments of several lengths, until they agree on its gradient.
//!
//! In go a walker and the gradient of a plain backward pass; out comes an [`Opinion`]. A segment that
//! contradicts is followed by a longer one, since over short distances a staircase (values that were
//! cast to a narrower dtype inside f) or a kink contradicts every right gradient. Only where a long
//! one contradicts too is the gradient wrong; where it agrees more sharply than the short ones
//! disagreed, it is right.
//!
//! Nodes as far apart as the steps of a staircase meet each alike, and see none. So no two segments are of one
//! length, what one shows of the jumps counts for the others, and where f may be a staircase two long ones
//! have to contradict, by more than shorter ones do.

use candle_core::{Result, Tensor, Var};

use super::bits::Bits;
use super::displace::Move;
use super::walk::{Walker, signs};
use crate::gradcheck::judge::law::SHARP;
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::support::rng::SplitMix64;

/// A pass resolves a gradient that is wrong by a quarter as a whole: a halved or doubled one is then
/// twice as far off as what could hide.
pub(crate) const RESOLVED: f64 = 0.25;

/// The first segment changes f by this share of it, unless more is known: the shorter, the fewer kinks on
/// the way,
pub(crate) const SHORT: f64 = 4e-4;

/// one that contradicts is followed by one so many times as long (where kinks blur it, as short),
pub(crate) const STRIDE: f64 = 16.;

/// and the gradient is not wrong before a segment of at least this share says so: the longer, the clearer
/// beside f's scatter, and a staircase averages out.
pub(crate) const LONG: f64 = 0.05;

/// A change of f stands out where it is this many times its scatter.
pub(crate) const CLEAR: f64 = 40.;

/// Where f's scatter is all that blurs one, the next is so many times as long.
pub(crate) const FARTHER: f64 = 4.;

/// The largest step, in root mean squares of the variable, or of all where that is not enough,
pub(crate) const FARTHEST: f64 = 0.5;

/// and so many times as far where even that does not stand out of f's own scatter.
const BEYOND: f64 = 8.;

/// Of what a step or a segment has contradicted, so many segments have to agree: the error of one entry is
/// missed by one segment in five or so, whose signs happen to cancel it.
const AGREE: usize = 3;

/// Said where short segments contradict and a long one agrees.
pub(crate) const STAIRS: &str = "over short distances f is a staircase or has a kink, so that \
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
    /// A move that changes f by about `target`, by steps of at most `farthest`: the signs of its
    /// gradient in so many elements that it shows against chance (16 standard deviations of a random
    /// choice where it is aligned, at most three quarters of the elements), else in so few (4) that a
    /// branch which the gradient misses shows too.
    pub(crate) fn toward(
        &self,
        var: &Var,
        (target, farthest): (f64, f64),
        aligned: bool,
        rng: &mut SplitMix64,
    ) -> Move {
        let n = var.elem_count();
        let moved = self.only.map_or(n, Bits::count) as f64;
        let deviations = if aligned { 16. } else { 4. };
        let bias = (deviations / moved.sqrt()).min(0.5);
        let flip = rng.unit() < 0.5;
        let minus = signs(n, self.negative, bias, rng, flip);
        let step = target / (bias * self.sum);
        Move {
            var: self.var,
            step: step.min(farthest),
            minus,
            only: self.only.cloned(),
        }
    }
}

/// Between 2/3 and 1, and never the same: segments of one length would meet a staircase alike, and of a
/// single element they would be the same one.
fn shorter(attempt: usize) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    1. - (GOLDEN * attempt as f64).fract() / 3.
}

/// The segments that contradict.
struct Contradictions {
    /// The smallest relative error by which one does.
    off: f64,
    /// The step of each, and by how much the two sides are apart.
    all: Vec<(f64, f64)>,
    /// The long ones among them that are apart by more than a staircase makes them.
    long: usize,
    /// The largest jump of f on any segment.
    jump: f64,
    /// As [`Opinion::stairs`].
    stairs: bool,
}

impl Contradictions {
    fn none() -> Self {
        Self {
            off: f64::INFINITY,
            all: Vec::new(),
            long: 0,
            jump: 0.,
            stairs: false,
        }
    }

    fn count(&self) -> usize {
        self.all.len()
    }

    /// What one segment shows of f's jumps counts for the others too: nodes that meet each step of a
    /// staircase alike see none of them.
    fn stairs(&mut self, evidence: &mut Evidence) {
        self.stairs |= evidence.range == 0. || evidence.jump > evidence.range / 4.;
        self.jump = self.jump.max(evidence.jump);
        evidence.jump = self.jump;
    }

    fn add(&mut self, step: f64, evidence: &Evidence, long: bool) {
        let apart = evidence.apart.abs();
        self.long += usize::from(long && self.grows(step, apart));
        self.off = self.off.min(apart / evidence.size);
        self.all.push((step, apart));
    }

    /// Whether a segment is further off than those of a quarter of its length and less. A wrong gradient
    /// is, by as much as the segment is longer; at a staircase the two sides are apart by some of its steps,
    /// however long the segment.
    fn grows(&self, step: f64, apart: f64) -> bool {
        let shorter = self.all.iter().filter(|(s, _)| 4. * s <= step);
        2. * shorter.fold(0., |m: f64, (_, apart)| m.max(*apart)) <= apart
    }

    /// Two; and where f may be a staircase, two long ones.
    fn enough(&self) -> bool {
        match self.stairs {
            true => self.long > 1,
            false => self.count() > 1,
        }
    }
}

/// The segments that agree.
struct Agreements {
    /// The least sharp resolution,
    blurred: f64,
    /// the sharpest,
    sharpest: f64,
    /// and how many there are.
    count: usize,
}

impl Agreements {
    fn none() -> Self {
        Self {
            blurred: 0.,
            sharpest: f64::INFINITY,
            count: 0,
        }
    }

    fn add(&mut self, resolution: f64) {
        self.blurred = self.blurred.max(resolution);
        self.sharpest = self.sharpest.min(resolution);
        self.count += 1;
    }

    /// Whether a segment that contradicts is apart by no more than one that agrees could not see.
    fn excuse(&self, evidence: &Evidence) -> bool {
        self.count > 0 && evidence.apart.abs() <= 2. * self.sharpest * evidence.size
    }
}

/// How long the next segment is.
struct Reach {
    /// f is to change by so much,
    target: f64,
    /// by steps of at most this.
    farthest: f64,
    /// The same for a variable of the size of all.
    typical: f64,
}

impl Reach {
    fn is_typical(&self) -> bool {
        self.farthest >= self.typical
    }

    /// After a segment that says too little: longer where it is f's own scatter that blurs it, else
    /// shorter. False where it cannot be longer.
    fn change(&mut self, at_end: bool, evidence: &Evidence, contradicted: bool) -> bool {
        if at_end {
            self.farthest = match self.farthest < self.typical {
                true => self.typical,
                false if self.farthest == self.typical => BEYOND * self.typical,
                false => return false,
            };
        } else if evidence.is_blunt() || contradicted {
            self.target = (FARTHER * self.target).max(CLEAR * evidence.scatter);
        } else {
            self.target /= STRIDE;
        }
        true
    }
}

/// What segments say of one variable's gradient.
pub(crate) struct Opinion {
    /// Pass, wrong, or inconclusive.
    pub(crate) verdict: Verdict,
    /// The relative error of the gradient that would have shown; None where f is flat.
    pub(crate) resolution: Option<f64>,
    /// The last segment that contradicted.
    pub(crate) against: Option<(Evidence, Move)>,
    /// How far one value of f scatters, as the last segment saw it.
    pub(crate) scatter: f64,
    /// Whether f stands still on a segment, or moves by little more than a jump.
    pub(crate) stairs: bool,
}

impl Opinion {
    /// Nothing is known.
    pub(crate) fn none() -> Self {
        Self {
            verdict: Verdict::Inconclusive,
            resolution: None,
            against: None,
            scatter: 0.,
            stairs: false,
        }
    }
}

/// What does not change from segment to segment.
pub(crate) struct Alone<'a> {
    pub(crate) walker: &'a Walker<'a>,
    pub(crate) origin: &'a [Tensor],
    /// |f|
    pub(crate) loss: f64,
    /// How far one value of f scatters, as far as it is known.
    pub(crate) scatter: f64,
    /// The share of f by which the first segment changes it.
    pub(crate) first: f64,
    /// Whether the gradient is contradicted by a step already.
    pub(crate) accused: bool,
    /// The root mean square of all variables.
    pub(crate) typical: f64,
    pub(crate) kappa: f64,
}

impl Alone<'_> {
    pub(crate) fn settle(&self, one: &One, rtol: f64, rng: &mut SplitMix64) -> Result<Opinion> {
        let mut opinion = Opinion::none();
        let mut reach = Reach {
            target: (self.first * self.loss).max(CLEAR * self.scatter),
            farthest: FARTHEST * one.size,
            typical: FARTHEST * self.typical.max(one.size),
        };
        let (mut against, mut agree) = (Contradictions::none(), Agreements::none());
        for attempt in 0..7 + AGREE {
            let (var, limits) = (&self.walker.vars[one.var], (reach.target, reach.farthest));
            let mut m = one.toward(var, limits, attempt % 2 == 0, rng);
            let at_end = m.step >= reach.farthest;
            m.step *= shorter(attempt);
            let Ok(Some(mut evidence)) = self.walker.walk(self.origin, std::slice::from_ref(&m))?
            else {
                reach.target /= STRIDE;
                continue;
            };
            against.stairs(&mut evidence);
            (opinion.scatter, opinion.stairs) = (evidence.scatter, against.stairs);
            if evidence.contradicts(self.kappa, rtol) {
                if agree.excuse(&evidence) {
                    reach.target *= FARTHER;
                    continue;
                }
                let long = at_end || reach.target >= LONG * self.loss;
                reach.target *= STRIDE;
                against.add(m.step, &evidence, long);
                opinion.against = Some((evidence, m));
                if long && against.enough() {
                    opinion.verdict = Verdict::Wrong;
                    break;
                }
                continue;
            }
            let open = against.count() == 0 && !self.accused;
            let resolution = evidence.resolution(0, self.kappa);
            if resolution <= RESOLVED.min(against.off) {
                agree.add(resolution);
                if open || agree.count == AGREE {
                    opinion.verdict = Verdict::Pass;
                    opinion.resolution = Some(agree.blurred);
                    break;
                }
            } else if open && at_end && reach.is_typical() && self.is_flat(&evidence) {
                opinion.verdict = Verdict::Pass;
                break;
            } else if !reach.change(at_end, &evidence, against.count() > 0) {
                break;
            }
        }
        Ok(opinion)
    }

    /// Neither f nor autograd's account of it moves, though the variable moves by its own size, and by
    /// that of the others.
    fn is_flat(&self, evidence: &Evidence) -> bool {
        let visible = self.kappa * evidence.error;
        let moves = evidence.range.max(evidence.size);
        moves <= visible && visible <= SHARP * self.loss
    }
}
