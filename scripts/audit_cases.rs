//! Writes the audit's cases as JSON on stdout, for `scripts/audit_reference.py`.

use candle_sine::audit::case::{Case, Data, Torch};
use candle_sine::audit::catalog;
use serde_json::{Value, json};

fn main() {
    let cases: Vec<Value> = catalog::all().iter().filter_map(described).collect();
    println!("{}", json!(cases));
}

fn described(case: &Case) -> Option<Value> {
    let Torch::Expr(expression) = &case.torch else {
        return None;
    };
    let args: Vec<Value> = case
        .args
        .iter()
        .map(|arg| {
            let (kind, data) = match &arg.values.data {
                Data::Float(v) => ("float", json!(v)),
                Data::Ids(v) => ("ids", json!(v)),
                Data::Mask(v) => ("mask", json!(v)),
            };
            json!({"name": arg.name, "kind": kind, "dims": arg.values.dims, "data": data})
        })
        .collect();
    Some(json!({"path": case.path, "case": case.name, "torch": expression, "args": args}))
}
