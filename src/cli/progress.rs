//! A progress bar for runs of more than about two seconds, on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);
const TEMPLATE: &str =
    "{prefix}{bar:30} {human_pos}/{human_len} epochs, {msg} points/s, {eta} left";

/// The default never shows itself.
#[derive(Default)]
pub struct Progress {
    points: u32,
    /// Counts from the start, so that its rate is right when it shows itself.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// `name` stands in front.
    pub fn new(name: &str, epochs: usize, points: u32) -> Self {
        let wanted = std::io::stderr().is_terminal();
        Self {
            points,
            bar: wanted.then(|| hidden_bar(name, epochs)),
        }
    }

    /// `done` epochs of the run are over.
    pub fn reached(&self, done: usize) {
        let Some(bar) = &self.bar else { return };
        let each = bar.elapsed().as_secs_f64() / done as f64;
        bar.set_message(format!("{:.2e}", f64::from(self.points) / each));
        bar.set_position(done as u64);
        if bar.is_hidden() && bar.elapsed() > PATIENCE {
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }

    /// Runs `print` with the bar out of its way.
    pub fn suspend(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn hidden_bar(name: &str, epochs: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE);
    let bar = ProgressBar::with_draw_target(Some(epochs as u64), ProgressDrawTarget::hidden());
    let bar = bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.with_prefix(name.to_owned())
}
