//! Where matplotlib puts its ticks, and what it writes beside them.

/// The ticks on a linear axis from `low` to `high`, at most `bins` steps apart: multiples of 1, 2,
/// 2.5, 5 or 10 times a power of ten (`MaxNLocator`), and at least two.
pub(super) fn linear(low: f64, high: f64, bins: usize) -> Vec<(f64, String)> {
    let raw = (high - low) / bins as f64;
    let scale = 10f64.powf(raw.log10().floor());
    let steps = [0.5, 1., 2., 2.5, 5., 10.].map(|s| s * scale);
    let count = |step: f64| (high / step).floor() - (low / step).ceil() + 1.;
    let wide = steps.partition_point(|&s| s < raw * (1. - 1e-10)) + 1;
    // A single tick tells nothing.
    let several = steps.iter().take(wide).rev().find(|&&s| count(s) >= 2.);
    let step = *several.unwrap_or(&steps[0]);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    let tick = |k: i64| (k as f64 * step, label(k as f64 * step, step));
    (first..=last).map(tick).collect()
}

/// With the decimals that `step` needs; `2.5e20` where these are many or none.
fn label(value: f64, step: f64) -> String {
    let shifted = |d: &usize| step * 10f64.powi(*d as i32);
    let exact = |d: &usize| (shifted(d) - shifted(d).round()).abs() < 1e-6 * shifted(d);
    let text = match (0..7).find(exact) {
        _ if value == 0. && !(1e-4..1e5).contains(&step) => "0".to_owned(),
        // Adding 0 turns -0 into 0.
        Some(decimals) if (1e-4..1e5).contains(&step) => format!("{:.decimals$}", value + 0.),
        _ => {
            let digits = format!("{value:.9e}");
            format!("{:e}", digits.parse().unwrap_or(value))
        }
    };
    text.replace('-', "\u{2212}")
}

/// The ticks on a logarithmic axis, log₁₀ of them, from 10^`low` to 10^`high`: labels on powers of
/// ten, or on 1, 2 and 5 times these where fewer than two powers are in sight; those of a linear axis
/// where that leaves less than two. The others have no label.
pub(super) fn log(low: f64, high: f64) -> Vec<(f64, String)> {
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    let decades = high.floor() - low.ceil() >= 1.;
    let fits = |every: &i32| last - first <= 9 * every;
    let every = [1, 2, 5, 10, 20, 50].into_iter().find(fits).unwrap_or(100);
    let label = |k: i32, m: i32| match (decades, m) {
        (true, 1) if k % every == 0 => format!("10{}", superscript(k)),
        (false, 1 | 2 | 5) => {
            let value = format!("{m}e{k}").parse().unwrap_or(f64::NAN);
            match (-4..6).contains(&k) {
                true => value.to_string(),
                false => format!("{value:e}").replace('-', "\u{2212}"),
            }
        }
        _ => String::new(),
    };
    let ticks = (first..=last).flat_map(|k| (1..10).map(move |m| (k, m)));
    let ticks = ticks.map(|(k, m)| (f64::from(k) + f64::from(m).log10(), label(k, m)));
    let seen = ticks.filter(|(tick, label)| {
        // Nine in each of many decades would fill the axis.
        (low..=high).contains(tick) && (every == 1 || !label.is_empty())
    });
    let seen: Vec<_> = seen.collect();
    match seen.iter().filter(|(_, label)| !label.is_empty()).count() {
        0 | 1 => linear(10f64.powf(low), 10f64.powf(high), 5)
            .into_iter()
            .map(|(tick, label)| (tick.log10(), label))
            .collect(),
        _ => seen,
    }
}

fn superscript(k: i32) -> String {
    let digits: Vec<char> = "⁰¹²³⁴⁵⁶⁷⁸⁹".chars().collect();
    let high = |c: char| c.to_digit(10).map_or('⁻', |d| digits[d as usize]);
    k.to_string().chars().map(high).collect()
}

#[cfg(test)]
mod tests {
    use super::{linear, log};

    fn labels(ticks: Vec<(f64, String)>) -> String {
        let labels = ticks.into_iter().map(|(_, label)| label);
        let labels: Vec<_> = labels.filter(|l| !l.is_empty()).collect();
        labels.join(" ")
    }

    /// What matplotlib 3.11 writes for `plt.plot(x, y)` of the post.
    #[test]
    fn linear_ticks_are_those_of_matplotlib() {
        let ticks = |low, high, bins| labels(linear(low, high, bins));
        assert_eq!(ticks(-3.456, 3.456, 9), "−3 −2 −1 0 1 2 3");
        assert_eq!(
            ticks(-1.1, 1.1, 9),
            "−1.00 −0.75 −0.50 −0.25 0.00 0.25 0.50 0.75 1.00"
        );
        assert_eq!(ticks(-1.1, 1.1, 3), "−1 0 1");
        assert_eq!(ticks(-1.1e20, 1.1e20, 3), "−1e20 0 1e20");
        assert_eq!(ticks(0., 6e-6, 3), "0 2e−6 4e−6 6e−6");
    }

    #[test]
    fn log_ticks_name_powers_of_ten_or_more() {
        let ticks = |low: f64, high: f64| labels(log(low.log10(), high.log10()));
        assert_eq!(ticks(500., 9000.), "500 1000 2000 5000");
        assert_eq!(ticks(1.5e36, 6e36), "2e36 5e36");
        assert_eq!(ticks(573.9, 578.1), "574 575 576 577 578");
        assert_eq!(ticks(0.05, 2000.), "10⁻¹ 10⁰ 10¹ 10² 10³");
        assert_eq!(ticks(1.5e-4, 1.5e-3), "0.0002 0.0005 0.001");
        // The losses of a run that diverges.
        assert_eq!(ticks(1e2, 1e38), "10⁵ 10¹⁰ 10¹⁵ 10²⁰ 10²⁵ 10³⁰ 10³⁵");
    }
}
