//! The table of `candle-sine check`, one row a weight.

use super::super::args::Precision;
use super::super::print::{BAD, GOOD, Printer};
use super::rows::Row;
use candle_sine::gradcheck::{Dissent, Verdict};

pub fn head(out: &mut Printer) {
    out.line(format_args!(
        "{:>7} {:>2} {:>19} {:>19} {:>19} {:>9} {:>9} {:>7}",
        "epoch", "", "manual", "autograd", "numeric", "differ by", "relative", "ulp"
    ));
}

pub fn rows(rows: &[Row], out: &mut Printer) {
    for r in rows {
        out.line(format_args!(
            "{:>7} {:>2} {:>19} {:>19} {:>19} {:>9.1e} {:>9.1e} {:>7}  {}",
            r.epoch,
            r.weight,
            digits(r.manual),
            digits(r.autograd),
            digits(r.numeric),
            r.difference,
            r.relative,
            ulps(r.ulps),
            remark(r),
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

fn ulps(ulps: f64) -> String {
    match ulps < 1e4 {
        true => format!("{ulps:.1}"),
        false => format!("{ulps:.0e}"),
    }
}

fn remark(row: &Row) -> String {
    let alone = match row.dissent {
        Dissent::None => "",
        Dissent::Manual => ": the manual gradient disagrees with the other two",
        Dissent::Autograd => ": candle's autograd disagrees with the other two",
        Dissent::Numeric => ": the numerical derivative disagrees with the other two",
        _ => ": no two agree",
    };
    match row.verdict {
        Verdict::Pass => format!("{GOOD}OK{GOOD:#}"),
        Verdict::Inconclusive if row.lost_in_rounding() => "near 0, lost in rounding".to_owned(),
        Verdict::Inconclusive => "the numerical derivative is too coarse".to_owned(),
        verdict => format!("{BAD}NOT OK{BAD:#}, {}{alone}", verdict.name()),
    }
}

/// What is printed where the gradients agree, and the complaint where they do not.
pub fn verdict(rows: &[Row], agree: bool, dtype: Precision) -> Result<String, String> {
    let passed = rows.iter().filter(|r| r.verdict == Verdict::Pass).count();
    let wrong = rows.iter().filter(|r| r.disagrees()).count();
    let all = rows.len();
    if agree {
        let rest = open(rows, dtype).map(|open| format!("; {open}"));
        let rest = rest.unwrap_or_default();
        return Ok(format!(
            "the gradients agree: {passed} of {all} rows certified{rest}"
        ));
    }
    Err(match wrong {
        0 => format!(
            "nothing could be certified, which is no yes: {}",
            open(rows, dtype).unwrap_or_default()
        ),
        _ => format!("the gradients disagree in {wrong} of {all} rows"),
    })
}

/// Why rows are neither certified nor wrong; none where there is no such row.
fn open(rows: &[Row], dtype: Precision) -> Option<String> {
    let open = rows.iter().filter(|r| r.verdict == Verdict::Inconclusive);
    let (lost, coarse): (Vec<_>, Vec<_>) = open.partition(|r| r.lost_in_rounding());
    let name = dtype.dtype().as_str();
    let more = match dtype {
        Precision::F32 => "; `--dtype f64` sees more",
        Precision::F64 => "",
    };
    let lost = (!lost.is_empty()).then(|| {
        let n = lost.len();
        format!("{n} agree within the rounding of {name}, but are too near 0 for more{more}")
    });
    let coarse = (!coarse.is_empty()).then(|| {
        let n = coarse.len();
        format!("the numerical derivative is too coarse for {n}")
    });
    let why: Vec<_> = lost.into_iter().chain(coarse).collect();
    (!why.is_empty()).then(|| why.join("; "))
}
