//! `candle-sine audit`: candle's functions under gradcheck, on a report card.

use super::files::{Outputs, is_stdout};
use super::places::{self, Place, Role};
use super::print::{BAD, GOOD, Printer};
use super::{Answer, json};
use anyhow::{Context, Result, bail};
use candle_core::DType;
use candle_sine::audit::card::{self, Tone};
use candle_sine::audit::case::{Case, is_called};
use candle_sine::audit::known::{self, Known, record};
use candle_sine::audit::{Selection, audit, catalog};
use candle_sine::device::DeviceName;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::str::FromStr;

#[derive(clap::Args)]
pub struct Args {
    /// Functions to check, by name or full path, or entries of the record by theirs [default: all]
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// Also list every check, with those that pass
    #[arg(long)]
    pub all: bool,

    /// Check in this type only [default: every type a function has]
    #[arg(long, value_enum)]
    pub dtype: Option<Type>,

    /// auto, cpu, cuda[:N] or metal[:N]; the record of known defects is the CPU's
    #[arg(long, value_name = "DEVICE", default_value_t = DeviceName::Cpu, value_parser = DeviceName::from_str)]
    pub device: DeviceName,

    /// Write every check as JSON; "-" is stdout, which then holds nothing else
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,

    /// Write the card as Markdown; "-" is stdout, which then holds nothing else
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,

    /// Print a complete program that shows NAME's defect: it needs candle alone, and exits with 1
    /// while candle has the defect, with 0 once it is repaired
    #[arg(long, conflicts_with_all = ELSEWHERE)]
    pub repro: bool,

    /// Print a report of NAME's defect to file upstream: what, when, the program, PyTorch's value
    #[arg(long, conflicts_with_all = ELSEWHERE)]
    pub issue: bool,
}

/// What a run of the audit takes, and a program of the record does not.
const ELSEWHERE: [&str; 5] = ["all", "dtype", "device", "json", "markdown"];

/// The float types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Type {
    F64,
    F32,
    Bf16,
    F16,
}

impl Type {
    fn dtype(self) -> DType {
        match self {
            Self::F64 => DType::F64,
            Self::F32 => DType::F32,
            Self::Bf16 => DType::BF16,
            Self::F16 => DType::F16,
        }
    }
}

impl Args {
    fn check_places(&self) -> Result<()> {
        if self.to_stdout(&self.json) && self.to_stdout(&self.markdown) {
            bail!("--json - and --markdown -: stdout holds only one of them");
        }
        let json = ("--json", &self.json);
        let asked = [json, ("--markdown", &self.markdown)];
        let files = asked.into_iter().filter_map(|(flag, path)| {
            let path = path.as_ref().filter(|path| !is_stdout(path))?;
            Some(Place::new(flag, path, Role::Written))
        });
        places::check(&files.collect::<Vec<_>>())
    }

    /// The one entry that a program is asked of.
    fn entry<'a>(&self, record: &'a [Known]) -> Result<&'a Known> {
        let flag = if self.repro { "--repro" } else { "--issue" };
        let [name] = self.names.as_slice() else {
            bail!("{flag} takes one NAME: a function, or an entry of the record such as max-pool");
        };
        let entries = Known::named(record, name);
        match entries.as_slice() {
            [] => bail!("{flag} {name}: the record has no defect of that name"),
            [known] if known.repro.is_none() => bail!(
                "{flag} {name}: {} is a convention that PyTorch shares, there is nothing to show",
                known.id
            ),
            [known] => Ok(known),
            several => {
                let of = |k: &&Known| format!("{} ({}, {})", k.id, k.what, k.when);
                let all: Vec<_> = several.iter().map(of).collect();
                bail!(
                    "{flag} {name}: name one of {}: {}",
                    all.len(),
                    all.join("; ")
                )
            }
        }
    }

    /// Prints the program, or the report with it.
    fn print_repro(&self) -> Result<Answer> {
        let known = self.entry(record()?)?;
        let text = match self.issue {
            true => known::issue(known),
            false => known::program(known),
        };
        let mut out = Printer::default();
        out.line(text.unwrap_or_default().trim_end());
        out.finish()?;
        Ok(Answer::Yes)
    }

    fn to_stdout(&self, path: &Option<PathBuf>) -> bool {
        path.as_deref().is_some_and(is_stdout)
    }

    /// Each name must be a function's.
    fn check_names(&self, cases: &[Case], record: &[Known]) -> Result<()> {
        for name in &self.names {
            let function = cases.iter().any(|c| is_called(c.path, name));
            if !function && record.iter().all(|k| k.id != *name) {
                bail!("no function is called {name}; --all lists those there are");
            }
        }
        Ok(())
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    if args.repro || args.issue {
        return args.print_repro();
    }
    args.check_places()?;
    let (cases, record) = (catalog::all(), record()?);
    args.check_names(&cases, record)?;
    let device = args
        .device
        .open()
        .with_context(|| format!("--device {}", args.device))?;
    let selection = Selection {
        names: Known::expand(record, &args.names),
        dtype: args.dtype.map(Type::dtype),
    };
    let bar = bar(cases.iter().filter(|c| selection.takes(c)).count());
    let audit = audit(&cases, record, &selection, &device, || bar.inc(1));
    bar.finish_and_clear();
    let mut outputs = Outputs::default();
    if let Some(path) = &args.json {
        json::write(&mut outputs, path, &audit);
    }
    if let Some(path) = &args.markdown {
        let markdown = card::markdown(&audit).trim_end().to_owned();
        outputs.text("--markdown", path, Ok(markdown));
    }
    if !args.to_stdout(&args.json) && !args.to_stdout(&args.markdown) {
        outputs.printed(print(card::lines(&audit, args.all)));
    }
    let answer = match audit.as_recorded() {
        true => Answer::Yes,
        false => Answer::No(None),
    };
    answer.with(&outputs)
}

/// Drawn on stderr, and only where that is a terminal.
fn bar(cases: usize) -> ProgressBar {
    let bar = ProgressBar::new(cases as u64);
    let style = "{bar:40} {pos}/{len} cases, {elapsed}";
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn print(lines: Vec<card::Line>) -> Printer {
    let mut out = Printer::default();
    let heading = anstyle::Style::new().bold();
    for (tone, line) in lines {
        match tone {
            Tone::Heading => out.line(format_args!("{heading}{line}{heading:#}")),
            Tone::Bad => out.line(format_args!("{BAD}{line}{BAD:#}")),
            Tone::Good => out.line(format_args!("{GOOD}{line}{GOOD:#}")),
            Tone::Note => out.note(line),
            Tone::Plain => out.line(line),
        }
    }
    out
}
