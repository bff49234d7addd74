//! What a comparison says and writes when it is over.

use super::super::divergence::{diverged, not_finite, stability, too_large};
use super::super::json::{self, Logged, Named};
use super::super::print::{self, Printer};
use super::super::{Answer, files};
use super::rung::{Choice, Rung};
use super::{Comparison, picture, table};
use anyhow::{Context, Result};
use candle_sine::device;
use serde::Serialize;
use std::path::PathBuf;

pub fn finish(comparison: &Comparison, mut out: Printer) -> Result<Answer> {
    let args = comparison.args;
    table::print(comparison, &mut out);
    let mut written: Vec<PathBuf> = draw(comparison)?.into_iter().collect();
    write_json(comparison)?;
    written.extend(files::not_stdout(&args.json));
    let names: Vec<_> = written.iter().map(|f| f.display().to_string()).collect();
    if !names.is_empty() {
        out.line(format_args!("wrote {}", names.join(", ")));
    }
    if comparison.interrupted() {
        match args.json_to_stdout() {
            true => print::aside(&interruption(comparison)),
            false => out.line(interruption(comparison)),
        }
    }
    let divergence = divergence(comparison);
    if let Some(line) = &divergence {
        print::error(line);
    }
    out.finish()?;
    Ok(match (comparison.interrupted(), divergence) {
        (true, _) => Answer::Interrupted,
        (false, Some(_)) => Answer::No,
        (false, None) => Answer::Yes,
    })
}

/// The picture's path, where there is something to draw.
fn draw(comparison: &Comparison) -> Result<Option<PathBuf>> {
    let args = comparison.args;
    if comparison.rungs.is_empty() {
        return Ok(None);
    }
    let picture = picture::losses(comparison)?.render(args.format)?;
    let path = args.picture();
    files::write(&path, &picture).with_context(|| format!("--out {}", args.out.display()))?;
    Ok(Some(path))
}

fn interruption(comparison: &Comparison) -> String {
    let names = |choices: &[Choice]| choices.iter().map(|c| c.name()).collect::<Vec<_>>();
    let (complete, rest) = comparison.choices.split_at(comparison.rungs.len());
    match complete {
        [] => "interrupted before any rung was complete".to_owned(),
        _ => format!(
            "interrupted: complete are {}; not {}",
            names(complete).join(", "),
            names(rest).join(", ")
        ),
    }
}

/// Which rungs diverged, when, and at what rate; none where none did.
fn divergence(comparison: &Comparison) -> Option<String> {
    let (args, fit) = (comparison.args, &comparison.fit);
    let gone = |r: &&Rung| match r.choice {
        Choice::Gradient(_) => diverged(&r.history, args.learning_rate.0, fit),
        Choice::AdamW => not_finite(&r.history),
    };
    let gone: Vec<_> = comparison.rungs.iter().filter(gone).collect();
    if gone.is_empty() {
        return None;
    }
    if gone.iter().all(|r| r.history.diverged_after == Some(1)) {
        return Some(too_large(&args.problem));
    }
    let mut rates = vec![];
    if gone.iter().any(|r| r.choice != Choice::AdamW) {
        rates.push(stability(args.learning_rate.0, fit));
    }
    if gone.iter().any(|r| r.choice == Choice::AdamW) {
        let rate = Choice::AdamW.learning_rate(args);
        rates.push(format!("--adamw-rate {rate:e} is too large"));
    }
    let (names, rates) = (at_epochs(&gone), rates.join("; "));
    Some(format!("diverged: {names}; {rates}"))
}

/// `manual, autograd at epoch 69 and fused at epoch 70`
fn at_epochs(rungs: &[&Rung]) -> String {
    let last = |r: &Rung| r.history.losses.len();
    let together = |rungs: &[&Rung]| {
        let names: Vec<_> = rungs.iter().map(|r| r.choice.name()).collect();
        format!("{} at epoch {}", names.join(", "), last(rungs[0]))
    };
    let chunks = rungs.chunk_by(|a, b| last(a) == last(b));
    chunks.map(together).collect::<Vec<_>>().join(" and ")
}

/// Schema 1. serde_json writes a number that is not finite as null.
#[derive(Serialize)]
struct Json {
    schema: u32,
    device: String,
    dtype: &'static str,
    points: u32,
    epochs: usize,
    seed: Option<u64>,
    draw: Option<u32>,
    threads: usize,
    interrupted: bool,
    rungs: Vec<JsonRung>,
}

#[derive(Serialize)]
struct JsonRung {
    name: &'static str,
    learning_rate: f64,
    setup_seconds: f64,
    epoch_seconds: f64,
    final_loss: f64,
    weights: Named,
    log: Vec<Logged>,
}

fn write_json(comparison: &Comparison) -> Result<()> {
    let args = comparison.args;
    let Some(path) = &args.json else {
        return Ok(());
    };
    let rungs = comparison.rungs.iter();
    let report = Json {
        schema: 1,
        device: device::name(comparison.data.x.device()),
        dtype: args.problem.dtype.dtype().as_str(),
        points: args.problem.points,
        epochs: args.epochs,
        seed: comparison.start.seed,
        draw: comparison.start.draw,
        threads: rayon::current_num_threads(),
        interrupted: comparison.interrupted(),
        rungs: rungs
            .map(|r| json_rung(comparison, r))
            .collect::<Result<_>>()?,
    };
    json::write(path, &report)
}

fn json_rung(comparison: &Comparison, rung: &Rung) -> Result<JsonRung> {
    let learning_rate = rung.choice.learning_rate(comparison.args);
    let options = comparison.args.options(learning_rate);
    let numbered = (1..).zip(rung.history.losses.iter().copied());
    let logged = numbered.filter(|(epoch, _)| options.logs(*epoch));
    Ok(JsonRung {
        name: rung.choice.name(),
        learning_rate,
        setup_seconds: rung.setup_seconds,
        epoch_seconds: rung.epoch_seconds,
        final_loss: rung.history.final_loss,
        weights: rung.history.weights.values()?.into(),
        log: logged.map(|(epoch, loss)| Logged { epoch, loss }).collect(),
    })
}
