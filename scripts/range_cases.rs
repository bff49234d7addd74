//! Where candle is grossly wrong in the sweep of the whole range, as JSON: one finding a line, for
//! `scripts/audit_range.py` to see what PyTorch does there.
//!
//! With `-` as its argument, the findings as lines for a person.

use candle_core::Device;
use candle_sine::audit::case::{Data, Torch, Values};
use candle_sine::audit::range::findings::Finding;
use candle_sine::audit::range::format::Format;
use candle_sine::audit::range::judge::Part;
use candle_sine::audit::range::line::Line;
use candle_sine::audit::range::measure::SCALES;
use candle_sine::audit::{catalog, range};
use serde_json::{Value, json};
use std::collections::BTreeMap;

fn main() {
    let cases = catalog::all();
    let lines = range::lines(&cases);
    let found = range::sweep(&lines, &Device::Cpu, None);
    let wrong = found.iter().filter(|(_, f)| !f.row.verdict.is_clean());
    let for_a_person = std::env::args().nth(1).is_some();
    for (line, finding) in wrong {
        if for_a_person {
            println!("{}", words(finding));
        } else if let Torch::Expr(torch) = &line.case.torch {
            println!("{}", to_json(line, finding, torch));
        }
    }
}

fn words(finding: &Finding) -> String {
    let r = &finding.row;
    let number = |x: Option<f64>| x.unwrap_or(f64::NAN);
    format!(
        "{}|{}|{}|{}|{}|{}|{:e}..{:e}|{} should {}|{}",
        r.path,
        r.case,
        r.input,
        r.dtype,
        r.probe,
        r.verdict,
        number(r.from),
        number(r.to),
        number(r.autograd),
        number(r.numeric),
        r.note.as_deref().unwrap_or_default()
    )
}

fn to_json(line: &Line, finding: &Finding, torch: &str) -> Value {
    let row = &finding.row;
    let dtype = range::dtypes(line)
        .into_iter()
        .find(|d| d.as_str() == row.dtype);
    let format = Format::of(dtype.unwrap_or(candle_core::DType::F64));
    let (input, scale) = match finding.part {
        Part::Value => (None, 1.),
        Part::Gradient { input, scale } => (Some(input), SCALES[scale]),
    };
    let samples: Vec<Value> = finding
        .wrong
        .iter()
        .map(|(sample, off)| {
            let inputs = line.inputs(&[*sample], &format);
            json!({
                "inputs": inputs.iter().map(numbers).collect::<Vec<_>>(),
                "at": off.at,
                "found": off.found.to_string(),
                "expected": off.expected,
            })
        })
        .collect();
    let inputs = finding
        .wrong
        .first()
        .map(|(s, _)| line.inputs(&[*s], &format));
    let args: Vec<Value> = (line.case.args.iter().zip(inputs.unwrap_or_default()))
        .map(|(arg, v)| json!({"name": arg.name, "dims": v.dims, "float": v.is_float()}))
        .collect();
    json!({
        "path": row.path, "case": row.case, "verdict": row.verdict, "from": row.from, "to": row.to,
        "at": row.at.iter().map(|(n, v)| (*n, v.as_str())).collect::<BTreeMap<_, _>>(), "input": row.input, "dtype": row.dtype,
        "probe": row.probe, "torch": torch, "args": args, "of": input, "scale": scale,
        "weights": line.weights(), "smallest": format.smallest(), "samples": samples,
    })
}

fn numbers(values: &Values) -> Vec<f64> {
    match &values.data {
        Data::Float(v) => v.clone(),
        Data::Ids(v) => v.iter().map(|x| f64::from(*x)).collect(),
        Data::Mask(v) => v.iter().map(|x| f64::from(*x)).collect(),
    }
}
