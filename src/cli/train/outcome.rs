//! What a run says and writes when it is over.

use super::super::args::Precision;
use super::super::files::{Outputs, is_stdout};
use super::super::json::{self, Logged, Named};
use super::super::print::{self, Printer, short, shown};
use super::super::{Answer, divergence};
use super::{Run, animation, checkpoint, figures, hint};
use anyhow::Result;
use candle_sine::plot::{Figure, Format};
use candle_sine::sine::post;
use rayon::prelude::*;
use serde::Serialize;
use std::path::PathBuf;

pub fn finish(run: &Run, mut out: Printer) -> Result<Answer> {
    let weights = run.history.weights.values()?;
    let mut outputs = Outputs::default();
    if run.diverged() {
        write_json(run, weights, &mut outputs);
        outputs.printed(out);
        return Answer::No(Some(diverged(run))).with(&outputs);
    }
    write_files(run, weights, &mut outputs);
    write_json(run, weights, &mut outputs);
    for line in summary(run, weights) {
        out.line(line);
    }
    for note in notes(run) {
        out.note(note);
    }
    if !outputs.written.is_empty() {
        out.line(format_args!("wrote {}", names(&outputs.written).join(", ")));
    }
    let answer = match run.interrupted() {
        true => Answer::Interrupted,
        false => Answer::Yes,
    };
    if answer == Answer::Interrupted {
        let line = hint::interruption(run, weights, outputs.holds(&run.args.save));
        match run.args.quiet || run.args.json_to_stdout() {
            true => print::aside(&line),
            false => out.line(line),
        }
    }
    outputs.printed(out);
    answer.with(&outputs)
}

fn diverged(run: &Run) -> String {
    let history = &run.history;
    let last = run.options.first_epoch + history.losses.len() - 1;
    let unsaved = match &run.args.save {
        Some(path) => format!("; {} was not written", shown(path)),
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
            "loss {} after {epochs} {}; {} for drawing y = 0, {} for the best cubic",
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

/// The weights first: they alone cannot be drawn again.
fn write_files(run: &Run, weights: [f64; 4], outputs: &mut Outputs) {
    if let Some(path) = &run.args.save {
        let bytes = checkpoint::bytes(&run.history.weights, run.epochs_behind());
        outputs.write(&format!("--save {}", shown(path)), path, bytes);
        if !outputs.holds(&run.args.save) {
            let init = hint::init(weights);
            outputs.advise(format!("the weights are those of{init}"));
        }
    }
    let flag = format!("--out {}", shown(&run.args.out));
    match figures::draw(run) {
        Ok(figures) => {
            for (name, bytes) in rendered(figures, run.args.format) {
                outputs.write(&flag, &figures::path(run.args, name), bytes);
            }
        }
        Err(error) => outputs.miss(&flag, "cannot draw", &error),
    }
    if run.args.animate {
        outputs.write(&flag, &animation::path(run.args), animation::draw(run));
    }
}

fn rendered(figures: Vec<(&str, Figure)>, format: Format) -> Vec<(&str, Result<Vec<u8>>)> {
    let figures = figures.into_par_iter().with_max_len(1);
    figures
        .map(|(name, figure)| (name, figure.render(format)))
        .collect()
}

fn names(files: &[PathBuf]) -> Vec<String> {
    files.iter().map(|file| shown(file)).collect()
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

/// It lists itself where it is a file.
fn write_json(run: &Run, weights: [f64; 4], outputs: &mut Outputs) {
    let Some(path) = &run.args.json else { return };
    let mut files = outputs.written.clone();
    if !run.diverged() {
        files.extend(Some(path.clone()).filter(|path| !is_stdout(path)));
    }
    // Names are Unicode where there is --json.
    let files = files.iter().map(|file| file.to_string_lossy().into_owned());
    json::write(outputs, path, &json(run, weights, files.collect()));
}

fn json(run: &Run, weights: [f64; 4], files: Vec<String>) -> Json {
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
        files,
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
