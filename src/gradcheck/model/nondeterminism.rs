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
        if far(model.scalar.value()?) {
            return Ok(true);
        }
    }
    let Ok(again) = model.scalar.pass()? else {
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

/// What to do about it, where something varies, and the first tensor of the graph that does.
pub(crate) fn notes(model: &Model, found: &[ParameterReport]) -> Result<Vec<String>> {
    let varies = |p: &ParameterReport| p.verdict == Verdict::Nondeterministic;
    if !found.iter().any(varies) {
        return Ok(Vec::new());
    }
    let mut notes = vec![ADVICE.to_string()];
    let (one, other) = ((model.scalar.f)()?, (model.scalar.f)()?);
    let (one, other) = (one.sorted_nodes(), other.sorted_nodes());
    if one.len() == other.len() {
        for (a, b) in one.iter().zip(&other).rev() {
            if a.dims() != b.dims() || to_f64(a)? != to_f64(b)? {
                notes.push(made_of(model, a));
                break;
            }
        }
    }
    Ok(notes)
}

fn made_of(model: &Model, tensor: &Tensor) -> String {
    let before = tensor.sorted_nodes();
    let all = model.parameters.names.iter().zip(&model.parameters.vars);
    let of = all.filter(|(_, var)| before.iter().any(|node| node.id() == var.id()));
    let names: Vec<&String> = of.map(|(name, _)| name).collect();
    let (dims, names) = (tensor.dims(), fold(&names).join(", "));
    format!("the first tensor of the graph that differs has shape {dims:?}, and is made of {names}")
}
