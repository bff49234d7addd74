//! The table of `candle-sine compare`: an epoch a row, a rung a column.

use super::super::print::Printer;
use super::{Args, Rung};

/// Columns of a loss or a time.
const WIDTH: usize = 11;

pub fn print(args: &Args, gradients: &[Rung], adamw: Option<&Rung>, out: &mut Printer) {
    let columns = || gradients.iter().chain(adamw);
    let row = |first: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells: String = cells.map(|c| format!(" {c:>WIDTH$}")).collect();
        format!("{first:>9}{cells}")
    };
    let mut names: Vec<_> = columns().map(|r| r.name.to_owned()).collect();
    names.insert(gradients.len(), "differ by".to_owned());
    out.line(row("epoch", &mut names.into_iter()));
    let options = args.options(args.learning_rate);
    for epoch in (1..=args.epochs).filter(|&epoch| options.logs(epoch)) {
        let loss = |r: &Rung| r.history.losses.get(epoch - 1).map_or("-".to_owned(), loss);
        let mut cells: Vec<_> = columns().map(loss).collect();
        cells.insert(gradients.len(), format!("{:.1e}", spread(gradients, epoch)));
        out.line(row(&epoch.to_string(), &mut cells.into_iter()));
    }
    let mut times = |name: &str, seconds: fn(&Rung) -> f64| {
        let mut cells: Vec<_> = columns().map(|r| time(seconds(r))).collect();
        cells.insert(gradients.len(), String::new());
        out.line(row(name, &mut cells.into_iter()));
    };
    times("setup", |r| r.setup_seconds);
    times("an epoch", |r| r.epoch_seconds);
    let (epoch, largest) = largest(gradients);
    out.line("");
    out.line(format_args!(
        "largest difference between the gradients' losses: {largest:.1e} of the loss, at epoch {epoch} of {}",
        args.epochs
    ));
}

fn loss(loss: &f64) -> String {
    let before = loss.abs().max(1.).log10() as usize + 1;
    match loss.is_finite() && before < WIDTH - 1 {
        true => format!("{loss:.*}", (WIDTH - 2).saturating_sub(before)),
        false => format!("{loss:.4e}"),
    }
}

/// The largest loss less the smallest at an epoch, over the smallest.
fn spread(rungs: &[Rung], epoch: usize) -> f64 {
    let losses = || rungs.iter().filter_map(|r| r.history.losses.get(epoch - 1));
    let low = losses().copied().fold(f64::INFINITY, f64::min);
    let high = losses().copied().fold(f64::NEG_INFINITY, f64::max);
    if high == low { 0. } else { (high - low) / low }
}

/// The epoch at which the rungs are furthest apart, and how far.
fn largest(rungs: &[Rung]) -> (usize, f64) {
    let epochs = rungs.iter().map(|r| r.history.losses.len()).max();
    let spreads = (1..=epochs.unwrap_or(0)).map(|epoch| (epoch, spread(rungs, epoch)));
    spreads.fold((1, 0.), |worst, at| if at.1 > worst.1 { at } else { worst })
}

fn time(seconds: f64) -> String {
    let units = [(1., "s"), (1e-3, "ms"), (1e-6, "µs")];
    let larger = units.into_iter().find(|(unit, _)| seconds >= *unit);
    let (unit, name) = larger.unwrap_or((1e-9, "ns"));
    let value = seconds / unit;
    let digits = if value < 10. { 2 } else { 1 };
    format!("{value:.digits$} {name}")
}
