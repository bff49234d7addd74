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
use super::silent::Moved;
use crate::gradcheck::compare::alone::{Alone, FARTHEST, LONG, One, STAIRS};
use crate::gradcheck::judge::readings::CHANCE;
use crate::gradcheck::judge::segment::{CLEAR, Evidence, RESOLVED};
use crate::gradcheck::judge::verdict::Verdict;

/// The share of the loss by which each parameter moves it in a joint walk, give or take a third; where f's own scatter drowns
/// that, [`LONG`]. The shorter, the fewer kinks on the way.
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

/// What the joint walks of some parameters have shown so far.
struct Together {
    /// The chance that an error of each has stayed hidden, and the least factor that would have shown.
    hidden: Vec<f64>,
    sharpest: Vec<f64>,
    /// How many walks agree, and how many of these are long or follow a long one.
    agreeing: usize,
    long: usize,
    /// Whether only an error in any direction counts.
    strict: bool,
}

impl Together {
    fn new(parameters: usize, strict: bool) -> Self {
        Self {
            hidden: vec![1.; parameters],
            sharpest: vec![f64::INFINITY; parameters],
            agreeing: 0,
            long: 0,
            strict,
        }
    }

    /// Whether an error in any direction would have shown; or, where nothing is cut or contradicted and long
    /// walks are too blurred for that, a factor of a quarter.
    fn settled(&self, k: usize) -> bool {
        let (most, whole) = match self.strict {
            true => (CHANCE, false),
            false => (10. * CHANCE, self.long >= 2 && self.sharpest[k] <= RESOLVED),
        };
        self.hidden[k] <= most || whole
    }

    fn passes(&self, k: usize) -> bool {
        let whole = !self.strict && self.agreeing >= 2 && self.sharpest[k] <= RESOLVED;
        self.settled(k) || whole
    }

    /// Those that walk next.
    fn open(&self) -> Vec<usize> {
        (0..self.hidden.len())
            .filter(|&k| !self.settled(k))
            .collect()
    }

    fn agrees(&mut self, moved: &[usize], evidence: &Evidence, kappa: f64) {
        self.agreeing += 1;
        for (at, &k) in moved.iter().enumerate() {
            self.hidden[k] *= evidence.chance(at, kappa);
            self.sharpest[k] = self.sharpest[k].min(evidence.resolution(at, kappa));
        }
    }
}

impl Run<'_> {
    /// Those that move nothing: autograd claims no more than rounding for a step as long as the
    /// parameter is large, and the loss does not move with it either. Gives back the others.
    pub(crate) fn still(&mut self, which: &[usize]) -> Result<Vec<usize>> {
        let step =
            |run: &Self, t: usize| FARTHEST * run.parameters.sizes[t].max(run.parameters.typical);
        let claimed = |t: &usize| self.plain[*t].norm * step(self, *t);
        let (quiet, mut rest): (Vec<usize>, Vec<usize>) =
            (which.iter()).partition(|t| claimed(t) <= self.kappa() * self.scatter);
        for t in quiet {
            let way = self.blind(t, step(self, t), None);
            match self.moves(&[way])? {
                Moved::No | Moved::Rounding => self.flat(t),
                _ => rest.push(t),
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
        let loss = self.report.loss.abs();
        let mut so_far = Together::new(which.len(), strict);
        let mut share = match CLEAR * self.scatter > JOINT * loss {
            true => LONG,
            false => JOINT,
        };
        let mut farther = 1.;
        let (mut walk, mut walks) = (0, WALKS);
        while walk < walks {
            walk += 1;
            let moving = so_far.open();
            let tensors: Vec<usize> = moving.iter().map(|&k| which[k]).collect();
            if tensors.is_empty() {
                break;
            }
            let aligned = share >= LONG && walk % 2 == 1;
            // A long walk of a right model needs all of its length to stand out of f's scatter.
            let exact = share >= LONG && !strict;
            let Some(evidence) = self.joint(&tensors, (share, farther), (aligned, exact))? else {
                break;
            };
            let rtol = tensors.iter().map(|&t| self.rtol(t)).fold(0., f64::max);
            if !evidence.contradicts(self.kappa(), rtol) {
                so_far.agrees(&moving, &evidence, self.kappa());
                if share >= LONG {
                    so_far.long = so_far.agreeing;
                }
                let open = |(at, k): (usize, &usize)| (!so_far.settled(*k)).then_some(at);
                let open: Vec<usize> = moving.iter().enumerate().filter_map(open).collect();
                let blurred = |at: &&usize| evidence.chance(**at, self.kappa()) > BLURRED;
                if 2 * open.iter().filter(blurred).count() > open.len() {
                    let smooth = evidence.quadrature < SMOOTH * evidence.error;
                    if share >= LONG && (so_far.agreeing >= 2 || smooth) {
                        farther = FARTHER;
                    }
                    share = self.next(share, &evidence);
                }
                continue;
            }
            // A jump is not met again over a shorter distance; a staircase averages out over a longer one.
            if evidence.jumps() && share < LONG {
                share = match share == JOINT && !evidence.is_stairs() {
                    true => JOINT / STRIDE,
                    false => LONG,
                };
                walks += usize::from(walks == WALKS);
                continue;
            }
            for k in (0..which.len()).filter(|&k| so_far.settled(k)) {
                self.pass(which[k], so_far.sharpest[k]);
            }
            let strict = strict || !evidence.jumps();
            if let [t] = tensors[..] {
                return self.alone(t, strict);
            }
            let (first, second) = tensors.split_at(tensors.len() / 2);
            self.settle_all(first, strict)?;
            self.settle_all(second, strict)?;
            return Ok(());
        }
        for (k, &t) in which.iter().enumerate() {
            match so_far.passes(k) {
                true => self.pass(t, so_far.sharpest[k]),
                false => self.alone(t, strict)?,
            }
        }
        Ok(())
    }

    /// The next walk is longer where f's own scatter blurred this one, shorter where kinks did.
    fn next(&self, share: f64, evidence: &Evidence) -> f64 {
        let clear = CLEAR * self.scatter / self.report.loss.abs();
        match (evidence.is_blunt(), share / STRIDE) {
            (true, _) => LONG,
            (false, shorter) if shorter > clear => shorter,
            _ => share,
        }
    }

    /// One walk along which each parameter moves the loss by a share of it, by a random sign and, unless
    /// `exact`, length; None where it leads out of f's domain.
    fn joint(
        &mut self,
        which: &[usize],
        (share, farther): (f64, f64),
        (aligned, exact): (bool, bool),
    ) -> Result<Option<Evidence>> {
        let target = farther * (share * self.report.loss.abs()).max(CLEAR * self.scatter);
        let mut moves = Vec::with_capacity(which.len());
        for &t in which {
            let size = match share < LONG {
                true => self.parameters.sizes[t],
                false => self.parameters.sizes[t].max(self.parameters.typical),
            };
            let mut rng = self.rng.clone();
            let one = self.one(t);
            let var = &self.parameters.vars[t];
            let step = (target / one.rate(var, aligned)).min(farther * FARTHEST * size);
            let step = match exact {
                true => step,
                false => step * 2. / 3. * (1. + rng.unit()),
            };
            let way = one.toward(var, step, aligned, &mut rng);
            moves.push(way);
            self.rng = rng;
        }
        Ok(self.walk(&moves)?.ok().flatten())
    }

    fn pass(&mut self, t: usize, resolution: f64) {
        let p = &mut self.report.parameters[t];
        p.verdict = Verdict::Pass;
        p.resolution = Some(resolution);
    }

    /// One parameter by itself, at steps that suit it.
    pub(crate) fn alone(&mut self, t: usize, strict: bool) -> Result<()> {
        let mut rng = self.rng.clone();
        let opinion = self
            .walks(strict)
            .settle(&self.one(t), self.rtol(t), &mut rng)?;
        self.rng = rng;
        let p = &mut self.report.parameters[t];
        p.verdict = opinion.verdict;
        p.resolution = opinion.resolution;
        match (opinion.verdict, opinion.against) {
            (Verdict::Pass, Some(_)) => p.notes.push(STAIRS.to_string()),
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
            accused: false,
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
            only: self.plain[t].speaking.as_ref(),
        }
    }
}
