//! Functions of two numbers and their two slopes, in f64.

/// A function and its derivatives; NaN where there is none.
#[derive(Clone, Copy)]
pub struct Pair {
    /// The function.
    pub value: fn(f64, f64) -> f64,
    /// Its derivatives.
    pub slopes: [fn(f64, f64) -> f64; 2],
}

/// 1 on one side, 0 on the other, nothing between.
fn chosen(mine: f64, other: f64) -> f64 {
    if mine == other {
        return f64::NAN;
    }
    f64::from(u8::from(mine > other))
}

/// a + b.
pub const ADD: Pair = Pair {
    value: |a, b| a + b,
    slopes: [|_, _| 1., |_, _| 1.],
};
/// a - b.
pub const SUB: Pair = Pair {
    value: |a, b| a - b,
    slopes: [|_, _| 1., |_, _| -1.],
};
/// a b.
pub const MUL: Pair = Pair {
    value: |a, b| a * b,
    slopes: [|_, b| b, |a, _| a],
};
/// a / b.
pub const DIV: Pair = Pair {
    value: |a, b| a / b,
    slopes: [|_, b| 1. / b, |a, b| -(a / b) / b],
};
/// maximum.
pub const MAXIMUM: Pair = Pair {
    value: f64::max,
    slopes: [chosen, |a, b| chosen(b, a)],
};
/// minimum.
pub const MINIMUM: Pair = Pair {
    value: f64::min,
    slopes: [|a, b| chosen(b, a), chosen],
};
/// Of a positive base.
pub const POW: Pair = Pair {
    value: |a, b| if a > 0. { a.powf(b) } else { f64::NAN },
    slopes: [
        |a, b| if a > 0. { b * a.powf(b - 1.) } else { f64::NAN },
        |a, b| if a > 0. { a.powf(b) * a.ln() } else { f64::NAN },
    ],
};
/// The first where the first is positive, else the second.
pub const CHOICE: Pair = Pair {
    value: |a, b| if a > 0. { a } else { b },
    slopes: [
        |a, _| f64::from(u8::from(a > 0.)),
        |a, _| f64::from(u8::from(a <= 0.)),
    ],
};
