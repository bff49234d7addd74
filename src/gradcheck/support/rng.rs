//! Random signs, the same on every machine.

/// SplitMix64 (Steele, Lea and Flood 2014): a counter stepped by the golden ratio, then mixed.
#[derive(Clone)]
pub(crate) struct SplitMix64(u64);

impl SplitMix64 {
    /// A stream that depends on the seed and on what it is for, so that streams do not share signs.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut rng = Self(seed ^ stream.wrapping_mul(0xd134_2543_de82_ef95));
        rng.next();
        rng
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform from 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// n draws from {-1, 1}.
    pub(crate) fn signs(&mut self, n: usize) -> Vec<f64> {
        (0..n)
            .map(|_| if self.next() >> 63 == 0 { 1. } else { -1. })
            .collect()
    }

    /// n draws of ±(1 + k/64), k in 0..64: random signs, with sizes that keep two of them from
    /// cancelling (as they would half the time in a Jacobian of small integers). Exact in bf16.
    pub(crate) fn uneven_signs(&mut self, n: usize) -> Vec<f64> {
        (0..n)
            .map(|_| {
                let z = self.next();
                let size = 1. + (z & 63) as f64 / 64.;
                if z >> 63 == 0 { size } else { -size }
            })
            .collect()
    }

    /// n draws from {±1/2, ±1, ±3/2, ±2}: exact in every float dtype, and no two outputs alike.
    pub(crate) fn weights(&mut self, n: usize) -> Vec<f64> {
        (0..n)
            .map(|_| {
                let z = self.next();
                let size = ((z & 3) + 1) as f64 / 2.;
                if z >> 63 == 0 { size } else { -size }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::SplitMix64;

    #[test]
    fn the_published_stream() {
        // First outputs of the reference implementation for the state 1234567.
        let mut rng = SplitMix64(1234567);
        let got = [rng.next(), rng.next(), rng.next()];
        assert_eq!(
            got,
            [
                6457827717110365317,
                3203168211198807973,
                9817491932198370423
            ]
        );
    }

    #[test]
    fn signs_are_balanced() {
        let sum: f64 = SplitMix64::new(7, 1).signs(10_000).iter().sum();
        assert!(sum.abs() < 400., "{sum}");
    }
}
