//! vᵀf as a function of variables, and what a segment shows of its gradient.
//!
//! A [`Scalar`] holds variables and a function that reads them. [`Scalar::along`] takes a [`Move`] for each variable,
//! moves the variables in place and puts them back, and gives the [`Evidence`] of the gradient theorem. It costs one
//! forward and one backward pass a node, however many elements move.

use candle_core::{Result, Tensor, Var};

use super::bits::Bits;
use super::displace::{Move, Part, part, place};
use crate::gradcheck::autograd::graph::{Failure, seeded};
use crate::gradcheck::judge::segment::{Evidence, Share};
use crate::gradcheck::support::panics::catch;
use crate::gradcheck::support::passes::Passes;
use crate::gradcheck::support::rng::SplitMix64;
use crate::gradcheck::support::values::{dot, first_line, to_f64, unit_roundoff};

/// The pieces of a segment: a kink in one of them costs at most a sixteenth of its jump.
const PIECES: usize = 16;

/// The forward and backward passes of one segment.
pub(crate) const PASSES: usize = PIECES + 1;

/// Elements read together, so that a large tensor needs no second copy as f64.
const CHUNK: usize = 1 << 14;

/// Variables, and a function that reads them: vᵀf as a number, and its gradient.
pub(crate) struct Scalar<'a> {
    pub(crate) vars: &'a [Var],
    /// Their own values, to which they return.
    pub(crate) origin: &'a [Tensor],
    pub(crate) f: &'a dyn Fn() -> Result<Tensor>,
    /// v
    pub(crate) weights: &'a [f64],
    pub(crate) passes: &'a Passes,
}

/// One pass: vᵀf, and its gradient by each variable.
pub(crate) struct Pass {
    pub(crate) value: f64,
    pub(crate) unit: f64,
    pub(crate) gradients: Vec<Option<Tensor>>,
}

/// What a segment gives: its evidence, None where a number is not finite, or the failure of a backward pass.
pub(crate) type Along = std::result::Result<Option<Evidence>, Failure>;

impl Scalar<'_> {
    /// vᵀf where the variables are.
    pub(crate) fn value(&self) -> Result<f64> {
        let y = to_f64(&(self.f)()?)?;
        Ok(dot(&y, self.weights))
    }

    /// vᵀf and its gradient where the variables are. An error of f is an error; an error or a panic of the backward
    /// pass is a [`Failure`], which is a finding.
    pub(crate) fn pass(&self) -> Result<std::result::Result<Pass, Failure>> {
        let y = (self.f)()?;
        let value = dot(&to_f64(&y)?, self.weights);
        let unit = unit_roundoff(y.dtype());
        let gradients = catch(|| {
            let grads = self.passes.backward(&seeded(&y, self.weights)?)?;
            let of = |var: &Var| grads.get(var).map(Tensor::detach);
            Ok::<_, candle_core::Error>(self.vars.iter().map(of).collect())
        });
        Ok(match gradients {
            Ok(Ok(gradients)) => Ok(Pass {
                value,
                unit,
                gradients,
            }),
            Ok(Err(error)) => Err(Failure::unsupported(first_line(&error))),
            Err(message) => Err(Failure::panicked(message)),
        })
    }

    /// Goes from x - u to x + u.
    pub(crate) fn along(&self, moves: &[Move]) -> Result<Along> {
        let _back = PutBack {
            vars: self.vars,
            origin: self.origin,
            moves,
        };
        let mut values = Vec::with_capacity(PASSES);
        let mut shares = vec![Share::default(); moves.len()];
        let mut unit = 0f64;
        for k in 0..PASSES {
            for m in moves {
                place(&self.vars[m.var], &self.origin[m.var], m, node(k))?;
            }
            let pass = match self.pass()? {
                Ok(pass) => pass,
                Err(failure) => return Ok(Err(failure)),
            };
            values.push(pass.value);
            unit = unit.max(pass.unit);
            for (m, share) in moves.iter().zip(&mut shares) {
                let gradient = pass.gradients[m.var].as_ref();
                add(share, gradient, &self.origin[m.var], m, k)?;
            }
        }
        Ok(Ok(Evidence::new(&values, &shares, unit)))
    }

    /// What `job` finds at x + u, the end of the segment.
    pub(crate) fn at_end<T>(&self, moves: &[Move], job: impl FnOnce() -> Result<T>) -> Result<T> {
        let _back = PutBack {
            vars: self.vars,
            origin: self.origin,
            moves,
        };
        for m in moves {
            place(&self.vars[m.var], &self.origin[m.var], m, 1.)?;
        }
        job()
    }

    /// vᵀf at some nodes of the segment, forward only; None where f gives an error or is not finite there.
    pub(crate) fn values(&self, moves: &[Move], nodes: &[usize]) -> Result<Option<Vec<f64>>> {
        let _back = PutBack {
            vars: self.vars,
            origin: self.origin,
            moves,
        };
        let mut values = Vec::with_capacity(nodes.len());
        for &k in nodes {
            for m in moves {
                place(&self.vars[m.var], &self.origin[m.var], m, node(k))?;
            }
            match self.value() {
                Ok(value) if value.is_finite() => values.push(value),
                _ => return Ok(None),
            }
        }
        Ok(Some(values))
    }

    /// The least and the largest vᵀf at a few nodes of the segment, forward only; None where f gives an error or is not
    /// finite there.
    pub(crate) fn range(&self, moves: &[Move]) -> Result<Option<(f64, f64)>> {
        let values = self.values(moves, &[0, PIECES / 4, PIECES])?;
        Ok(values.map(|values| {
            let least = values.iter().fold(f64::INFINITY, |m, f| m.min(*f));
            let most = values.iter().fold(f64::NEG_INFINITY, |m, f| m.max(*f));
            (least, most)
        }))
    }
}

/// s at node k.
fn node(k: usize) -> f64 {
    2. * k as f64 / PIECES as f64 - 1.
}

/// Puts the variables that moved back, also when f gives an error or panics.
struct PutBack<'a> {
    vars: &'a [Var],
    origin: &'a [Tensor],
    moves: &'a [Move],
}

impl Drop for PutBack<'_> {
    fn drop(&mut self) {
        for m in self.moves {
            // Shapes and dtypes are those of the variable itself, so this cannot fail.
            let _ = self.vars[m.var].set(&self.origin[m.var]);
        }
    }
}

/// `job` on each chunk of a tensor's elements, in order, with the index of its first.
pub(crate) fn chunks(t: &Tensor, mut job: impl FnMut(usize, Vec<f64>) -> Result<()>) -> Result<()> {
    let flat = t.flatten_all()?;
    let n = flat.elem_count();
    let mut from = 0;
    while from < n {
        let len = CHUNK.min(n - from);
        job(from, to_f64(&flat.narrow(0, from, len)?)?)?;
        from += len;
    }
    Ok(())
}

/// Adds node k of one variable to its share.
fn add(
    share: &mut Share,
    gradient: Option<&Tensor>,
    origin: &Tensor,
    m: &Move,
    k: usize,
) -> Result<()> {
    let nodes = [
        node(k.saturating_sub(1)),
        node(k),
        node((k + 1).min(PIECES)),
    ];
    let part = match gradient {
        Some(gradient) => part(gradient, origin, m, nodes)?,
        None => Part::default(),
    };
    share.before.push(part.before);
    share.after.push(part.after);
    share.size += part.size;
    share.across += part.squares.sqrt();
    share.alive |= part.alive;
    Ok(())
}

/// Random signs for a variable: those of its gradient in a share (1 + bias)/2 of the elements; with `flip`, all
/// opposite.
pub(crate) fn signs(
    n: usize,
    negative: &Bits,
    bias: f64,
    rng: &mut SplitMix64,
    flip: bool,
) -> Bits {
    let mut minus = Bits::new(n);
    for i in 0..n {
        let with = rng.unit() < (1. + bias) / 2.;
        if negative.get(i) != (with == flip) {
            minus.set(i);
        }
    }
    minus
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, chunks};
    use candle_core::{DType, Device, Result, Tensor};

    #[test]
    fn chunks_are_all_of_a_tensor_in_order() -> Result<()> {
        for n in [0, 1, CHUNK, CHUNK + 1, 2 * CHUNK + 3] {
            let t = Tensor::arange(0f64, n as f64, &Device::Cpu)?;
            let mut seen: Vec<f64> = Vec::new();
            chunks(&t.to_dtype(DType::F32)?, |from, values| {
                assert_eq!(from, seen.len());
                assert!(values.len() <= CHUNK);
                seen.extend(values);
                Ok(())
            })?;
            assert_eq!(seen, t.to_vec1::<f64>()?);
        }
        Ok(())
    }
}
