//! A sample: one call of one function with its inputs, and the defects it is known to show.

use candle_core::{DType, Device, Result, Tensor};
use std::sync::Arc;

/// A function of tensors, as gradcheck takes it.
pub type Call = Arc<dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync>;

/// The float types, f64 first.
pub const FLOATS: [DType; 4] = [DType::F64, DType::F32, DType::BF16, DType::F16];
/// Without f64, for functions that have none.
pub const NARROW: [DType; 3] = [DType::F32, DType::BF16, DType::F16];

#[derive(Clone)]
pub struct Case {
    /// The full public path of the function, or of the layer's type.
    pub path: &'static str,
    /// What distinguishes it from the function's other samples.
    pub name: String,
    /// Inputs by name, in the order the call takes them.
    pub args: Vec<(&'static str, Values)>,
    pub call: Call,
    /// The source text of the call.
    pub code: &'static str,
    pub dtypes: Vec<DType>,
    /// Whether gradcheck's probes run too (fan-out, views, behind another op, twice).
    pub probes: bool,
    /// Another way to the same values, by name: where it differs, the forward is at fault.
    pub twin: Option<(&'static str, Call)>,
    /// Whether the inputs lie where the function has no derivative.
    pub kink: bool,
    /// The defects that it shows, each by name, and where that is not in all: `"NAME: f16, rhs"` in f16, for
    /// the input rhs. Words may name inputs, types and probes; without a probe the plain check is meant.
    pub fails: Vec<&'static str>,
}

/// The elements of an input in row-major order: floats are differentiated, ids (u32) and masks (u8) are not.
#[derive(Clone, Debug)]
pub enum Data {
    Float(Vec<f64>),
    Ids(Vec<u32>),
    Mask(Vec<u8>),
}

#[derive(Clone, Debug)]
pub struct Values {
    pub dims: Vec<usize>,
    pub data: Data,
}

/// `case!(path, name, ["self" v(&[2, 3])], |a| a[0].exp(), plain(), fails("NAME"))`: a sample, with the
/// methods of [`Case`] that say more of it.
macro_rules! case {
    ($path:expr, $name:expr, [$($arg:literal $values:expr),*], |$a:ident| $call:expr
        $(, $method:ident($($p:expr),*))*) => {{
        let name = String::from($name);
        let call = move |$a: &[candle_core::Tensor]| -> candle_core::Result<candle_core::Tensor> { $call };
        $crate::case::Case::new($path, name, call, stringify!($call))$(.arg($arg, $values))*$(.$method($($p),*))*
    }};
}

/// Several samples of one function, a line each: `samples! { cases, path; name, inputs, call, more; ... }`.
macro_rules! samples {
    ($cases:ident, $path:expr; $($name:expr, [$($arg:literal $values:expr),*], |$a:ident| $call:expr
        $(, $method:ident($($p:expr),*))*;)*) => {
        $($cases.push(case!($path, $name, [$($arg $values),*], |$a| $call $(, $method($($p),*))*));)*
    };
}

impl Case {
    pub fn new<F>(path: &'static str, name: impl Into<String>, call: F, code: &'static str) -> Self
    where
        F: Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    {
        Self {
            path,
            name: name.into(),
            args: Vec::new(),
            call: Arc::new(call),
            code,
            dtypes: FLOATS.to_vec(),
            probes: true,
            twin: None,
            kink: false,
            fails: Vec::new(),
        }
    }

    pub fn arg(mut self, name: &'static str, values: Values) -> Self {
        self.args.push((name, values));
        self
    }

    /// Names a defect that it shows: see [`Case::fails`].
    pub fn fails(mut self, defect: &'static str) -> Self {
        self.fails.push(defect);
        self
    }

    /// The same under a condition, which is when the defect shows.
    pub fn fails_if(self, condition: bool, defect: &'static str) -> Self {
        if condition { self.fails(defect) } else { self }
    }

    /// Runs in these types only.
    pub fn only(mut self, dtypes: &[DType]) -> Self {
        self.dtypes = dtypes.to_vec();
        self
    }

    /// Leaves the probes out: for samples beside others that are probed.
    pub fn plain(mut self) -> Self {
        self.probes = false;
        self
    }

    /// The inputs lie where there is no derivative, and candle's choice is this convention.
    pub fn kink(mut self, convention: &'static str) -> Self {
        self.kink = true;
        self.dtypes.truncate(1);
        self.plain().fails(convention)
    }

    /// Another call that must give the same values.
    pub fn twin<F>(mut self, name: &'static str, call: F) -> Self
    where
        F: Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    {
        self.twin = Some((name, Arc::new(call)));
        self
    }

    /// The first input holds a batch in dim 0, which must give what its members give one by one.
    pub fn batched(self) -> Self {
        let call = self.call.clone();
        self.twin("one by one", move |a| {
            let one = |i| {
                let mut a = a.to_vec();
                a[0] = a[0].narrow(0, i, 1)?.force_contiguous()?;
                call(&a)
            };
            let parts: Vec<_> = (0..a[0].dim(0)?).map(one).collect::<Result<_>>()?;
            Tensor::cat(&parts, 0)
        })
    }

    pub fn tensors(&self, dtype: DType) -> Result<Vec<Tensor>> {
        self.args
            .iter()
            .map(|(_, values)| values.tensor(dtype))
            .collect()
    }
}

impl Values {
    /// The tensor; floats in `dtype`.
    pub fn tensor(&self, dtype: DType) -> Result<Tensor> {
        let dims = self.dims.as_slice();
        match &self.data {
            Data::Float(v) => Tensor::from_slice(v, dims, &Device::Cpu)?.to_dtype(dtype),
            Data::Ids(v) => Tensor::from_slice(v, dims, &Device::Cpu),
            Data::Mask(v) => Tensor::from_slice(v, dims, &Device::Cpu),
        }
    }

    pub fn is_float(&self) -> bool {
        matches!(self.data, Data::Float(_))
    }

    /// The same values in another shape.
    pub fn of(mut self, dims: &[usize]) -> Self {
        self.dims = dims.to_vec();
        self
    }

    /// Each element times `by`, plus `add`.
    pub fn affine(mut self, by: f64, add: f64) -> Self {
        if let Data::Float(v) = &mut self.data {
            v.iter_mut().for_each(|x| *x = *x * by + add);
        }
        self
    }
}

/// Odd multiples of 1/64 in (-1.52, 1.5), exact in bf16: never 0, no two equal among the first 97.
fn spread(dims: &[usize], step: usize, start: usize) -> Values {
    let odd = |i: usize| (2 * ((i * step + start) % 97)) as f64 - 97.;
    let values: Vec<f64> = (0..dims.iter().product()).map(|i| odd(i) / 64.).collect();
    at(&values).of(dims)
}

/// Values around zero, the first set.
pub fn v(dims: &[usize]) -> Values {
    spread(dims, 37, 11)
}

/// Values around zero, the second set.
pub fn w(dims: &[usize]) -> Values {
    spread(dims, 53, 29)
}

/// Values around zero, the third set.
pub fn u(dims: &[usize]) -> Values {
    spread(dims, 41, 70)
}

/// Positive values in [0.5, 3.5].
pub fn pos(dims: &[usize]) -> Values {
    v(dims).affine(1., 129. / 64.)
}

/// The given values as a vector.
pub fn at(values: &[f64]) -> Values {
    Values {
        dims: vec![values.len()],
        data: Data::Float(values.to_vec()),
    }
}

/// Indices in a shape.
pub fn ids(dims: &[usize], values: &[u32]) -> Values {
    Values {
        dims: dims.to_vec(),
        data: Data::Ids(values.to_vec()),
    }
}

/// A condition in a shape.
pub fn mask(dims: &[usize], values: &[u8]) -> Values {
    Values {
        dims: dims.to_vec(),
        data: Data::Mask(values.to_vec()),
    }
}

/// From -100 to 100, denser near zero.
pub fn wide() -> Values {
    at(&[
        -100., -60., -30., -12., -5.75, -2.5, -1., -0.25, 0.25, 1., 2.5, 5.75, 12., 30., 60., 100.,
    ])
}

/// Two rows that are far apart.
pub fn far() -> Values {
    at(&[-100., 0., 100., 60., 59., 30.]).of(&[2, 3])
}
