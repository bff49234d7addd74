//! One call of one function: its inputs, the call, and the same call in PyTorch.

use std::fmt::Display;
use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};

/// A function of tensors, as gradcheck takes it.
pub type Call = Arc<dyn Fn(&[Tensor]) -> Result<Tensor> + Send + Sync>;

/// What distinguishes a case from the others of its function, as names and values.
pub type Coordinates = Arc<[(&'static str, String)]>;

/// The float types a case is run in, f64 first.
pub const FLOATS: [DType; 4] = [DType::F64, DType::F32, DType::BF16, DType::F16];

/// One call of one function.
#[derive(Clone)]
pub struct Case {
    /// The full public path of the function, or of the layer's type.
    pub path: &'static str,
    /// What distinguishes this call from the others, for a reader: "dim 1, ties".
    pub name: String,
    /// The same as names and values, for the record: `dim` 1, `stride` 2. Of a call that is on no
    /// grid: `call` and its name.
    pub at: Coordinates,
    /// The inputs in the order the call takes them.
    pub args: Vec<Arg>,
    /// The call.
    pub call: Call,
    /// The same call in PyTorch.
    pub torch: Torch,
    /// The types it is run in.
    pub dtypes: Vec<DType>,
    /// Whether the probes run (fan-out, views, behind another op, twice); else the plain check.
    pub probes: bool,
    /// Calls that must give the same values.
    pub twins: Vec<Twin>,
    /// For a call that rounds its input, and so is a step function to a numerical derivative: the
    /// call it stands for, whose derivative it should have.
    pub smooth: Option<Call>,
    /// Whether the inputs lie where the function has no derivative.
    pub kink: bool,
}

/// Another way to the same values: where it differs, the forward is at fault, not the backward.
#[derive(Clone)]
pub struct Twin {
    /// How it differs: "one by one", "the kernel copied".
    pub name: &'static str,
    /// The call.
    pub call: Call,
}

/// The same call as a Python expression over the inputs' names, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Torch {
    /// An expression that `scripts/audit_reference.py` evaluates.
    Expr(String),
    /// PyTorch has no such function, or is no measure for this call.
    Lacks(&'static str),
}

/// A named input.
#[derive(Clone, Debug)]
pub struct Arg {
    /// As the documentation of the function calls it.
    pub name: &'static str,
    /// Its values.
    pub values: Values,
}

/// Values and a shape; floats exact in bf16 unless a case says otherwise.
#[derive(Clone, Debug)]
pub struct Values {
    /// The shape.
    pub dims: Vec<usize>,
    /// The elements in row-major order.
    pub data: Data,
}

/// The elements of an input.
#[derive(Clone, Debug)]
pub enum Data {
    /// Differentiated.
    Float(Vec<f64>),
    /// Passed through as u32.
    Ids(Vec<u32>),
    /// Passed through as u8: a condition.
    Mask(Vec<u8>),
}

impl Values {
    /// The tensor on a device; floats in `dtype`.
    pub fn tensor(&self, dtype: DType, device: &Device) -> Result<Tensor> {
        let dims = self.dims.as_slice();
        match &self.data {
            Data::Float(v) => Tensor::from_slice(v, dims, &Device::Cpu)?
                .to_dtype(dtype)?
                .to_device(device),
            Data::Ids(v) => Tensor::from_slice(v, dims, device),
            Data::Mask(v) => Tensor::from_slice(v, dims, device),
        }
    }

    /// Whether a derivative with respect to it is asked for.
    pub fn is_float(&self) -> bool {
        matches!(self.data, Data::Float(_))
    }
}

impl Case {
    /// A case without inputs and call yet.
    pub fn new(path: &'static str, name: impl Into<String>) -> Self {
        let name = name.into();
        Self {
            path,
            at: [("call", name.clone())].into(),
            name,
            args: Vec::new(),
            call: Arc::new(|_| candle_core::bail!("the case has no call")),
            torch: Torch::Lacks("not given"),
            dtypes: FLOATS.to_vec(),
            probes: true,
            twins: Vec::new(),
            kink: false,
            smooth: None,
        }
    }

    /// The same for a point of a grid: `{dim}` in the label stands for the value of `dim`.
    pub fn grid(path: &'static str, label: &str, at: &[(&'static str, &dyn Display)]) -> Self {
        let at: Coordinates = at.iter().map(|(n, v)| (*n, v.to_string())).collect();
        let name = at.iter().fold(label.to_owned(), |label, (name, value)| {
            label.replace(&format!("{{{name}}}"), value)
        });
        Self {
            at,
            ..Self::new(path, name)
        }
    }

    /// Adds an input.
    pub fn arg(mut self, name: &'static str, values: Values) -> Self {
        self.args.push(Arg { name, values });
        self
    }

    /// Sets the call.
    pub fn run<F>(mut self, call: F) -> Self
    where
        F: Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    {
        self.call = Arc::new(call);
        self
    }

    /// The same call in PyTorch.
    pub fn torch(mut self, expression: impl Into<String>) -> Self {
        self.torch = Torch::Expr(expression.into());
        self
    }

    /// Says why PyTorch is no measure for this call.
    pub fn no_torch(mut self, why: &'static str) -> Self {
        self.torch = Torch::Lacks(why);
        self
    }

    /// Runs in these types only.
    pub fn only(mut self, dtypes: &[DType]) -> Self {
        self.dtypes = dtypes.to_vec();
        self
    }

    /// Adds a call that must give the same values.
    pub fn twin<F>(mut self, name: &'static str, call: F) -> Self
    where
        F: Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    {
        self.twins.push(Twin {
            name,
            call: Arc::new(call),
        });
        self
    }

    /// The inputs at these positions hold a batch in dim 0, which must give what its members give
    /// one by one.
    pub fn batched(mut self, positions: &'static [usize]) -> Self {
        let call = self.call.clone();
        let one_by_one = move |a: &[Tensor]| {
            let n = a[positions[0]].dim(0)?;
            let parts: Vec<_> = (0..n)
                .map(|i| {
                    let mut a = a.to_vec();
                    for &p in positions {
                        a[p] = a[p].narrow(0, i, 1)?.force_contiguous()?;
                    }
                    call(&a)
                })
                .collect::<Result<_>>()?;
            Tensor::cat(&parts, 0)
        };
        self.twins.push(Twin {
            name: "one by one",
            call: Arc::new(one_by_one),
        });
        self
    }

    /// The call rounds its input; its derivative should be this one's.
    pub fn rounds<F>(mut self, smooth: F) -> Self
    where
        F: Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static,
    {
        self.smooth = Some(Arc::new(smooth));
        self
    }

    /// The inputs lie where the function has no derivative: any value between the one-sided slopes
    /// is right, and the mean of both too.
    pub fn kink(mut self) -> Self {
        self.kink = true;
        self.dtypes.truncate(1);
        self.plain()
    }

    /// Leaves the probes out: for the points of a grid that other cases probe.
    pub fn plain(mut self) -> Self {
        self.probes = false;
        self
    }

    /// The last segment of the path; for a layer the type's name.
    pub fn op(&self) -> &'static str {
        self.path.rsplit("::").next().unwrap_or(self.path)
    }

    /// The inputs as tensors.
    pub fn tensors(&self, dtype: DType, device: &Device) -> Result<Vec<Tensor>> {
        self.args
            .iter()
            .map(|a| a.values.tensor(dtype, device))
            .collect()
    }
}

fn float(dims: &[usize], f: impl Fn(usize) -> f64) -> Values {
    let n = dims.iter().product();
    Values {
        dims: dims.to_vec(),
        data: Data::Float((0..n).map(f).collect()),
    }
}

/// Odd multiples of 1/64 in (-1.52, 1.5): never 0, no two equal among the first 97.
fn odd(k: usize) -> f64 {
    (2 * (k % 97)) as f64 - 97.
}

/// Values around zero, the first set.
pub fn v(dims: &[usize]) -> Values {
    float(dims, |i| odd(i * 37 + 11) / 64.)
}

/// Values around zero, the second set.
pub fn w(dims: &[usize]) -> Values {
    float(dims, |i| odd(i * 53 + 29) / 64.)
}

/// Values around zero, the third set.
pub fn u(dims: &[usize]) -> Values {
    float(dims, |i| odd(i * 41 + 70) / 64.)
}

/// Positive values in [0.5, 3.5].
pub fn pos(dims: &[usize]) -> Values {
    float(dims, |i| (odd(i * 37 + 11) + 129.) / 64.)
}

/// The given values as a vector.
pub fn at(values: &[f64]) -> Values {
    at_dims(&[values.len()], values)
}

/// The given values in a shape.
pub fn at_dims(dims: &[usize], values: &[f64]) -> Values {
    Values {
        dims: dims.to_vec(),
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

impl Values {
    /// The same values in another shape.
    pub fn reshaped(mut self, dims: &[usize]) -> Self {
        self.dims = dims.to_vec();
        self
    }
}
