//! What a comparison says and writes when it is over.

use super::super::Answer;
use super::super::divergence::{diverged, not_finite, stability, too_large};
use super::super::files::Outputs;
use super::super::json::{self, Logged, Named};
use super::super::print::{self, Printer, shown};
use super::rung::{Choice, Rung};
use super::{Comparison, picture, table};
use anyhow::Result;
use candle_sine::device;
use serde::Serialize;

pub fn finish(comparison: &Comparison, mut out: Printer) -> Result<Answer> {
    let args = comparison.args;
    table::print(comparison, &mut out);
    let mut outputs = Outputs::default();
    draw(comparison, &mut outputs);
    write_json(comparison, &mut outputs);
    if !outputs.written.is_empty() {
        let names: Vec<_> = outputs.written.iter().map(|file| shown(file)).collect();
        out.line(format_args!("wrote {}", names.join(", ")));
    }
    if comparison.interrupted() {
        match args.json_to_stdout() {
            true => print::aside(&interruption(comparison)),
            false => out.line(interruption(comparison)),
        }
    }
    outputs.printed(out);
    let answer = match (comparison.interrupted(), divergence(comparison)) {
        (true, _) => Answer::Interrupted,
        (false, Some(why)) => Answer::No(Some(why)),
        (false, None) => Answer::Yes,
    };
    answer.with(&outputs)
}

/// The picture, where there is something to draw.
fn draw(comparison: &Comparison, outputs: &mut Outputs) {
    let args = comparison.args;
    if !comparison.rungs.is_empty() {
        let picture = picture::losses(comparison).and_then(|p| p.render(args.format));
        outputs.write(
            &format!("--out {}", shown(&args.out)),
            &args.picture(),
            picture,
        );
    }
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

fn write_json(comparison: &Comparison, outputs: &mut Outputs) {
    let Some(path) = &comparison.args.json else {
        return;
    };
    match report(comparison) {
        Ok(report) => json::write(outputs, path, &report),
        Err(error) => outputs.miss(&format!("--json {}", shown(path)), "cannot write", &error),
    }
}

fn report(comparison: &Comparison) -> Result<Json> {
    let args = comparison.args;
    let rungs = comparison.rungs.iter();
    Ok(Json {
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
    })
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
