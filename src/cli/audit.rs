//! `candle-sine audit`: candle's functions under gradcheck, on a report card.

use super::files::{Outputs, is_stdout};
use super::places::{self, Place, Role};
use super::print::{BAD, GOOD, Printer};
use super::{Answer, json};
use anyhow::{Context, Result, bail};
use candle_core::DType;
use candle_sine::audit::card::{self, Tone};
use candle_sine::audit::case::Case;
use candle_sine::audit::known::record;
use candle_sine::audit::{Selection, audit, catalog};
use candle_sine::device::DeviceName;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;
use std::str::FromStr;

#[derive(clap::Args)]
pub struct Args {
    /// Functions to check, by name or full path [default: all]
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
}

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

    fn to_stdout(&self, path: &Option<PathBuf>) -> bool {
        path.as_deref().is_some_and(is_stdout)
    }

    /// Each name must be a function's.
    fn check_names(&self, cases: &[Case]) -> Result<()> {
        for name in &self.names {
            let one = Selection {
                names: vec![name.clone()],
                dtype: None,
            };
            if !cases.iter().any(|c| one.takes(c)) {
                bail!("no function is called {name}; --all lists those there are");
            }
        }
        Ok(())
    }
}

pub fn run(args: &Args) -> Result<Answer> {
    args.check_places()?;
    let cases = catalog::all();
    args.check_names(&cases)?;
    let device = args
        .device
        .open()
        .with_context(|| format!("--device {}", args.device))?;
    let selection = Selection {
        names: args.names.clone(),
        dtype: args.dtype.map(Type::dtype),
    };
    let bar = bar(cases.iter().filter(|c| selection.takes(c)).count());
    let audit = audit(&cases, record()?, &selection, &device, || bar.inc(1));
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
