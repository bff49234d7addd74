//! What the probes start from: the plain call's gradient, and how large its rounding may be.

use candle_core::{DType, Result, Tensor};

use super::plain::{Plain, Subject};
use crate::gradcheck::autograd::graph::{Baseline, Graph};
use crate::gradcheck::check::Check;
use crate::gradcheck::compare::full::Compared;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::options::Options;
use crate::gradcheck::report::{Outcome, Probe, ProbeReport, Report};
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::values::unit_roundoff;

impl<E: Exec> Check<'_, E> {
    /// The probes of one input, once its plain gradient has been judged.
    pub(crate) fn probe(
        &self,
        slot: usize,
        noise: &[f64],
        compared: Option<&Compared>,
        report: &mut Report,
    ) -> Result<()> {
        if chosen(self.options).is_empty() {
            return Ok(());
        }
        let severed = report.inputs[slot].verdict == Verdict::Severed;
        let numeric = compared.filter(|_| severed).map(|c| &c.products[..]);
        let largest = compared.map_or(0., |c| c.tallies[0].largest);
        let probing = Probing {
            slot,
            noise,
            numeric,
            largest,
        };
        let dtype = self.inputs[self.checked[slot]].dtype();
        let Some(mut probes) = self.probe_in(&probing, &self.graph, self.inputs, &self.y, dtype)?
        else {
            return Ok(());
        };
        self.excuse_rounding(&probing, &mut probes)?;
        report.probes.extend(probes);
        Ok(())
    }

    /// The probes with f's graph in one dtype; None where its backward pass fails.
    fn probe_in(
        &self,
        probing: &Probing,
        graph: &Graph,
        inputs: &[Tensor],
        y: &[f64],
        dtype: DType,
    ) -> Result<Option<Vec<ProbeReport>>> {
        let (slot, input) = (probing.slot, self.checked[probing.slot]);
        let Some(Baseline { products, thrice }) = graph.baseline(&self.weights) else {
            return Ok(None);
        };
        let n = self.oracle.values(input).len();
        let plain: Vec<(f64, f64)> = match &products[slot] {
            Some(gradient) => gradient.iter().map(|g| (*g, 0.)).collect(),
            None => vec![(0., 0.); n],
        };
        let made_of = (y.iter().zip(probing.noise))
            .fold(0f64, |m, (y, e)| m.max(y.abs()).max(e / self.oracle.unit));
        let natural = made_of / self.oracle.size(input).largest;
        let natural = if natural.is_finite() { natural } else { 0. };
        let scale = probing.largest.max(natural);
        let thrice = thrice
            .as_ref()
            .and_then(|products| products[slot].as_deref());
        let inside = inside(thrice.unwrap_or_default(), &plain, dtype);
        let subject = Subject {
            input,
            slot,
            tolerance: self.options.tolerance(dtype),
            expected: probing.numeric.unwrap_or(&plain),
            plain: &plain,
            scale,
            inside: scale.max(inside),
            made_of,
            has_gradient: products[slot].is_some(),
        };
        let plain = Plain {
            exec: self.exec,
            inputs,
            graph,
            y,
            weights: &self.weights,
        };
        plain.probe(&subject, self.options).map(Some)
    }

    /// Where a probe in a narrow dtype is off by little, and right in f64, it was rounding.
    fn excuse_rounding(&self, probing: &Probing, probes: &mut [ProbeReport]) -> Result<()> {
        let Some(wide) = &self.wide else {
            return Ok(());
        };
        if !probes.iter().any(|p| p.outcome.is_slight(probing.largest)) {
            return Ok(());
        }
        let (inputs, y) = (self.oracle.inputs(), &self.oracle.f0);
        let Some(again) = self.probe_in(probing, wide, inputs, y, DType::F64)? else {
            return Ok(());
        };
        for (probe, again) in probes.iter_mut().zip(again) {
            if probe.outcome.is_slight(probing.largest) && matches!(again.outcome, Outcome::Pass) {
                probe.outcome = Outcome::Pass;
            }
        }
        Ok(())
    }
}

/// How large the gradients are that cancel inside the backward pass: a third of the pass for 3v
/// differs from that for v by rounding alone, u times their size.
fn inside(thrice: &[f64], plain: &[(f64, f64)], dtype: DType) -> f64 {
    let (mut apart, mut largest) = (0f64, 0f64);
    for (g3, (g, _)) in thrice.iter().zip(plain) {
        apart = apart.max((g3 / 3. - g).abs());
        largest = largest.max(g.abs());
    }
    let unit = unit_roundoff(dtype);
    // More than that is a backward pass that is not linear, and another probe's business.
    if apart <= unit.sqrt() * largest {
        apart / unit
    } else {
        0.
    }
}

/// What the probes of one input start from.
struct Probing<'a> {
    slot: usize,
    noise: &'a [f64],
    /// vᵀJ by numbers, where the plain graph is cut.
    numeric: Option<&'a [(f64, f64)]>,
    /// The largest entry of the Jacobian.
    largest: f64,
}

impl<E: Exec> Plain<'_, E> {
    /// Runs the probes that are on, for one input.
    fn probe(&self, subject: &Subject, options: &Options) -> Result<Vec<ProbeReport>> {
        let mut reports = Vec::new();
        for probe in chosen(options) {
            if probe == Probe::AllTransposed && !self.others_transpose(subject) {
                continue;
            }
            let outcome = self.outcome(probe, subject)?;
            reports.push(ProbeReport {
                probe,
                input: subject.input,
                outcome,
            });
        }
        Ok(reports)
    }

    fn outcome(&self, probe: Probe, subject: &Subject) -> Result<Outcome> {
        match probe {
            Probe::BackwardTwice | Probe::Scaled | Probe::Added | Probe::Zero => {
                self.again(probe, subject)
            }
            Probe::FThenX | Probe::XThenF | Probe::Twice => self.fan_out(probe, subject),
            _ => self.layout(probe, subject),
        }
    }
}

/// The probes that are on.
fn chosen(options: &Options) -> Vec<Probe> {
    let mut probes = Vec::new();
    if options.fan_out {
        probes.extend([Probe::FThenX, Probe::XThenF, Probe::Twice]);
    }
    if options.layouts {
        probes.extend([Probe::Transposed, Probe::Narrowed, Probe::Offset]);
        probes.extend([Probe::Expanded, Probe::AllTransposed, Probe::NonLeaf]);
    }
    if options.determinism {
        probes.push(Probe::BackwardTwice);
    }
    if options.linearity {
        probes.extend([Probe::Scaled, Probe::Added, Probe::Zero]);
    }
    probes
}
