//! A walk along a segment: f and autograd's gradient at equally spaced nodes of it.
//!
//! In go variables, a function that reads them, and for each variable how it moves; the variables are
//! moved in place and put back. Out comes the [`Evidence`] of the gradient theorem. It costs one
//! forward and one backward pass a node, however many elements move.

use candle_core::{Result, Tensor, Var};

use crate::gradcheck::autograd::graph::{Failure, seeded};
use crate::gradcheck::judge::segment::{Evidence, Share};
use crate::gradcheck::support::panics::catch;
use crate::gradcheck::support::rng::SplitMix64;
use crate::gradcheck::support::values::{dot, first_line, rounded, to_f64, unit_roundoff};

/// The pieces of a walk: a kink in one of them costs at most a sixteenth of its jump.
const PIECES: usize = 16;

/// The forward and backward passes of one walk.
pub(crate) const PASSES: usize = PIECES + 1;

/// Elements read and written together, so that a large tensor needs no second copy as f64.
pub(crate) const CHUNK: usize = 1 << 14;

/// One bit an element.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bits(Vec<u64>);

impl Bits {
    pub(crate) fn new(n: usize) -> Self {
        Self(vec![0; n.div_ceil(64)])
    }

    pub(crate) fn set(&mut self, i: usize) {
        self.0[i / 64] |= 1 << (i % 64);
    }

    pub(crate) fn get(&self, i: usize) -> bool {
        self.0[i / 64] >> (i % 64) & 1 == 1
    }

    pub(crate) fn count(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

/// How a variable moves: every element, or those of `only`, by ±`step`.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) var: usize,
    pub(crate) step: f64,
    /// Where the sign is -1.
    pub(crate) minus: Bits,
    pub(crate) only: Option<Bits>,
}

impl Move {
    fn of(&self, i: usize) -> f64 {
        if self.only.as_ref().is_some_and(|only| !only.get(i)) {
            return 0.;
        }
        if self.minus.get(i) {
            -self.step
        } else {
            self.step
        }
    }

    /// x + s·u for a chunk of elements that begins at `from`, as the dtype holds it.
    fn at(&self, x: &[f64], from: usize, s: f64, var: &Var) -> Result<Vec<f64>> {
        let moved = x.iter().enumerate().map(|(i, x)| x + s * self.of(from + i));
        rounded(moved.collect(), var.dtype())
    }
}

/// Variables, and a function that reads them: vᵀf as a number, and its gradient.
pub(crate) struct Walker<'a> {
    pub(crate) vars: &'a [Var],
    pub(crate) f: &'a dyn Fn() -> Result<Tensor>,
    /// v
    pub(crate) weights: &'a [f64],
}

/// One pass: vᵀf, and its gradient by each variable.
pub(crate) struct Pass {
    pub(crate) value: f64,
    pub(crate) unit: f64,
    pub(crate) gradients: Vec<Option<Tensor>>,
}

/// What a walk can end in, besides evidence.
pub(crate) type Walked = std::result::Result<Option<Evidence>, Failure>;

impl Walker<'_> {
    /// vᵀf where the variables are.
    pub(crate) fn value(&self) -> Result<f64> {
        let y = to_f64(&(self.f)()?)?;
        Ok(dot(&y, self.weights))
    }

    /// vᵀf and its gradient where the variables are. An error of f is an error; one of the backward
    /// pass is a finding.
    pub(crate) fn pass(&self) -> Result<std::result::Result<Pass, Failure>> {
        let y = (self.f)()?;
        let value = dot(&to_f64(&y)?, self.weights);
        let unit = unit_roundoff(y.dtype());
        let gradients = catch(|| {
            let grads = seeded(&y, self.weights)?.backward()?;
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

    /// Walks from x - u to x + u; `origin` are the values of the variables, to which they return.
    pub(crate) fn walk(&self, origin: &[Tensor], moves: &[Move]) -> Result<Walked> {
        let _back = PutBack {
            vars: self.vars,
            origin,
            moves,
        };
        let mut values = Vec::with_capacity(PASSES);
        let mut shares = vec![Share::default(); moves.len()];
        let mut unit = 0f64;
        for k in 0..PASSES {
            for m in moves {
                place(&self.vars[m.var], &origin[m.var], m, node(k))?;
            }
            let pass = match self.pass()? {
                Ok(pass) => pass,
                Err(failure) => return Ok(Err(failure)),
            };
            values.push(pass.value);
            unit = unit.max(pass.unit);
            for (m, share) in moves.iter().zip(&mut shares) {
                let gradient = pass.gradients[m.var].as_ref();
                add(share, gradient, &self.vars[m.var], &origin[m.var], m, k)?;
            }
        }
        Ok(Ok(Evidence::new(&values, &shares, unit)))
    }

    /// The least and the largest vᵀf on the same way, forward only, at a few of its nodes; None where
    /// f gives an error or is not finite there.
    pub(crate) fn range(&self, origin: &[Tensor], moves: &[Move]) -> Result<Option<(f64, f64)>> {
        let _back = PutBack {
            vars: self.vars,
            origin,
            moves,
        };
        let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
        for k in [0, PIECES / 4, PIECES] {
            for m in moves {
                place(&self.vars[m.var], &origin[m.var], m, node(k))?;
            }
            let Ok(value) = self.value() else {
                return Ok(None);
            };
            if !value.is_finite() {
                return Ok(None);
            }
            (least, most) = (least.min(value), most.max(value));
        }
        Ok(Some((least, most)))
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

/// Sets a variable to x + s·u.
fn place(var: &Var, origin: &Tensor, m: &Move, s: f64) -> Result<()> {
    let whole = var.as_tensor().detach().flatten_all()?;
    chunks(origin, |from, x| {
        let moved = m.at(&x, from, s, var)?;
        let moved = Tensor::from_vec(moved, x.len(), &candle_core::Device::Cpu)?;
        let moved = moved.to_dtype(var.dtype())?.to_device(var.device())?;
        whole.slice_set(&moved, 0, from)
    })
}

/// Adds node k of one variable to its share.
fn add(
    share: &mut Share,
    gradient: Option<&Tensor>,
    var: &Var,
    origin: &Tensor,
    m: &Move,
    k: usize,
) -> Result<()> {
    let (mut before, mut after) = (0., 0.);
    if let Some(gradient) = gradient {
        let xs = origin.flatten_all()?;
        chunks(gradient, |from, g| {
            let x = to_f64(&xs.narrow(0, from, g.len())?)?;
            let here = m.at(&x, from, node(k), var)?;
            let ahead = m.at(&x, from, node(k + 1), var)?;
            let behind = match k {
                0 => here.clone(),
                k => m.at(&x, from, node(k - 1), var)?,
            };
            for i in 0..g.len() {
                let (back, forth) = (g[i] * (here[i] - behind[i]), g[i] * (ahead[i] - here[i]));
                before += back;
                after += if k < PIECES { forth } else { 0. };
                share.size += back.abs();
                share.alive |= g[i] != 0. && m.of(from + i) != 0.;
            }
            Ok(())
        })?;
    }
    share.before.push(before);
    share.after.push(after);
    Ok(())
}

/// Signs for a variable: those of its gradient in a share (1 + bias)/2 of the elements, random ones
/// where there is no gradient.
pub(crate) fn signs(
    n: usize,
    gradient: Option<&Tensor>,
    bias: f64,
    rng: &mut SplitMix64,
    flip: bool,
) -> Result<Bits> {
    let mut minus = Bits::new(n);
    let Some(gradient) = gradient else {
        let signs = rng.signs(n);
        (0..n).filter(|&i| signs[i] < 0.).for_each(|i| minus.set(i));
        return Ok(minus);
    };
    chunks(gradient, |from, g| {
        for (i, g) in g.iter().enumerate() {
            let with = rng.unit() < (1. + bias) / 2.;
            if (*g < 0.) != (with == flip) {
                minus.set(from + i);
            }
        }
        Ok(())
    })?;
    Ok(minus)
}
