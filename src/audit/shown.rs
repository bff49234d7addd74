//! A row in words.

use super::report::Judged;
use super::verdict::Verdict;

/// One row in words: the case, and autograd beside numeric.
pub fn shown(j: &Judged) -> String {
    let row = &j.row;
    let probe = if row.probe == "plain" {
        String::new()
    } else {
        format!(", {}", row.probe)
    };
    let head = format!(
        "{} of {} ({}, {}{probe})",
        row.input, row.op, row.case, row.dtype
    );
    if let Some(varies) = row.note.as_ref().filter(|n| n.starts_with("varies")) {
        return format!("{head}: {varies}");
    }
    let number = |x: Option<f64>| x.map_or("none".into(), short);
    let both = format!(
        "{}, should be {}",
        number(row.autograd),
        number(row.numeric)
    );
    let text = match row.verdict {
        Verdict::Forward => format!("{head}: value {both}"),
        Verdict::Unsupported | Verdict::Panicked | Verdict::Error => {
            format!(
                "{head}: {}",
                row.note.as_deref().unwrap_or(row.verdict.name())
            )
        }
        _ => format!("{head}: autograd {both}"),
    };
    match (row.from, row.to) {
        (Some(from), Some(to)) => format!("{text}; so from {} to {}", short(from), short(to)),
        _ => text,
    }
}

/// Six decimals, as a decimal where that is shorter.
fn short(x: f64) -> String {
    match x.abs() {
        size if size == 0. || (1e-4..1e6).contains(&size) || !x.is_finite() => {
            let text = format!("{x:.6}");
            let text = text.trim_end_matches('0').trim_end_matches('.');
            text.to_string()
        }
        _ => format!("{x:.5e}"),
    }
}
