//! Parameters that get a gradient: does it account for the loss?
//!
//! Those that move nothing are set aside, the others move together, and what that leaves open moves
//! alone.

use candle_core::Result;

use super::run::{Against, Run, segment};
use crate::gradcheck::compare::alone::{
    Alone, CLEAR, FARTHER, FARTHEST, LONG, One, RESOLVED, SHORT, STAIRS, STRIDE,
};
use crate::gradcheck::judge::law::ROUNDING;
use crate::gradcheck::judge::segment::Evidence;
use crate::gradcheck::judge::verdict::Verdict;

/// The share of the loss by which each parameter moves it in the first joint walk; where f's own scatter
/// drowns that, in the next by LONG. The shorter, the fewer kinks on the way.
const JOINT: f64 = 1e-4;

/// What two long walks leave open goes farther in the next, since f's scatter is what blurs it; and so
/// do all, where kinks and curvature are less than this share of what blurs them.
const SMOOTH: f64 = 0.1;

/// What joint walks have shown so far.
struct Together {
    /// The least relative error of each parameter's gradient that a walk would have shown.
    sharpest: Vec<f64>,
    /// How many walks agree.
    agreeing: usize,
    /// The share of the loss by which each parameter moves it in the next walk.
    share: f64,
    /// The share that stands out of f's own scatter.
    clear: f64,
    /// Whether next to nothing but that scatter blurred a long walk.
    smooth: bool,
}

impl Together {
    fn new(parameters: usize, clear: f64) -> Self {
        Self {
            sharpest: vec![f64::INFINITY; parameters],
            agreeing: 0,
            share: if clear > JOINT { LONG } else { JOINT },
            clear,
            smooth: false,
        }
    }

    fn settled(&self, k: usize) -> bool {
        self.agreeing >= 2 && self.sharpest[k] <= RESOLVED
    }

    /// Those that walk next.
    fn open(&self) -> Vec<usize> {
        (0..self.sharpest.len())
            .filter(|&k| !self.settled(k))
            .collect()
    }

    fn farther(&self) -> f64 {
        match self.share >= LONG && (self.agreeing >= 2 || self.smooth) {
            true => FARTHER,
            false => 1.,
        }
    }

    fn agrees(&mut self, moved: &[usize], resolution: impl Fn(usize) -> f64) {
        self.agreeing += 1;
        for (at, &k) in moved.iter().enumerate() {
            self.sharpest[k] = self.sharpest[k].min(resolution(at));
        }
    }

    /// Shorter where kinks blurred the walk, longer where f's scatter did.
    fn next(&mut self, evidence: &Evidence, agreed: bool) {
        self.smooth = self.share >= LONG && evidence.quadrature < SMOOTH * evidence.error;
        self.share = match agreed && self.share > self.clear && !evidence.is_blunt() {
            true => self.share / STRIDE,
            false if self.share < JOINT => self.share * STRIDE.sqrt(),
            false => LONG,
        };
    }
}

impl Run<'_> {
    /// Those that move nothing: autograd claims no more than rounding for a step as long as the
    /// parameter is large, and the loss does not move with all of them either. Gives back the others.
    pub(crate) fn still(&mut self, which: &[usize]) -> Result<Vec<usize>> {
        let step =
            |run: &Self, t: usize| FARTHEST * run.parameters.sizes[t].max(run.parameters.typical);
        let claimed = |t: &usize| self.plain[*t].sum * step(self, *t);
        let (quiet, rest): (Vec<usize>, Vec<usize>) =
            (which.iter()).partition(|t| claimed(t) <= self.kappa() * self.scatter);
        if quiet.is_empty() {
            return Ok(rest);
        }
        let mut moves = Vec::with_capacity(quiet.len());
        for &t in &quiet {
            moves.push(self.blind(t, step(self, t), None));
        }
        let loss = self.report.loss;
        let moved = self.range(&moves)?.map_or(f64::INFINITY, |(least, most)| {
            (most - loss).max(loss - least)
        });
        if moved > ROUNDING * self.scatter {
            return Ok(which.to_vec());
        }
        for t in quiet {
            self.report.parameters[t].verdict = Verdict::Pass;
        }
        Ok(rest)
    }

    /// All of these at once; gives back those that this does not settle, and the share of the loss by
    /// which the next walk had best move it.
    ///
    /// Two walks must agree with autograd: one with the gradient's signs, which shows every factor, and
    /// one across it, which shows a branch that the gradient misses. What these leave open walks once
    /// more, without the others and, where the walks were long already, farther.
    pub(crate) fn together(&mut self, which: &[usize]) -> Result<(Vec<usize>, f64)> {
        let loss = self.report.loss.abs();
        let mut so_far = Together::new(which.len(), CLEAR * self.scatter / loss);
        for aligned in [true, false, true] {
            let moving = so_far.open();
            if moving.is_empty() {
                break;
            }
            let tensors: Vec<usize> = moving.iter().map(|&k| which[k]).collect();
            let walked = self.joint(&tensors, (so_far.share, so_far.farther()), aligned)?;
            let agreed = walked.as_ref().is_some_and(|(_, agrees)| *agrees);
            let Some((evidence, _)) = walked.filter(|_| agreed || so_far.share < LONG) else {
                so_far.share = JOINT;
                break;
            };
            if agreed {
                so_far.agrees(&moving, |at| evidence.resolution(at, self.kappa()));
            }
            so_far.next(&evidence, agreed);
        }
        let (passed, rest): (Vec<usize>, _) = (0..which.len()).partition(|&k| so_far.settled(k));
        for k in passed {
            self.pass(which[k], so_far.sharpest[k]);
        }
        Ok((rest.into_iter().map(|k| which[k]).collect(), so_far.share))
    }

    /// One walk along which each parameter moves the loss by a share of it, and whether the two sides
    /// agree; None where it leads out of f's domain.
    fn joint(
        &mut self,
        which: &[usize],
        (share, farther): (f64, f64),
        aligned: bool,
    ) -> Result<Option<(Evidence, bool)>> {
        let rtol = which.iter().map(|&t| self.rtol(t)).fold(0., f64::max);
        let target = farther * (share * self.report.loss.abs()).max(CLEAR * self.scatter);
        let mut moves = Vec::with_capacity(which.len());
        for &t in which {
            let size = match share < LONG {
                true => self.parameters.sizes[t],
                false => self.parameters.sizes[t].max(self.parameters.typical),
            };
            let limits = (target, farther * FARTHEST * size);
            let mut rng = self.rng.clone();
            let one = self.one(t);
            moves.push(one.toward(&self.parameters.vars[t], limits, aligned, &mut rng));
            self.rng = rng;
        }
        let Ok(Some(evidence)) = self.walk(&moves)? else {
            return Ok(None);
        };
        let agrees = !evidence.contradicts(self.kappa(), rtol);
        Ok(Some((evidence, agrees)))
    }

    fn pass(&mut self, t: usize, resolution: f64) {
        let p = &mut self.report.parameters[t];
        p.verdict = Verdict::Pass;
        p.resolution = Some(resolution);
    }

    /// One parameter by itself, at steps that suit it.
    pub(crate) fn alone(&mut self, t: usize, share: f64) -> Result<()> {
        let mut rng = self.rng.clone();
        let first = share.max(SHORT);
        let opinion = self
            .walks(first)
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

    /// Walks of one variable, the first of which changes f by a share of it.
    pub(crate) fn walks(&self, first: f64) -> Alone<'_> {
        Alone {
            walker: &self.walker,
            origin: &self.parameters.origin,
            loss: self.report.loss.abs(),
            scatter: self.scatter,
            first,
            accused: false,
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

#[cfg(test)]
mod tests {
    use super::{JOINT, LONG, STRIDE, Together};
    use crate::gradcheck::judge::segment::Evidence;

    /// A walk of which this much is blurred by kinks, and this much in all.
    fn blurred(quadrature: f64, error: f64) -> Evidence {
        Evidence {
            difference: 1.,
            apart: 0.,
            error,
            quadrature,
            scatter: 0.,
            jump: 0.,
            shares: vec![1.],
            size: 1.,
            range: 1.,
            alive: true,
        }
    }

    fn after(share: f64, clear: f64, evidence: &Evidence, agreed: bool) -> Together {
        let mut together = Together::new(1, clear);
        together.share = share;
        together.next(evidence, agreed);
        together
    }

    #[test]
    fn kinks_make_the_next_walk_shorter_and_scatter_makes_it_longer() {
        let (kinks, scatter) = (blurred(1., 1.), blurred(0.01, 1.));
        assert_eq!(after(LONG, 1e-6, &kinks, true).share, LONG / STRIDE);
        // not where f's scatter would drown it, nor where it contradicts
        assert_eq!(after(LONG, LONG, &kinks, true).share, LONG);
        assert_eq!(after(LONG, 1e-6, &kinks, false).share, LONG);
        assert_eq!(after(JOINT, 1e-6, &scatter, true).share, LONG);
        let shorter = JOINT / STRIDE;
        let longer = after(shorter, 1e-6, &scatter, true).share;
        assert_eq!(longer, shorter * STRIDE.sqrt());
    }

    #[test]
    fn a_long_walk_is_smooth_where_kinks_blur_little_of_it() {
        let (kinks, scatter) = (blurred(0.2, 1.), blurred(0.01, 1.));
        assert!(after(LONG, 1e-6, &scatter, true).smooth);
        assert!(!after(LONG, 1e-6, &kinks, true).smooth);
        assert!(!after(JOINT, 1e-6, &scatter, true).smooth);
    }

    #[test]
    fn two_walks_settle_what_both_resolve() {
        let mut together = Together::new(2, 1e-6);
        assert_eq!(together.share, JOINT);
        assert_eq!(Together::new(1, 2. * JOINT).share, LONG);
        together.agrees(&[0, 1], |at| [0.1, 0.3][at]);
        assert_eq!(together.open(), [0, 1]); // one walk settles nothing
        together.agrees(&[1, 0], |at| [0.4, 0.2][at]);
        assert_eq!(together.open(), [1]);
        assert_eq!(together.sharpest, [0.1, 0.3]);
    }
}
