//! What does not change during a check: a model where its parameters are, and how they move from there.

use candle_core::Result;

use super::parameters::Parameters;
use super::plain::Plain;
use super::report::ParameterReport;
use crate::gradcheck::autograd::graph::Failure;
use crate::gradcheck::compare::bits::Bits;
use crate::gradcheck::compare::displace::Move;
use crate::gradcheck::compare::scalar::{PASSES, Scalar, signs};
use crate::gradcheck::compare::single::{One, Single};
use crate::gradcheck::judge::constants::{FARTHEST, SINGLE};
use crate::gradcheck::judge::segment::{Evidence, Share};
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::options::Options;
use crate::gradcheck::support::rng::SplitMix64;

/// The random generator, which every step takes in turn.
pub(crate) type Rng = SplitMix64;

pub(crate) struct Model<'a> {
    pub(crate) parameters: &'a Parameters,
    pub(crate) scalar: Scalar<'a>,
    pub(crate) options: &'a Options,
    /// What a plain backward pass says of each parameter, or why it failed.
    pub(crate) plain: Vec<Plain>,
    pub(crate) failure: Option<Failure>,
    pub(crate) loss: f64,
    /// The unit round-off of the loss's dtype,
    pub(crate) unit: f64,
    /// and the rounding of the loss: unit · |loss|.
    pub(crate) noise: f64,
}

impl<'a> Model<'a> {
    /// Runs f forward and backward; the gradients are as large as the parameters, and are not kept.
    pub(crate) fn new(
        parameters: &'a Parameters,
        scalar: Scalar<'a>,
        options: &'a Options,
    ) -> Result<Self> {
        let (plain, failure, loss, unit) = match scalar.pass()? {
            Ok(pass) => {
                let all = pass.gradients.iter().zip(&parameters.vars);
                let plain = all.map(|(g, var)| Plain::new(g.as_ref(), var.elem_count()));
                (plain.collect::<Result<_>>()?, None, pass.value, pass.unit)
            }
            Err(failure) => (Vec::new(), Some(failure), f64::NAN, 0.),
        };
        Ok(Self {
            parameters,
            scalar,
            options,
            plain,
            failure,
            loss,
            unit,
            noise: unit * loss.abs(),
        })
    }

    /// The report of a parameter of which nothing but the verdict is known.
    pub(crate) fn report(&self, t: usize, verdict: Verdict) -> ParameterReport {
        let (name, var) = (&self.parameters.names[t], &self.parameters.vars[t]);
        let failed = |failure: &Failure| format!("backward: {}", failure.message);
        ParameterReport {
            missing: self.plain.get(t).is_some_and(|plain| plain.missing),
            notes: self.failure.iter().map(failed).collect(),
            ..ParameterReport::new(name, var.dims(), var.dtype(), verdict)
        }
    }

    pub(crate) fn kappa(&self) -> f64 {
        self.options.kappa
    }

    /// The rounding of the gradient itself, as a share of it. In f64 too what is right to single precision
    /// agrees (candle's gelu has constants of six digits); the resolution says how far off it was.
    pub(crate) fn rtol(&self, t: usize) -> f64 {
        let tolerance = self.options.tolerance(self.parameters.vars[t].dtype());
        tolerance.segment().max(SINGLE)
    }

    /// The largest step of parameter t, where its own size may be small beside that of the others.
    pub(crate) fn farthest(&self, t: usize) -> f64 {
        FARTHEST * self.parameters.sizes[t].max(self.parameters.typical)
    }

    /// A move of some elements of one parameter (of all, if None) by random signs.
    pub(crate) fn perturb(&self, t: usize, step: f64, only: Option<&Bits>, rng: &mut Rng) -> Move {
        let n = self.parameters.vars[t].elem_count();
        Move {
            var: t,
            step,
            minus: signs(n, &self.plain[t].negative, 0., rng, false),
            only: only.cloned(),
        }
    }

    /// The larger of the loss's changes from here to the two ends of a segment, forward only; None where it leads
    /// out of f's domain.
    pub(crate) fn ends(&self, moves: &[Move]) -> Result<Option<f64>> {
        let ends = self.scalar.values(moves, &[0, PASSES - 1])?;
        let larger = |m: f64, d: f64| if d.abs() > m.abs() { d } else { m };
        Ok(ends.map(|ends| ends.iter().map(|end| end - self.loss).fold(0., larger)))
    }

    /// Whether the loss is the same number at a few nodes of a segment.
    pub(crate) fn is_still(&self, moves: &[Move]) -> Result<Option<bool>> {
        let range = self.scalar.range(moves)?;
        Ok(range.map(|range| range == (self.loss, self.loss)))
    }

    /// The loss all along a segment, forward only, as if there were no gradient.
    pub(crate) fn forward(&self, moves: &[Move]) -> Result<Option<Evidence>> {
        let values = self
            .scalar
            .values(moves, &std::array::from_fn::<_, PASSES, _>(|k| k))?;
        let none = Share {
            before: vec![0.; PASSES],
            after: vec![0.; PASSES],
            ..Share::default()
        };
        Ok(values.and_then(|values| Evidence::new(&values, &[none], self.unit)))
    }

    /// Segments of one parameter by itself; `strict` where an error in any direction has to show.
    pub(crate) fn segments(&self, strict: bool) -> Single<'_> {
        Single {
            scalar: &self.scalar,
            loss: self.loss.abs(),
            noise: self.noise,
            flagged: false,
            strict,
            typical: self.parameters.typical,
            kappa: self.kappa(),
        }
    }

    /// Parameter t, of which the elements with a gradient move.
    pub(crate) fn one(&self, t: usize) -> One<'_> {
        let plain = &self.plain[t];
        One {
            var: t,
            negative: &plain.negative,
            sum: plain.sum,
            size: self.parameters.sizes[t],
            only: plain.nonzero.as_ref(),
        }
    }
}
