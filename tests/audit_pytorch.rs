//! The second opinion: PyTorch's values and gradients for the audit's cases, from
//! `scripts/audit_reference.py`, against candle's values and numerical derivatives of them.
#![cfg(feature = "cli")]

#[path = "audit/one_thread.rs"]
mod one_thread;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_sine::audit::case::{Call, Case, Data, Torch};
use candle_sine::audit::catalog;
use candle_sine::audit::known::{Known, Severity, record};
use candle_sine::audit::range::{lines, sweep};
use candle_sine::audit::run::{Row, check, in_parallel};
use candle_sine::audit::verdict::Verdict;
use candle_sine::gradcheck::numeric::derivative;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

type Reference = HashMap<(String, String), Value>;

fn reference() -> Reference {
    one_thread::one_thread_an_op();
    let text = include_str!("data/audit_pytorch.json");
    let all: Value = serde_json::from_str(text).expect("JSON");
    let name = |c: &Value, key: &str| c[key].as_str().expect("a string").to_string();
    let cases = all["cases"].as_array().expect("cases").iter();
    cases
        .map(|c| ((name(c, "path"), name(c, "case")), c.clone()))
        .collect()
}

fn numbers(v: &Value) -> Vec<f64> {
    let number = |x: &Value| match x {
        Value::String(s) => s.parse().expect("nan or inf"),
        x => x.as_f64().expect("a number"),
    };
    v.as_array().expect("an array").iter().map(number).collect()
}

/// f64 where the function has it.
fn widest(case: &Case) -> DType {
    if case.dtypes.contains(&DType::F64) {
        DType::F64
    } else {
        case.dtypes[0]
    }
}

/// The call that has the right values: the twin's, where there is one; what is to be written
/// instead, where the call itself has no f64.
fn right(case: &Case) -> Call {
    if let Some(twin) = case.twins.first() {
        return twin.call.clone();
    }
    let fails = |t: Vec<Tensor>| (case.call)(&t).is_err();
    if widest(case) == DType::F64 && case.tensors(DType::F64, &Device::Cpu).is_ok_and(fails) {
        let entries = record().expect("the record").iter();
        let mut instead = entries.filter_map(|k| k.instead.as_ref());
        let here = instead.find(|i| i.function == case.path);
        return here.map_or(case.call.clone(), |i| Arc::new(i.call.call));
    }
    case.call.clone()
}

fn flat(y: &Tensor) -> Result<Vec<f64>> {
    y.to_dtype(DType::F64)?.flatten_all()?.to_vec1()
}

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    let scale = b.iter().fold(1f64, |m, x| m.max(x.abs()));
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| (a - b).abs() <= tolerance * scale)
}

/// Sum of the elements with alternating signs, as a function of one element of one input.
fn total(call: &Call, case: &Case, dtype: DType, arg: usize, at: usize, x: f64) -> f64 {
    let value = || -> Result<f64> {
        let mut case = case.clone();
        if let Data::Float(v) = &mut case.args[arg].values.data {
            v[at] = x;
        }
        let y = flat(&call(&case.tensors(dtype, &Device::Cpu)?)?)?;
        Ok(y.iter()
            .enumerate()
            .map(|(i, y)| if i % 2 == 0 { *y } else { -y })
            .sum())
    };
    value().unwrap_or(f64::NAN)
}

fn numeric(call: &Call, case: &Case, arg: usize) -> Vec<f64> {
    let Data::Float(v) = &case.args[arg].values.data else {
        return vec![];
    };
    let of = |at: usize| {
        let f = |x| total(call, case, DType::F64, arg, at, x);
        if STEPS.contains(&case.op()) || case.name.starts_with("bwd returns None") {
            // A step function: flat to both sides as far as this.
            let h = 0.5f64.powi(12);
            return (f(v[at] + h) - f(v[at] - h)) / (2. * h);
        }
        derivative(f, v[at]).value
    };
    (0..v.len()).map(of).collect()
}

const STEPS: [&str; 5] = ["ceil", "floor", "round", "round_to", "sign"];

/// Both ways.
#[test]
fn every_expression_has_been_evaluated() {
    let reference = reference();
    let cases = catalog::all();
    for (path, name) in reference.keys() {
        let there = cases.iter().any(|c| c.path == path && c.name == *name);
        assert!(there, "{path} {name} is no case: run the script again");
    }
    for case in cases {
        let key = (case.path.to_string(), case.name.clone());
        let expected = matches!(case.torch, Torch::Expr(_));
        assert_eq!(
            reference.contains_key(&key),
            expected,
            "{key:?}: run the script again"
        );
    }
}

#[test]
fn pytorch_has_the_values() {
    let reference = reference();
    let differs = |case: &Case| {
        let theirs = reference.get(&(case.path.to_string(), case.name.clone()))?;
        let dtype = widest(case);
        let tolerance = if dtype == DType::F64 { 1e-11 } else { 1e-5 };
        let ours = right(case)(&case.tensors(dtype, &Device::Cpu).ok()?).ok()?;
        let (ours, theirs) = (flat(&ours).ok()?, numbers(&theirs["value"]));
        let what = format!(
            "{} ({}): {ours:?}, PyTorch {theirs:?}",
            case.path, case.name
        );
        (!close(&ours, &theirs, tolerance)).then_some(what)
    };
    let wrong: Vec<String> = in_parallel(&catalog::all(), &Device::Cpu, differs)
        .into_iter()
        .flatten()
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn pytorch_has_the_numerical_derivatives() {
    let reference = reference();
    let differs = |case: &Case| {
        let theirs = reference.get(&(case.path.to_string(), case.name.clone()));
        let smooth = !case.kink && case.dtypes.contains(&DType::F64);
        let floats = (0..case.args.len()).filter(|&i| case.args[i].values.is_float());
        let one = |i: usize| difference(case, i, &theirs.filter(|_| smooth)?["grads"]);
        floats.filter_map(one).collect::<Vec<_>>()
    };
    let wrong: Vec<String> = in_parallel(&catalog::all(), &Device::Cpu, differs)
        .into_iter()
        .flatten()
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn difference(case: &Case, arg: usize, theirs: &Value) -> Option<String> {
    let name = case.args[arg].name;
    let (ours, theirs) = (numeric(&right(case), case, arg), numbers(&theirs[name]));
    (!close(&ours, &theirs, 1e-7)).then(|| {
        format!(
            "{} ({}), {name}: {ours:?}, PyTorch {theirs:?}",
            case.path, case.name
        )
    })
}

/// A function PyTorch has not; said in the catalogue with the reason.
const WITHOUT_PYTORCH: [&str; 1] = ["qmatmul"];

/// Whether candle's gradient of the sum with alternating signs is not PyTorch's, in a row's type.
fn disagrees(row: &Row, cases: &[Case], reference: &Reference) -> bool {
    let key = (row.path.to_string(), row.case.clone());
    let (Some(theirs), Some(case)) = (
        reference.get(&key),
        cases
            .iter()
            .find(|c| c.path == row.path && c.name == row.case),
    ) else {
        return false;
    };
    let theirs = numbers(&theirs["grads"][row.input]);
    let dtype = case
        .dtypes
        .iter()
        .copied()
        .find(|d| d.as_str() == row.dtype);
    let input = case.args.iter().position(|a| a.name == row.input);
    let (Some(dtype), Some(input)) = (dtype, input) else {
        return false;
    };
    let twice = row.probe == "f(x) + f(x)";
    let ours = autograd(case, dtype, input, twice).unwrap_or_default();
    let theirs: Vec<f64> = theirs
        .iter()
        .map(|g| if twice { 2. * g } else { *g })
        .collect();
    let tolerance = if dtype == DType::F64 { 1e-8 } else { 1e-2 };
    !close(&ours, &theirs, tolerance)
}

/// candle's gradient; empty where there is none.
fn autograd(case: &Case, dtype: DType, input: usize, twice: bool) -> Result<Vec<f64>> {
    let mut tensors = case.tensors(dtype, &Device::Cpu)?;
    let var = Var::from_tensor(&tensors[input])?;
    tensors[input] = var.as_tensor().clone();
    let mut y = (case.call)(&tensors)?;
    if twice {
        y = (y + (case.call)(&tensors)?)?;
    }
    let y = y.flatten_all()?;
    let sign = |i| if i % 2 == 0 { 1f64 } else { -1. };
    let signs: Vec<f64> = (0..y.elem_count()).map(sign).collect();
    let signs = Tensor::from_vec(signs, y.elem_count(), &Device::Cpu)?.to_dtype(y.dtype())?;
    let grads = (y * signs)?.sum_all()?.backward()?;
    grads.get(&var).map_or(Ok(vec![]), flat)
}

/// In how many of the samples of a finding of the sweep, with its five coordinates, PyTorch is off
/// alike, and of how many.
type Alike = HashMap<[String; 5], (u64, u64)>;

fn alike_in_the_range() -> Alike {
    let all: Value = serde_json::from_str(include_str!("data/audit_range.json")).expect("JSON");
    let of = |f: &Value| {
        let word = |i: usize| f[i].as_str().expect("a string").to_string();
        let number = |i: usize| f[i].as_u64().expect("a number");
        (std::array::from_fn(word), (number(5), number(6)))
    };
    let findings = all["findings"].as_array().expect("findings").iter();
    findings.map(of).collect()
}

/// Whether PyTorch is right in some sample where candle is grossly wrong.
fn disagrees_in_the_range(row: &Row, alike: &Alike) -> bool {
    let key = [row.path, &row.case, row.input, row.dtype, &row.probe].map(String::from);
    let (alike, of) = alike
        .get(&key)
        .unwrap_or_else(|| panic!("{key:?}: run scripts/audit_range.py again"));
    alike < of
}

/// No defect rests on our numbers alone: in each there is a row where candle's own gradient is not
/// PyTorch's, or the entry is of another kind.
#[test]
fn pytorch_disagrees_with_candle_in_every_defect() {
    let (reference, cases) = (reference(), catalog::all());
    let mut rows = in_parallel(&cases, &Device::Cpu, |c| check(c, &Device::Cpu, None)).concat();
    let swept = sweep(&lines(&cases), &Device::Cpu, None);
    rows.extend(swept.into_iter().map(|(_, finding)| finding.row));
    let alike = alike_in_the_range();
    let silent = |k: &&Known| {
        use Verdict::{Imprecise, NonFinite, Severed, Wrong};
        let of_the_gradient = [Wrong, Severed, NonFinite, Imprecise];
        let here = k.rows.iter().any(|p| of_the_gradient.contains(&p.verdict));
        (here || k.is_of_range())
            && !WITHOUT_PYTORCH.contains(&k.id.as_str())
            && k.severity != Severity::Convention
    };
    for known in record().expect("the record").iter().filter(silent) {
        let covered = |r: &&Row| {
            known
                .rows
                .iter()
                .any(|p| p.covers(r) && p.verdict == r.verdict)
        };
        let refuted = rows
            .iter()
            .filter(covered)
            .any(|r| match r.probe.starts_with("range") {
                true => disagrees_in_the_range(r, &alike),
                false => disagrees(r, &cases, &reference),
            });
        assert!(refuted, "{}", known.id);
    }
}

/// Path, case, input, PyTorch's value at the kink as the record has it.
const KINKS: [(&str, &str, &str, &[f64]); 13] = [
    ("candle_core::Tensor::relu", "at 0", "self", &[0.]),
    ("candle_core::Tensor::abs", "at 0", "self", &[0.]),
    ("candle_core::Tensor::max", "two equal", "self", &[0.5, 0.5]),
    (
        "candle_core::Tensor::min_all",
        "two equal",
        "self",
        &[0.5, 0.5],
    ),
    (
        "candle_core::Tensor::max_pool2d",
        "two equal",
        "self",
        &[1., 0.],
    ),
    ("candle_core::Tensor::maximum", "tie", "rhs", &[0.5]),
    (
        "candle_core::Tensor::clamp",
        "at the upper bound",
        "self",
        &[0.],
    ),
    (
        "candle_core::Tensor::elu",
        "alpha 0.5, at 0",
        "self",
        &[0.5],
    ),
    ("candle_nn::ops::leaky_relu", "at 0", "xs", &[0.125]),
    (
        "candle_nn::activation::Activation",
        "relu6, at 0",
        "xs",
        &[0.],
    ),
    (
        "candle_nn::activation::Activation",
        "relu6, at 6",
        "xs",
        &[0.],
    ),
    ("candle_nn::ops::hard_sigmoid", "at 3", "xs", &[0.]),
    (
        "candle_nn::activation::Activation",
        "hard swish, at 3",
        "xs",
        &[1.],
    ),
];

#[test]
fn pytorch_takes_these_values_at_kinks() {
    let reference = reference();
    for (path, case, input, value) in KINKS {
        let theirs = &reference[&(path.to_string(), case.to_string())];
        assert_eq!(numbers(&theirs["grads"][input]), value, "{path} {case}");
    }
}
