//! Named variables, where they were at first, and how large they are.

use candle_core::{Result, Tensor, Var, bail};

use super::names::natural_order;
use crate::gradcheck::compare::scalar::chunks;
use crate::gradcheck::options::Options;

/// A name, its variable, and the value to return to.
pub(crate) type Named = (String, Var, Tensor);

pub(crate) fn names(named: &[Named]) -> Vec<String> {
    named.iter().map(|(name, ..)| name.clone()).collect()
}

/// A model's variables in the order of their names. Dropping it puts all of them back.
pub(crate) struct Parameters {
    pub(crate) names: Vec<String>,
    pub(crate) vars: Vec<Var>,
    pub(crate) origin: Vec<Tensor>,
    /// Not judged, but put back: a forward pass in training mode moves them.
    pub(crate) buffers: Vec<Named>,
    /// The root mean square of each, or of all where it is zero.
    pub(crate) sizes: Vec<f64>,
    /// The root mean square of all elements.
    pub(crate) typical: f64,
}

/// The names of what candle-nn's BatchNorm keeps beside its parameters.
const RUNNING: [&str; 3] = ["running_mean", "running_var", "num_batches_tracked"];

impl Parameters {
    /// From names, variables and the values to return to.
    pub(crate) fn new(mut named: Vec<Named>, options: &Options) -> Result<Self> {
        named.sort_by(|a, b| natural_order(&a.0, &b.0));
        distinct(&named)?;
        let is_buffer = |name: &str| {
            let last = name.rsplit('.').next().unwrap_or(name);
            RUNNING.contains(&last) || options.buffers.iter().any(|b| b == name)
        };
        let (buffers, named): (Vec<_>, Vec<_>) =
            named.into_iter().partition(|(name, ..)| is_buffer(name));
        if let Some((name, var, _)) = named.iter().find(|(_, var, _)| !var.dtype().is_float()) {
            let dtype = var.dtype();
            bail!("gradcheck: {name} is {dtype:?}, which has no derivative")
        }
        let (sizes, typical) = sizes(&named)?;
        let (names, vars, origin) = named.into_iter().collect();
        Ok(Self {
            names,
            vars,
            origin,
            buffers,
            sizes,
            typical,
        })
    }
}

/// No name and no variable twice, in the order of the names.
fn distinct(named: &[Named]) -> Result<()> {
    if let Some(pair) = named.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        bail!("gradcheck: two variables are named {}", pair[0].0)
    }
    for (k, (name, var, _)) in named.iter().enumerate() {
        let same = |(_, other, _): &&Named| other.id() == var.id();
        if let Some((other, ..)) = named[..k].iter().find(same) {
            bail!("gradcheck: {other} and {name} are the same variable: name it once")
        }
    }
    Ok(())
}

/// The root mean square of each, or of all where that is zero; and of all elements, or 1.
fn sizes(named: &[Named]) -> Result<(Vec<f64>, f64)> {
    let squares = named.iter().map(|(.., origin)| sum_of_squares(origin));
    let squares = squares.collect::<Result<Vec<f64>>>()?;
    let counts: Vec<usize> = named.iter().map(|(_, var, _)| var.elem_count()).collect();
    let all = counts.iter().sum();
    if all == 0 {
        bail!("gradcheck: no parameters to check")
    }
    let rms = |squares: f64, count: usize, or: f64| match squares > 0. {
        true => (squares / count as f64).sqrt(),
        false => or,
    };
    let typical = rms(squares.iter().sum(), all, 1.);
    let sizes = squares.iter().zip(counts);
    let sizes = sizes.map(|(squares, count)| rms(*squares, count, typical));
    Ok((sizes.collect(), typical))
}

impl Drop for Parameters {
    fn drop(&mut self) {
        let buffers = self.buffers.iter().map(|(_, var, origin)| (var, origin));
        for (var, origin) in self.vars.iter().zip(&self.origin).chain(buffers) {
            // Shapes and dtypes are those of the variable itself, so this cannot fail.
            let _ = var.set(origin);
        }
    }
}

fn sum_of_squares(t: &Tensor) -> Result<f64> {
    let mut sum = 0.;
    chunks(t, |_, x| {
        sum += x.iter().map(|x| x * x).sum::<f64>();
        Ok(())
    })?;
    Ok(sum)
}
