//! The probes of an input in another layout.

use candle_core::{Device, Result, Tensor, Var};

use super::rounding::Expected;
use super::views::View;
use super::{Subject, failed};
use crate::gradcheck::autograd::graph::{Failure, products, seeded};
use crate::gradcheck::check::Check;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::report::{Outcome, Probe};
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::panics::catch;
use crate::gradcheck::support::values::{first_line, same_shape, to_f64};

impl<E: Exec> Check<'_, E> {
    /// f on a view of a variable. Where it refuses the other inputs strided too, they are left as they
    /// are; a layout that f refuses altogether is skipped with f's reason, which is no wrong gradient.
    pub(super) fn layout(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        let plain: Vec<Tensor> = self.inputs.iter().map(Tensor::detach).collect();
        if probe == Probe::Offset {
            return self.on_view(View::Offset, plain, subject);
        }
        let strided = |t: &Tensor| {
            View::strided(t)
                .store(t)
                .and_then(|s| View::strided(t).take(&s))
        };
        let view = View::strided(&plain[subject.input]);
        let others = plain.iter().map(strided).collect::<Result<_>>()?;
        match self.on_view(view, others, subject)? {
            Outcome::Skipped { .. } if plain.len() > 1 => self.on_view(view, plain, subject),
            outcome => Ok(outcome),
        }
    }

    fn on_view(
        &self,
        view: View,
        mut arguments: Vec<Tensor>,
        subject: &Subject,
    ) -> Result<Outcome> {
        let x = self.inputs[subject.input].detach();
        let var = Var::from_tensor(&view.store(&x)?)?;
        arguments[subject.input] = view.take(&var)?;
        let called = catch(|| {
            let y = self.exec.call(&arguments)?;
            same_shape(self.graph.y.dims(), &y)?;
            Ok(y)
        });
        let y = match called {
            Ok(Ok(y)) => y,
            Ok(Err(error)) => {
                let reason = format!("f: {}", first_line(&error));
                return Ok(Outcome::Skipped { reason });
            }
            Err(message) => return Ok(failed(Failure::panicked(format!("f itself: {message}")))),
        };
        match (subject.value.forward(&to_f64(&y)?), &subject.gradient) {
            (Some(outcome), _) => Ok(outcome),
            (None, Some(gradient)) => self.gradient_on_view(view, &var, &y, gradient),
            // No gradient in the plain call either, whose verdict says so.
            (None, None) => Ok(Outcome::Pass),
        }
    }

    fn gradient_on_view(
        &self,
        view: View,
        var: &Var,
        y: &Tensor,
        gradient: &Expected,
    ) -> Result<Outcome> {
        let found = products(self.exec.passes(), std::slice::from_ref(var), || {
            seeded(y, &self.weights)
        });
        let found = match found {
            Ok(mut products) => products.swap_remove(0),
            Err(failure) => return Ok(failed(failure)),
        };
        let Some(stored) = found else {
            let none = vec![0.; gradient.values.len()];
            let note = "no gradient reaches the variable through this layout";
            return Ok(gradient.outcome(&none, Verdict::Severed, note));
        };
        let stored = Tensor::from_vec(stored, var.dims(), &Device::Cpu)?;
        let found = to_f64(&view.take(&stored)?)?;
        let note = "the gradient is different in this layout";
        Ok(gradient.outcome(&found, Verdict::Wrong, note))
    }
}
