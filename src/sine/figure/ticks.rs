//! Where matplotlib puts its ticks, and what it writes beside them.

/// The ticks on a linear axis from `low` to `high`, at most `bins` steps apart: multiples of 1, 2,
/// 2.5, 5 or 10 times a power of ten (`MaxNLocator`), and at least two.
pub(super) fn linear(low: f64, high: f64, bins: usize) -> Vec<(f64, String)> {
    let raw = (high - low) / bins.max(1) as f64;
    let scale = 10f64.powf(raw.log10().floor());
    let steps = [0.5, 1., 2., 2.5, 5., 10.].map(|s| s * scale);
    let wide = steps
        .iter()
        .position(|&s| s >= raw * (1. - 1e-10))
        .unwrap_or(5);
    let count = |step: f64| (high / step).floor() - (low / step).ceil() + 1.;
    // A single tick tells nothing.
    let step = steps[..=wide]
        .iter()
        .copied()
        .rev()
        .find(|&s| count(s) >= 2.);
    let step = step.unwrap_or(steps[0]);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    let label: &dyn Fn(f64) -> String = match (1e-4..1e5).contains(&step) {
        true => &|value| number(value, decimals(step)),
        false => &|value| scientific(value, step),
    };
    let tick = |k: i64| (k as f64 * step, label(k as f64 * step));
    (first..=last).map(tick).collect()
}

/// [`linear`] for what is counted: whole numbers only.
pub(super) fn whole(low: f64, high: f64, bins: usize) -> Vec<(f64, String)> {
    let ticks = linear(low, high, bins.min((high - low).ceil() as usize));
    ticks
        .into_iter()
        .filter(|(tick, _)| tick.fract() == 0.)
        .collect()
}

/// The ticks on a log axis: labels on powers of ten, or on 1, 2 and 5 times these where fewer than
/// two powers are in sight; those of a linear axis where that leaves less than two.
pub(super) fn log(low: f64, high: f64) -> Vec<(f64, String)> {
    let ticks = log_ticks(low, high);
    match ticks.iter().filter(|(_, label)| !label.is_empty()).count() {
        0 | 1 => linear(low, high, 5),
        _ => ticks,
    }
}

fn log_ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let wide = high.log10().floor() - low.log10().ceil() >= 1.;
    let every = ((last - first) / 9 + 1).max(1);
    let label = |k: i32, m: u32| match wide {
        true if m == 1 && k.rem_euclid(every) == 0 => format!("10{}", superscript(k)),
        false if [1, 2, 5].contains(&m) => match (-4..6).contains(&k) {
            true => number(f64::from(m) * 10f64.powi(k), (-k).max(0) as usize),
            false => format!("{m}e{k}").replace('-', "\u{2212}"),
        },
        _ => String::new(),
    };
    let at = |k: i32| (1..10).map(move |m| (k, m));
    (first..=last)
        .flat_map(at)
        .map(|(k, m)| (f64::from(m) * 10f64.powi(k), label(k, m)))
        .filter(|(tick, _)| (low..=high).contains(tick))
        .collect()
}

/// The fewest decimals that show `step` exactly.
fn decimals(step: f64) -> usize {
    let exact = |&d: &usize| {
        let shifted = step * 10f64.powi(d as i32);
        (shifted - shifted.round()).abs() < 1e-6 * shifted
    };
    (0..20).find(exact).unwrap_or(20)
}

fn number(value: f64, decimals: usize) -> String {
    // Adding 0 turns -0 into 0.
    format!("{:.decimals$}", value + 0.).replace('-', "\u{2212}")
}

/// `2.5e20`, with the digits that a step changes and one more.
fn scientific(value: f64, step: f64) -> String {
    let same = (value.abs() / step).log10().floor().clamp(0., 15.) as usize;
    let digits = format!("{value:.*e}", same + 1);
    let (mantissa, exponent) = digits.split_once('e').unwrap_or((&digits, "0"));
    let mantissa = mantissa.trim_end_matches('0').trim_end_matches('.');
    let number = if value == 0. {
        "0".to_owned()
    } else {
        format!("{mantissa}e{exponent}")
    };
    number.replace('-', "\u{2212}")
}

fn superscript(k: i32) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => c
            .to_digit(10)
            .and_then(|d| char::from_u32(0x2070 + d))
            .unwrap_or(c),
    };
    k.to_string().chars().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::{linear, log, whole};

    fn labels(ticks: Vec<(f64, String)>) -> String {
        let labels = ticks.into_iter().map(|(_, label)| label);
        labels
            .filter(|l| !l.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// What matplotlib 3.11 writes for `plt.plot(x, y)` of the post.
    #[test]
    fn linear_ticks_are_those_of_matplotlib() {
        assert_eq!(labels(linear(-3.456, 3.456, 9)), "−3 −2 −1 0 1 2 3");
        assert_eq!(
            labels(linear(-1.1, 1.1, 9)),
            "−1.00 −0.75 −0.50 −0.25 0.00 0.25 0.50 0.75 1.00"
        );
        assert_eq!(labels(linear(-1.1, 1.1, 3)), "−1 0 1");
        assert_eq!(labels(linear(-1.1e20, 1.1e20, 3)), "−1e20 0 1e20");
        assert_eq!(labels(linear(0., 6e-6, 3)), "0 2e−6 4e−6 6e−6");
    }

    #[test]
    fn log_ticks_name_powers_of_ten_or_more() {
        assert_eq!(labels(log(500., 9000.)), "500 1000 2000 5000");
        assert_eq!(labels(log(1.5e36, 6e36)), "2e36 5e36");
        assert_eq!(labels(log(574., 578.)), "574 575 576 577 578");
        assert_eq!(labels(whole(0.9, 4.1, 9)), "1 2 3 4");
        assert_eq!(labels(log(0.05, 2000.)), "10⁻¹ 10⁰ 10¹ 10² 10³");
    }
}
