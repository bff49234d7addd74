//! The check of a model: one plain backward pass, then segments.
//!
//! 1. One backward pass where the parameters are, and another: which get no gradient, or zeros.
//! 2. The elements without a gradient: `severed` where they move the loss and no gradient appears.
//! 3. All the others together, by halves where that is contradicted, and alone where it is not settled.
//! 4. In the parameter that is contradicted most, an entry is looked for that is wrong by itself.

use std::cell::Cell;

use candle_core::{Result, Tensor, bail};

use super::marks;
use super::parameters::Parameters;
use super::plain::Plain;
use super::report::{ModelReport, ParameterReport};
use super::run::Run;
use super::suspects;
use crate::gradcheck::compare::walk::{Pass, Walker};
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::options::Options;
use crate::gradcheck::support::passes::Passes;

/// Compares each parameter's gradient with changes of the loss.
pub(crate) fn check(
    parameters: &Parameters,
    f: &dyn Fn() -> Result<Tensor>,
    options: &Options,
) -> Result<ModelReport> {
    let (calls, passes) = (Cell::new(0), Passes::default());
    let counted = || {
        calls.set(calls.get() + 1);
        f()
    };
    let report = counting(parameters, &counted, &passes, options)?;
    Ok(ModelReport {
        passes: passes.count(),
        forwards: calls.get() - passes.count(),
        ..report
    })
}

fn counting(
    parameters: &Parameters,
    f: &dyn Fn() -> Result<Tensor>,
    passes: &Passes,
    options: &Options,
) -> Result<ModelReport> {
    let (y, marks) = marks::passed(f)?;
    one_number(&y)?;
    drop(y);
    let walker = Walker {
        vars: &parameters.vars,
        f,
        weights: &[1.],
        passes,
    };
    let mut run = Run::new(parameters, walker, options);
    run.report.marks = marks;
    let pass = match run.walker.pass()? {
        Ok(pass) => pass,
        Err(failure) => return Ok(run.failed(&failure)),
    };
    run.report.loss = pass.value;
    run.scatter = pass.unit * pass.value.abs();
    run.settle(pass)?;
    if run.report.verdict() == Verdict::Nondeterministic {
        run.differs(f)?;
        return Ok(run.report);
    }
    run.places(f)?;
    let unread = &run.report.unread;
    (run.report.parameters).retain(|p| !unread.contains(&p.name));
    Ok(run.report)
}

fn one_number(y: &Tensor) -> Result<()> {
    if y.elem_count() != 1 || !y.dtype().is_float() {
        let (dtype, dims) = (y.dtype(), y.dims());
        bail!("gradcheck: the loss is {dtype:?} {dims:?}; it must be one float, e.g. .mean_all()")
    }
    Ok(())
}

impl Run<'_> {
    /// Every parameter, from the plain pass to its verdict.
    fn settle(&mut self, pass: Pass) -> Result<()> {
        for (t, gradient) in pass.gradients.iter().enumerate() {
            let plain = Plain::new(gradient.as_ref(), self.parameters.vars[t].elem_count())?;
            self.report.parameters[t].missing = plain.missing;
            if !plain.sum.is_finite() || !pass.value.is_finite() {
                self.report.parameters[t].verdict = Verdict::NonFinite;
            }
            self.plain.push(plain);
        }
        if (self.report.parameters.iter()).any(|p| p.verdict == Verdict::NonFinite) {
            return Ok(());
        }
        drop(pass); // as large as the parameters
        if self.varies()? {
            self.nondeterministic();
            return Ok(());
        }
        self.zeros()?;
        let nonzero: Vec<usize> = self.open().filter(|&t| !self.plain[t].all_zero).collect();
        let moving = self.moving(&nonzero)?;
        let severed = (self.report.parameters.iter()).any(|p| p.verdict == Verdict::Severed);
        self.settle_all(&moving, severed)?;
        // Faults seldom come alone: once one is found, an error in any direction has to show in the others too.
        let wrong = |p: &ParameterReport| p.verdict == Verdict::Wrong;
        if self.report.parameters.iter().any(wrong) {
            for t in std::mem::take(&mut self.by_factor) {
                self.alone(t, true)?;
            }
        }
        for p in &mut self.report.parameters {
            p.consequence = severed && p.verdict == Verdict::Wrong;
        }
        if !severed {
            self.localise()?;
        }
        Ok(())
    }

    /// Where the graph ends, if something is severed or wrong.
    fn places(&mut self, f: &dyn Fn() -> Result<Tensor>) -> Result<()> {
        let flagged = |p: &ParameterReport| matches!(p.verdict, Verdict::Severed | Verdict::Wrong);
        if !self.report.parameters.iter().any(flagged) {
            return Ok(());
        }
        if !self.report.marks.is_empty() {
            self.report.cuts = marks::cuts(f)?;
        }
        let severed = self.report.verdict() == Verdict::Severed;
        if self.report.cuts.is_empty() && severed {
            let all: Vec<&str> = self.report.parameters.iter().map(|p| &p.name[..]).collect();
            let cut = self.report.with(Verdict::Severed);
            let cut: Vec<(&str, &[usize])> = cut.map(|p| (&p.name[..], &p.shape[..])).collect();
            self.report.suspects = suspects::of(&all, &cut);
        }
        Ok(())
    }
}
