//! What a run of `train` leaves behind: its losses, its weights, and what a moving picture shows.

use candle_sine::sine::Weights;
use serde::Serialize;

/// An epoch, and the weights of its y_pred.
pub struct Moment {
    pub epoch: u32,
    pub loss: f64,
    pub weights: Weights,
}

/// What a run leaves behind.
#[derive(Default)]
pub struct History {
    pub epochs: u32,
    pub log: Vec<Logged>,
    /// For the picture: every epoch, or every 2^k-th where there are very many.
    pub losses: Vec<(u32, f64)>,
    /// What `--animate` shows, and the last epoch.
    pub moments: Vec<Moment>,
    pub first_loss: f64,
    pub weights: Weights,
    /// At `weights`
    pub final_loss: f64,
}

/// A line of the table.
#[derive(Clone, Copy, PartialEq, Serialize)]
pub struct Logged {
    pub epoch: u32,
    pub loss: f64,
}

impl History {
    /// More than a picture has columns of pixels.
    const MOST: usize = 1 << 13;

    pub fn add(&mut self, epoch: u32, loss: f64) {
        if epoch == 1 {
            self.first_loss = loss;
        }
        self.epochs = epoch;
        if self.losses.len() == Self::MOST {
            let half: Vec<_> = self.losses.iter().step_by(2).copied().collect();
            self.losses = half;
        }
        let step = self.losses.get(1).map_or(1, |second| second.0 - 1);
        if (epoch - 1).is_multiple_of(step) {
            self.losses.push((epoch, loss));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::History;

    #[test]
    fn a_long_run_keeps_losses_evenly_chosen() {
        let mut history = History::default();
        (1..=100_000).for_each(|epoch| history.add(epoch, f64::from(epoch)));
        let epochs: Vec<_> = history.losses.iter().map(|l| l.0).collect();
        assert!((History::MOST / 2..=History::MOST).contains(&epochs.len()));
        assert!(epochs.windows(2).all(|pair| pair[1] - pair[0] == 16));
        assert_eq!((epochs[0], history.epochs), (1, 100_000));
    }
}
