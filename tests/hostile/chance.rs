//! Choices that a seed alone decides.

/// SplitMix64.
pub struct Chance {
    state: u64,
    seed: u64,
}

impl Chance {
    /// Another for each `purpose`.
    pub fn new(purpose: u64) -> Self {
        let seed = number("CANDLE_SINE_SEED").unwrap_or(0);
        let state = seed.wrapping_mul(0xd134_2543_de82_ef95) ^ purpose << 32;
        Self { state, seed }
    }

    /// From 0 to `n` - 1.
    pub fn below(&mut self, n: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ z >> 31) % n as u64) as usize
    }

    pub fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub fn of<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// From 0 to 1.
    pub fn unit(&mut self) -> f64 {
        self.below(1 << 53) as f64 / (1u64 << 53) as f64
    }

    /// Of either sign and of any size between 10^`low` and 10^`high`.
    pub fn number(&mut self, low: f64, high: f64) -> f64 {
        let sign = if self.one_in(2) { -1. } else { 1. };
        sign * 10f64.powf(low + (high - low) * self.unit())
    }

    /// What a failure must say to be had again.
    pub fn seed(&self) -> String {
        format!("CANDLE_SINE_SEED={}", self.seed)
    }
}

/// So many runs, or with `CANDLE_SINE_LONGER` so many times as many.
pub fn runs(usual: usize) -> usize {
    usual * number("CANDLE_SINE_LONGER").unwrap_or(1) as usize
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().expect(variable))
}
