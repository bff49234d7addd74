//! Runs the cases under gradcheck: one row an input, a type and a probe.

use candle_core::{DType, Device, Result, Tensor};
use rayon::ThreadPoolBuilder;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;

use super::case::{Call, Case, Coordinates};
use super::variants;
use super::verdict::Verdict;
use crate::gradcheck::{self, InputReport, Options, Outcome, ProbeReport, Report, gradcheck};

/// What one check of one input said.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Row {
    /// The full public path.
    pub path: &'static str,
    /// Its last segment.
    pub op: &'static str,
    /// Which call, for a reader.
    pub case: String,
    /// The same as names and values.
    #[serde(serialize_with = "by_name")]
    pub at: Coordinates,
    /// Which input.
    pub input: &'static str,
    /// The type, as candle writes it.
    pub dtype: &'static str,
    /// `plain`, a probe of gradcheck, or `values` against a twin.
    pub probe: String,
    /// gradcheck's verdict, or `forward` where the values differ, or `error` where the call fails.
    pub verdict: Verdict,
    /// The largest relative error among the entries; absent where nothing was compared.
    #[serde(serialize_with = "finite")]
    pub max_rel_err: Option<f64>,
    /// The worst entry as candle's backward has it; for `forward`, the value found.
    #[serde(serialize_with = "finite")]
    pub autograd: Option<f64>,
    /// The same entry, numerically; for `forward`, the value expected.
    #[serde(serialize_with = "finite")]
    pub numeric: Option<f64>,
    /// In a sweep of the whole range: the smallest magnitude at which it is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<f64>,
    /// The largest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<f64>,
    /// What candle or gradcheck said besides.
    pub note: Option<String>,
    /// Of a sweep of the whole range: it accuses of no more than subnormals that this processor does
    /// not keep ([`Format::on`](super::range::format::Format::on)).
    #[serde(skip)]
    pub flushed: bool,
}

/// What a call says that this candle does not have: scripts/audit_candle.py puts it in its place.
pub const MISSING: &str = "this candle has no such function";

impl Row {
    /// Whether the call could not be compiled with this candle.
    pub fn is_missing(&self) -> bool {
        let said = self.note.as_ref().is_some_and(|n| n.contains(MISSING));
        said && matches!(self.verdict, Verdict::Error | Verdict::Panicked)
    }

    /// A pass, since what it accuses of is the processor's.
    pub fn excuse(self) -> Self {
        Self {
            verdict: Verdict::Pass,
            max_rel_err: None,
            autograd: None,
            numeric: None,
            from: None,
            to: None,
            note: Some("subnormals are 0 on this processor".into()),
            ..self
        }
    }

    /// Takes the numbers out that differ from run to run, and says why they do.
    pub fn hide(&mut self, why: &str) {
        (self.max_rel_err, self.autograd, self.numeric) = (None, None, None);
        self.note = Some(format!("varies from run to run: {why}"));
    }
}

fn by_name<S: serde::Serializer>(at: &Coordinates, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.collect_map(at.iter().map(|(name, value)| (name, value)))
}

/// JSON has no NaN: such a number is written as its name.
fn finite<S: serde::Serializer>(x: &Option<f64>, to: S) -> std::result::Result<S::Ok, S::Error> {
    match x {
        None => to.serialize_none(),
        Some(x) if x.is_finite() => to.serialize_f64(*x),
        Some(x) => to.serialize_str(&x.to_string()),
    }
}

/// Runs every case in each of its types, in parallel on a CPU; the rows in the order of the cases.
///
/// `only` leaves the rows of one type.
pub fn run(
    cases: &[Case],
    device: &Device,
    only: Option<DType>,
    tick: impl Fn() + Sync,
) -> Vec<Row> {
    let job = |case: &Case| {
        let rows = check(case, device, only);
        tick();
        rows
    };
    in_parallel(cases, device, job)
        .into_iter()
        .flatten()
        .collect()
}

/// `f` of every item, in order, on every core; on a GPU, whose work is ordered on one thread alone, on
/// this one.
///
/// candle spreads single ops over rayon's threads; with the cores already busy that costs far more
/// than it gives. So each worker here is a pool of one thread, in which candle stays.
pub fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    device: &Device,
    f: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let alone = ThreadPoolBuilder::new().num_threads(1).use_current_thread();
        let alone = alone.build().ok();
        let mut done = Vec::new();
        while let Some((i, item)) = take(items, &next) {
            let result = match &alone {
                Some(pool) => pool.install(|| f(item)),
                None => f(item),
            };
            done.push((i, result));
        }
        done
    };
    let cores = match device.is_cpu() {
        true => std::thread::available_parallelism().map_or(1, |n| n.get()),
        false => 0,
    };
    let mut done: Vec<(usize, R)> = std::thread::scope(|scope| {
        // As many as can be started; where none can or may, this thread does the work.
        let start = |_| std::thread::Builder::new().spawn_scoped(scope, worker).ok();
        let workers: Vec<_> = (0..cores).map_while(start).collect();
        if workers.is_empty() {
            return worker();
        }
        let joined = |w: ScopedJoinHandle<_>| match w.join() {
            Ok(done) => done,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        workers.into_iter().flat_map(joined).collect()
    });
    done.sort_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

fn take<'a, T>(items: &'a [T], next: &AtomicUsize) -> Option<(usize, &'a T)> {
    let i = next.fetch_add(1, Ordering::Relaxed);
    items.get(i).map(|item| (i, item))
}

/// One case in each of its types, f64 first where it has it: the others are held against it.
pub fn check(case: &Case, device: &Device, only: Option<DType>) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut wide = None;
    let asked = |dtype| only.is_none_or(|only| only == dtype);
    for &dtype in case.dtypes.iter().filter(|&&d| d == DType::F64 || asked(d)) {
        let probes = case.probes && (Some(&dtype) == case.dtypes.first() || dtype == DType::F32);
        let report = gradchecked(&case.call, case, dtype, device, probes);
        match &report {
            _ if !asked(dtype) => {}
            Ok(report) => {
                let forward = variants::values(case, dtype, device);
                let found = Found {
                    case,
                    dtype,
                    device,
                    wide: wide.as_ref(),
                    forward,
                };
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

/// A call under gradcheck with a case's inputs; a call that panics is an error.
pub fn gradchecked(
    call: &Call,
    case: &Case,
    dtype: DType,
    device: &Device,
    probes: bool,
) -> Result<Report> {
    let tensors = case.tensors(dtype, device)?;
    let options = Options::default().probes(probes);
    gradcheck::catch(|| gradcheck(|t: &[Tensor]| call(t), &tensors, &options))
        .unwrap_or_else(|message| candle_core::bail!("panicked: {message}"))
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
        let mut rows: Vec<_> = report
            .inputs
            .iter()
            .map(|i| self.plain(report, i))
            .collect();
        let sound = |p: &&ProbeReport| {
            let plain = report.inputs.iter().find(|i| i.input == p.input);
            plain.is_none_or(|i| !i.verdict.is_defect()) || of_the_forward(&p.outcome)
        };
        rows.extend(
            report
                .probes
                .iter()
                .filter(sound)
                .filter_map(|p| self.probed(p)),
        );
        rows
    }

    fn plain(&self, report: &Report, input: &InputReport) -> Row {
        let row = blank(self.case, self.dtype, input.input, "plain");
        if let Some(d) = &self.forward {
            return Row {
                verdict: Verdict::Forward,
                autograd: Some(d.found),
                numeric: Some(d.expected),
                note: Some(format!("its values differ from: {}", d.twin)),
                ..row
            };
        }
        let worst = input.worst.as_ref();
        let mut row = Row {
            verdict: input.verdict.into(),
            max_rel_err: Some(input.max_rel_err),
            autograd: worst.map(|w| w.analytic),
            numeric: worst.map(|w| w.numeric),
            note: input.notes.first().or(report.notes.first()).cloned(),
            ..row
        };
        self.settle(&mut row, input);
        row
    }

    /// A narrow type is not accused of its own rounding: see [`variants::rounding`]. And a kink is
    /// one also where candle takes the mean of both slopes, which is the numeric derivative there.
    fn settle(&self, row: &mut Row, input: &InputReport) {
        let doubtful = matches!(
            input.verdict,
            gradcheck::Verdict::Wrong
                | gradcheck::Verdict::Severed
                | gradcheck::Verdict::Imprecise
                | gradcheck::Verdict::Inconclusive
        );
        let narrow = self.dtype != DType::F64;
        if let Some(wide) = self.wide.filter(|_| doubtful && narrow) {
            match variants::rounding(self.case, self.dtype, self.device, input, wide) {
                Some(variants::Rounded::Right) => row.verdict = Verdict::Pass,
                Some(variants::Rounded::NonFinite { narrow, exact }) => {
                    row.verdict = Verdict::NonFinite;
                    (row.autograd, row.numeric) = (Some(narrow), Some(exact));
                }
                None => {}
            }
        }
        let (case, dtype) = (self.case, self.dtype);
        if let Some((verdict, found, expected)) =
            variants::stand_in(case, dtype, self.device, input.input)
        {
            row.verdict = verdict.into();
            (row.autograd, row.numeric) = (Some(found), Some(expected));
        }
        if self.case.kink && row.verdict == Verdict::Pass {
            row.verdict = Verdict::Kink;
        }
    }

    fn probed(&self, probe: &ProbeReport) -> Option<Row> {
        let row = blank(self.case, self.dtype, probe.input, probe.probe.name());
        match &probe.outcome {
            Outcome::Pass => Some(row),
            Outcome::Failed {
                verdict,
                found,
                expected,
                note,
                ..
            } => Some(Row {
                verdict: (*verdict).into(),
                autograd: Some(*found).filter(|x| !x.is_nan()),
                numeric: Some(*expected).filter(|x| !x.is_nan()),
                note: Some(note.to_string()),
                ..row
            }),
            Outcome::Forward {
                found, expected, ..
            } => Some(Row {
                verdict: Verdict::Forward,
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
        Outcome::Failed { verdict, .. } => *verdict == gradcheck::Verdict::Panicked,
        _ => false,
    }
}

fn blank(case: &Case, dtype: DType, input: usize, probe: &str) -> Row {
    Row {
        path: case.path,
        op: case.op(),
        case: case.name.clone(),
        at: case.at.clone(),
        input: case.args.get(input).map_or("?", |a| a.name),
        dtype: dtype.as_str(),
        probe: probe.to_string(),
        verdict: Verdict::Pass,
        max_rel_err: None,
        autograd: None,
        numeric: None,
        from: None,
        to: None,
        note: None,
        flushed: false,
    }
}

fn failed(case: &Case, dtype: DType, error: &str) -> Row {
    let first = case
        .args
        .iter()
        .position(|a| a.values.is_float())
        .unwrap_or(0);
    let note = error.lines().next().map(String::from);
    Row {
        verdict: Verdict::Error,
        note,
        ..blank(case, dtype, first, "plain")
    }
}
