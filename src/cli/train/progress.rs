//! A progress bar for runs of more than about two seconds, on a terminal.

use candle_sine::sine::train::Options;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(2);

pub struct Progress {
    wanted: bool,
    began: Instant,
    first_epoch: usize,
    epochs: usize,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(options: &Options, quiet: bool) -> Self {
        Self {
            wanted: !quiet && std::io::stderr().is_terminal(),
            began: Instant::now(),
            first_epoch: options.first_epoch,
            epochs: options.epochs,
            bar: None,
        }
    }

    pub fn reached(&mut self, epoch: usize) {
        if !self.wanted {
            return;
        }
        let done = (epoch + 1 - self.first_epoch) as u64;
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.began.elapsed() > PATIENCE {
            self.bar = Some(bar(self.epochs, self.began.elapsed()));
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

fn bar(epochs: usize, elapsed: Duration) -> ProgressBar {
    let template = "{bar:30} {human_pos}/{human_len} epochs, {per_sec}, {eta} left";
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(epochs as u64).with_elapsed(elapsed);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
