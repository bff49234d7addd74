//! The probes of an input in another layout.

use candle_core::{Result, Tensor, Var};

use super::views::View;
use super::{Subject, failed};
use crate::gradcheck::autograd::graph::{Failure, products, seeded};
use crate::gradcheck::check::Check;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::report::{Outcome, Probe};
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::panics::catch;
use crate::gradcheck::support::values::{first_line, same_shape, tensor, to_f64};

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
        if let Some(outcome) = subject.value.forward(&to_f64(&y)?) {
            return Ok(outcome);
        }
        let Some(gradient) = &subject.gradient else {
            return Ok(Outcome::Pass); // none in the plain call either, whose verdict says so
        };
        let found = products(self.exec.passes(), std::slice::from_ref(&var), || {
            seeded(&y, &self.weights)
        });
        let found = match found {
            Ok(mut products) => products.swap_remove(0),
            Err(failure) => return Ok(failed(failure)),
        };
        let (verdict, note) = match found {
            Some(_) => (Verdict::Wrong, "the gradient is different in this layout"),
            None => (
                Verdict::Severed,
                "no gradient reaches the variable through this layout",
            ),
        };
        let found = match found {
            Some(g) => {
                let stored = tensor(&g, var.dims(), candle_core::DType::F64, x.device())?;
                to_f64(&view.take(&stored)?)?
            }
            None => vec![0.; gradient.values.len()],
        };
        Ok(gradient.outcome(&found, verdict, note))
    }
}
