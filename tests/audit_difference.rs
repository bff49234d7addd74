//! What differs from the record: a line for a repaired entry, a paragraph for a function that is newly
//! wrong, and what is built on it named there.
#![cfg(feature = "cli")]

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor};
use candle_sine::audit::case::{Case, v};
use candle_sine::audit::difference::{Difference, difference};
use candle_sine::audit::known::{Known, parse};
use candle_sine::audit::run::MISSING;
use candle_sine::audit::{Audit, Selection, audit, card};

/// x², with a gradient that is `x` times this factor: 2 is right.
struct Square(f64);

impl CustomOp1 for Square {
    fn name(&self) -> &'static str {
        "square"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = &s.as_slice::<f64>()?[l.start_offset()..];
        let y = x[..l.shape().elem_count()].iter().map(|x| x * x).collect();
        Ok((CpuStorage::F64(y), l.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        (x * grad)?.affine(self.0, 0.).map(Some)
    }
}

const RIGHT: f64 = 2.;
const WRONG: f64 = 1.;

/// A call of a function, which has the gradient of `Square`.
fn case(path: &'static str, name: &str, factor: f64) -> Case {
    let case = Case::new(path, name).only(&[DType::F64]).plain();
    case.arg("x", v(&[3]))
        .run(move |a| a[0].contiguous()?.apply_op1(Square(factor)))
}

/// An entry with these patterns.
fn entry(id: &str, rows: &str) -> Known {
    let text = format!(
        "[[defect]]\nid = '{id}'\nseverity = 'silent-wrong'\nwhat = 'it is half'\nwhen = 'always'\n\
         cause = {{ line = 'candle-core/src/lib.rs:1', quote = '' }}\nrows = [{rows}]"
    );
    parse("planted", &text).expect("an entry").remove(0)
}

fn run<'a>(cases: &[Case], record: &'a [Known]) -> Audit<'a> {
    let all = Selection::default();
    audit(cases, record, &all, &Device::Cpu, || {})
}

/// The lines of the card that say what differs.
fn said(audit: &Audit) -> Vec<String> {
    let lines = card::lines(audit, false).into_iter().map(|(_, line)| line);
    let from = [
        "gone",
        "new: ",
        "not compared: ",
        "    recorded",
        "    with it",
    ];
    let lines = lines.filter(|l| from.iter().any(|f| l.starts_with(f)));
    lines.collect()
}

fn new_of(difference: &Difference, path: &str) -> Option<usize> {
    difference.new.iter().position(|n| n.path == path)
}

const TANH: &str = "candle_core::Tensor::tanh";
const MISH: &str = "candle_nn::ops::mish";
const ACTIVATION: &str = "candle_nn::activation::Activation";
const SIN: &str = "candle_core::Tensor::sin";

/// However many checks it has.
#[test]
fn a_repaired_entry_is_one_line() {
    let cases = ["a", "b", "c"].map(|name| case(SIN, name, RIGHT));
    let record = [entry(
        "half",
        &format!("{{ verdict = 'wrong', function = '{SIN}' }}"),
    )];
    let audit = run(&cases, &record);
    assert!(!audit.as_recorded());
    assert_eq!(
        said(&audit),
        ["gone: half, it is half: all of its 3 checks pass"]
    );
    assert_eq!((audit.summary().new, audit.summary().repaired), (0, 3));
}

/// Also where the pattern still has rows of the recorded verdict, or none at all.
#[test]
fn an_entry_repaired_in_part_is_one_line() {
    let cases = [case(SIN, "a", RIGHT), case(SIN, "b", WRONG)];
    let record = [entry(
        "half",
        &format!("{{ verdict = 'wrong', function = '{SIN}' }}"),
    )];
    let some = run(&cases, &record);
    assert!(!some.as_recorded() && some.gone.is_empty());
    assert_eq!(
        said(&some),
        ["gone in part: half, it is half: 1 of its 2 checks pass"]
    );
    let record = [entry(
        "half",
        &format!("{{ verdict = 'wrong', function = '{MISH}' }}"),
    )];
    let none = run(&cases[..1], &record);
    assert_eq!(
        said(&none),
        ["gone: half, it is half: no check that it covers is left"]
    );
}

/// Causes before consequences, in whatever order the catalogue has them.
#[test]
fn a_new_defect_is_one_paragraph_with_what_is_built_on_it() {
    let of = |path, names: &[&str]| -> Vec<Case> {
        names.iter().map(|name| case(path, name, WRONG)).collect()
    };
    let cases = [
        of(ACTIVATION, &["a"]),
        of(MISH, &["a", "b"]),
        of(SIN, &["a"]),
        of(TANH, &["a", "b", "c"]),
    ];
    let audit = run(&cases.concat(), &[]);
    assert_eq!(
        said(&audit),
        [
            format!("new: {SIN}: wrong in 1 of 1 checks (f64)"),
            format!("new: {TANH}: wrong in 3 of 3 checks (f64)"),
            format!("    with it  what is built on it: {ACTIVATION} (1), {MISH} (2)"),
        ]
    );
    let without = run(&cases[..2].concat(), &[]);
    let difference = difference(&without);
    assert_eq!(
        new_of(&difference, MISH),
        Some(0),
        "the lowest that is wrong itself"
    );
    assert_eq!(difference.new[0].with_it, [(ACTIVATION, 1)]);
}

/// A function that is right hides nothing that is built on it, and one beside it takes nothing.
#[test]
fn what_is_not_built_on_it_has_its_own() {
    let cases = [
        case(TANH, "a", RIGHT),
        case(MISH, "a", WRONG),
        case(SIN, "a", WRONG),
    ];
    let audit = run(&cases, &[]);
    let difference = difference(&audit);
    assert_eq!(difference.new.len(), 2);
    assert!(difference.new.iter().all(|n| n.with_it.is_empty()));
}

/// Recorded as cut, and wrong now: not repaired.
#[test]
fn another_defect_in_its_place_is_new() {
    let record = [entry(
        "cut",
        &format!("{{ verdict = 'severed', function = '{SIN}' }}"),
    )];
    let cases = [case(SIN, "a", WRONG)];
    let audit = run(&cases, &record);
    let lines = said(&audit);
    let expected = [
        format!("new: {SIN}: wrong in 1 of 1 checks (f64)"),
        "    recorded severed (cut)".to_owned(),
    ];
    assert_eq!(lines, expected);
}

/// What the candle at hand lacks is neither repaired nor new.
#[test]
fn what_this_candle_lacks_is_not_compared() {
    let mut lacks = case(SIN, "a", RIGHT);
    lacks = lacks.run(|_| candle_core::bail!("{MISSING}"));
    let record = [entry(
        "half",
        &format!("{{ verdict = 'wrong', function = '{SIN}' }}"),
    )];
    let cases = [lacks];
    let audit = run(&cases, &record);
    assert_eq!(
        said(&audit),
        [format!(
            "not compared: {SIN}, 1 checks: this candle lacks it"
        )]
    );
    assert!(audit.as_recorded());
    assert_eq!(audit.summary().functions_with_a_defect, 0);
}
