//! What a run says and writes when it is over.

use super::super::args::Precision;
use super::super::json::{self, Logged, Named};
use super::super::print::{self, Printer, short};
use super::super::{Answer, divergence, files};
use super::{Run, animation, checkpoint, figures, hint};
use anyhow::{Context, Result};
use candle_sine::sine::post;
use rayon::prelude::*;
use serde::Serialize;
use std::path::PathBuf;

pub fn finish(run: &Run, mut out: Printer) -> Result<Answer> {
    let weights = run.history.weights.values()?;
    if run.diverged() {
        let files = vec![];
        write_json(run, weights, &files)?;
        print::error(&diverged(run));
        out.finish()?;
        return Ok(Answer::No);
    }
    let files = write_files(run)?;
    write_json(run, weights, &files)?;
    for line in summary(run, weights) {
        out.line(line);
    }
    for note in notes(run) {
        out.note(note);
    }
    out.line(format_args!("wrote {}", names(&files).join(", ")));
    let interruption = run.interrupted().then(|| hint::interruption(run, weights));
    match &interruption {
        Some(line) if run.args.quiet || run.args.json_to_stdout() => print::aside(line),
        Some(line) => out.line(line),
        None => {}
    }
    out.finish()?;
    Ok(match interruption {
        Some(_) => Answer::Interrupted,
        None => Answer::Yes,
    })
}

fn diverged(run: &Run) -> String {
    let history = &run.history;
    let last = run.options.first_epoch + history.losses.len() - 1;
    let unsaved = match &run.args.save {
        Some(path) => format!("; {} was not written", path.display()),
        None => String::new(),
    };
    let grew = match history.diverged_after {
        Some(1) => {
            let too_large = divergence::too_large(&run.args.problem);
            return format!("{too_large}{unsaved}");
        }
        Some(_) => format!("the loss is no longer finite at epoch {last}"),
        None => format!(
            "the loss has grown from {:.4e} to {:.4e} by epoch {last}",
            history.losses[0], history.final_loss,
        ),
    };
    let stability = divergence::stability(run.options.learning_rate, &run.fit);
    format!("diverged: {grew}; {stability}{unsaved}")
}

fn summary(run: &Run, weights: [f64; 4]) -> [String; 3] {
    let history = &run.history;
    let epochs = run.epochs_behind();
    [
        String::new(),
        format!("y_pred = {}", formula(weights, run.args.problem.dtype)),
        format!(
            "loss {} after {epochs} {}; drawing y = 0 scores {}, the best cubic {}",
            short(history.final_loss),
            if epochs == 1 { "epoch" } else { "epochs" },
            short(run.fit.baseline_loss),
            short(run.fit.optimum_loss),
        ),
    ]
}

/// `0.046963163 x³ - 0.0621331 x² - ...`: each weight to its dtype's last digit.
fn formula(weights: [f64; 4], dtype: Precision) -> String {
    let digits = |v: f64| match dtype {
        Precision::F32 => format!("{:?}", v as f32),
        Precision::F64 => format!("{v:?}"),
    };
    let mut formula = String::new();
    for (i, (w, power)) in weights
        .into_iter()
        .zip([" x³", " x²", " x", ""])
        .enumerate()
    {
        let sign = match (i, w.is_sign_negative()) {
            (0, true) => "-",
            (0, false) => "",
            (_, true) => " - ",
            (_, false) => " + ",
        };
        formula += &format!("{sign}{}{power}", digits(w.abs()));
    }
    formula
}

fn notes(run: &Run) -> Vec<String> {
    let mut notes = vec![];
    notes.extend(hint::convergence(run));
    notes.extend(against_the_post(run));
    notes
}

/// Where the setting is the post's: how its table compares.
fn against_the_post(run: &Run) -> Option<String> {
    let rows: Vec<_> = run.log().collect();
    let same_epochs = rows.iter().map(|r| r.0).eq(post::TABLE.map(|r| r.0));
    let is_post = run.start.is_post()
        && run.args.problem.points == post::POINTS
        && run.options.learning_rate == post::LEARNING_RATE
        && same_epochs;
    let how = || {
        let dtype = run.args.problem.dtype.dtype().as_str();
        format!("{dtype}, {} and {}", run.device, run.args.gradient.as_str())
    };
    is_post.then(|| beside_the_post(&rows, &how()))
}

/// Further apart than any rounding of this run takes two losses: what is seen is below 2e-6.
const NOT_ROUNDING: f64 = 1e-5;

/// Ten rows beside the post's ten; `how` names what rounds.
fn beside_the_post(rows: &[(usize, f64)], how: &str) -> String {
    let pairs = || {
        let losses = rows.iter().map(|row| row.1);
        losses.zip(post::TABLE.map(|row| row.1))
    };
    let equal = pairs().filter(|(ours, post)| ours == post).count();
    let apart = pairs().map(|(ours, post)| (ours / post - 1.).abs());
    let largest = apart.fold(0., f64::max);
    if equal == post::TABLE.len() {
        return "the post's table, all 10 lines to the last digit".to_owned();
    }
    if largest > NOT_ROUNDING {
        return format!(
            "not the post's table: the losses differ by up to {largest:.0e} of themselves, which no rounding explains"
        );
    }
    format!(
        "the post's table within {largest:.0e}, {equal} of 10 lines to the last digit: {how} round otherwise than PyTorch on a CPU in f32"
    )
}

fn write_files(run: &Run) -> Result<Vec<PathBuf>> {
    let format = run.args.format;
    let rendered = figures::draw(run)?
        .into_par_iter()
        .with_max_len(1)
        .map(|(name, figure)| Ok((name, figure.render(format)?)))
        .collect::<Result<Vec<_>>>()?;
    let moving = match run.args.animate {
        true => Some(animation::draw(run)?),
        false => None,
    };
    // The weights first: they alone cannot be drawn again.
    if let Some(path) = &run.args.save {
        checkpoint::save(path, &run.history.weights, run.epochs_behind())?;
    }
    let mut written = vec![];
    let figures = rendered
        .into_iter()
        .map(|(name, bytes)| (figures::path(run.args, name), bytes));
    let moving = moving.map(|bytes| (animation::path(run.args), bytes));
    for (path, bytes) in figures.chain(moving) {
        files::write(&path, &bytes).with_context(|| format!("--out {}", run.args.out.display()))?;
        written.push(path);
    }
    written.extend(run.args.save.clone());
    written.extend(files::not_stdout(&run.args.json));
    Ok(written)
}

fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|f| f.display().to_string()).collect()
}

/// Schema 1. serde_json writes a number that is not finite as null.
#[derive(Serialize)]
struct Json {
    schema: u32,
    device: String,
    dtype: &'static str,
    gradient: &'static str,
    points: u32,
    epochs: usize,
    learning_rate: f64,
    seed: Option<u64>,
    draw: Option<u32>,
    init: Named,
    log: Vec<Logged>,
    weights: Named,
    final_loss: f64,
    baseline_loss: f64,
    optimum_loss: f64,
    files: Vec<String>,
}

fn write_json(run: &Run, weights: [f64; 4], files: &[PathBuf]) -> Result<()> {
    match &run.args.json {
        Some(path) => json::write(path, &json(run, weights, files)),
        None => Ok(()),
    }
}

fn json(run: &Run, weights: [f64; 4], files: &[PathBuf]) -> Json {
    let (args, problem) = (run.args, &run.args.problem);
    let logged = |(epoch, loss)| Logged { epoch, loss };
    Json {
        schema: 1,
        device: run.device.clone(),
        dtype: problem.dtype.dtype().as_str(),
        gradient: args.gradient.as_str(),
        points: problem.points,
        epochs: run.history.losses.len(),
        learning_rate: args.learning_rate.0,
        seed: run.start.seed,
        draw: run.start.draw,
        init: run.start.init.into(),
        log: run.log().map(logged).collect(),
        weights: weights.into(),
        final_loss: run.history.final_loss,
        baseline_loss: run.fit.baseline_loss,
        optimum_loss: run.fit.optimum_loss,
        files: names(files),
    }
}

#[cfg(test)]
mod tests {
    use super::beside_the_post;
    use candle_sine::sine::post;

    #[test]
    fn only_rounding_is_called_rounding() {
        let said = |factor: f64| {
            let rows = post::TABLE.map(|(epoch, loss)| (epoch, loss * factor));
            beside_the_post(&rows, "f32, cpu and autograd")
        };
        assert!(said(1.).contains("all 10 lines to the last digit"));
        let rounded = said(1. + 1e-6);
        assert!(rounded.contains("within 1e-6, 0 of 10 lines"), "{rounded}");
        assert!(rounded.contains("autograd round otherwise"), "{rounded}");
        let other = said(1.5);
        assert!(other.starts_with("not the post's table"), "{other}");
        assert!(!other.contains("otherwise"), "{other}");
    }
}
