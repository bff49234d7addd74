//! What `--help` ends with: the exit status, and the keys of what `--json` writes.

/// Of the commands that learn.
macro_rules! learning {
    ($keys:literal) => {
        concat!(
            "Exit status: 0 yes; 1 a negative answer (the loss diverged, gradients disagree or none \
             could be certified); 2 it could not be done; 130 \
             ended by Ctrl-C: train, compare and check --every write what was learned by then.\n\n\
             Keys of the JSON: ",
            $keys
        )
    };
}

pub const TRAIN: &str = learning!(
    "schema, device, dtype, gradient, points, epochs, learning_rate, seed, draw, init (a, b, c, \
     d), log (epoch, loss), weights (a, b, c, d), final_loss, baseline_loss, optimum_loss, files."
);

pub const CHECK: &str = learning!(
    "schema, device, dtype, points, seed, draw, interrupted, agree, rows (epoch, weight, manual, \
     autograd, numeric, bound, rounding, difference, relative, ulps, verdict, dissent)."
);

pub const COMPARE: &str = learning!(
    "schema, device, dtype, points, epochs, seed, draw, threads, interrupted, rungs (name, \
     learning_rate, setup_seconds, epoch_seconds, final_loss, weights (a, b, c, d), log (epoch, \
     loss))."
);

pub const GUIDE: &str = "Exit status: 0 the guide is written; 2 it could not be done.";
