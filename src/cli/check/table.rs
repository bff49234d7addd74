//! The table of `candle-sine check`, one row a weight.

use super::super::print::{BAD, GOOD, Printer, error};
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
        Verdict::Inconclusive => "lost in rounding".to_owned(),
        verdict => format!("{BAD}NOT OK{BAD:#}, {}{alone}", verdict.name()),
    }
}

pub fn verdict(rows: &[Row], agree: bool, out: &mut Printer) {
    let passed = rows.iter().filter(|r| r.verdict == Verdict::Pass).count();
    let wrong = rows.iter().filter(|r| r.disagrees()).count();
    if agree {
        let lost = match rows.len() - passed {
            0 => String::new(),
            lost => format!(", {lost} lost in their own rounding"),
        };
        out.line("");
        out.line(format_args!(
            "the gradients agree: {passed} of {} rows certified{lost}",
            rows.len()
        ));
    } else if wrong > 0 {
        error(&format!(
            "the gradients disagree in {wrong} of {} rows",
            rows.len()
        ));
    } else {
        error(
            "nothing could be certified, which is no yes: every gradient here is lost in its own rounding",
        );
    }
}
