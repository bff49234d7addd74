//! assets/audit.md and the READMEs' tables, from the defects' own fields. `AUDIT_WRITE=1` writes them; without
//! it they are compared.

use std::collections::BTreeSet;
use std::path::Path;

use crate::catalog::ALL;
use crate::defects::{self, Defect, Is, Kind, Of};
use crate::range;

/// The version that the defects are of.
const CANDLE: &str = "0.11.1";

const SECTIONS: [(Kind, &str, &str); 5] = [
    (
        Kind::SilentWrong,
        "Trains wrong, silently",
        "wrong silently",
    ),
    (
        Kind::SilentStop,
        "Stops the gradient, silently",
        "stop silently",
    ),
    (Kind::Loud, "Fails loudly", "fail loudly"),
    (Kind::Precision, "Loses precision", "lose precision"),
    (
        Kind::Convention,
        "Conventions, where there is no derivative or PyTorch does the same (not defects)",
        "",
    ),
];

/// The page stands as it is written.
pub fn page() -> Result<(), String> {
    keep("assets/audit.md", |_| Ok(markdown()))
}

/// Each README's table stands as it is written.
pub fn readmes() -> Result<(), String> {
    for (language, file) in ["README.md", "README.ko.md"].into_iter().enumerate() {
        keep(file, |text| {
            let (begin, end) = ("<!-- before you train -->\n", "<!-- /before you train -->");
            let (before, rest) = text.split_once(begin).ok_or("there is no table")?;
            let (_, after) = rest.split_once(end).ok_or("the table has no end")?;
            Ok([before, begin, &table(language), end, after].concat())
        })?;
    }
    Ok(())
}

/// Holds a file against what it should be, or writes it.
fn keep(file: &str, make: impl FnOnce(&str) -> Result<String, String>) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(&path).map_err(|e| format!("{file}: {e}"))?;
    let made = make(&text).map_err(|e| format!("{file}: {e}"))?;
    if std::env::var_os("AUDIT_WRITE").is_some() {
        return std::fs::write(&path, made).map_err(|e| format!("{file}: {e}"));
    }
    let differs = text
        .lines()
        .zip(made.lines())
        .position(|(now, made)| now != made);
    match differs {
        _ if text == made => Ok(()),
        line => Err(format!(
            "{file} differs from line {}: AUDIT_WRITE=1 writes it",
            line.map_or(0, |i| i + 1)
        )),
    }
}

fn table(language: usize) -> String {
    let head = [
        "Function | What happens | When | Instead",
        "함수 | 무슨 일이 일어나나 | 언제 | 대신 쓸 것",
    ];
    let mut all = defects::all();
    // What leaves something untrained first.
    all.sort_by_key(|d| d.kind != Kind::SilentStop);
    let rows = all.into_iter().map(|d| d.readme[language]);
    let rows = rows.filter(|row| !row.is_empty());
    let rows: Vec<String> = rows.map(|row| format!("| {row} |\n")).collect();
    assert!(rows.len() <= 15, "{} rows", rows.len());
    format!(
        "| {} |\n|---|---|---|---|\n{}",
        head[language],
        rows.concat()
    )
}

fn markdown() -> String {
    let all = defects::all();
    let of = |kind: Kind| all.iter().filter(move |d| d.kind == kind);
    let functions: BTreeSet<&str> = ALL.iter().map(|case| case.path).collect();
    let bad: BTreeSet<&str> = all
        .iter()
        .filter(|d| d.kind != Kind::Convention)
        .flat_map(|d| d.functions())
        .collect();
    let counts: Vec<String> = SECTIONS[..4]
        .iter()
        .map(|(kind, _, verb)| format!("{} {verb}", of(*kind).count()))
        .collect();
    let mut text = format!(
        "# Which of candle's gradients are right\n\n\
         candle-core and candle-nn {CANDLE} on the CPU: {} functions, {} samples. {} defects in {} functions: {}.\n\n",
        functions.len(),
        ALL.len(),
        all.len() - of(Kind::Convention).count(),
        bad.len(),
        counts.join(", "),
    );
    text += &INTRODUCTION.replace("RANGE", &range::functions().len().to_string());
    for (kind, heading, _) in SECTIONS {
        text += &format!("\n## {heading}\n");
        text.extend(of(kind).map(|defect| entry(defect)));
    }
    text
}

const INTRODUCTION: &str = "Each sample goes through gradcheck in f64, f32, bf16 and f16, as far as the function has \
them, against a numeric derivative with a bound on its own error. RANGE functions (elementwise functions, activations, \
norms, reductions and losses) are also taken over the whole range of f32, bf16 and f16, with gradients of 2^-10, 1 and \
2^10 from above, against candle in f64. The bounds in these types are found again each time; those in f64 were found \
once, against closed forms. Every entry below is a test: it shows what candle does and what PyTorch 2.15 does, it runs \
what is to be used instead, and it fails on the day candle is repaired.

```sh
cargo test --release --test audit                   # everything
cargo test --release --test audit -- max_pool2d     # one function and its defects
AUDIT_JSON=audit.jsonl cargo test --release --test audit
```

To see what another candle repairs or breaks, add two lines to Cargo.toml; what fails is what has changed:

```toml
[patch.crates-io]
candle-core = { path = \"../candle/candle-core\" }
candle-nn = { path = \"../candle/candle-nn\" }
```
";

fn entry(defect: &Defect) -> String {
    let paths: Vec<String> = defect
        .functions()
        .iter()
        .map(|path| format!("`{path}`"))
        .collect();
    let shape = match defect.x.dims {
        [] => String::new(),
        dims => format!(" of shape {dims:?}"),
    };
    let of = if defect.of == Of::Value {
        "y"
    } else {
        "the gradient of y.sum()"
    };
    let pytorch = if defect.pytorch.is_empty() {
        String::new()
    } else {
        format!("; {}", defect.pytorch)
    };
    let mut text = format!("\n### {}\n\n{}\n\n", defect.name, paths.join(", "));
    let mut line = |word: &str, said: String| {
        if !said.is_empty() {
            text += &format!("- {word}: {said}\n");
        }
    };
    line("what", defect.what.into());
    line("when", defect.when.into());
    line("bounds", bounds(defect));
    line(
        "y",
        format!(
            "`{}`, x {}{shape} in {}",
            code(defect),
            numbers(defect.x.data),
            defect.x.dtype.as_str()
        ),
    );
    line("is", format!("{of} {}", is(defect)));
    line(
        "PyTorch",
        format!(
            "{} (y = `{}`){pytorch}",
            numbers(defect.should_be),
            defect.torch
        ),
    );
    line("instead", defect.instead.into());
    line(
        "cause",
        format!("`{}` `{}`", defect.cause.0, defect.cause.1),
    );
    line("upstream", defect.upstream.into());
    text
}

/// "from 258 (bf16), 2050 (f16); below 0.1 (f16)".
fn bounds(defect: &Defect) -> String {
    let all = [("from", defect.from), ("below", defect.below)].map(|(word, bounds)| {
        let of = bounds
            .iter()
            .map(|(dtype, x)| format!("{} ({})", number(*x), dtype.as_str()));
        let of: Vec<String> = of.collect();
        if of.is_empty() {
            String::new()
        } else {
            format!("{word} {}", of.join(", "))
        }
    });
    all.into_iter()
        .filter(|b| !b.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

fn is(defect: &Defect) -> String {
    match defect.is {
        Is::Numbers(is) => numbers(is),
        Is::NoGradient => "does not exist".into(),
        Is::Error(message) => format!("an error: {message}"),
        Is::Panic => "a panic".into(),
    }
}

fn numbers(x: &[f64]) -> String {
    let all: Vec<String> = x.iter().map(|x| number(*x)).collect();
    format!("[{}]", all.join(", "))
}

fn number(x: f64) -> String {
    let far = x != 0. && x.is_finite() && !(1e-4..1e9).contains(&x.abs());
    if far { format!("{x:e}") } else { x.to_string() }
}

/// The lines that show it, as they stand in the file, on one line.
fn code(defect: &Defect) -> String {
    let files = [
        include_str!("defects/silent_wrong.rs"),
        include_str!("defects/silent_stop.rs"),
        include_str!("defects/loud.rs"),
        include_str!("defects/precision.rs"),
        include_str!("defects/magnitudes.rs"),
        include_str!("defects/conventions.rs"),
    ];
    let name = format!("name: {:?},", defect.name);
    let entry = files
        .iter()
        .find_map(|file| file.split_once(&name))
        .unwrap_or_default()
        .1;
    let lines = entry.split_once("candle: |x|").unwrap_or_default().1;
    let lines = lines.split("\n        is: ").next().unwrap_or_default();
    let one: Vec<&str> = lines.split_whitespace().collect();
    let one = one
        .join(" ")
        .replace("( ", "(")
        .replace(", )", ")")
        .replace(" .", ".")
        .replace("; }", " }");
    one.trim_end_matches(',')
        .trim_start_matches("{ ")
        .trim_end_matches(" }")
        .into()
}
