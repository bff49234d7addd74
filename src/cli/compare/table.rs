//! The table of `candle-sine compare`: an epoch a row, a rung a column.

use super::super::print::Printer;
use super::{Comparison, Rung};

/// Columns of a loss or a time.
const WIDTH: usize = 11;

pub fn print(comparison: &Comparison, out: &mut Printer) {
    let (args, rungs) = (comparison.args, &comparison.rungs);
    if rungs.is_empty() {
        return;
    }
    let gradients = comparison.gradients();
    // A gradient alone differs from none.
    let several = gradients.len() > 1;
    let mut row = |first: &str, mut cells: Vec<String>, apart: &str| {
        if several {
            cells.insert(gradients.len(), apart.to_owned());
        }
        let cells: String = cells.iter().map(|c| format!(" {c:>WIDTH$}")).collect();
        out.line(format_args!("{first:>9}{cells}"));
    };
    let names = rungs.iter().map(|r| r.choice.name().to_owned());
    row("epoch", names.collect(), "differ by");
    let options = args.options(args.learning_rate.0);
    for epoch in (1..=longest(rungs)).filter(|&epoch| options.logs(epoch)) {
        let loss = |r: &Rung| r.history.losses.get(epoch - 1).map_or("-".to_owned(), loss);
        let apart = spread(gradients, epoch).map_or("-".to_owned(), |s| format!("{s:.1e}"));
        row(&epoch.to_string(), rungs.iter().map(loss).collect(), &apart);
    }
    let mut times = |name: &str, seconds: fn(&Rung) -> f64| {
        row(name, rungs.iter().map(|r| time(seconds(r))).collect(), "");
    };
    times("setup", |r| r.setup_seconds);
    times("an epoch", |r| r.epoch_seconds);
    out.line("");
    if several {
        out.line(difference(gradients, args.epochs));
    }
}

/// The epochs of the rung that did the most.
fn longest(rungs: &[Rung]) -> usize {
    let epochs = rungs.iter().map(|r| r.history.losses.len());
    epochs.max().unwrap_or(0)
}

fn difference(gradients: &[Rung], epochs: usize) -> String {
    match largest(gradients) {
        Some((epoch, largest)) => format!(
            "largest difference between the gradients' losses: {largest:.1e} of the loss, at epoch {epoch} of {epochs}"
        ),
        None => "no difference to tell: no two of the gradients' losses are finite".to_owned(),
    }
}

fn loss(loss: &f64) -> String {
    if !loss.is_finite() {
        return format!("{loss:.4e}");
    }
    let before = loss.abs().max(1.).log10() as usize + 1;
    match before < WIDTH - 1 {
        true => format!("{loss:.*}", (WIDTH - 2).saturating_sub(before)),
        false => format!("{loss:.4e}"),
    }
}

/// The largest loss less the smallest at an epoch, over the smallest; of the finite ones, where there
/// are two.
fn spread(rungs: &[Rung], epoch: usize) -> Option<f64> {
    let losses = rungs.iter().filter_map(|r| r.history.losses.get(epoch - 1));
    let finite = losses.copied().filter(|loss| loss.is_finite());
    let low = finite.clone().fold(f64::INFINITY, f64::min);
    let high = finite.clone().fold(f64::NEG_INFINITY, f64::max);
    let apart = if high == low { 0. } else { (high - low) / low };
    (finite.count() > 1).then_some(apart)
}

/// The epoch at which the rungs are furthest apart, and how far.
fn largest(rungs: &[Rung]) -> Option<(usize, f64)> {
    let spreads = (1..=longest(rungs)).filter_map(|epoch| Some((epoch, spread(rungs, epoch)?)));
    spreads.reduce(|worst, at| if at.1 > worst.1 { at } else { worst })
}

fn time(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "-".to_owned();
    }
    let units = [(1., "s"), (1e-3, "ms"), (1e-6, "µs")];
    let larger = units.into_iter().find(|(unit, _)| seconds >= *unit);
    let (unit, name) = larger.unwrap_or((1e-9, "ns"));
    let value = seconds / unit;
    let digits = if value < 10. { 2 } else { 1 };
    format!("{value:.digits$} {name}")
}
