//! What is said of a run: in lines, and as JSON.

use super::files::Output;
use super::print::{below, short};
use super::run::{Loss, Run};
use anyhow::Result;
use candle_core::DType;
use candle_sine::sine::{NAMES, Weights, post};
use serde_json::{Value, json};

pub fn summary(run: &Run) -> Vec<String> {
    let epochs = match run.history.epochs {
        1 => "1 epoch".to_owned(),
        n => format!("{n} epochs"),
    };
    let loss = format!(
        "loss {} after {epochs}; {} for drawing y = 0, {} for the best cubic",
        short(run.history.final_loss),
        short(run.fit.baseline_loss),
        short(run.fit.optimum_loss),
    );
    let formula = formula(run.history.weights, run.settings.data.x.dtype());
    let mut lines = vec![String::new(), format!("y_pred = {formula}"), loss];
    lines.extend(convergence(run));
    if is_the_posts(run) {
        let (dtype, device) = (run.settings.dtype(), run.settings.device());
        let how = format!("{dtype}, {device} and {}", run.gradient.name());
        lines.push(beside_the_post(&run.history.log, &how));
    }
    lines
}

/// `0.046963163 x³ - 0.0621331 x² - ...`: each weight to its dtype's last digit.
fn formula(weights: Weights, dtype: DType) -> String {
    let digits = |v: f64| match dtype {
        DType::F32 => format!("{:?}", v as f32),
        _ => format!("{v:?}"),
    };
    let terms = weights.iter().zip([" x³", " x²", " x", ""]);
    let terms = terms.map(|(w, power)| match w.is_sign_negative() {
        true => format!(" - {}{power}", digits(-w)),
        false => format!(" + {}{power}", digits(*w)),
    });
    let sum: String = terms.collect();
    match sum.strip_prefix(" + ") {
        Some(sum) => sum.to_owned(),
        None => sum.replacen(" - ", "-", 1),
    }
}

/// Above the least loss by less than this part of it, a run has converged.
const CONVERGED: f64 = 0.01;

/// Where the run has not converged: the options that get there, by the exact rate of descent.
fn convergence(run: &Run) -> Option<String> {
    let fit = &run.fit;
    let near = CONVERGED * fit.optimum_loss;
    // Up to four points are met exactly, up to rounding.
    let exact = fit.optimum_loss < 1e-9 * fit.baseline_loss;
    if exact || run.history.final_loss - fit.optimum_loss <= near {
        return None;
    }
    let rate = one_digit(0.9 * fit.stability_limit(), f64::floor);
    let epochs = fit.epochs_to(run.settings.start, rate, near)?;
    let epochs = one_digit(epochs.into(), f64::ceil);
    Some(format!(
        "not converged: `--learning-rate {rate:e} --epochs {epochs}` comes within {}% of the best cubic",
        100. * CONVERGED
    ))
}

fn one_digit(value: f64, round: fn(f64) -> f64) -> f64 {
    let unit = value.log10().floor();
    // Through decimal, so that it prints as one digit.
    let text = format!("{}e{unit}", round(value / 10f64.powf(unit)));
    text.parse().unwrap_or(value)
}

fn is_the_posts(run: &Run) -> bool {
    let epochs = run.history.log.iter().map(|row| row.0 as usize);
    run.settings.start == post::WEIGHTS
        && run.settings.points() == post::POINTS as usize
        && run.learning_rate == post::LEARNING_RATE
        && epochs.eq(post::TABLE.map(|row| row.0))
}

/// Further apart than any rounding of this run takes two losses: what is seen is below 2e-6.
const NOT_ROUNDING: f64 = 1e-5;

/// Ten rows beside the post's ten; `how` names what rounds.
fn beside_the_post(rows: &[Loss], how: &str) -> String {
    let pairs = rows.iter().zip(post::TABLE);
    let apart = pairs.map(|(ours, post)| (ours.1 / post.1 - 1.).abs());
    let apart: Vec<f64> = apart.collect();
    let equal = apart.iter().filter(|&&apart| apart == 0.).count();
    match apart.iter().copied().fold(0., f64::max) {
        0. => "the post's table, all 10 lines to the last digit".to_owned(),
        largest if largest > NOT_ROUNDING => format!(
            "not the post's table: the losses differ by up to {largest:.0e} of themselves, which no rounding explains"
        ),
        largest => format!(
            "the post's table within {largest:.0e}, {equal} of 10 lines to the last digit: {how} round otherwise than PyTorch on a CPU in f32"
        ),
    }
}

pub fn diverged(run: &Run) -> String {
    let (first, last, epochs) = (run.first_loss(), run.history.final_loss, run.history.epochs);
    let grew = match last.is_finite() {
        true => format!("the loss has grown from {first:.4e} to {last:.4e} by epoch {epochs}"),
        false => format!("the loss is not finite at epoch {epochs}"),
    };
    format!(
        "diverged: {grew}; the largest stable --learning-rate for these points is {}, not {:e}",
        below(run.fit.stability_limit()),
        run.learning_rate
    )
}

/// How a run that Ctrl-C ended is continued: from the same weights, to the last digit. What else was asked for
/// is in the command; of two --epochs the last counts, and --init sets --seed aside.
pub fn continuation(run: &Run) -> String {
    let [a, b, c, d] = run.history.weights;
    let (done, all) = (run.history.epochs, run.epochs);
    format!(
        "interrupted after {done} of {all} epochs; the same command with `--init {a:?},{b:?},{c:?},{d:?} \
         --epochs {}` at its end goes on from here",
        all - done
    )
}

/// serde_json writes a number that is not finite as null.
pub fn json(run: &Run, files: &[&Output]) -> Result<String> {
    let named = |weights: Weights| NAMES.into_iter().zip(weights).collect::<Value>();
    let row = |&(epoch, loss): &Loss| json!({"epoch": epoch, "loss": loss});
    let files = files.iter().map(|output| output.path.to_string_lossy());
    let json = json!({
        "schema": 1,
        "device": run.settings.device(),
        "dtype": run.settings.dtype(),
        "gradient": run.gradient.name(),
        "points": run.settings.points(),
        "epochs": run.history.epochs,
        "learning_rate": run.learning_rate,
        "seed": run.settings.seed,
        "draw": run.settings.draw,
        "init": named(run.settings.start),
        "log": run.history.log.iter().map(row).collect::<Value>(),
        "weights": named(run.history.weights),
        "final_loss": run.history.final_loss,
        "baseline_loss": run.fit.baseline_loss,
        "optimum_loss": run.fit.optimum_loss,
        "files": files.collect::<Value>(),
    });
    Ok(serde_json::to_string_pretty(&json)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rounding_is_called_rounding() {
        let said = |factor: f64| {
            let rows = post::TABLE.map(|(epoch, loss)| (epoch as u32, loss * factor));
            beside_the_post(&rows, "f32, cpu and autograd")
        };
        assert!(said(1.).contains("all 10 lines to the last digit"));
        let rounded = said(1. + 1e-6);
        assert!(rounded.contains("within 1e-6, 0 of 10 lines"), "{rounded}");
        assert!(rounded.contains("autograd round otherwise"), "{rounded}");
        assert!(said(1.5).starts_with("not the post's table"));
    }
}
