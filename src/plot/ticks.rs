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
    let ticks = ticks.into_iter().filter(|(tick, _)| tick.fract() == 0.);
    // The others, which a step below 1 makes, may have needed decimals.
    ticks
        .map(|(tick, label)| match label.contains('e') {
            true => (tick, label),
            false => (tick, number(tick, 0)),
        })
        .collect()
}

/// The ticks on a log axis: labels on powers of ten, or on 1, 2 and 5 times these where fewer than
/// two powers are in sight; those of a linear axis where that leaves less than two.
pub(super) fn log(low: f64, high: f64) -> Vec<(f64, String)> {
    let ticks = match high.log10().floor() - low.log10().ceil() >= 1. {
        true => decades(low, high),
        false => within_decades(low, high),
    };
    match ticks.iter().filter(|(_, label)| !label.is_empty()).count() {
        0 | 1 => linear(low, high, 5),
        _ => ticks,
    }
}

/// Labels on powers of ten. Of more than some ten of them those that have a label are all the ticks:
/// nine in each would fill the axis.
fn decades(low: f64, high: f64) -> Vec<(f64, String)> {
    const CROWDED: i32 = 10;
    let (first, last) = exponents(low, high);
    let raw = ((last - first) / 9 + 1).max(1);
    let round = [1, 2, 5, 10, 20, 50].into_iter().find(|&e| e >= raw);
    let every = round.unwrap_or(100);
    let label = |k: i32, m: u32| match m == 1 && k.rem_euclid(every) == 0 {
        true => format!("10{}", superscript(k)),
        false => String::new(),
    };
    let ticks = log_ticks(low, high).map(|(k, m, tick)| (tick, label(k, m)));
    ticks
        .filter(|(_, label)| last - first <= CROWDED || !label.is_empty())
        .collect()
}

/// Labels on 1, 2 and 5 times powers of ten, all of them written alike.
fn within_decades(low: f64, high: f64) -> Vec<(f64, String)> {
    let labelled = |m: u32| [1, 2, 5].contains(&m);
    let mut named = log_ticks(low, high).filter(|(_, m, _)| labelled(*m));
    let plain = named.all(|(k, ..)| (-4..6).contains(&k));
    let label = |k: i32, m: u32| match (labelled(m), plain) {
        (false, _) => String::new(),
        (true, true) => number(f64::from(m) * 10f64.powi(k), (-k).max(0) as usize),
        (true, false) => format!("{m}e{k}").replace('-', "\u{2212}"),
    };
    let ticks = log_ticks(low, high);
    ticks.map(|(k, m, tick)| (tick, label(k, m))).collect()
}

/// k, m and m 10^k for each such number in sight.
fn log_ticks(low: f64, high: f64) -> impl Iterator<Item = (i32, u32, f64)> {
    let (first, last) = exponents(low, high);
    let at = |k: i32| (1..10).map(move |m| (k, m, f64::from(m) * 10f64.powi(k)));
    let ticks = (first..=last).flat_map(at);
    ticks.filter(move |(.., tick)| (low..=high).contains(tick))
}

/// Of the powers of ten that enclose the axis.
fn exponents(low: f64, high: f64) -> (i32, i32) {
    (low.log10().floor() as i32, high.log10().ceil() as i32)
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
        assert_eq!(labels(whole(0.95, 1.05, 9)), "1");
        assert_eq!(labels(log(0.05, 2000.)), "10⁻¹ 10⁰ 10¹ 10² 10³");
    }

    #[test]
    fn log_labels_on_an_axis_are_written_alike() {
        assert_eq!(labels(log(3e5, 3e6)), "5e5 1e6 2e6");
        assert_eq!(labels(log(1.5e-5, 1.5e-4)), "2e−5 5e−5 1e−4");
        assert_eq!(labels(log(1.5e-4, 1.5e-3)), "0.0002 0.0005 0.001");
    }

    /// The losses of a run that diverges.
    #[test]
    fn many_decades_have_few_ticks() {
        let far = log(1e2, 1e38);
        assert_eq!(labels(far.clone()), "10⁵ 10¹⁰ 10¹⁵ 10²⁰ 10²⁵ 10³⁰ 10³⁵");
        assert!(far.iter().all(|(_, label)| !label.is_empty()));
        assert_eq!(
            labels(log(1e-20, f64::MAX)),
            "10⁰ 10⁵⁰ 10¹⁰⁰ 10¹⁵⁰ 10²⁰⁰ 10²⁵⁰ 10³⁰⁰"
        );
        let near = log(1e2, 1e11).into_iter();
        assert_eq!(near.filter(|(_, label)| label.is_empty()).count(), 77);
    }
}
