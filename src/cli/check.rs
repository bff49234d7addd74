//! `candle-sine check`: the post's gradient, candle's, and a numeric one.

use super::Answer;
use super::args::{Problem, Settings};
use super::files::{Output, try_places};
use super::print::Printer;
use anyhow::Result;
use candle_sine::sine::{Check, NAMES, check};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;

pub const HELP: &str = "\
The rule: a row says OK where the first two differ from the third by less than 0.1% of it. A gradient is a \
sum over all points; where its terms cancel to less than a thousandth of their sizes, f32 does not show 0.1% \
of what is left, and the row says so (f64: to less than 1e-10). Any other row says NOT OK, and which gradient \
differs.

Exit status: 0 no row is NOT OK, and some are OK; 1 a row is NOT OK or none is OK; 2 it could not be done.

Keys of the JSON: schema, device, dtype, points, seed, draw, agree, rows (weight, manual, autograd, numeric, \
difference, verdict).";

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    problem: Problem,

    /// Write the rows as JSON; "-" is stdout, which then holds nothing else
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// What is found of one weight.
#[derive(Serialize)]
struct Row {
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
    fn new(i: usize, found: &Check, dtype: &str) -> Self {
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
            Verdict::Ok => "OK".to_owned(),
            Verdict::Cancelled => "its terms cancel".to_owned(),
            Verdict::Wrong => format!("NOT OK: {who}"),
        }
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    let json = args.json.as_ref().map(|path| Output::new("--json", path));
    try_places(json.as_slice())?;
    let settings = args.problem.settings()?;
    let mut out = Printer::new(json.as_ref().is_some_and(Output::is_stdout));
    settings.notes.iter().for_each(|note| out.line(note));
    let found = check(&settings.data, settings.start)?;
    let rows = [0, 1, 2, 3].map(|i| Row::new(i, &found, settings.dtype()));
    table(&rows, &mut out);
    let conclusion = conclusion(&rows, settings.dtype());
    if let Some(json) = &json {
        let report = report(&settings, &rows, conclusion.is_ok());
        json.write(serde_json::to_string_pretty(&report)?.as_bytes())?;
    }
    if let Ok(line) = &conclusion {
        out.line(format_args!("\n{line}"));
    }
    out.finish()?;
    Ok(conclusion.map_or_else(Answer::No, |_| Answer::Yes))
}

fn table(rows: &[Row], out: &mut Printer) {
    out.line(format_args!(
        "{:>2} {:>19} {:>19} {:>19} {:>9}",
        "", "manual", "autograd", "numeric", "differ by"
    ));
    for row in rows {
        let [manual, autograd, numeric] = [row.manual, row.autograd, row.numeric].map(digits);
        out.line(format_args!(
            "{:>2} {manual:>19} {autograd:>19} {numeric:>19} {:>9.1e}  {}",
            row.weight,
            row.difference,
            row.remark(),
        ));
    }
}

/// Seventeen significant digits would be those of an f64; a dozen show any disagreement.
fn digits(value: f64) -> String {
    if !(value == 0. || (1e-6..1e12).contains(&value.abs())) {
        return format!("{value:.11e}");
    }
    let before = value.abs().max(1.).log10() as usize + 1;
    format!("{value:.*}", 13usize.saturating_sub(before))
}

/// The last line where the gradients agree; else why they do not.
fn conclusion(rows: &[Row], dtype: &str) -> Result<String, String> {
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let (ok, cancelled, wrong) = (
        count(Verdict::Ok),
        count(Verdict::Cancelled),
        count(Verdict::Wrong),
    );
    let more = if dtype == "f32" {
        ": `--dtype f64` can"
    } else {
        ""
    };
    let open = format!("{dtype} cannot show 0.1% of {cancelled} whose terms cancel{more}");
    let agree = format!("the gradients agree in {ok} of {} rows", rows.len());
    match (ok, cancelled, wrong) {
        (_, 0, 0) => Ok(agree),
        (0, _, 0) => Err(format!("no gradient could be compared: {open}")),
        (_, _, 0) => Ok(format!("{agree}; {open}")),
        _ => Err(format!(
            "the gradients differ in {wrong} of {} rows",
            rows.len()
        )),
    }
}

fn report(settings: &Settings, rows: &[Row], agree: bool) -> Value {
    json!({
        "schema": 3,
        "device": settings.device(),
        "dtype": settings.dtype(),
        "points": settings.points(),
        "seed": settings.seed,
        "draw": settings.draw,
        "agree": agree,
        "rows": rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};
    use candle_sine::sine::{Data, LeastSquares, Weights, post};

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
                    let row = Row::new(i, &wrong, dtype.as_str());
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
            let row = |i| Row::new(i, &found, dtype.as_str()).verdict;
            assert!((0..4).all(|i| row(i) == Verdict::Cancelled));
        }
    }
}
