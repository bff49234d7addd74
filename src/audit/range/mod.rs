//! Every elementwise function, activation, norm, reduction and loss of the catalogue over the whole
//! finite range of each type.
//!
//! The [`table`] says which function, called as which case, with what [`truth`]. A [`mod@line`] is one
//! function taken over the range one way: its samples have every magnitude of the type, of both
//! signs. [`measure`] calls candle there, with upstream gradients of 2^-10, 1 and 2^10, [`judge`] says
//! which samples are grossly wrong, [`edge`] where that begins and ends, and [`mod@findings`] makes rows
//! of it.

pub mod edge;
pub mod findings;
pub mod format;
pub mod judge;
pub mod left_out;
pub mod line;
pub mod measure;
pub mod table;
pub mod truth;

use candle_core::{DType, Device};

use self::findings::{Finding, findings};
use self::line::Line;
use self::table::{SWEPT, Truth};
use super::case::Case;
use super::run::in_parallel;

/// The lines through the functions of these cases.
pub fn lines(cases: &[Case]) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for swept in SWEPT {
        let case = cases
            .iter()
            .find(|c| c.path == swept.path && c.name == swept.case);
        let Some(case) = case else { continue };
        let ways = match swept.truth {
            Truth::Together(t) => t.ways.iter().map(|w| Some(*w)).collect(),
            _ => vec![None],
        };
        lines.extend(ways.into_iter().map(|way| Line {
            case,
            truth: swept.truth,
            way,
        }));
    }
    lines
}

/// The types a line is taken through, narrowest first: f64 only where one number is computed from one or two.
pub fn dtypes(line: &Line) -> Vec<DType> {
    let alone = line.way.is_none();
    let taken = |d: &&DType| alone || **d != DType::F64;
    line.case
        .dtypes
        .iter()
        .rev()
        .filter(taken)
        .copied()
        .collect()
}

/// Takes every line through its types, or through one of them.
pub fn sweep<'a>(
    lines: &[Line<'a>],
    device: &Device,
    only: Option<DType>,
) -> Vec<(Line<'a>, Finding)> {
    let jobs: Vec<(Line, DType)> = lines
        .iter()
        .flat_map(|line| dtypes(line).into_iter().map(move |d| (*line, d)))
        .filter(|(_, d)| only.is_none_or(|only| only == *d))
        .collect();
    let found = in_parallel(&jobs, device, |(line, dtype)| {
        findings(line, *dtype, device)
            .into_iter()
            .map(|f| (*line, f))
            .collect::<Vec<_>>()
    });
    found.into_iter().flatten().collect()
}
