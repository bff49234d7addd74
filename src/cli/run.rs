//! A run of `train` that has ended: what it worked with, and what it has learned.

use super::args::Settings;
use candle_sine::sine::{LeastSquares, Method, Weights};

pub struct Run {
    pub settings: Settings,
    /// What there is to be learned from the data
    pub fit: LeastSquares,
    pub gradient: Method,
    pub learning_rate: f64,
    /// As many as were asked for
    pub epochs: u32,
    pub history: History,
}

/// An epoch, and the loss before its step.
pub type Loss = (u32, f64);

#[derive(Default)]
pub struct History {
    /// The lines of the table
    pub log: Vec<Loss>,
    /// For the picture: those of every epoch, or evenly chosen ones
    pub losses: Vec<Loss>,
    /// What a moving picture shows, and the last epoch
    pub moments: Vec<Moment>,
    /// Epochs that were trained
    pub epochs: u32,
    pub weights: Weights,
    /// At `weights`
    pub final_loss: f64,
}

/// An epoch, and the weights of its y_pred.
pub struct Moment {
    pub epoch: u32,
    pub loss: f64,
    pub weights: Weights,
}

impl Run {
    pub fn first_loss(&self) -> f64 {
        self.history.losses[0].1
    }

    pub fn diverged(&self) -> bool {
        let last = self.history.final_loss;
        let too_fast = self.learning_rate > self.fit.stability_limit();
        !last.is_finite() || too_fast && last > self.first_loss()
    }

    pub fn interrupted(&self) -> bool {
        self.history.epochs < self.epochs
    }
}
