//! The function as the numeric derivative sees it: numbers in, numbers out.

use std::sync::OnceLock;

use candle_core::{DType, Result, Tensor, bail};

use super::grid::{self, UNEVEN};
use super::line::Point;
use super::noise::{self, SAMPLES};
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::panics::catch;
use crate::gradcheck::support::rng::SplitMix64;
use crate::gradcheck::support::values::{
    first_line, round_to, same_shape, tensor, to_f64, unit_roundoff,
};

/// f at fixed inputs, in the precision its derivative is taken in.
pub(crate) struct Reference {
    inputs: Vec<Tensor>,
    /// The values of each float input; empty for the others.
    values: Vec<Vec<f64>>,
    /// The dtype each input is evaluated in.
    dtypes: Vec<DType>,
    dims: Vec<usize>,
    /// The dtype that f returns.
    returns: DType,
    pub(crate) f0: Vec<f64>,
    /// The coarsest unit round-off among the float inputs and the output.
    pub(crate) unit: f64,
    pub(crate) dtype: DType,
    /// Why f does not run in f64, where that was tried.
    pub(crate) not_wide: Option<String>,
    /// The first error that f gave beside its inputs.
    refused: OnceLock<String>,
}

impl Reference {
    /// f in f64 if `widen` asks for it and f runs there with the same output shape; else f in its own dtype.
    pub(crate) fn new(
        exec: &impl Exec,
        inputs: &[Tensor],
        y: &Tensor,
        widen: bool,
    ) -> Result<Self> {
        let narrow = inputs
            .iter()
            .chain([y])
            .any(|t| t.dtype().is_float() && t.dtype() != DType::F64);
        let mut not_wide = None;
        if widen && narrow {
            match Self::wide(exec, inputs, y.dims()) {
                Ok(reference) => return Ok(reference),
                Err(reason) => not_wide = Some(reason),
            }
        }
        let own = inputs
            .iter()
            .map(|t| at_dtype(t, t.dtype()))
            .collect::<Result<_>>()?;
        match Self::at(exec, own, y.dims()) {
            Some(reference) => Ok(Self {
                not_wide,
                ..reference?
            }),
            None => bail!("gradcheck: f panicked on plain tensors where it ran on variables"),
        }
    }

    /// f in f64, or why it does not run there.
    fn wide(
        exec: &impl Exec,
        inputs: &[Tensor],
        dims: &[usize],
    ) -> std::result::Result<Self, String> {
        let wide: Result<Vec<Tensor>> = inputs.iter().map(|t| at_dtype(t, DType::F64)).collect();
        let wide = wide.map_err(|error| first_line(&error))?;
        match Self::at(exec, wide, dims) {
            Some(reference) => reference.map_err(|error| first_line(&error)),
            None => Err("it panics".to_string()),
        }
    }

    /// None if f panics at these inputs.
    fn at(exec: &impl Exec, inputs: Vec<Tensor>, dims: &[usize]) -> Option<Result<Self>> {
        let y = catch(|| exec.call(&inputs)).ok()?;
        Some(Self::with_output(inputs, dims, y))
    }

    fn with_output(inputs: Vec<Tensor>, dims: &[usize], y: Result<Tensor>) -> Result<Self> {
        let y = y?;
        same_shape(dims, &y)?;
        let values = inputs.iter().map(float_values).collect::<Result<_>>()?;
        let floats = inputs.iter().chain([&y]).filter(|t| t.dtype().is_float());
        let coarsest = floats.map(|t| (unit_roundoff(t.dtype()), t.dtype()));
        let (unit, dtype) = coarsest.fold((0., DType::F64), |a, b| if b.0 > a.0 { b } else { a });
        Ok(Self {
            dtypes: inputs.iter().map(Tensor::dtype).collect(),
            values,
            inputs,
            dims: dims.to_vec(),
            returns: y.dtype(),
            f0: to_f64(&y)?,
            unit,
            dtype,
            not_wide: None,
            refused: OnceLock::new(),
        })
    }

    /// The values of input k.
    pub(crate) fn values(&self, k: usize) -> &[f64] {
        &self.values[k]
    }

    /// The inputs in the reference's dtype.
    pub(crate) fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    /// The first error that f gave beside its inputs.
    pub(crate) fn refused(&self) -> Option<&str> {
        self.refused.get().map(String::as_str)
    }

    /// f with some inputs replaced; NaN where it gives an error, as outside its domain.
    fn call(&self, exec: &impl Exec, moved: &[(usize, Vec<f64>)]) -> Result<Vec<f64>> {
        let mut inputs = self.inputs.clone();
        for (k, values) in moved {
            let t = &self.inputs[*k];
            inputs[*k] = tensor(values, t.dims(), self.dtypes[*k], t.device())?;
        }
        let y = match exec.call(&inputs) {
            Ok(y) => y,
            Err(error) => {
                self.refused.get_or_init(|| first_line(&error));
                return Ok(vec![f64::NAN; self.f0.len()]);
            }
        };
        same_shape(&self.dims, &y)?;
        if y.dtype() != self.returns {
            bail!(
                "gradcheck: f returns {:?} here and {:?} beside it: its dtype depends on the data",
                self.returns,
                y.dtype()
            )
        }
        to_f64(&y)
    }

    /// The line x + t·e_j in input k. Its offsets are those really taken: such that |x| + |t| has the
    /// dtype's digits, and with it x + t and x - t, which are then equally far from x.
    pub(crate) fn along<'s, E: Exec>(
        &'s self,
        exec: &'s E,
        k: usize,
        j: usize,
    ) -> impl FnMut(f64) -> Result<Point> + use<'s, E> {
        let mut moved = [(k, self.values[k].clone())];
        move |t| {
            let (x, t) = (self.values[k][j], t * UNEVEN);
            let farther = round_to(self.dtypes[k], x.abs() + t.abs())?;
            let t = (farther - x.abs()).copysign(t);
            moved[0].1[j] = x + t;
            let y = self.call(exec, &moved)?;
            Ok(Point { t, y })
        }
    }

    /// The line x + t·u; u is a direction in each of some inputs.
    pub(crate) fn toward<'s, E: Exec>(
        &'s self,
        exec: &'s E,
        u: &'s [(usize, Vec<f64>)],
    ) -> impl FnMut(f64) -> Result<Point> + use<'s, E> {
        let mut moved = u.to_vec();
        move |t| {
            for ((k, values), (_, u)) in moved.iter_mut().zip(u) {
                for ((value, x), u) in values.iter_mut().zip(&self.values[*k]).zip(u) {
                    *value = x + t * u;
                }
            }
            let y = self.call(exec, &moved)?;
            Ok(Point { t, y })
        }
    }

    /// The scales of element j of input k.
    pub(crate) fn scales(&self, k: usize, j: usize, size: Size) -> Vec<f64> {
        grid::scales(self.values[k][j], size.typical, size.largest)
    }

    /// Whether all of f's values are single-precision numbers and the largest scatters like one.
    pub(crate) fn is_single(&self, noise: &[f64]) -> bool {
        let largest = (self.f0.iter().zip(noise)).max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()));
        let scatters = largest.is_some_and(|(f, e)| {
            *f != 0. && (2f64.powi(-30)..2f64.powi(-20)).contains(&(e / f.abs()))
        });
        scatters && self.f0.iter().all(|f| *f == f64::from(*f as f32))
    }

    /// Which outputs stay as they are, to the last bit, when all of input k moves: by its own size, by
    /// that of the largest input, and by 1.
    pub(crate) fn constant(&self, exec: &impl Exec, k: usize) -> Vec<bool> {
        let largest = (0..self.values.len()).map(|k| self.size(k).largest);
        let largest = largest.fold(0f64, f64::max);
        let mut constant = vec![true; self.f0.len()];
        // Like the steps along a line, these are no fractions: sin(2πkx) is the same a whole number away.
        let scales = [self.size(k).typical, largest, 1.].map(|scale| scale * UNEVEN);
        for (n, scale) in scales.into_iter().enumerate() {
            let signs =
                SplitMix64::new(n as u64, 2000 + k as u64).uneven_signs(self.values[k].len());
            let moved = self.values[k].iter().zip(signs).map(|(x, s)| x + scale * s);
            // An error counts as a change: f notices that the input moved.
            let y = self.call(exec, &[(k, moved.collect())]);
            let y = y.unwrap_or_else(|_| vec![f64::NAN; self.f0.len()]);
            for ((constant, y), f0) in constant.iter_mut().zip(y).zip(&self.f0) {
                *constant &= y.to_bits() == f0.to_bits();
            }
        }
        constant
    }

    /// Root mean square and largest magnitude of input k.
    pub(crate) fn size(&self, k: usize) -> Size {
        let values = &self.values[k];
        let largest = values.iter().fold(0f64, |m, x| m.max(x.abs()));
        if largest == 0. || !largest.is_finite() {
            return Size {
                typical: 0.,
                largest: 0.,
            };
        }
        let squares: f64 = values.iter().map(|x| (x / largest).powi(2)).sum();
        Size {
            typical: largest * (squares / values.len() as f64).sqrt(),
            largest,
        }
    }

    /// ε of every output, from moving all of some inputs at random.
    pub(crate) fn noise(&self, exec: &impl Exec, inputs: &[usize], seed: u64) -> Vec<f64> {
        let signs: Vec<Vec<f64>> = (inputs.iter())
            .map(|&k| SplitMix64::new(seed, 1000 + k as u64).signs(self.values[k].len()))
            .collect();
        let largest: Vec<f64> = inputs.iter().map(|&k| self.size(k).largest).collect();
        noise::noise(&self.f0, self.unit, |closer| {
            let values = exec.map(SAMPLES, |exec, sample| {
                let moved =
                    (inputs.iter().zip(&signs).zip(&largest)).map(|((&k, signs), &largest)| {
                        (
                            k,
                            self.sampled(k, signs, largest, noise::offset(sample) * closer),
                        )
                    });
                let moved: Vec<_> = moved.collect();
                self.call(exec, &moved)
            });
            let values: Result<Vec<_>> = values.into_iter().collect();
            values.unwrap_or_default()
        })
    }

    /// The noise of every output much nearer to x, where a kink at x adds nothing to it, from moving all of input k.
    pub(crate) fn near_noise(
        &self,
        exec: &impl Exec,
        k: usize,
        noise: &[f64],
        seed: u64,
    ) -> Result<Vec<f64>> {
        let signs = SplitMix64::new(seed, 1000 + k as u64).signs(self.values[k].len());
        let scale = grid::power_of_two(self.size(k).largest);
        let mut noise = noise.to_vec();
        let direction = [(k, signs)];
        let mut line = self.toward(exec, &direction);
        noise::nearer(&mut line, &self.f0, &mut noise, (scale, self.unit))?;
        Ok(noise)
    }

    /// The values of input k, moved by n sampling steps in the direction of the signs.
    fn sampled(&self, k: usize, signs: &[f64], largest: f64, n: f64) -> Vec<f64> {
        let step = noise::sampling_step(grid::power_of_two(largest), self.unit);
        // An element near zero may sit at the edge of a domain: leave it.
        let moved = |(&x, sign): (&f64, &f64)| match x.abs() > 64. * step {
            true => x + n * step * sign,
            false => x,
        };
        self.values[k].iter().zip(signs).map(moved).collect()
    }
}

/// How large the elements of an input are.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    pub(crate) typical: f64,
    pub(crate) largest: f64,
}

fn at_dtype(t: &Tensor, dtype: DType) -> Result<Tensor> {
    let t = t.detach();
    if t.dtype().is_float() {
        t.to_dtype(dtype)?.contiguous()
    } else {
        Ok(t)
    }
}

fn float_values(t: &Tensor) -> Result<Vec<f64>> {
    if t.dtype().is_float() {
        to_f64(t)
    } else {
        Ok(Vec::new())
    }
}
