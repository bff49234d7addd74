//! `torch.manual_seed(seed)` and `torch.randn(shape)`.

use candle_core::{Device, Result, Shape, Tensor, bail};
use rand_mt::Mt;
use std::f64::consts::PI;

/// PyTorch's CPU generator, started as `torch.manual_seed(seed)` starts it; its tensors are put on
/// `device`. (PyTorch's GPU generators give other numbers.)
///
/// Of the seed the generator keeps the low 32 bits, as PyTorch's does. candle's own CPU generator
/// cannot be seeded.
///
/// ```
/// use candle_core::Device;
/// use candle_sine::pytorch::manual_seed;
///
/// let mut torch = manual_seed(42, &Device::Cpu);
/// let a = torch.randn(())?;
/// let b = torch.randn(())?;
/// assert_eq!(a.to_scalar::<f32>()?, 0.33669037);
/// assert_eq!(b.to_scalar::<f32>()?, 0.12880941);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn manual_seed(seed: u64, device: &Device) -> Generator {
    Generator {
        words: Mt::new(seed as u32),
        spare: None,
        device: device.clone(),
    }
}

/// A stream of random numbers: see [`manual_seed`].
///
/// The words are those of the Mersenne Twister MT19937. A uniform u is the low 53 bits of two words
/// over 2⁵³, in [0, 1). Two uniforms make two normal numbers (Box and Muller): with
/// r = √(-2 ln(1 - u₂)) and θ = 2π u₁ these are r cos θ, then r sin θ, computed in `f64` and rounded to
/// `f32` (PyTorch: `aten/src/ATen/core/DistributionsHelper.h`).
#[derive(Clone, Debug)]
pub struct Generator {
    words: Mt,
    /// r sin θ, where r cos θ was the last number given.
    spare: Option<f32>,
    device: Device,
}

/// From so many elements on, PyTorch draws them all at once, in another order.
const MANY: usize = 16;

impl Generator {
    /// `torch.randn(shape)`: numbers of mean 0 and variance 1, in `f32`.
    ///
    /// # Errors
    /// Sixteen elements or more, which PyTorch draws in another way.
    pub fn randn(&mut self, shape: impl Into<Shape>) -> Result<Tensor> {
        let shape = shape.into();
        let elements = shape.elem_count();
        if elements >= MANY {
            bail!("randn: {elements} elements, but it is written for at most 15")
        }
        let numbers: Vec<_> = (0..elements).map(|_| self.normal()).collect();
        Tensor::from_vec(numbers, shape, &self.device)
    }

    /// The next normal number.
    pub(crate) fn normal(&mut self) -> f32 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let (u1, u2) = (self.uniform(), self.uniform());
        let r = (-2. * (-u2).ln_1p()).sqrt();
        let theta = 2. * PI * u1;
        self.spare = Some((r * theta.sin()) as f32);
        (r * theta.cos()) as f32
    }

    fn uniform(&mut self) -> f64 {
        let high = u64::from(self.words.next_u32()) << 32;
        let both = high | u64::from(self.words.next_u32());
        (both & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
    }
}
