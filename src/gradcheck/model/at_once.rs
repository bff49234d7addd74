//! Parameters that get a gradient: does it account for the loss?
//!
//! All move at once first; what that contradicts is halved, down to single parameters.
//!
//! Several parameters pass at once only by segments on which their errors cannot cancel: each moves by a random sign
//! and length of its own, so that an error of a quarter of one's gradient stays hidden with a chance of at most
//! [`Evidence::chance`], whatever the others' errors are; and the product over the segments is at most a hundredth, a
//! thousandth where something is cut or contradicted. Where neither is the case and f's own noise makes that too dear,
//! two segments that resolve a quarter of the gradient as a whole will do.

use candle_core::Result;

use super::context::{Model, Rng};
use crate::gradcheck::compare::displace::Move;
use crate::gradcheck::compare::single::Finding;
use crate::gradcheck::judge::constants::{CHANCE, CLEAR, FARTHEST, LONG, RESOLVED};
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;

/// The share of the loss by which each parameter moves it, give or take a third; where f's own noise drowns that,
/// [`LONG`]. The shorter, the fewer kinks on the segment.
const SHORT: f64 = 2e-4;

/// Segments of the same parameters at once: more cost as much as one each.
const SEGMENTS: usize = 3;

/// What two long segments leave open goes so many times as far on the next, since f's noise is what blurs it;
/// and so do all, where kinks and curvature are less than a tenth of what blurs them.
const FARTHER: f64 = 4.;
const SMOOTH: f64 = 0.1;

/// Where kinks blur a segment, the next is so many times as short.
const STRIDE: f64 = 16.;

/// A segment says little of a parameter whose errors stay hidden with more than this chance.
const BLURRED: f64 = 0.3;

/// What may have stayed hidden where nothing is cut or contradicted.
const HIDDEN: f64 = 10. * CHANCE;

/// What segments say of parameter t.
pub(crate) struct Compared {
    pub(crate) t: usize,
    pub(crate) finding: Finding,
    /// It passes, though only an error of its gradient as a whole, by a factor, would have shown.
    pub(crate) by_factor: bool,
    /// The entry that is wrong by itself.
    pub(crate) entry: Option<Vec<usize>>,
}

impl Compared {
    pub(crate) fn is(&self, verdict: Verdict) -> bool {
        self.finding.verdict == verdict
    }

    pub(crate) fn new(t: usize, finding: Finding, by_factor: bool) -> Self {
        Self {
            t,
            finding,
            by_factor,
            entry: None,
        }
    }
}

/// Compares all of these at once, by halves where they are contradicted, and what that leaves open one at a time.
/// `strict` where something is cut, or a segment of more of them has contradicted.
pub(crate) fn at_once(
    model: &Model,
    which: &[usize],
    strict: bool,
    rng: &mut Rng,
) -> Result<Vec<Compared>> {
    if let ([t], true) = (which, strict) {
        return Ok(vec![one_at_a_time(model, *t, true, rng)?]);
    }
    let mut course = Course::new(model, which, strict);
    while let Some(open) = course.next() {
        let tensors: Vec<usize> = open.iter().map(|&k| which[k]).collect();
        let moves = course.moves(&tensors, rng);
        let Ok(Some(evidence)) = model.scalar.along(&moves)? else {
            break; // it leads out of f's domain
        };
        let rtol = tensors.iter().map(|&t| model.rtol(t)).fold(0., f64::max);
        if !evidence.contradicts(model.kappa(), rtol) {
            course.agrees(&open, &evidence);
        } else if evidence.jumps() && course.share < LONG {
            course.around(&evidence);
        } else {
            let mut compared = course.passing(course.long);
            let strict = strict || !evidence.jumps();
            compared.extend(halves(model, &tensors, strict, rng)?);
            return Ok(compared);
        }
    }
    let mut compared = course.passing(course.agreeing);
    for k in course.open(course.agreeing) {
        compared.push(one_at_a_time(model, which[k], strict, rng)?);
    }
    Ok(compared)
}

/// Both halves of what a segment contradicts. Halving pays where little is wrong: if most of the first half does
/// not pass, those of the second are compared one at a time.
fn halves(model: &Model, tensors: &[usize], strict: bool, rng: &mut Rng) -> Result<Vec<Compared>> {
    if let [t] = tensors {
        return Ok(vec![one_at_a_time(model, *t, strict, rng)?]);
    }
    let (first, second) = tensors.split_at(tensors.len() / 2);
    let mut compared = at_once(model, first, strict, rng)?;
    let passed = compared.iter().filter(|c| c.is(Verdict::Pass)).count();
    if 2 * passed >= first.len() {
        compared.extend(at_once(model, second, strict, rng)?);
    } else {
        for &t in second {
            compared.push(one_at_a_time(model, t, strict, rng)?);
        }
    }
    Ok(compared)
}

/// Compares one parameter by itself, at steps that suit it; `strict` where an error in any direction has to show.
pub(crate) fn one_at_a_time(
    model: &Model,
    t: usize,
    strict: bool,
    rng: &mut Rng,
) -> Result<Compared> {
    let segments = model.segments(strict);
    let finding = segments.settle(&model.one(t), model.rtol(t), rng)?;
    let by_factor = finding.verdict == Verdict::Pass && !strict;
    Ok(Compared::new(t, finding, by_factor))
}

/// What the segments of some parameters have shown so far, and how far the next one goes.
struct Course<'a> {
    model: &'a Model<'a>,
    which: &'a [usize],
    /// The chance that an error of each has stayed hidden, and the least factor that would have shown.
    hidden: Vec<f64>,
    sharpest: Vec<f64>,
    /// How many segments agree, and how many of these are long or follow a long one.
    agreeing: usize,
    long: usize,
    /// Whether only an error in any direction counts.
    strict: bool,
    /// Segments taken, and at most.
    taken: usize,
    most: usize,
    /// The least share of the loss that stands out of its noise.
    clear: f64,
    /// The share of the loss by which each parameter moves it on the next segment, so many times as far.
    share: f64,
    farther: f64,
}

impl<'a> Course<'a> {
    fn new(model: &'a Model, which: &'a [usize], strict: bool) -> Self {
        let clear = CLEAR * model.noise / model.loss.abs();
        Self {
            model,
            which,
            hidden: vec![1.; which.len()],
            sharpest: vec![f64::INFINITY; which.len()],
            agreeing: 0,
            long: 0,
            strict,
            taken: 0,
            most: SEGMENTS,
            clear,
            share: if clear > SHORT { LONG } else { SHORT },
            farther: 1.,
        }
    }

    /// Whether an error of k in any direction would have shown; or, where nothing is cut or contradicted and two of
    /// `segments` agree, a factor of a quarter. While segments are taken, only long ones count for that.
    fn shows(&self, k: usize, segments: usize) -> bool {
        let most = if self.strict { CHANCE } else { HIDDEN };
        let whole = !self.strict && segments >= 2 && self.sharpest[k] <= RESOLVED;
        self.hidden[k] <= most || whole
    }

    fn open(&self, segments: usize) -> Vec<usize> {
        let open = |&k: &usize| !self.shows(k, segments);
        (0..self.which.len()).filter(open).collect()
    }

    fn passing(&self, segments: usize) -> Vec<Compared> {
        let passing = (0..self.which.len()).filter(|&k| self.shows(k, segments));
        let pass = |k: usize| {
            let finding = Finding {
                verdict: Verdict::Pass,
                resolution: Some(self.sharpest[k]),
                ..Finding::none()
            };
            Compared::new(self.which[k], finding, self.hidden[k] > HIDDEN)
        };
        passing.map(pass).collect()
    }

    /// Those that move on the next segment; None where none is open, or no further one is worth its price.
    fn next(&mut self) -> Option<Vec<usize>> {
        let open = self.open(self.long);
        self.taken += 1;
        (self.taken <= self.most && !open.is_empty()).then_some(open)
    }

    /// One move of each, that changes the loss by a share of it, by random signs and a random length. A long
    /// segment of a right model needs all of its length to stand out of f's noise.
    fn moves(&self, tensors: &[usize], rng: &mut Rng) -> Vec<Move> {
        let parameters = self.model.parameters;
        let long = self.share >= LONG;
        let aligned = long && self.taken % 2 == 1;
        let least = CLEAR * self.model.noise;
        let target = self.farther * (self.share * self.model.loss.abs()).max(least);
        let typical = if long { parameters.typical } else { 0. };
        let one = |&t: &usize| {
            let (one, var) = (self.model.one(t), &parameters.vars[t]);
            let farthest = self.farther * FARTHEST * one.size.max(typical);
            let step = (target / one.rate(var, aligned)).min(farthest);
            let length = match long && !self.strict {
                true => 1.,
                false => 2. / 3. * (1. + rng.unit()),
            };
            one.toward(var, step * length, aligned, rng)
        };
        tensors.iter().map(one).collect()
    }

    /// A segment of `moved` agrees. Where it says little of most that are still open, the next is longer if f's own
    /// noise blurred this one, shorter if kinks did.
    fn agrees(&mut self, moved: &[usize], evidence: &Evidence) {
        let kappa = self.model.kappa();
        self.agreeing += 1;
        for (at, &k) in moved.iter().enumerate() {
            self.hidden[k] *= evidence.chance(at, kappa);
            self.sharpest[k] = self.sharpest[k].min(evidence.resolution(at, kappa));
        }
        if self.share >= LONG {
            self.long = self.agreeing;
        }
        let open = (0..moved.len()).filter(|&at| !self.shows(moved[at], self.long));
        let (blurred, sharp): (Vec<usize>, Vec<usize>) =
            open.partition(|&at| evidence.chance(at, kappa) > BLURRED);
        if blurred.len() <= sharp.len() {
            return;
        }
        let smooth = evidence.quadrature < SMOOTH * evidence.error;
        if self.share >= LONG && (self.agreeing >= 2 || smooth) {
            self.farther = FARTHER;
        }
        if evidence.is_noise_dominated() {
            self.share = LONG;
        } else if self.share / STRIDE > self.clear {
            self.share /= STRIDE;
        }
    }

    /// A segment contradicts and shows a jump of f: that is not met again over a shorter distance, and a
    /// piecewise constant f averages out over a longer one.
    fn around(&mut self, evidence: &Evidence) {
        self.share = match self.share == SHORT && !evidence.is_quantised() {
            true => SHORT / STRIDE,
            false => LONG,
        };
        self.most = SEGMENTS + 1;
    }
}
