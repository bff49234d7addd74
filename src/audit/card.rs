//! The report card: lines with a tone for the terminal, and Markdown.

use super::difference::difference;
use super::known::{Known, Pattern, Severity};
use super::report::{AUDITED, Audit, CANDLE, Judged, Summary};
pub use super::shown::shown;

/// How a line is meant; the command line colours it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// The title and the headings.
    Heading,
    /// A defect's name.
    Bad,
    /// Everything as it should be.
    Good,
    /// Details.
    Plain,
    /// What is beside the matter.
    Note,
}

/// A line of the card.
pub type Line = (Tone, String);

/// The card for a terminal; `all` also lists what passes.
pub fn lines(audit: &Audit, all: bool) -> Vec<Line> {
    let mut lines = totals(audit);
    for severity in Severity::ALL {
        let entries = audit.entries(severity);
        if !entries.is_empty() {
            lines.push((Tone::Plain, String::new()));
            lines.push((
                Tone::Heading,
                format!("{}: {}", severity.heading(), entries.len()),
            ));
            lines.extend(entries.iter().flat_map(|k| entry(audit, k)));
        }
    }
    if all {
        lines.push((Tone::Plain, String::new()));
        lines.push((Tone::Heading, "Every check".into()));
        lines.extend(audit.rows.iter().map(row));
    }
    lines.extend(differences(audit));
    lines
}

/// What was audited.
fn candle() -> String {
    match AUDITED == CANDLE {
        true => format!("candle-core and candle-nn {CANDLE}"),
        false => format!("candle {AUDITED}, beside the record of {CANDLE},"),
    }
}

/// A line of candle; the numbers are those of the record's version.
fn line_of(known: &Known) -> String {
    match AUDITED == CANDLE {
        true => known.cause.line.to_string(),
        false => format!("{} in {CANDLE}", known.cause.line),
    }
}

fn totals(audit: &Audit) -> Vec<Line> {
    let s = audit.summary();
    let title = format!("{} on {}", candle(), audit.device);
    let checks = format!(
        "{} functions, {} checks: {} pass, {} undecided",
        s.functions, s.checks, s.pass, s.inconclusive
    );
    let found = defects(&s);
    vec![
        (Tone::Heading, title),
        (Tone::Plain, checks),
        (Tone::Plain, found),
    ]
}

fn defects(s: &Summary) -> String {
    let all: usize = s.defects[..4].iter().sum();
    let names = [
        "wrong silently",
        "stop silently",
        "fail loudly",
        "lose precision",
    ];
    let parts: Vec<_> = names
        .iter()
        .zip(s.defects)
        .map(|(n, d)| format!("{d} {n}"))
        .collect();
    format!(
        "{all} defects in {} functions: {}",
        s.functions_with_a_defect,
        parts.join(", ")
    )
}

/// The row that shows an entry best: the largest type, a plain check, numbers on both sides.
pub fn evidence<'a>(audit: &'a Audit, known: &'a Known) -> Option<&'a Judged<'a>> {
    let shown = |j: &&Judged| j.row.autograd.is_some() && j.row.numeric.is_some();
    audit
        .rows_of(known)
        .find(shown)
        .or_else(|| audit.rows_of(known).next())
}

/// The functions of an entry, each once.
pub fn functions(audit: &Audit, known: &Known) -> Vec<&'static str> {
    let mut paths = Vec::new();
    for judged in audit.rows_of(known) {
        if !paths.contains(&judged.row.path) {
            paths.push(judged.row.path);
        }
    }
    paths
}

fn inputs(audit: &Audit, known: &Known) -> String {
    let mut names = Vec::new();
    for judged in audit.rows_of(known) {
        if !names.contains(&judged.row.input) {
            names.push(judged.row.input);
        }
    }
    names.join(", ")
}

/// Why numbers of an entry are not shown; each reason once.
fn varies<'a>(audit: &'a Audit, known: &'a Known) -> Vec<&'a str> {
    let shows = |p: &&Pattern| audit.rows_of(known).any(|j| p.covers(&j.row));
    let mut reasons = vec![];
    for pattern in known
        .rows
        .iter()
        .filter(|p| p.varies.is_some())
        .filter(shows)
    {
        let why = pattern.varies.as_deref().unwrap_or_default();
        if !reasons.contains(&why) {
            reasons.push(why);
        }
    }
    reasons
}

fn entry(audit: &Audit, known: &Known) -> Vec<Line> {
    let plain = |text: String| (Tone::Plain, text);
    let mut lines: Vec<Line> = functions(audit, known)
        .into_iter()
        .map(|f| (Tone::Bad, format!("  {f}")))
        .collect();
    let what = if known.severity == Severity::Convention {
        "candle"
    } else {
        "what"
    };
    lines.push(plain(format!("    {what:<8} {}", known.what)));
    if let Some(pytorch) = &known.pytorch {
        lines.push(plain(format!("    PyTorch  {pytorch}")));
    }
    lines.push(plain(format!("    when     {}", known.when)));
    let bounds = known.bounds();
    if !bounds.is_empty() {
        lines.push(plain(format!("    bounds   {bounds}")));
    }
    lines.push(plain(format!("    input    {}", inputs(audit, known))));
    if let Some(j) = evidence(audit, known) {
        lines.push(plain(format!("    shown    {}", shown(j))));
    }
    for why in varies(audit, known) {
        lines.push(plain(format!("    varies   from run to run: {why}")));
    }
    let cause = &known.cause;
    lines.push(plain(format!("    cause    {}", line_of(known))));
    lines.push(plain(format!("             {}", cause.quote)));
    if known.severity != Severity::Convention {
        lines.push(plain(format!(
            "    upstream {}",
            known.upstream.as_deref().unwrap_or("none found")
        )));
        lines.push(plain(format!("    instead  {}", instead(audit, known))));
        if let Some(cost) = &known.cost {
            lines.push(plain(format!("    cost     {}", cost.text())));
        }
    }
    if known.repro.is_some() {
        let command = format!("candle-sine audit {} --repro", known.id);
        lines.push(plain(format!("    program  {command}")));
    }
    lines
}

fn instead<'a>(audit: &Audit, known: &'a Known) -> &'a str {
    let broken = audit.broken.iter().any(|(k, _)| k.id == known.id);
    known
        .instead
        .as_ref()
        .filter(|_| !broken)
        .map_or("nothing that is known to work", |i| &i.text)
}

fn row(j: &Judged) -> Line {
    let r = &j.row;
    let tone = if j.severity.is_none() {
        Tone::Good
    } else {
        Tone::Bad
    };
    let text = format!(
        "  {:<12} {} {} {} {} {}",
        r.verdict, r.path, r.input, r.dtype, r.probe, r.case
    );
    (tone, text)
}

/// What differs from the record, last, where a reader looks.
fn differences(audit: &Audit) -> Vec<Line> {
    let difference = difference(audit);
    let mut lines = vec![(Tone::Plain, String::new())];
    let bad = |line| (Tone::Bad, line);
    lines.extend(difference.repaired.iter().map(|r| bad(r.line())));
    if !difference.repaired.is_empty() && AUDITED == CANDLE {
        let hint = "repaired upstream? Then delete or narrow that entry in src/audit/known/record";
        lines.push((Tone::Note, hint.into()));
    }
    for new in &difference.new {
        lines.extend(new.lines().into_iter().map(bad));
    }
    for (known, why) in &audit.broken {
        lines.push(bad(format!("instead of \"{}\": {why}", known.id)));
    }
    for (path, checks) in &difference.missing {
        let line = format!("not compared: {path}, {checks} checks: this candle lacks it");
        lines.push((Tone::Note, line));
    }
    if audit.as_recorded() {
        lines.push((Tone::Good, "Every verdict is as recorded.".into()));
    }
    lines
}

/// The card as Markdown.
pub fn markdown(audit: &Audit) -> String {
    let mut text = String::from("# Which of candle's gradients are right\n\n");
    let s = audit.summary();
    text += &format!(
        "{} on {}: {} functions, {} checks. {}.\n",
        candle(),
        audit.device,
        s.functions,
        s.checks,
        defects(&s)
    );
    text += "\nEach function is checked in f64, f32, bf16 and f16, as far as it has them, at chosen \
             points (magnitudes of 100 and less, but for a few) against a numerical derivative with \
             an error bound; every defect below also stands against PyTorch's gradient (or PyTorch \
             has no such function), is reproduced by `candle-sine audit NAME` and by the program that \
             `candle-sine audit NAME --repro` prints, and what is said to work instead is run by the \
             audit. What that costs beside the function is measured by `cargo bench --bench instead`.\n";
    text += &the_range(audit);
    for severity in Severity::ALL {
        text += &part(audit, severity);
    }
    text
}

/// What the sweep of the whole range has taken, in words.
fn the_range(audit: &Audit) -> String {
    let of_range = |j: &&Judged| j.row.probe.starts_with("range");
    let mut paths: Vec<_> = audit
        .rows
        .iter()
        .filter(of_range)
        .map(|j| j.row.path)
        .collect();
    let rows = paths.len();
    paths.sort_unstable();
    paths.dedup();
    format!(
        "\n{} of them (elementwise functions, activations, norms, reductions and losses) are also \
         taken over the whole finite range, in one call each: both signs, from the smallest \
         subnormal to the largest number, with upstream gradients of 2^-10, 1 and 2^10. Functions \
         of one tensor: every value of bf16 and f16, thousands of f32 and f64; of two: the cross of \
         both ranges; of several numbers (f32, bf16, f16): all of them, one of them, and an offset \
         to all. These are {rows} of the checks. They find what is more than a tenth off, and more \
         than the rounding of the type explains, or not finite where the truth is; what is less is \
         looked for at the chosen points alone. On a processor with AVX512_BF16, candle's bf16 \
         arithmetic gives 0 for results below 2^-126; that alone counts as no defect. Why the other functions are \
         not swept stands beside each in src/audit/range/left_out.rs.\n",
        paths.len(),
    )
}

fn part(audit: &Audit, severity: Severity) -> String {
    let entries = audit.entries(severity);
    if entries.is_empty() {
        return String::new();
    }
    let mut text = format!("\n## {}\n", severity.heading());
    for known in entries {
        text += &section(audit, known);
    }
    text
}

fn section(audit: &Audit, known: &Known) -> String {
    let names: Vec<_> = functions(audit, known)
        .iter()
        .map(|f| format!("`{f}`"))
        .collect();
    let mut text = format!("\n### {}\n\n{}\n\n", known.id, names.join(", "));
    let mut item = |name: &str, value: String| text += &format!("- {name}: {value}\n");
    item(
        if known.severity == Severity::Convention {
            "candle"
        } else {
            "what"
        },
        known.what.clone(),
    );
    if let Some(pytorch) = &known.pytorch {
        item("PyTorch", pytorch.clone());
    }
    item("when", known.when.clone());
    let bounds = known.bounds();
    if !bounds.is_empty() {
        item("bounds", bounds);
    }
    item("input", inputs(audit, known));
    if let Some(j) = evidence(audit, known) {
        item("shown", shown(j));
    }
    for why in varies(audit, known) {
        item("varies", format!("from run to run: {why}"));
    }
    let cause = &known.cause;
    let place = format!("`{}` `{}`", line_of(known), cause.quote);
    item("cause", place);
    if known.severity != Severity::Convention {
        item(
            "upstream",
            known.upstream.as_deref().unwrap_or("none found").into(),
        );
        item("instead", instead(audit, known).into());
        if let Some(cost) = &known.cost {
            item("cost", cost.text());
        }
    }
    text
}
