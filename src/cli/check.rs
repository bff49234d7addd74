//! `candle-sine check`: the post's gradient, candle's, and a numeric one.

use super::args::{Problem, Settings, rate};
use super::files::{Output, try_places};
use super::print::{BAD, GOOD, Printer};
use super::{Answer, interrupt};
use anyhow::Result;
use candle_sine::sine::{Check, Method, NAMES, Weights, check, post};
use serde::Serialize;
use std::path::PathBuf;

pub const HELP: &str = "\
The rule: a row says OK where the first two differ from the third by less than 0.1% of it. A gradient is a \
sum over all points; where its terms cancel to less than a thousandth of their sizes, f32 does not show 0.1% \
of what is left, and the row says so (f64: to less than 1e-10). Any other row says NOT OK, and which gradient \
differs.

Exit status: 0 no row is NOT OK, and some are OK; 1 a row is NOT OK, none is OK, or the run of --every \
diverged; 2 it could not be done; 130 ended by Ctrl-C.

Keys of the JSON: schema, device, dtype, points, seed, draw, agree, rows (epoch, weight, manual, autograd, \
numeric, difference, verdict).";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    problem: Problem,

    /// Check every K-th epoch of a training run too, not only the initial weights
    #[arg(long, value_name = "K", allow_negative_numbers = true,
        value_parser = clap::value_parser!(u32).range(1..))]
    every: Option<u32>,

    /// Length of that run
    #[arg(long, value_name = "N", default_value_t = post::EPOCHS as u32, requires = "every",
        allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,

    /// Step size of that run
    #[arg(long, value_name = "RATE", default_value = "1e-6", requires = "every",
        allow_hyphen_values = true, value_parser = rate)]
    learning_rate: f64,

    /// Write the rows as JSON; "-" is stdout, which then holds nothing else
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// One weight at one epoch.
#[derive(Serialize)]
struct Row {
    epoch: u32,
    weight: &'static str,
    manual: f64,
    autograd: f64,
    numeric: f64,
    /// The larger of |manual - numeric| and |autograd - numeric|
    difference: f64,
    verdict: Verdict,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    /// Rounding may be more than 0.1% of what is left of the terms.
    Cancelled,
    Wrong,
}

/// Gradients that differ by less than this part are the same.
const SAME: f64 = 1e-3;

/// Of the sum that nothing cancels in, this part may be rounding: six digits of f32's seven are
/// certain, and thirteen of f64's sixteen.
fn rounding(dtype: &str) -> f64 {
    if dtype == "f32" { 1e-6 } else { 1e-13 }
}

impl Row {
    fn new(epoch: u32, i: usize, found: &Check, dtype: &str) -> Self {
        let (manual, autograd, numeric) = (found.manual[i], found.autograd[i], found.numeric[i]);
        let difference = (manual - numeric).abs().max((autograd - numeric).abs());
        let allowed = SAME * numeric.abs();
        let rounding = rounding(dtype) * found.uncancelled[i];
        let verdict = match () {
            () if difference <= allowed && rounding <= allowed => Verdict::Ok,
            () if difference <= rounding => Verdict::Cancelled,
            () => Verdict::Wrong,
        };
        Self {
            epoch,
            weight: NAMES[i],
            manual,
            autograd,
            numeric,
            difference,
            verdict,
        }
    }

    fn remark(&self) -> String {
        let off = |gradient: f64| (gradient - self.numeric).abs() > SAME * self.numeric.abs();
        let who = match (off(self.manual), off(self.autograd)) {
            (true, false) => "the manual gradient is not the other two",
            (false, true) => "candle's gradient is not the other two",
            _ => "the numeric gradient is neither of the other two",
        };
        match self.verdict {
            Verdict::Ok => format!("{GOOD}OK{GOOD:#}"),
            Verdict::Cancelled => "its terms cancel".to_owned(),
            Verdict::Wrong => format!("{BAD}NOT OK{BAD:#}: {who}"),
        }
    }
}

#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    /// The epoch whose loss is not finite
    diverged: Option<u32>,
    interrupted: bool,
}

impl Found {
    fn count(&self, verdict: Verdict) -> usize {
        self.rows.iter().filter(|r| r.verdict == verdict).count()
    }

    /// The last line where the gradients agree; else why they do not.
    fn conclusion(&self, settings: &Settings) -> Result<String, String> {
        let (all, ok, wrong) = (
            self.rows.len(),
            self.count(Verdict::Ok),
            self.count(Verdict::Wrong),
        );
        let cancelled = self.count(Verdict::Cancelled);
        let dtype = settings.dtype();
        let more = if dtype == "f32" {
            ": `--dtype f64` can"
        } else {
            ""
        };
        let open = format!("{dtype} cannot show 0.1% of {cancelled} whose terms cancel{more}");
        match self.diverged {
            Some(1) => Err(settings.too_large()),
            Some(epoch) => Err(format!(
                "the run diverged: its loss is not finite at epoch {epoch}"
            )),
            None if wrong > 0 => Err(format!("the gradients differ in {wrong} of {all} rows")),
            None if ok == 0 => Err(format!("no gradient could be compared: {open}")),
            None if cancelled > 0 => {
                Ok(format!("the gradients agree in {ok} of {all} rows; {open}"))
            }
            None => Ok(format!("the gradients agree in {ok} of {all} rows")),
        }
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    let json = args.json.as_ref().map(|path| Output::new("--json", path));
    try_places(json.as_slice())?;
    let settings = args.problem.settings()?;
    let mut out = Printer::new(json.as_ref().is_some_and(Output::is_stdout));
    settings.notes.iter().for_each(|note| out.note(note));
    out.line(format_args!(
        "{:>7} {:>2} {:>19} {:>19} {:>19} {:>9}",
        "epoch", "", "manual", "autograd", "numeric", "differ by"
    ));
    let found = match args.every {
        Some(every) => along_a_run(args, every, &settings, &mut out)?,
        None => {
            let mut found = Found::default();
            at(1, settings.start, &settings, &mut found, &mut out)?;
            found
        }
    };
    let conclusion = found.conclusion(&settings);
    if let Some(json) = &json {
        json.write(&report(&settings, &found, conclusion.is_ok())?)?;
    }
    if let Ok(line) = &conclusion {
        out.line(format_args!("\n{line}"));
    }
    out.finish()?;
    Ok(match conclusion {
        Err(why) => Answer::No(why),
        Ok(_) if found.interrupted => Answer::Interrupted,
        Ok(_) => Answer::Yes,
    })
}

/// The four rows at some weights, unless the loss or a gradient there is not finite.
fn at(
    epoch: u32,
    weights: Weights,
    settings: &Settings,
    found: &mut Found,
    out: &mut Printer,
) -> Result<()> {
    let gradients = check(&settings.data, weights)?;
    let loss = Method::Autograd
        .begin(&settings.data, weights, 0.)?
        .epoch()?;
    let all = [gradients.manual, gradients.autograd, gradients.numeric];
    if !loss.is_finite() || !all.as_flattened().iter().all(|g| g.is_finite()) {
        found.diverged = Some(epoch);
        return Ok(());
    }
    for i in 0..4 {
        let row = Row::new(epoch, i, &gradients, settings.dtype());
        out.line(format_args!(
            "{epoch:>7} {:>2} {:>19} {:>19} {:>19} {:>9.1e}  {}",
            row.weight,
            digits(row.manual),
            digits(row.autograd),
            digits(row.numeric),
            row.difference,
            row.remark(),
        ));
        found.rows.push(row);
    }
    Ok(())
}

/// Seventeen significant digits would be those of an f64; a dozen show any disagreement.
fn digits(value: f64) -> String {
    if !(value == 0. || (1e-6..1e12).contains(&value.abs())) {
        return format!("{value:.11e}");
    }
    let before = value.abs().max(1.).log10() as usize + 1;
    format!("{value:.*}", 13usize.saturating_sub(before))
}

fn along_a_run(args: &Args, every: u32, settings: &Settings, out: &mut Printer) -> Result<Found> {
    interrupt::listen();
    let mut found = Found::default();
    let mut descent = Method::Manual.begin(&settings.data, settings.start, args.learning_rate)?;
    for epoch in 1..=args.epochs {
        if (epoch - 1).is_multiple_of(every) {
            at(epoch, descent.weights()?, settings, &mut found, out)?;
        }
        if found.diverged.is_none() && !descent.epoch()?.is_finite() {
            found.diverged = Some(epoch);
        }
        found.interrupted = interrupt::asked();
        if found.interrupted || found.diverged.is_some() {
            break;
        }
    }
    Ok(found)
}

#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    device: String,
    dtype: &'static str,
    points: usize,
    seed: Option<u64>,
    draw: Option<u32>,
    agree: bool,
    rows: &'a [Row],
}

fn report(settings: &Settings, found: &Found, agree: bool) -> Result<Vec<u8>> {
    let json = Json {
        schema: 2,
        device: settings.device(),
        dtype: settings.dtype(),
        points: settings.points(),
        seed: settings.seed,
        draw: settings.draw,
        agree,
        rows: &found.rows,
    };
    Ok(serde_json::to_string_pretty(&json)?.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use candle_sine::sine::{Data, LeastSquares};

    fn found(dtype: DType, weights: Weights) -> Check {
        let data = Data::new(1000, dtype, &Device::Cpu).unwrap();
        check(&data, weights).unwrap()
    }

    /// In each weight, of each of the two, 1% too much and a wrong sign.
    #[test]
    fn a_planted_error_is_seen_and_named() {
        for dtype in [DType::F32, DType::F64] {
            for (i, factor) in (0..4).flat_map(|i| [(i, 1.), (i, 1.01), (i, -1.)]) {
                let right = found(dtype, post::WEIGHTS);
                let (mut manual, mut autograd) = (right, right);
                manual.manual[i] *= factor;
                autograd.autograd[i] *= factor;
                for (wrong, name) in [(manual, "manual"), (autograd, "candle")] {
                    let row = Row::new(1, i, &wrong, dtype.as_str());
                    let remark = row.remark();
                    let seen = row.verdict == Verdict::Wrong && remark.contains(name);
                    assert_eq!(seen, factor != 1., "{dtype:?}, {i}, {factor}: {remark}");
                }
            }
        }
    }

    /// Where a gradient is all rounding nothing is OK, and nothing is wrong.
    #[test]
    fn a_gradient_that_vanishes_is_neither_right_nor_wrong() {
        let data = Data::new(1000, DType::F64, &Device::Cpu).unwrap();
        let optimum = LeastSquares::new(&data).unwrap().optimum;
        for dtype in [DType::F32, DType::F64] {
            let found = found(dtype, optimum);
            let row = |i| Row::new(1, i, &found, dtype.as_str()).verdict;
            assert!((0..4).all(|i| row(i) == Verdict::Cancelled));
        }
    }
}
