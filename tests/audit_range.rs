//! The sweep of the whole range: what it finds is PyTorch's too or it is not, as the record says, and
//! every function of the catalogue is in it or is left out with a reason.
#![cfg(feature = "cli")]

#[path = "audit/one_thread.rs"]
mod one_thread;

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor};
use candle_sine::audit::case::{Case, v};
use candle_sine::audit::catalog;
use candle_sine::audit::known::{Known, Severity, record};
use candle_sine::audit::range::findings::findings;
use candle_sine::audit::range::format::Format;
use candle_sine::audit::range::judge::{Kind, Part, look};
use candle_sine::audit::range::left_out::LEFT_OUT;
use candle_sine::audit::range::line::Line;
use candle_sine::audit::range::table::{SWEPT, Truth};
use candle_sine::audit::range::truth::curve;
use candle_sine::audit::range::{self, sweep};
use candle_sine::audit::report::excused;
use candle_sine::audit::run::Row;
use candle_sine::audit::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::OnceLock;

fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(catalog::all)
}

/// The whole sweep, once for all tests.
fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    one_thread::one_thread_an_op();
    ROWS.get_or_init(|| {
        let found = sweep(&range::lines(cases()), &Device::Cpu, None);
        let rows = found.into_iter().map(|(_, f)| f.row).collect();
        excused(rows, record().expect("the record"))
    })
}

#[test]
fn every_function_is_swept_or_left_out_with_its_reason() {
    let all: BTreeSet<&str> = cases().iter().map(|c| c.path).collect();
    let swept: BTreeSet<&str> = SWEPT.iter().map(|s| s.path).collect();
    let left: BTreeSet<&str> = LEFT_OUT.iter().map(|(path, _)| *path).collect();
    assert_eq!(left.len(), LEFT_OUT.len(), "twice in the list");
    let both: Vec<_> = swept.intersection(&left).collect();
    assert!(both.is_empty(), "swept and left out: {both:?}");
    let neither: Vec<_> = all
        .iter()
        .filter(|p| !swept.contains(*p) && !left.contains(*p))
        .collect();
    assert!(
        neither.is_empty(),
        "neither swept nor left out: {neither:#?}"
    );
    let unknown: Vec<_> = swept.union(&left).filter(|p| !all.contains(*p)).collect();
    assert!(unknown.is_empty(), "not in the catalogue: {unknown:?}");
    // And what is to be swept has rows, in each of its types in which the call does not fail.
    for line in range::lines(cases()) {
        for dtype in range::dtypes(&line) {
            let name = format!("{}, the whole range", line.case.name);
            let mut here = rows().iter().filter(|r| r.path == line.case.path);
            let has = here.any(|r| r.dtype == dtype.as_str() && r.case.starts_with(&name));
            let tensors = line.case.tensors(dtype, &Device::Cpu);
            let fails = tensors.is_ok_and(|t| (line.case.call)(&t).is_err());
            let what = format!("{} {} {dtype:?}", line.case.path, line.case.name);
            assert!(has != fails, "{what}: swept {has}, the call fails {fails}");
        }
    }
    let cases_of_lines = range::lines(cases()).len();
    assert!(cases_of_lines > SWEPT.len(), "{cases_of_lines}");
}

fn finding(path: &str, dtype: &str, verdict: Verdict, upstream: &str) -> Option<&'static Row> {
    let upstream_is = |r: &Row| r.at.iter().any(|(n, u)| *n == "upstream" && u == upstream);
    let mut of = rows().iter().filter(|r| r.path == path && r.dtype == dtype);
    of.find(|r| r.verdict == verdict && upstream_is(r))
}

#[test]
fn thresholds_are_exact() {
    let silu = "candle_core::Tensor::silu";
    for (dtype, from) in [("bf16", 258.), ("f16", 2050.), ("f32", 16777218.)] {
        let row = finding(silu, dtype, Verdict::Wrong, "1").expect(dtype);
        assert_eq!(row.from, Some(from), "{dtype}");
    }
    let row = finding("candle_core::Tensor::recip", "f16", Verdict::Wrong, "1");
    assert_eq!(row.and_then(|r| r.from), Some(256.));
    let norm = finding("candle_core::Tensor::norm", "f16", Verdict::NonFinite, "1");
    assert!(
        norm.and_then(|r| r.to)
            .is_some_and(|to| (1e-4..2e-4).contains(&to))
    );
    let div = finding(
        "candle_core::Tensor::broadcast_div",
        "f16",
        Verdict::Wrong,
        "1",
    );
    assert_eq!(div.and_then(|r| r.from), Some(256.));
    // The squares fit f16 up to 255; their gradient is infinite before.
    let lines = range::lines(cases());
    let pow = lines
        .iter()
        .find(|l| l.case.path == "candle_core::Tensor::pow");
    let self_of = Part::Gradient { input: 0, scale: 0 };
    let format = Format::of(DType::F16);
    for (x, kind) in [
        (64., None),
        (180., None),
        (189., Some(Kind::NotFinite)),
        (254., Some(Kind::NotFinite)),
    ] {
        let seen = look(
            pow.expect("pow"),
            &[[x, 2.]],
            &format,
            &Device::Cpu,
            Some(self_of),
        );
        let seen = seen
            .iter()
            .find(|(part, _)| *part == self_of)
            .expect("a gradient");
        assert_eq!(seen.1[0].map(|off| off.kind), kind, "{x}");
    }
}

/// x² whose gradient is doubled from a magnitude on.
struct DoubledFrom(f64);

impl CustomOp1 for DoubledFrom {
    fn name(&self) -> &'static str {
        "doubled"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = &s.as_slice::<f32>()?[l.start_offset()..][..l.shape().elem_count()];
        Ok((
            CpuStorage::F32(x.iter().map(|x| x * x).collect()),
            l.shape().clone(),
        ))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let beyond = x.abs()?.ge(self.0)?.to_dtype(DType::F32)?;
        (x * 2.)?.mul(grad)?.mul(&(beyond + 1.)?).map(Some)
    }
}

/// A fault planted from a magnitude on is found there, to the last digit; a right function is not
/// accused.
#[test]
fn a_planted_fault_is_found_where_it_begins() {
    one_thread::one_thread_an_op();
    let from = f64::from(1234.5678f32);
    let of = |op: Option<f64>| {
        let case = Case::new("planted::op", "x²")
            .arg("x", v(&[3]))
            .only(&[DType::F32]);
        case.run(move |a| match op {
            Some(from) => a[0].apply_op1(DoubledFrom(from)),
            None => a[0].sqr(),
        })
    };
    for (op, found) in [(Some(from), Some(from)), (None, None)] {
        let case = of(op);
        let line = Line {
            case: &case,
            truth: Truth::Curve(curve::SQR),
            way: None,
        };
        let rows = findings(&line, DType::F32, &Device::Cpu);
        let wrong: Vec<_> = rows
            .iter()
            .filter(|f| f.row.verdict == Verdict::Wrong)
            .collect();
        assert_eq!(wrong.len(), if found.is_some() { 6 } else { 0 });
        assert!(
            wrong.iter().all(|f| f.row.from == found),
            "{:?}",
            wrong[0].row.from
        );
    }
}

type Alike = HashMap<[String; 5], (u64, u64)>;

fn reference() -> Alike {
    let text = include_str!("data/audit_range.json");
    let all: serde_json::Value = serde_json::from_str(text).expect("JSON");
    let word = |v: &serde_json::Value| v.as_str().unwrap_or_default().to_string();
    let one = |f: &serde_json::Value| {
        let key = std::array::from_fn(|i| word(&f[i]));
        (
            key,
            (f[5].as_u64().unwrap_or(0), f[6].as_u64().unwrap_or(0)),
        )
    };
    all["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .map(one)
        .collect()
}

fn entry(row: &Row) -> Option<&'static Known> {
    let covers = |k: &&Known| {
        k.rows
            .iter()
            .any(|p| p.covers(row) && p.verdict == row.verdict)
    };
    record().expect("the record").iter().find(covers)
}

/// Whether it is a convention, the entry, the function, the type, the probe.
type Kept<'a> = (bool, &'a str, &'a str, &'a str, &'a str);

/// A convention is one because PyTorch loses the same; a defect is none because it does not.
#[test]
fn pytorch_does_the_same_in_conventions_and_not_in_defects() {
    let reference = reference();
    let mut sums: BTreeMap<Kept, (u64, u64)> = BTreeMap::new();
    for row in rows().iter().filter(|r| !r.verdict.is_clean()) {
        let words = [row.path, &row.case, row.input, row.dtype, &row.probe];
        let key = words.map(String::from);
        let Some((alike, of)) = reference.get(&key) else {
            assert!(row.flushed, "no reference: {key:?}"); // this processor's alone
            continue;
        };
        let known = entry(row).unwrap_or_else(|| panic!("not on record: {key:?}"));
        let shared = known.severity == Severity::Convention;
        let sum = sums
            .entry((shared, &known.id, row.path, row.dtype, &row.probe))
            .or_default();
        *sum = (sum.0 + alike, sum.1 + of);
    }
    for ((shared, id, path, dtype, probe), (alike, of)) in sums {
        let what = format!("{id}, {path} {dtype} {probe}: {alike} of {of} samples alike");
        assert!(if shared { 2 * alike >= of } else { alike < of }, "{what}");
    }
}

/// The magnitudes that the record names are those that the sweep finds with an upstream gradient of
/// 1, or in the value; with another where the fault does not show in these.
#[test]
fn the_bounds_on_record_are_found() {
    let mut compared = 0;
    for known in record().expect("the record") {
        for (bounds, upper) in [(&known.from, false), (&known.below, true)] {
            for (float, bound) in bounds {
                let found = found_bound(known, float.dtype().as_str(), upper);
                let what = format!("{} {float:?}: {bound}, found {found:?}", known.id);
                let near = |found: f64| (found - bound).abs() <= 2e-3 * bound;
                assert!(found.is_some_and(near), "{what}");
                compared += 1;
            }
        }
    }
    assert!(compared > 30, "{compared}");
}

/// Where an entry's faults of large elements begin, or those of small ones end.
fn found_bound(known: &Known, dtype: &str, upper: bool) -> Option<f64> {
    let mine = |r: &&Row| {
        r.dtype == dtype && !r.verdict.is_clean() && entry(r).is_some_and(|k| k.id == known.id)
    };
    let of_unit = |r: &&&Row| {
        let mut at = r.at.iter();
        at.any(|(n, u)| *n == "upstream" && (u == "1" || u == "value"))
    };
    let all: Vec<&Row> = rows().iter().filter(mine).collect();
    let unit: Vec<&Row> = all.iter().filter(of_unit).copied().collect();
    let taken = if unit.is_empty() { all } else { unit };
    let of = |r: &&Row| {
        if upper {
            r.to.filter(|x| *x < 0.1)
        } else {
            r.from.filter(|x| *x > 0.1)
        }
    };
    let bounds = taken.iter().filter_map(of);
    if upper {
        bounds.reduce(f64::max)
    } else {
        bounds.reduce(f64::min)
    }
}
