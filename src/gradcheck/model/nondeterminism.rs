//! Whether the loss or its gradient is another when f is called again: asked before anything is compared.

use candle_core::{Result, Tensor};

use super::context::Model;
use super::names::fold;
use super::plain::Plain;
use super::report::ParameterReport;
use crate::gradcheck::judge::constants::ROUNDING;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::support::values::to_f64;

/// f is called so many times more, since noise in one value may be rare; and run backward once more.
const CALLS: usize = 2;

const ADVICE: &str = "f gave two losses or two gradients for the same parameters. Dropout: call the model with \
     train false, or build it with a rate of 0; noise: draw it once, outside of f; a tensor \
     that the model draws in its constructor, since the checkpoint has none: give it one, or \
     build the model once and check it with gradcheck::vars";

/// Whether a second call or a second backward pass gives something else.
pub(crate) fn varies(model: &Model) -> Result<bool> {
    let far = |value: f64| (value - model.loss).abs() > ROUNDING * model.noise;
    for _ in 0..CALLS {
        if far(model.walker.value()?) {
            return Ok(true);
        }
    }
    let Ok(again) = model.walker.pass()? else {
        return Ok(false);
    };
    let mut varies = far(again.value);
    for (plain, gradient) in model.plain.iter().zip(&again.gradients) {
        let n = gradient.as_ref().map_or(0, Tensor::elem_count);
        let norm = Plain::new(gradient.as_ref(), n)?.norm;
        // Sums taken in another order differ by rounding, and what is rounding alone by all of itself.
        let rounding = 1e4 * model.unit * norm.max(plain.norm);
        varies |= (norm - plain.norm).abs() > rounding.max(model.kappa() * model.noise);
    }
    Ok(varies)
}

/// What to do about it, if something varies, and the first tensor of the graph that differs from call to call.
pub(crate) fn notes(model: &Model, found: &[ParameterReport]) -> Result<Vec<String>> {
    let varies = |p: &ParameterReport| p.verdict == Verdict::Nondeterministic;
    if !found.iter().any(varies) {
        return Ok(Vec::new());
    }
    let mut notes = vec![ADVICE.to_string()];
    if let Some(tensor) = differs(model.walker.f)? {
        let before = tensor.sorted_nodes();
        let made_of = |k: &usize| {
            let id = model.parameters.vars[*k].id();
            before.iter().any(|node| node.id() == id)
        };
        let of = (0..model.plain.len()).filter(made_of);
        let names: Vec<&str> = of.map(|k| &model.parameters.names[k][..]).collect();
        notes.push(format!(
            "the first tensor of the graph that differs has shape {:?}, and is made of {}",
            tensor.dims(),
            fold(&names).join(", ")
        ));
    }
    Ok(notes)
}

fn differs(f: &dyn Fn() -> Result<Tensor>) -> Result<Option<Tensor>> {
    let (one, other) = (f()?, f()?);
    let (one, other) = (one.sorted_nodes(), other.sorted_nodes());
    if one.len() == other.len() {
        for (a, b) in one.iter().zip(&other).rev() {
            if a.dims() != b.dims() || to_f64(a)? != to_f64(b)? {
                return Ok(Some((*a).clone()));
            }
        }
    }
    Ok(None)
}
