//! Parameters that get a gradient: does it account for the loss?
//!
//! All move together first; what that contradicts is halved, down to single parameters.
//!
//! Several parameters are acquitted together only by walks in which their errors cannot cancel: each moves
//! by a random sign and a random length of its own, independent of the others', so that an error of a
//! quarter of one's gradient stays hidden in one walk with a chance of at most
//! [`Evidence::chance`], whatever the others' errors are; and so many walks agree that the product of
//! these is a thousandth. Where f's own scatter makes that too dear, and nothing is cut or contradicted, two
//! walks that resolve a quarter of the gradient as a whole will do.

use candle_core::Result;

use super::run::{Against, Run, segment};
use crate::gradcheck::compare::alone::{Alone, One, QUANTISED};
use crate::gradcheck::judge::constants::{CHANCE, CLEAR, FARTHEST, LONG, RESOLVED};
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;

/// The share of the loss by which each parameter moves it in a joint walk, give or take a third; where f's own scatter
/// drowns that, [`LONG`]. The shorter, the fewer kinks on the way.
const JOINT: f64 = 2e-4;

/// Joint walks of the same parameters: more cost as much as one each.
const WALKS: usize = 3;

/// What two long walks leave open goes so many times as far in the next, since f's scatter is what blurs it;
/// and so do all, where kinks and curvature are less than a tenth of what blurs them.
const FARTHER: f64 = 4.;
const SMOOTH: f64 = 0.1;

/// Where kinks blur a walk, the next is so many times as short.
const STRIDE: f64 = 16.;

/// A walk says little of a parameter whose errors stay hidden with more than this chance.
const BLURRED: f64 = 0.3;

/// The chance that an error in any direction has stayed hidden, where nothing is cut or contradicted.
const HIDDEN: f64 = 10. * CHANCE;

/// What the joint walks of some parameters have shown so far, and how far the next one goes.
struct Together<'a> {
    which: &'a [usize],
    /// The chance that an error of each has stayed hidden, and the least factor that would have shown.
    hidden: Vec<f64>,
    sharpest: Vec<f64>,
    /// How many walks agree, and how many of these are long or follow a long one.
    agreeing: usize,
    long: usize,
    /// Whether only an error in any direction counts.
    strict: bool,
    /// Walks taken, and at most.
    taken: usize,
    most: usize,
    /// The share of the loss by which each parameter of the next walk moves it, so many times as far.
    share: f64,
    farther: f64,
}

impl<'a> Together<'a> {
    fn new(which: &'a [usize], share: f64, strict: bool) -> Self {
        Self {
            which,
            hidden: vec![1.; which.len()],
            sharpest: vec![f64::INFINITY; which.len()],
            agreeing: 0,
            long: 0,
            strict,
            taken: 0,
            most: WALKS,
            share,
            farther: 1.,
        }
    }

    /// Whether an error in any direction would have shown; or, where nothing is cut or contradicted and long
    /// walks are too blurred for that, a factor of a quarter.
    fn settled(&self, k: usize) -> bool {
        let (most, whole) = match self.strict {
            true => (CHANCE, false),
            false => (HIDDEN, self.long >= 2 && self.sharpest[k] <= RESOLVED),
        };
        self.hidden[k] <= most || whole
    }

    fn passes(&self, k: usize) -> bool {
        let whole = !self.strict && self.agreeing >= 2 && self.sharpest[k] <= RESOLVED;
        self.settled(k) || whole
    }

    /// Those that move in the next walk; None where all are settled, or no further walk is worth its price.
    fn next(&mut self) -> Option<Vec<usize>> {
        let open = (0..self.which.len()).filter(|&k| !self.settled(k));
        let open: Vec<usize> = open.collect();
        self.taken += 1;
        (self.taken <= self.most && !open.is_empty()).then_some(open)
    }

    /// A walk of `moved` agrees. Where it says little of most that are still open, the next is longer if f's
    /// own scatter blurred this one, shorter if kinks did; `clear` is the least share that stands out.
    fn agrees(&mut self, moved: &[usize], evidence: &Evidence, kappa: f64, clear: f64) {
        self.agreeing += 1;
        for (at, &k) in moved.iter().enumerate() {
            self.hidden[k] *= evidence.chance(at, kappa);
            self.sharpest[k] = self.sharpest[k].min(evidence.resolution(at, kappa));
        }
        if self.share >= LONG {
            self.long = self.agreeing;
        }
        let open = (0..moved.len()).filter(|&at| !self.settled(moved[at]));
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
        } else if self.share / STRIDE > clear {
            self.share /= STRIDE;
        }
    }

    /// A walk contradicts and shows a jump of f: that is not met again over a shorter distance, and a
    /// piecewise constant f averages out over a longer one.
    fn around(&mut self, evidence: &Evidence) {
        self.share = match self.share == JOINT && !evidence.is_quantised() {
            true => JOINT / STRIDE,
            false => LONG,
        };
        self.most = WALKS + 1;
    }
}

impl Run<'_> {
    /// Those that move nothing: autograd claims no more than rounding for a step as long as the
    /// parameter is large, and the loss does not move with it either. Gives back the others.
    pub(crate) fn moving(&mut self, which: &[usize]) -> Result<Vec<usize>> {
        let step =
            |run: &Self, t: usize| FARTHEST * run.parameters.sizes[t].max(run.parameters.typical);
        let claimed = |t: &usize| self.plain[*t].norm * step(self, *t);
        let (quiet, mut rest): (Vec<usize>, Vec<usize>) =
            (which.iter()).partition(|t| claimed(t) <= self.kappa() * self.scatter);
        for t in quiet {
            let way = self.blind(t, step(self, t), None);
            match self.is_flat(&[way])? {
                true => self.flat(t),
                false => rest.push(t),
            }
        }
        rest.sort_unstable();
        Ok(rest)
    }

    /// Settles all of these: together, by halves where they are contradicted, and what that leaves open
    /// alone. `strict` where something is cut, or a walk of more has contradicted.
    pub(crate) fn settle_all(&mut self, which: &[usize], strict: bool) -> Result<()> {
        if let ([t], true) = (which, strict) {
            return self.alone(*t, true);
        }
        let clear = CLEAR * self.scatter / self.report.loss.abs();
        let share = if clear > JOINT { LONG } else { JOINT };
        let mut so_far = Together::new(which, share, strict);
        while let Some(moving) = so_far.next() {
            let tensors: Vec<usize> = moving.iter().map(|&k| which[k]).collect();
            let Some(evidence) = self.joint(&tensors, &so_far)? else {
                break;
            };
            let rtol = tensors.iter().map(|&t| self.rtol(t)).fold(0., f64::max);
            if !evidence.contradicts(self.kappa(), rtol) {
                so_far.agrees(&moving, &evidence, self.kappa(), clear);
            } else if evidence.jumps() && so_far.share < LONG {
                so_far.around(&evidence);
            } else {
                self.pass_where(&so_far, Together::settled);
                return self.halves(&tensors, strict || !evidence.jumps());
            }
        }
        for t in self.pass_where(&so_far, Together::passes) {
            self.alone(t, strict)?;
        }
        Ok(())
    }

    /// Passes those for which this holds, and gives back the others.
    fn pass_where<'b>(
        &mut self,
        so_far: &Together<'b>,
        holds: fn(&Together<'b>, usize) -> bool,
    ) -> Vec<usize> {
        let all = 0..so_far.which.len();
        let (well, rest): (Vec<usize>, Vec<usize>) = all.partition(|&k| holds(so_far, k));
        for k in well {
            if so_far.hidden[k] > HIDDEN {
                self.by_factor.push(so_far.which[k]);
            }
            let p = &mut self.report.parameters[so_far.which[k]];
            p.verdict = Verdict::Pass;
            p.resolution = Some(so_far.sharpest[k]);
        }
        rest.into_iter().map(|k| so_far.which[k]).collect()
    }

    /// Settles both halves of what a walk contradicts. Halving pays where little is wrong: if most of the first
    /// half does not pass, those of the second are asked one at a time.
    fn halves(&mut self, tensors: &[usize], strict: bool) -> Result<()> {
        if let [t] = tensors {
            return self.alone(*t, strict);
        }
        let (first, second) = tensors.split_at(tensors.len() / 2);
        self.settle_all(first, strict)?;
        let passed = |t: &&usize| self.report.parameters[**t].verdict == Verdict::Pass;
        if 2 * first.iter().filter(passed).count() >= first.len() {
            return self.settle_all(second, strict);
        }
        second.iter().try_for_each(|&t| self.alone(t, strict))
    }

    /// One walk along which each parameter moves the loss by a share of it, by a random sign and length; None
    /// where it leads out of f's domain. A long walk of a right model needs all of its length to stand out of
    /// f's scatter.
    fn joint(&mut self, which: &[usize], so_far: &Together) -> Result<Option<Evidence>> {
        let (share, farther) = (so_far.share, so_far.farther);
        let long = share >= LONG;
        let (aligned, exact) = (long && so_far.taken % 2 == 1, long && !so_far.strict);
        let target = farther * (share * self.report.loss.abs()).max(CLEAR * self.scatter);
        let mut rng = self.rng.clone();
        let mut moves = Vec::with_capacity(which.len());
        for &t in which {
            let typical = if long { self.parameters.typical } else { 0. };
            let farthest = farther * FARTHEST * self.parameters.sizes[t].max(typical);
            let one = self.one(t);
            let var = &self.parameters.vars[t];
            let step = (target / one.rate(var, aligned)).min(farthest);
            let length = if exact {
                1.
            } else {
                2. / 3. * (1. + rng.unit())
            };
            moves.push(one.toward(var, step * length, aligned, &mut rng));
        }
        self.rng = rng;
        Ok(self.walk(&moves)?.ok().flatten())
    }

    /// One parameter by itself, at steps that suit it.
    pub(crate) fn alone(&mut self, t: usize, strict: bool) -> Result<()> {
        let mut rng = self.rng.clone();
        let finding = self
            .walks(strict)
            .settle(&self.one(t), self.rtol(t), &mut rng)?;
        self.rng = rng;
        if finding.verdict == Verdict::Pass && !strict {
            self.by_factor.push(t);
        }
        let p = &mut self.report.parameters[t];
        p.verdict = finding.verdict;
        p.resolution = finding.resolution;
        match (finding.verdict, finding.against) {
            (Verdict::Pass, Some(_)) => p.notes.push(QUANTISED.to_string()),
            (Verdict::Pass, None) | (_, None) => {}
            (verdict, Some((evidence, way))) => {
                p.worst = Some(segment(&evidence));
                if verdict == Verdict::Wrong {
                    self.against.push(Against { t, evidence, way });
                }
            }
        }
        Ok(())
    }

    /// Walks of one variable.
    pub(crate) fn walks(&self, strict: bool) -> Alone<'_> {
        Alone {
            walker: &self.walker,
            origin: &self.parameters.origin,
            loss: self.report.loss.abs(),
            scatter: self.scatter,
            flagged: false,
            strict,
            typical: self.parameters.typical,
            kappa: self.kappa(),
        }
    }

    fn one(&self, t: usize) -> One<'_> {
        One {
            var: t,
            negative: &self.plain[t].negative,
            sum: self.plain[t].sum,
            size: self.parameters.sizes[t],
            only: self.plain[t].nonzero.as_ref(),
        }
    }
}
