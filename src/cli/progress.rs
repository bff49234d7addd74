//! A progress bar for work of more than about two seconds, on a terminal.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(2);

/// In 80 columns as in any other width: the bar takes what the rest leaves.
const TEMPLATE: &str = "{prefix}{wide_bar} {human_pos}/{human_len} {msg}, {eta} left";

/// The default never shows itself.
#[derive(Default)]
pub struct Progress {
    /// What is counted.
    of: &'static str,
    /// Of each epoch.
    points: Option<u32>,
    /// Counts from the start, so that its rate is right when it shows itself.
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Of a run. `name` stands in front.
    pub fn new(name: &str, epochs: usize, points: u32) -> Self {
        let mut progress = Self::of("epochs", epochs);
        progress.points = Some(points);
        if let Some(bar) = &progress.bar {
            bar.set_prefix(name.to_owned());
        }
        progress
    }

    /// Of something else that is counted.
    pub fn of(what: &'static str, count: usize) -> Self {
        let wanted = std::io::stderr().is_terminal();
        Self {
            of: what,
            points: None,
            bar: wanted.then(|| hidden_bar(count)),
        }
    }

    /// So many are over.
    pub fn reached(&self, done: usize) {
        let Some(bar) = &self.bar else { return };
        let each = bar.elapsed().as_secs_f64() / done as f64;
        bar.set_message(match self.points {
            Some(points) => format!("{}, {:.1e} points/s", self.of, f64::from(points) / each),
            None => self.of.to_owned(),
        });
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

fn hidden_bar(count: usize) -> ProgressBar {
    let style = ProgressStyle::with_template(TEMPLATE);
    let bar = ProgressBar::with_draw_target(Some(count as u64), ProgressDrawTarget::hidden());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
