//! Data in parts that fit into a core's cache: the loss is a sum over points, so the loss and the
//! gradient of all points are the sums of those of the parts. (In PyTorch, `loss.backward()` once a
//! part, which adds to what `.grad` holds.)

use super::{Gradient, LossAndGrad};
use crate::sine::{Data, Weights};
use candle_core::{Result, Tensor};

/// Points of a part. Every operation makes a tensor of this size; the backward pass makes some
/// twenty-five, which candle fills with zeros first. 64 KiB each, they are still in the cache when
/// they are filled, and when they are read.
const PART: usize = 1 << 14;

/// A way to the gradient over each part of the data. Parts are added in a binary tree, so that the
/// digits do not depend on the number of cores.
#[derive(Debug)]
pub(super) struct Parts<G>(Vec<G>);

impl<G: Gradient + Send> Parts<G> {
    /// What `gradient` makes of each part of `data`. A GPU has no use for parts and gets the whole.
    ///
    /// # Errors
    /// Those of `gradient`.
    pub(super) fn new(data: &Data, gradient: impl Fn(&Data) -> Result<G>) -> Result<Self> {
        let points = data.x.elem_count();
        let most = match data.x.device().is_cpu() {
            true => PART,
            false => points.max(1),
        };
        let part = |start: usize| {
            let of = |t: &Tensor| t.narrow(0, start, most.min(points - start));
            let (x, y) = (of(&data.x)?, of(&data.y)?);
            gradient(&Data { x, y })
        };
        let parts = (0..points.max(1)).step_by(most).map(part);
        Ok(Self(parts.collect::<Result<_>>()?))
    }
}

impl<G: Gradient + Send> Gradient for Parts<G> {
    fn loss_and_grad(&mut self, weights: &Weights) -> Result<LossAndGrad> {
        tree(&mut self.0, weights)
    }
}

/// The sum over `parts`, by halves.
fn tree<G: Gradient + Send>(parts: &mut [G], weights: &Weights) -> Result<LossAndGrad> {
    if let [part] = parts {
        return part.loss_and_grad(weights);
    }
    let (left, right) = parts.split_at_mut(parts.len() / 2);
    let (left, right) = rayon::join(|| tree(left, weights), || tree(right, weights));
    plus(&left?, &right?)
}

fn plus(left: &LossAndGrad, right: &LossAndGrad) -> Result<LossAndGrad> {
    let (l, r) = (&left.grad, &right.grad);
    Ok(LossAndGrad {
        loss: (&left.loss + &right.loss)?,
        grad: Weights {
            a: (&l.a + &r.a)?,
            b: (&l.b + &r.b)?,
            c: (&l.c + &r.c)?,
            d: (&l.d + &r.d)?,
        },
    })
}
