//! Runs the cases under gradcheck: one row an input, a type and a probe.

use candle_core::{DType, Device, Result, Tensor};
use rayon::prelude::*;

use super::case::{Call, Case};
use super::variants;
use crate::gradcheck::{InputReport, Options, Outcome, ProbeReport, Report, Verdict, gradcheck};

/// What one check of one input said.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Row {
    /// The full public path.
    pub path: &'static str,
    /// Its last segment.
    pub op: &'static str,
    /// Which call.
    pub case: String,
    /// Which input.
    pub input: &'static str,
    /// The type, as candle writes it.
    pub dtype: &'static str,
    /// `plain`, a probe of gradcheck, or `values` against a twin.
    pub probe: String,
    /// gradcheck's verdict, or `forward` where the values differ, or `error` where the call fails.
    pub verdict: &'static str,
    /// The largest relative error among the entries; absent where nothing was compared.
    #[serde(serialize_with = "finite")]
    pub max_rel_err: Option<f64>,
    /// The worst entry as candle's backward has it; for `forward`, the value found.
    #[serde(serialize_with = "finite")]
    pub autograd: Option<f64>,
    /// The same entry, numerically; for `forward`, the value expected.
    #[serde(serialize_with = "finite")]
    pub numeric: Option<f64>,
    /// What candle or gradcheck said besides.
    pub note: Option<String>,
}

/// JSON has no NaN: such a number is written as its name.
fn finite<S: serde::Serializer>(x: &Option<f64>, to: S) -> std::result::Result<S::Ok, S::Error> {
    match x {
        None => to.serialize_none(),
        Some(x) if x.is_finite() => to.serialize_f64(*x),
        Some(x) => to.serialize_str(&x.to_string()),
    }
}

/// Runs every case in each of its types, in parallel; the rows in the order of the cases.
pub fn run(cases: &[Case], device: &Device, tick: impl Fn() + Sync) -> Vec<Row> {
    let job = |case: &Case| {
        let rows = check(case, device);
        tick();
        rows
    };
    let rows: Vec<Vec<Row>> = cases.par_iter().map(job).collect();
    rows.into_iter().flatten().collect()
}

/// One case in each of its types, f64 first where it has it: the others are held against it.
pub fn check(case: &Case, device: &Device) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut wide = None;
    for &dtype in &case.dtypes {
        let probes = case.probes && Some(&dtype) == case.dtypes.first();
        let report = gradchecked(&case.call, case, dtype, device, probes);
        match &report {
            Ok(report) => {
                let forward = variants::values(case, dtype, device);
                let found = Found { case, dtype, device, wide: wide.as_ref(), forward };
                rows.extend(found.rows(report));
            }
            Err(error) => rows.push(failed(case, dtype, &error.to_string())),
        }
        if dtype == DType::F64 {
            wide = report.ok();
        }
    }
    rows
}

/// A call under gradcheck with a case's inputs.
pub fn gradchecked(
    call: &Call,
    case: &Case,
    dtype: DType,
    device: &Device,
    probes: bool,
) -> Result<Report> {
    let tensors = case.tensors(dtype, device)?;
    gradcheck(|t: &[Tensor]| call(t), &tensors, &Options::default().probes(probes))
}

struct Found<'a> {
    case: &'a Case,
    dtype: DType,
    device: &'a Device,
    wide: Option<&'a Report>,
    forward: Option<variants::Difference>,
}

impl Found<'_> {
    fn rows(&self, report: &Report) -> Vec<Row> {
        let mut rows: Vec<_> = report.inputs.iter().map(|i| self.plain(report, i)).collect();
        let sound = |p: &&ProbeReport| {
            let plain = report.inputs.iter().find(|i| i.input == p.input);
            plain.is_none_or(|i| !i.verdict.is_defect()) || of_the_forward(&p.outcome)
        };
        rows.extend(report.probes.iter().filter(sound).filter_map(|p| self.probed(p)));
        rows
    }

    fn plain(&self, report: &Report, input: &InputReport) -> Row {
        let row = blank(self.case, self.dtype, input.input, "plain");
        if let Some(d) = &self.forward {
            return Row {
                verdict: "forward",
                autograd: Some(d.found),
                numeric: Some(d.expected),
                note: Some(format!("its values differ from: {}", d.twin)),
                ..row
            };
        }
        let worst = input.worst.as_ref();
        let verdict = match self.settled(input) {
            Verdict::Pass if self.case.kink => Verdict::Kink,
            verdict => verdict,
        };
        Row {
            verdict: verdict.name(),
            max_rel_err: Some(input.max_rel_err),
            autograd: worst.map(|w| w.analytic),
            numeric: worst.map(|w| w.numeric),
            note: input.notes.first().or(report.notes.first()).cloned(),
            ..row
        }
    }

    /// A narrow type is not accused of its own rounding: see [`variants::rounding`].
    fn settled(&self, input: &InputReport) -> Verdict {
        let doubtful = matches!(
            input.verdict,
            Verdict::Wrong | Verdict::Severed | Verdict::Imprecise | Verdict::Inconclusive
        );
        match self.wide {
            Some(wide) if doubtful && self.dtype != DType::F64 => {
                variants::rounding(self.case, self.dtype, self.device, input, wide)
                    .unwrap_or(input.verdict)
            }
            _ => input.verdict,
        }
    }

    fn probed(&self, probe: &ProbeReport) -> Option<Row> {
        let row = blank(self.case, self.dtype, probe.input, probe.probe.name());
        match &probe.outcome {
            Outcome::Pass => Some(row),
            Outcome::Failed { verdict, found, expected, note, .. } => Some(Row {
                verdict: verdict.name(),
                autograd: Some(*found).filter(|x| !x.is_nan()),
                numeric: Some(*expected).filter(|x| !x.is_nan()),
                note: Some(note.to_string()),
                ..row
            }),
            Outcome::Forward { found, expected, .. } => Some(Row {
                verdict: "forward",
                autograd: Some(*found),
                numeric: Some(*expected),
                note: Some("its values on this view differ from those on a copy".into()),
                ..row
            }),
            _ => None,
        }
    }
}

/// The view's values differ, or the call panics on it: that says something whatever the gradient.
fn of_the_forward(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Forward { .. } => true,
        Outcome::Failed { verdict, .. } => *verdict == Verdict::Panicked,
        _ => false,
    }
}

fn blank(case: &Case, dtype: DType, input: usize, probe: &str) -> Row {
    Row {
        path: case.path,
        op: case.op(),
        case: case.name.clone(),
        input: case.args.get(input).map_or("?", |a| a.name),
        dtype: dtype.as_str(),
        probe: probe.to_string(),
        verdict: "pass",
        max_rel_err: None,
        autograd: None,
        numeric: None,
        note: None,
    }
}

fn failed(case: &Case, dtype: DType, error: &str) -> Row {
    let first = case.args.iter().position(|a| a.values.is_float()).unwrap_or(0);
    let note = error.lines().next().map(String::from);
    Row { verdict: "error", note, ..blank(case, dtype, first, "plain") }
}
