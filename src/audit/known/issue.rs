//! A defect as the text of a report, in Markdown: what, when, the program, PyTorch's value, the line.

use super::repro::{Repro, functions, program};
use super::{Known, Severity};
use crate::audit::report::CANDLE;

/// The report; `None` where there is nothing to show.
pub fn issue(known: &Known) -> Option<String> {
    let (repro, program) = (known.repro.as_ref()?, program(known)?);
    let mut parts = vec![format!("# {}: {}", functions(known), known.what)];
    parts.extend(circumstances(known));
    parts.push(
        "This program prints what is and what should be, and exits with 1 while candle does this:"
            .into(),
    );
    parts.push(format!("```rust\n{program}```"));
    parts.push("PyTorch 2.15:".into());
    parts.push(python(repro));
    parts.extend(remedy(known));
    Some(parts.join("\n\n") + "\n")
}

/// Where, when, and in which versions.
fn circumstances(known: &Known) -> Vec<String> {
    let mut parts = vec![];
    let paths = known.functions();
    if paths.len() > 3 {
        parts.push(format!("In `{}`.", paths.join("`, `")));
    }
    let mut when = format!("When: {}.\n", known.when);
    let bounds = known.bounds();
    if !bounds.is_empty() {
        when += &format!("Magnitudes: {bounds}.\n");
    }
    parts.push(when + &format!("Versions: candle-core and candle-nn {CANDLE}, CPU."));
    parts
}

/// What PyTorch has, as a program.
fn python(repro: &Repro) -> String {
    let torch = repro.torch.trim_end();
    let functional = match torch.contains("F.") {
        true => "import torch.nn.functional as F\n",
        false => "",
    };
    let shown = match &repro.gradient {
        Some(x) => format!("print(torch.autograd.grad(y.sum(), {x}))"),
        None => "print(y)".into(),
    };
    let should_be = &repro.should_be;
    format!("```python\nimport torch\n{functional}\n{torch}\n{shown}  # {should_be:?}\n```")
}

/// The line responsible, what is known of it upstream, and what works meanwhile.
fn remedy(known: &Known) -> Vec<String> {
    let cause = &known.cause;
    let line = format!(
        "The line responsible, `{}`:\n\n```rust\n{}\n```",
        cause.line, cause.quote
    );
    let pytorch = known.pytorch.as_ref().map(|p| format!("PyTorch: {p}."));
    let upstream = known.upstream.as_ref().map(|u| format!("See also {u}."));
    let last = match &known.instead {
        Some(instead) => Some(format!("Until then:\n\n    {}", instead.text)),
        None if known.severity == Severity::Convention => Some(
            "The function has no derivative there, so this is a choice, not an error.".to_owned(),
        ),
        None => None,
    };
    let parts = [pytorch, Some(line), upstream, last];
    parts.into_iter().flatten().collect()
}
