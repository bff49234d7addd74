//! A defect as a complete program that needs candle alone.
//!
//! An entry of the record has only what is its own:
//!
//! ```toml
//! [defect.repro]
//! gradient = "x"              # of the sum of y; without this line y itself is compared
//! should_be = [0, 1]          # what PyTorch has: scripts/audit_repro.py looks
//! within = 1e-4               # how far from it is still right; may be left out
//! code = '''
//! let x = Var::new(&[1f32, 2.], &Device::Cpu)?;
//! let y = x.scatter(&Tensor::new(&[0u32], &Device::Cpu)?, &Tensor::new(&[5f32], &Device::Cpu)?, 0)?;
//! '''
//! torch = '''
//! x = torch.tensor([1., 2.], requires_grad=True)
//! y = x.scatter(0, torch.tensor([0]), torch.tensor([5.]))
//! '''
//! ```
//!
//! `code` stands in a function that returns candle's `Result`; the `use` lines follow from the words
//! in it ([`USED`]), and what it takes from `candle_nn` is written with its path. The variable must be
//! called in Rust as in Python. The line is at most 96 characters, since the program indents it by
//! four. Choose the smallest numbers that show the defect, and none that lie near a rounding boundary:
//! the program has to exit with 1 here and with 0 once candle is repaired, on any machine. Where candle
//! may panic instead, `panics = true`; a struct or a function that it needs, in `items`.
//! tests/audit_repro.rs compiles and runs them all.

use std::fmt::Write;

use serde::Deserialize;

use super::Known;
use crate::audit::report::CANDLE;

/// What a program is made of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repro {
    /// The variable whose gradient is compared; without it, `y` itself is.
    pub gradient: Option<String>,
    /// What PyTorch has there.
    pub should_be: Vec<f64>,
    /// How far from it is right.
    #[serde(default = "close")]
    pub within: f64,
    /// Whether it may panic.
    #[serde(default)]
    pub panics: bool,
    /// What stands before the functions.
    #[serde(default)]
    pub items: String,
    /// Lines of Rust that make `y`.
    pub code: String,
    /// The same in PyTorch.
    pub torch: String,
}

fn close() -> f64 {
    1e-4
}

/// What a program may take from candle, by the word that asks for it.
const USED: [(&str, &str); 13] = [
    ("CpuStorage", "CpuStorage"),
    ("CustomOp1", "CustomOp1"),
    ("D", "D"),
    ("DType", "DType"),
    ("Device", "Device"),
    ("Layout", "Layout"),
    ("forward", "Module"),
    ("Result", "Result"),
    ("Shape", "Shape"),
    ("Tensor", "Tensor"),
    ("Var", "Var"),
    ("QMatMul", "quantized::QMatMul"),
    ("QTensor", "quantized::{GgmlDType, QTensor}"),
];

/// The program; `None` where the entry has none.
pub fn program(known: &Known) -> Option<String> {
    let repro = known.repro.as_ref()?;
    let body = [repro.items.as_str(), &compared(repro), &main(repro)].join("\n");
    let text = [head(known, &body), uses(&body), body].concat();
    Some(text.replace("\n\n\n", "\n\n"))
}

/// What, when, and how to run it.
fn head(known: &Known, body: &str) -> String {
    let crates = match body.contains("candle_nn") {
        true => format!("candle-core@{CANDLE} candle-nn@{CANDLE}"),
        false => format!("candle-core@{CANDLE}"),
    };
    let lines = [
        format!("{}: {}.", functions(known), known.what),
        format!("When: {}.", known.when),
        String::new(),
        format!("    cargo new repro && cd repro && cargo add {crates}"),
        "    # this file as src/main.rs".into(),
        "    cargo run; echo $?    # 1 while candle does this, 0 once it is repaired".into(),
    ];
    let wrapped = lines.iter().flat_map(|line| wrap(line, 95));
    wrapped
        .map(|line| format!("//! {line}").trim_end().to_owned() + "\n")
        .collect()
}

/// Lines of at most so many characters, but for words that are longer.
fn wrap(text: &str, width: usize) -> Vec<String> {
    if text.starts_with(' ') {
        return vec![text.into()];
    }
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        if let Some(line) = lines.last_mut() {
            if line.is_empty() {
                line.push_str(word);
            } else if line.chars().count() + 1 + word.chars().count() <= width {
                line.push(' ');
                line.push_str(word);
            } else {
                lines.push(word.into());
            }
        }
    }
    lines
}

/// `Tensor::max_pool2d, Tensor::max_pool2d_with_stride`, and how many more.
pub(super) fn functions(known: &Known) -> String {
    let paths = known.functions();
    let short = |path: &&str| path.replace("candle_core::", "");
    let mut names: Vec<_> = paths.iter().take(3).map(short).collect();
    if paths.len() > 3 {
        names.push(format!("{} more", paths.len() - 3));
    }
    names.join(", ")
}

fn uses(body: &str) -> String {
    let words: Vec<_> = body
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let used = USED.iter().filter(|(word, _)| words.contains(word));
    let (inner, own): (Vec<&str>, Vec<_>) =
        used.map(|(_, name)| *name).partition(|n| n.contains("::"));
    let mut text = String::from("\n");
    for name in inner {
        text += &format!("use candle_core::{name};\n");
    }
    text + &format!("use candle_core::{{{}}};\n\n", own.join(", "))
}

/// The function that computes what is compared.
fn compared(repro: &Repro) -> String {
    let (doc, name) = match &repro.gradient {
        Some(x) => (
            format!("The gradient of the sum of y with respect to {x}."),
            "gradient",
        ),
        None => ("The elements of y.".into(), "value"),
    };
    let mut text = format!("/// {doc}\nfn {name}() -> Result<Vec<f64>> {{\n");
    for line in repro.code.lines() {
        _ = writeln!(text, "    {line}");
    }
    let end = match &repro.gradient {
        Some(x) => format!(
            "    let grads = y.sum_all()?.backward()?;
    let Some(grad) = grads.get(&{x}) else {{
        println!(\"{x} has no gradient\");
        return Ok(vec![0.; {x}.elem_count()]);
    }};
    grad.to_dtype(DType::F64)?.flatten_all()?.to_vec1()\n"
        ),
        None => "    y.to_dtype(DType::F64)?.flatten_all()?.to_vec1()\n".into(),
    };
    text + &end + "}\n"
}

fn main(repro: &Repro) -> String {
    let name = if repro.gradient.is_some() {
        "gradient"
    } else {
        "value"
    };
    let call = match repro.panics {
        true => format!(
            "std::panic::catch_unwind({name})
        .unwrap_or_else(|_| Err(candle_core::Error::Msg(\"it panics\".into())))"
        ),
        false => format!("{name}()"),
    };
    let (should_be, within) = (&repro.should_be, repro.within);
    format!(
        "fn main() {{
    let is = {call};
    // As PyTorch has it.
    let should_be = {should_be:?};
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= {within:?};
    let right = match is {{
        Ok(is) => {{
            println!(\"is        {{is:?}}\");
            is.len() == should_be.len() && is.iter().zip(&should_be).all(close)
        }}
        Err(error) => {{
            let error = error.to_string();
            println!(\"is        an error: {{}}\", error.lines().next().unwrap_or_default());
            false
        }}
    }};
    println!(\"should be {{should_be:?}}\");
    std::process::exit(if right {{ 0 }} else {{ 1 }});
}}
"
    )
}
