//! A model that is built from a `VarBuilder`.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Error, Result, Shape, Tensor, Var, bail};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarBuilder, VarMap};

use super::check;
use super::parameters::{Named, Parameters, names};
use super::report::ModelReport;
use crate::gradcheck::options::Options;

#[doc = include_str!("page.md")]
pub fn model<F>(varmap: &VarMap, f: F, options: &Options) -> Result<ModelReport>
where
    F: Fn(VarBuilder) -> Result<Tensor>,
{
    options.validate()?;
    let named = copies(varmap)?;
    let Some((dtype, device)) = usual(&named) else {
        bail!("gradcheck::model: the VarMap is empty: build the model from it once, then check")
    };
    let backend = Backend::new(&named);
    let loss = || {
        let backend: Box<dyn SimpleBackend> = Box::new(backend.clone());
        f(VarBuilder::from_backend(backend, dtype, device.clone()))
    };
    loss()?;
    let asked = backend.asked.lock();
    let asked = asked.map(|names| names.clone()).unwrap_or_default();
    if asked.is_empty() {
        bail!(
            "gradcheck::model: f takes nothing from the VarBuilder that it is given, so nothing was \
             checked. Build the model inside f, |vb| Model::new(vb)?.loss(&x), or give a model that \
             is already built to gradcheck::vars"
        )
    }
    let (named, unread): (Vec<_>, Vec<_>) = named.into_iter().partition(|n| asked.contains(&n.0));
    let float = |(_, var, _): &Named| var.dtype().is_float();
    let (named, integers): (Vec<_>, Vec<_>) = named.into_iter().partition(float);
    let parameters = Parameters::new(named, options)?;
    let mut report = check::check(&parameters, &loss, options)?;
    report.unread.extend(names(&unread));
    report.unread.sort();
    report.buffers.extend(names(&integers));
    Ok(report)
}

/// The dtype that most of the model's numbers have, and their device: the VarBuilder's. An integer has none,
/// and a bf16 model may keep its norms in f32.
fn usual(named: &[Named]) -> Option<(DType, Device)> {
    let of = |dtype: DType| {
        let same = named.iter().filter(move |(_, var, _)| var.dtype() == dtype);
        same.map(|(_, var, _)| var.elem_count()).sum::<usize>()
    };
    let floats = named.iter().filter(|(_, var, _)| var.dtype().is_float());
    let most = floats.max_by_key(|(_, var, _)| of(var.dtype()));
    let (_, var, _) = most.or(named.first())?;
    Some((var.dtype(), var.device().clone()))
}

/// The VarMap's variables as copies, so that the caller's are not moved; and their values.
fn copies(varmap: &VarMap) -> Result<Vec<Named>> {
    let Ok(data) = varmap.data().lock() else {
        bail!("gradcheck::model: the VarMap's lock is poisoned")
    };
    let mut named = Vec::with_capacity(data.len());
    for (name, var) in data.iter() {
        let origin = var.as_detached_tensor();
        named.push((name.clone(), Var::from_tensor(&origin.copy()?)?, origin));
    }
    named.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(named)
}

/// The copies, and which of them f asked for.
#[derive(Clone)]
struct Backend {
    tensors: Arc<HashMap<String, Tensor>>,
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Backend {
    fn new(named: &[Named]) -> Self {
        let tensor = |(name, var, _): &Named| (name.clone(), var.as_tensor().clone());
        Self {
            tensors: Arc::new(named.iter().map(tensor).collect()),
            asked: Arc::default(),
        }
    }

    /// As a VarMap does: in the dtype that it has.
    fn find(&self, name: &str, dev: &Device) -> Result<Tensor> {
        let Some(tensor) = self.tensors.get(name) else {
            let path = name.to_string();
            return Err(Error::CannotFindTensor { path });
        };
        if let Ok(mut asked) = self.asked.lock() {
            asked.insert(name.to_string());
        }
        tensor.to_device(dev)
    }
}

impl SimpleBackend for Backend {
    fn get(&self, s: Shape, name: &str, _: Init, _: DType, dev: &Device) -> Result<Tensor> {
        let tensor = self.find(name, dev)?;
        if tensor.shape() != &s {
            bail!("{name} has shape {:?}, not {s:?}", tensor.shape())
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, dev: &Device) -> Result<Tensor> {
        self.find(name, dev)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}
