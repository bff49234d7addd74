//! A sample under gradcheck in each of its types, and its verdicts beside the defects that it names.

use candle_core::{DType, Result};
use candle_sine::gradcheck::{self, InputReport, Options, Outcome, ProbeReport, Report, gradcheck};

use crate::case::Case;
use crate::defects::{self, flat};

/// What one check of one input said.
#[derive(Clone, Debug)]
pub struct Row {
    pub path: &'static str,
    pub case: String,
    pub input: &'static str,
    pub dtype: &'static str,
    /// `plain`, or a probe of gradcheck.
    pub probe: String,
    /// gradcheck's, or `forward` where the values differ from the twin's, or `error` where the call fails.
    pub verdict: &'static str,
    /// What was found and what was expected, or what candle said.
    pub note: String,
    /// The defect that the sample names for it.
    pub defect: Option<&'static str>,
}

impl Row {
    /// Nothing is said against the function: gradcheck could not tell, or it passes.
    pub fn is_clean(&self) -> bool {
        matches!(self.verdict, "pass" | "inconclusive")
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            path,
            case,
            input,
            dtype,
            probe,
            verdict,
            note,
            ..
        } = self;
        write!(
            f,
            "{path} ({case}), {input} in {dtype}, {probe}: {verdict} {note}"
        )
    }
}

/// The rows of a sample.
pub fn rows(case: &Case) -> Vec<Row> {
    let mut rows: Vec<Row> = case
        .dtypes
        .iter()
        .flat_map(|&dtype| in_dtype(case, dtype))
        .collect();
    for row in &mut rows {
        let words = [row.input, row.dtype, &row.probe];
        row.defect = case
            .fails
            .iter()
            .find(|mark| covers(mark, case, words))
            .map(|mark| name(mark));
    }
    rows
}

fn name(mark: &'static str) -> &'static str {
    mark.split(':').next().unwrap_or(mark)
}

/// Whether a mark is of a row: of its input, its type and its probe, as far as the mark names such.
fn covers(mark: &str, case: &Case, [input, dtype, probe]: [&str; 3]) -> bool {
    let words: Vec<&str> = mark
        .split_once(": ")
        .map_or(vec![], |(_, words)| words.split(", ").collect());
    let inputs: Vec<&str> = case.args.iter().map(|(name, _)| *name).collect();
    let dtypes: Vec<&str> = case.dtypes.iter().map(DType::as_str).collect();
    let named =
        |all: &[&str], one: &str| !words.iter().any(|w| all.contains(w)) || words.contains(&one);
    let probes: Vec<&str> = words
        .iter()
        .filter(|w| !inputs.contains(w) && !dtypes.contains(w))
        .copied()
        .collect();
    let probed = if probes.is_empty() {
        probe == "plain"
    } else {
        probes.contains(&probe)
    };
    named(&inputs, input) && named(&dtypes, dtype) && probed
}

/// What is not as the sample says.
pub fn wrong(case: &Case, rows: &[Row]) -> Vec<String> {
    let one = |row: &Row| match row.defect.map(|d| (d, defects::named(d))) {
        None if row.is_clean() => None,
        None => Some(format!("{row}; the sample names no defect for it")),
        Some((name, None)) => Some(format!("{row}; there is no defect {name:?}")),
        Some((_, Some(defect))) if defect.shows.contains(&row.verdict) => None,
        Some((name, _)) if row.is_clean() => Some(format!(
            "{row}; it passes, and the sample names {name:?} for it"
        )),
        Some((name, Some(d))) => Some(format!("{row}; {name:?} shows as {:?}", d.shows)),
    };
    let mut all: Vec<String> = rows.iter().filter_map(one).collect();
    for mark in &case.fails {
        let here = |row: &Row| covers(mark, case, [row.input, row.dtype, &row.probe]);
        if !rows.iter().any(here) {
            all.push(format!(
                "{} ({}): no row is of {mark:?}",
                case.path, case.name
            ));
        }
    }
    all
}

fn in_dtype(case: &Case, dtype: DType) -> Vec<Row> {
    let probes = case.probes && (case.dtypes.first() == Some(&dtype) || dtype == DType::F32);
    match report(case, dtype, probes) {
        Ok(report) => {
            let values = values_differ(case, dtype);
            let plain = report.inputs.iter().map(|input| match &values {
                Some(note) => blank(case, dtype, input.input, "plain", "forward", note.clone()),
                None => plain(case, dtype, input),
            });
            let probed = report.probes.iter().filter(|p| says_more(p, &report));
            plain
                .chain(probed.filter_map(|p| self::probed(case, dtype, p)))
                .collect()
        }
        Err(error) => {
            let first = case
                .args
                .iter()
                .position(|(_, v)| v.is_float())
                .unwrap_or(0);
            let note = error
                .to_string()
                .lines()
                .next()
                .unwrap_or_default()
                .to_owned();
            vec![blank(case, dtype, first, "plain", "error", note)]
        }
    }
}

/// A call that panics is an error.
fn report(case: &Case, dtype: DType, probes: bool) -> Result<Report> {
    let tensors = case.tensors(dtype)?;
    let options = Options::default().probes(probes);
    let checked =
        std::panic::AssertUnwindSafe(|| gradcheck(|t| (case.call)(t), &tensors, &options));
    std::panic::catch_unwind(checked).unwrap_or_else(|_| candle_core::bail!("it panics"))
}

/// Where the values are not those of the twin, beyond the type's rounding.
fn values_differ(case: &Case, dtype: DType) -> Option<String> {
    let (name, twin) = case.twin.as_ref()?;
    let tensors = case.tensors(dtype).ok()?;
    let found = flat(&(case.call)(&tensors).ok()?).ok()?;
    let expected = flat(&twin(&tensors).ok()?).ok()?;
    let scale = expected.iter().fold(1., |m: f64, x| m.max(x.abs()));
    let far =
        |(f, e): &(f64, f64)| f.is_nan() != e.is_nan() || (f - e).abs() > 16. * unit(dtype) * scale;
    let (found, expected) = found.into_iter().zip(expected).find(far)?;
    Some(format!("{found}, but {expected} by {name}"))
}

/// Half the distance from 1 to the next number.
pub fn unit(dtype: DType) -> f64 {
    match dtype {
        DType::F64 => f64::EPSILON / 2.,
        DType::F32 => f64::from(f32::EPSILON) / 2.,
        DType::F16 => 0.5f64.powi(11),
        _ => 0.5f64.powi(8),
    }
}

/// A probe of an input whose gradient is wrong anyway says no more, unless the values differ on a view.
fn says_more(probe: &ProbeReport, report: &Report) -> bool {
    let plain = report.inputs.iter().find(|i| i.input == probe.input);
    let forward = match &probe.outcome {
        Outcome::Forward { .. } => true,
        Outcome::Failed { verdict, .. } => *verdict == gradcheck::Verdict::Panicked,
        _ => false,
    };
    forward || plain.is_none_or(|i| !i.verdict.is_defect())
}

fn plain(case: &Case, dtype: DType, input: &InputReport) -> Row {
    let worst = input.worst.as_ref();
    let note = worst
        .map(|w| format!("{}, should be {}", w.analytic, w.numeric))
        .unwrap_or_default();
    let verdict = match input.verdict {
        // candle takes the mean of both slopes, which is the numeric derivative there.
        gradcheck::Verdict::Pass if case.kink => gradcheck::Verdict::Kink,
        verdict => verdict,
    };
    blank(case, dtype, input.input, "plain", verdict.name(), note)
}

fn probed(case: &Case, dtype: DType, probe: &ProbeReport) -> Option<Row> {
    let of = |verdict, note| {
        Some(blank(
            case,
            dtype,
            probe.input,
            probe.probe.name(),
            verdict,
            note,
        ))
    };
    match &probe.outcome {
        Outcome::Pass => of("pass", String::new()),
        Outcome::Failed {
            verdict,
            found,
            expected,
            ..
        } => of(verdict.name(), format!("{found}, should be {expected}")),
        Outcome::Forward {
            found, expected, ..
        } => of("forward", format!("{found}, but {expected} on a copy")),
        _ => None,
    }
}

fn blank(
    case: &Case,
    dtype: DType,
    input: usize,
    probe: &str,
    verdict: &'static str,
    note: String,
) -> Row {
    Row {
        path: case.path,
        case: case.name.clone(),
        input: case.args.get(input).map_or("?", |(name, _)| *name),
        dtype: dtype.as_str(),
        probe: probe.to_owned(),
        verdict,
        note,
        defect: None,
    }
}
