//! `a = torch.randn(())` and so on: the four weights, drawn as PyTorch draws them.

use crate::pytorch::manual_seed;
use candle_core::{DType, Device, Result, Tensor};

/// The weights `a, b, c, d` of the cubic `a x³ + b x² + c x + d`, each of rank 0.
///
/// A gradient with respect to the weights has the same shape, so it is held as `Weights` too.
#[derive(Clone, Debug)]
pub struct Weights {
    /// Of x³ (in PyTorch's own tutorial `a` is the constant instead).
    pub a: Tensor,
    /// Of x².
    pub b: Tensor,
    /// Of x.
    pub c: Tensor,
    /// The constant.
    pub d: Tensor,
}

impl Weights {
    /// The names, in the order of every array of four in this crate.
    pub const NAMES: [&str; 4] = ["a", "b", "c", "d"];

    /// Four numbers as tensors.
    ///
    /// ```
    /// use candle_core::{DType, Device};
    /// use candle_sine::sine::{Weights, post};
    ///
    /// let w = Weights::new(post::WEIGHTS.map(f64::from), DType::F32, &Device::Cpu)?;
    /// assert_eq!(w.a.to_scalar::<f32>()?, 0.16425246);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// A dtype that the device lacks.
    pub fn new(values: [f64; 4], dtype: DType, device: &Device) -> Result<Self> {
        let scalar = |v: f64| {
            Tensor::new(v, &Device::Cpu)?
                .to_dtype(dtype)?
                .to_device(device)
        };
        let [a, b, c, d] = values;
        Ok(Self {
            a: scalar(a)?,
            b: scalar(b)?,
            c: scalar(c)?,
            d: scalar(d)?,
        })
    }

    /// One tensor (a, b, c, d) of shape `(4,)`.
    ///
    /// # Errors
    /// Weights that differ in dtype or device.
    pub fn stack(&self) -> Result<Tensor> {
        Tensor::stack(&[&self.a, &self.b, &self.c, &self.d], 0)
    }

    /// The elements of one tensor (a, b, c, d) of shape `(4,)`.
    ///
    /// # Errors
    /// Another shape.
    pub fn unstack(all: &Tensor) -> Result<Self> {
        let [a, b, c, d] = [0, 1, 2, 3].map(|i| all.get(i));
        Ok(Self {
            a: a?,
            b: b?,
            c: c?,
            d: d?,
        })
    }

    /// `[a, b, c, d]` as numbers; exact for `f32` and `f64`.
    ///
    /// # Errors
    /// A device that cannot be read.
    pub fn values(&self) -> Result<[f64; 4]> {
        let all = self.stack()?.to_device(&Device::Cpu)?;
        let all = all.to_dtype(DType::F64)?.to_vec1::<f64>()?;
        Ok([all[0], all[1], all[2], all[3]])
    }

    /// One step of gradient descent, `a - learning_rate * grad_a` and so on.
    ///
    /// # Errors
    /// A gradient of another shape, dtype or device.
    pub fn step(&self, grad: &Weights, learning_rate: f64) -> Result<Weights> {
        Ok(Weights {
            a: (&self.a - (learning_rate * &grad.a)?)?,
            b: (&self.b - (learning_rate * &grad.b)?)?,
            c: (&self.c - (learning_rate * &grad.c)?)?,
            d: (&self.d - (learning_rate * &grad.d)?)?,
        })
    }
}

/// `torch.manual_seed(seed)`, then the `draw`-th four (counted from 1) of `torch.randn(())`, bit for
/// bit ([`Generator`](crate::pytorch::Generator)).
///
/// ```
/// use candle_sine::sine::{post, weights::drawn};
///
/// assert_eq!(drawn(42, 1), [0.33669037, 0.12880941, 0.23446237, 0.23033303]);
/// assert_eq!(drawn(post::SEED, post::DRAW), post::WEIGHTS);
/// ```
pub fn drawn(seed: u64, draw: u32) -> [f32; 4] {
    drawn_watched(seed, draw, &mut |_| {})
}

/// [`drawn`], which takes a minute for the last draws there are; now and then `passed` is told how many
/// have been passed over.
pub fn drawn_watched(seed: u64, draw: u32, passed: &mut dyn FnMut(u32)) -> [f32; 4] {
    const OFTEN: u32 = 1 << 20;
    let mut torch = manual_seed(seed, &Device::Cpu);
    for before in 0..draw.max(1) - 1 {
        if before % OFTEN == 0 {
            passed(before);
        }
        for _ in 0..4 {
            torch.normal();
        }
    }
    [(); 4].map(|()| torch.normal())
}
