//! `a = torch.randn(())` and so on: the four weights, drawn as PyTorch draws them.

use super::mt19937::Mt19937;
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
    /// use candle_sine::sine::{Weights, weights};
    ///
    /// let w = Weights::new(weights::POST.map(f64::from), DType::F32, &Device::Cpu)?;
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
    pub fn descend(&self, grad: &Weights, learning_rate: f64) -> Result<Weights> {
        Ok(Weights {
            a: (&self.a - (learning_rate * &grad.a)?)?,
            b: (&self.b - (learning_rate * &grad.b)?)?,
            c: (&self.c - (learning_rate * &grad.c)?)?,
            d: (&self.d - (learning_rate * &grad.d)?)?,
        })
    }
}

/// The seed behind the post's unseeded run: see [`POST`].
pub const POST_SEED: u64 = 4034316668;

/// Which four draws of that seed the post used: the cell had been run twice before.
pub const POST_DRAW: u32 = 3;

/// The post's own `a, b, c, d`, that is `randn(POST_SEED, POST_DRAW)`.
///
/// The post prints no weights, but its ten losses determine them up to a sign in each
/// eigen-direction of XᵀX, and of all 2³² seeds this one's stream holds one of those sixteen
/// candidates. `scripts/post_weights.py` confirms it in PyTorch.
pub const POST: [f32; 4] = [0.16425246, -0.34843335, -1.9400675, 0.820922];

/// `torch.manual_seed(seed)`, then the `draw`-th four (counted from 1) of `torch.randn(())`.
///
/// Bit for bit what PyTorch's CPU generator gives: MT19937 on the low 32 bits of the seed, 53 bits
/// for a uniform, Box-Muller in double: r = sqrt(-2 log1p(-u₂)), θ = 2π u₁, first r cos θ, then
/// r sin θ, each rounded to `f32` (`DistributionsHelper.h`). candle's own CPU generator cannot be
/// seeded.
///
/// ```
/// use candle_sine::sine::weights::{POST, POST_DRAW, POST_SEED, randn};
///
/// assert_eq!(randn(42, 1), [0.33669037, 0.12880941, 0.23446237, 0.23033303]);
/// assert_eq!(randn(POST_SEED, POST_DRAW), POST);
/// ```
pub fn randn(seed: u64, draw: u32) -> [f32; 4] {
    let mut rng = Mt19937::new(seed as u32);
    let discarded = 2 * (u64::from(draw.max(1)) - 1);
    for _ in 0..discarded {
        normal_pair(&mut rng);
    }
    let ([a, b], [c, d]) = (normal_pair(&mut rng), normal_pair(&mut rng));
    [a, b, c, d]
}

fn normal_pair(rng: &mut Mt19937) -> [f32; 2] {
    let (u1, u2) = (uniform(rng), uniform(rng));
    let r = (-2. * (-u2).ln_1p()).sqrt();
    let theta = 2. * std::f64::consts::PI * u1;
    [(r * theta.cos()) as f32, (r * theta.sin()) as f32]
}

/// The low 53 bits of two words, over 2⁵³: in [0, 1).
fn uniform(rng: &mut Mt19937) -> f64 {
    let high = u64::from(rng.next_u32()) << 32;
    let word = high | u64::from(rng.next_u32());
    (word & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
}
