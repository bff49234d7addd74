//! One line in one type: a finding for each part and side, with where it is wrong.

use candle_core::{DType, Device};

use super::edge::Search;
use super::format::Format;
use super::judge::{Kind, Off, Part, look};
use super::line::{Line, Sample};
use super::measure::SCALES;
use crate::audit::case::Coordinates;
use crate::audit::run::Row;
use crate::audit::verdict::Verdict;

/// How many of a finding's samples it keeps.
const SHOWN: usize = 8;

/// What was found of one part of one function on one side of zero.
pub struct Finding {
    /// As the audit has it.
    pub row: Row,
    /// The value or one of the gradients.
    pub part: Part,
    /// Some of the samples that are wrong, first to last.
    pub wrong: Vec<(Sample, Off)>,
}

/// Takes one line through one type.
pub fn findings(line: &Line, dtype: DType, device: &Device) -> Vec<Finding> {
    let format = Format::of(dtype).on(device);
    let samples = line.samples(&format);
    let mut found = Vec::new();
    for (part, off) in look(line, &samples, &format, device, None) {
        let input = match part {
            Part::Value => 0,
            Part::Gradient { input, .. } => input,
        };
        let own = line.own(input);
        for negative in [true, false] {
            let side = |s: &Sample| s[own].is_sign_negative() == negative;
            let all = samples.iter().zip(&off).filter(|(s, _)| side(s));
            let mut wrong: Vec<(Sample, Off)> = Vec::new();
            let mut taken = 0;
            for (sample, off) in all {
                taken += 1;
                wrong.extend(off.map(|off| (*sample, off)));
            }
            wrong.sort_by(|a, b| a.0[own].abs().total_cmp(&b.0[own].abs()));
            let search = Search {
                line: *line,
                format,
                device,
                part,
                own,
                kind: Kind::Wrong,
            };
            found.extend(kinds(&search, input, negative, taken, &wrong));
        }
    }
    found
}

/// A finding for each kind of fault that there is; one that passes where there is none.
fn kinds(
    search: &Search,
    input: usize,
    negative: bool,
    taken: usize,
    wrong: &[(Sample, Off)],
) -> Vec<Finding> {
    let one = |kind: Kind| {
        let of_kind: Vec<_> = wrong
            .iter()
            .filter(|(_, o)| o.kind == kind)
            .copied()
            .collect();
        let search = Search { kind, ..*search };
        finding(&search, input, negative, taken, of_kind)
    };
    if wrong.is_empty() {
        return vec![one(Kind::Wrong)];
    }
    let there = |k: &Kind| wrong.iter().any(|(_, o)| o.kind == *k);
    Kind::ALL.into_iter().filter(there).map(one).collect()
}

fn finding(
    search: &Search,
    input: usize,
    negative: bool,
    taken: usize,
    wrong: Vec<(Sample, Off)>,
) -> Finding {
    let case = search.line.case;
    let at_place = coordinates(search, negative);
    let mut row = Row {
        path: case.path,
        op: case.op(),
        case: name(search, &at_place),
        at: at_place,
        input: case.args.get(input).map_or("?", |a| a.name),
        dtype: search.format.dtype.as_str(),
        probe: search.kind.probe().into(),
        verdict: Verdict::Pass,
        max_rel_err: None,
        autograd: None,
        numeric: None,
        from: None,
        to: None,
        note: None,
        flushed: !wrong.is_empty() && wrong.iter().all(|(_, off)| off.flushed),
    };
    if let (Some(&(first, _)), Some(&(last, _))) = (wrong.first(), wrong.last()) {
        let from = outward(search, first, -1);
        let to = outward(search, last, 1);
        let (sample, off) = shown(&wrong, search.own);
        row.verdict = verdict(search.part, search.kind);
        (row.from, row.to) = (Some(from), Some(to));
        (row.autograd, row.numeric) = (Some(off.found), Some(off.expected));
        row.note = Some(format!(
            "at {}; {} of {taken} samples",
            at(search, sample),
            wrong.len()
        ));
    }
    let every = wrong.len().div_ceil(SHOWN).max(1);
    let wrong = wrong.into_iter().step_by(every).collect();
    Finding {
        row,
        part: search.part,
        wrong,
    }
}

fn at(search: &Search, sample: Sample) -> String {
    match search.line.case.args.get(1) {
        Some(second) if search.line.way.is_none() => {
            let first = search.line.case.args[0].name;
            format!("{first} {:e}, {} {:e}", sample[0], second.name, sample[1])
        }
        _ => format!("{:e}", sample[0]),
    }
}

/// Where in the sweep a finding lies, as the record names it: the call, the way the range is taken,
/// the side of zero, and the upstream gradient, or `value`.
fn coordinates(search: &Search, negative: bool) -> Coordinates {
    let part = match search.part {
        Part::Value => "value".into(),
        Part::Gradient { scale, .. } => match SCALES[scale].log2() {
            0. => "1".into(),
            power => format!("2^{power}"),
        },
    };
    let side = if negative { "negative" } else { "positive" };
    let way = search.line.way.map(|w| ("way", w.name().to_string()));
    let rest = [("side", side.to_string()), ("upstream", part)];
    search
        .line
        .case
        .at
        .iter()
        .cloned()
        .chain(way)
        .chain(rest)
        .collect()
}

/// "moderate, the whole range, all elements, negative, upstream 2^10".
fn name(search: &Search, at: &Coordinates) -> String {
    let of = |name: &str| at.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
    let upstream = match of("upstream") {
        Some("value") | None => "its value".to_string(),
        Some(power) => format!("upstream {power}"),
    };
    let words = [
        Some("the whole range"),
        of("way"),
        of("side"),
        Some(&upstream),
    ];
    let words: Vec<&str> = words.into_iter().flatten().collect();
    format!("{}, {}", search.line.case.name, words.join(", "))
}

fn verdict(part: Part, kind: Kind) -> Verdict {
    match (kind, part) {
        (Kind::Tail, _) => Verdict::Imprecise,
        (_, Part::Value) => Verdict::Forward,
        (Kind::Wrong, _) => Verdict::Wrong,
        (Kind::NotFinite, _) => Verdict::NonFinite,
    }
}

/// The end of the wrong stretch that is nearer to usual magnitudes.
fn shown(wrong: &[(Sample, Off)], own: usize) -> (Sample, Off) {
    let far = |s: &Sample| s[own].abs().log2().abs();
    let (first, last) = (wrong[0], wrong[wrong.len() - 1]);
    if far(&first.0) <= far(&last.0) {
        first
    } else {
        last
    }
}

/// The magnitude where the fault begins (`step` -1) or ends (1), from its first or last sample.
fn outward(search: &Search, sample: Sample, step: isize) -> f64 {
    let grid = search.line.grid(&search.format);
    let edge = sample[search.own].abs();
    let place = grid.partition_point(|x| *x < edge);
    match place.checked_add_signed(step).and_then(|i| grid.get(i)) {
        Some(&right) => search.edge(right, sample),
        None => edge,
    }
}
