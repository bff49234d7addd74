//! The numeric derivative alone, against closed forms: does the true error lie within the bound?
//!
//! `cargo test --release --test gradcheck_numeric -- --nocapture` prints the figures.

use candle_sine::gradcheck::numeric::derivative;

type Real = fn(f64) -> f64;

/// (name, f, f', positive arguments only): f takes a number of size about 1.
const FUNCTIONS: [(&str, Real, Real, bool); 34] = [
    ("x", |x| x, |_| 1., false),
    ("x^2", |x| x * x, |x| 2. * x, false),
    ("x^3", |x| x * x * x, |x| 3. * x * x, false),
    ("x^7", |x| x.powi(7), |x| 7. * x.powi(6), false),
    ("1/x", |x| 1. / x, |x| -1. / (x * x), false),
    ("1/x^3", |x| x.powi(-3), |x| -3. * x.powi(-4), false),
    ("sqrt", f64::sqrt, |x| 0.5 / x.sqrt(), true),
    ("cbrt", f64::cbrt, |x| x.cbrt() / (3. * x), false),
    ("x^1.5", |x| x.powf(1.5), |x| 1.5 * x.sqrt(), true),
    ("exp", f64::exp, f64::exp, false),
    ("exp(-x)", |x| (-x).exp(), |x| -(-x).exp(), false),
    ("expm1", f64::exp_m1, f64::exp, false),
    (
        "2^x",
        f64::exp2,
        |x| x.exp2() * std::f64::consts::LN_2,
        false,
    ),
    ("ln", f64::ln, |x| 1. / x, true),
    (
        "ln(1+x^2)",
        |x| (x * x).ln_1p(),
        |x| 2. * x / (1. + x * x),
        false,
    ),
    (
        "log10",
        f64::log10,
        |x| 1. / (x * std::f64::consts::LN_10),
        true,
    ),
    ("sin", f64::sin, f64::cos, false),
    ("cos", f64::cos, |x| -x.sin(), false),
    (
        "tan(x/2)",
        |x| (x / 2.).tan(),
        |x| 0.5 / (x / 2.).cos().powi(2),
        false,
    ),
    (
        "sin(30x)",
        |x| (30. * x).sin(),
        |x| 30. * (30. * x).cos(),
        false,
    ),
    (
        "sin(1000x)",
        |x| (1e3 * x).sin(),
        |x| 1e3 * (1e3 * x).cos(),
        false,
    ),
    ("atan", f64::atan, |x| 1. / (1. + x * x), false),
    ("sinh", f64::sinh, f64::cosh, false),
    ("cosh", f64::cosh, f64::sinh, false),
    ("tanh", f64::tanh, |x| x.cosh().powi(-2), false),
    ("asinh", f64::asinh, |x| 1. / (x * x + 1.).sqrt(), false),
    ("sigmoid", sigmoid, |x| sigmoid(x) * sigmoid(-x), false),
    (
        "silu",
        |x| x * sigmoid(x),
        |x| sigmoid(x) * (1. + x * sigmoid(-x)),
        false,
    ),
    ("softplus", |x| x.exp().ln_1p(), sigmoid, false),
    (
        "exp(-x^2)",
        |x| (-x * x).exp(),
        |x| -2. * x * (-x * x).exp(),
        false,
    ),
    ("1/(1+25x^2)", runge, |x| -50. * x * runge(x).powi(2), false),
    (
        "x sin(1/x)",
        |x| x * (1. / x).sin(),
        |x| (1. / x).sin() - (1. / x).cos() / x,
        false,
    ),
    ("1 + 1e-6 x^2", |x| 1. + 1e-6 * x * x, |x| 2e-6 * x, false),
    (
        "(x+1e4)^2 - 1e8",
        |x| (x + 1e4).powi(2) - 1e8,
        |x| 2. * (x + 1e4),
        false,
    ),
];

fn sigmoid(x: f64) -> f64 {
    1. / (1. + (-x).exp())
}

fn runge(x: f64) -> f64 {
    1. / (1. + 25. * x * x)
}

/// Forty points of each sign from 0.05 to about 3, off any grid.
fn points(positive: bool) -> Vec<f64> {
    let sizes = (0..40).map(|k| 0.05 * 1.1087f64.powi(k));
    let sizes: Vec<f64> = sizes.collect();
    let mirrored = sizes.iter().filter(|_| !positive).map(|x| -x);
    sizes.iter().copied().chain(mirrored).collect()
}

#[derive(Default)]
struct Coverage {
    points: usize,
    within: usize,
    relative: Vec<f64>,
    evaluations: usize,
    worst: f64,
}

impl Coverage {
    fn add(
        &mut self,
        truth: f64,
        own_error: f64,
        found: candle_sine::gradcheck::numeric::Derivative,
    ) {
        let error = (found.value - truth).abs();
        self.points += 1;
        // The closed form is itself rounded.
        let within = error <= found.bound + own_error;
        self.within += usize::from(within);
        if !within {
            self.worst = self.worst.max(error / found.bound);
        }
        if truth != 0. {
            self.relative.push(error / truth.abs());
        }
        self.evaluations += found.evaluations;
    }

    fn merge(&mut self, other: Self) {
        self.points += other.points;
        self.within += other.within;
        self.relative.extend(other.relative);
        self.evaluations += other.evaluations;
        self.worst = self.worst.max(other.worst);
    }

    fn line(&mut self, name: &str) -> String {
        self.relative.sort_by(f64::total_cmp);
        let median = self.relative[self.relative.len() / 2];
        format!(
            "| {name} | {} | {} | {:.1e} | {:.1e} | {:.0} | {:.1} |",
            self.points,
            self.points - self.within,
            median,
            self.relative[self.relative.len() * 99 / 100],
            self.evaluations as f64 / self.points as f64,
            self.worst,
        )
    }
}

/// g(x) = f(x / s) over ten decades of s on either side of 1, and beyond.
#[test]
fn the_true_error_lies_within_the_bound() {
    let scales: Vec<f64> = (-5..=5)
        .map(|d| 10f64.powi(d))
        .chain([1e-30, 1e30])
        .collect();
    let mut all = Coverage::default();
    println!(
        "| f | points | outside | median rel. error | 99th percentile | calls | error / bound |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|");
    for (name, f, slope, positive) in FUNCTIONS {
        let mut coverage = Coverage::default();
        for &scale in &scales {
            for x in points(positive) {
                let at = x * scale;
                let x = at / scale;
                let truth = slope(x) / scale;
                // x = at / scale is rounded too, inside f and here.
                let shaken = (slope(x * (1. + 4e-16)) - slope(x * (1. - 4e-16))).abs() / scale;
                let own_error = shaken + 4e-16 * truth.abs();
                coverage.add(truth, own_error, derivative(|z| f(z / scale), at));
            }
        }
        println!("{}", coverage.line(name));
        all.merge(coverage);
    }
    println!("{}", all.line("**all**"));
    let share = all.within as f64 / all.points as f64;
    println!("within the bound: {share:.5}");
    assert!(share >= 0.999, "{share}");
}

#[test]
fn outside_the_domain_nothing_is_claimed() {
    assert_eq!(derivative(f64::sqrt, 0.).bound, f64::INFINITY);
    assert_eq!(derivative(f64::ln, -1.).bound, f64::INFINITY);
    assert!(derivative(|_| f64::NAN, 1.).value.is_nan());
}

#[test]
fn the_edge_of_a_domain() {
    for x in [1e-2, 1e-6, 1e-12] {
        let found = derivative(f64::ln, x);
        assert!(
            (found.value - 1. / x).abs() <= found.bound && found.bound < 1e-8 / x,
            "{x}: {found:?}"
        );
    }
}
