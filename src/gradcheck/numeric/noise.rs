//! The error of one value of f, from how it scatters.

use candle_core::Result;

use super::grid::power_of_two;
use super::line::Point;

/// The evaluations [`noise`] takes beside f(x).
pub(crate) const SAMPLES: usize = 8;

/// The spacing of [`noise`]'s samples: as large as can be while its fourth power stays 2^-40 below u,
/// so that f does not seem to scatter because it curves.
///
/// It is a whole number of units in the last place at `scale`, so that adding it to x is exact while
/// x keeps all its digits; and its own digits are those of 5/7 = 0.101101...b, so that whatever
/// place f rounds at, neighbouring samples do not round alike (they did, at some places, for a
/// power of two and for an odd number taken at random).
pub(crate) fn sampling_step(scale: f64, unit: f64) -> f64 {
    step(scale, unit, 0.)
}

/// The same of so many bits less.
fn step(scale: f64, unit: f64, less: f64) -> f64 {
    let ulp = 2. * unit;
    let bits = ((unit.log2() - 40.) / 4. - ulp.log2() - less)
        .round()
        .max(1.);
    scale * ulp * (2f64.powf(bits) * 5. / 7.).floor()
}

/// ε: the error of one value of f, for every output.
///
/// Fourth differences of nine values at steps too small for f to curve are pure rounding; their mean
/// square is 70 = 8!/4!² times the variance of one value (Hamming 1962; Moré and Wild 2011,
/// "Estimating computational noise"). Three standard deviations, and never less than u·|f|.
///
/// `sample` gives f at [`offset`] steps from x, each times the factor it is called with. Where f
/// oscillates fast enough to curve even there, what looks like scatter falls by 16⁴ at steps 16 times
/// smaller, as rounding does not: it is then replaced by what the smaller steps show. Where f is piecewise constant
/// all scatter vanishes at smaller steps, and the first estimate stays.
pub(crate) fn noise(
    f0: &[f64],
    unit: f64,
    mut sample: impl FnMut(f64) -> Vec<Vec<f64>>,
) -> Vec<f64> {
    let least = |i: usize| unit * f0[i].abs();
    let finite = f0.iter().filter(|f| f.is_finite());
    let largest = unit * finite.fold(0f64, |m, f| m.max(f.abs()));
    let mut noise = deviations(f0, &sample(1.));
    for closer in [1. / 16., 1. / 256.] {
        if noise.iter().all(|e| *e <= 4096. * largest) {
            break;
        }
        for (e, again) in noise.iter_mut().zip(deviations(f0, &sample(closer))) {
            if again > 0. && again < *e / 1024. {
                *e = again;
            }
        }
    }
    let all = noise.into_iter().enumerate();
    all.map(|(i, e)| least(i).max(e)).collect()
}

/// [`noise`] along one line, from samples that are 2^16 and 2^20 times as near: at one distance roundings may happen to
/// lie on a line. A kink at x, or beside it, leaves less the nearer the samples are, as rounding does not. Where f is
/// piecewise constant nothing at all is left, and `noise` stays.
pub(crate) fn nearer(
    line: &mut impl FnMut(f64) -> Result<Point>,
    f0: &[f64],
    noise: &mut [f64],
    (scale, unit): (f64, f64),
) -> Result<()> {
    let mut left = vec![0f64; f0.len()];
    for bits in [16., 20.] {
        let step = step(scale, unit, bits);
        let samples = (0..SAMPLES).map(|k| Ok(line(offset(k) * step)?.y));
        let samples = samples.collect::<Result<Vec<_>>>()?;
        let seen = left.iter_mut().zip(deviations(f0, &samples));
        seen.for_each(|(left, e)| *left = left.max(e));
    }
    for ((e, left), f0) in noise.iter_mut().zip(left).zip(f0) {
        if left > 0. {
            *e = e.clamp(left, 2. * left).max(unit * f0.abs());
        }
    }
    Ok(())
}

/// The noise of one output along a line through an x of this size, close to x; and whether f stands still there, to the
/// last bit.
pub(crate) fn along(
    line: &mut impl FnMut(f64) -> Result<Point>,
    output: usize,
    f0: f64,
    (size, unit): (f64, f64),
) -> Result<(f64, bool)> {
    let scale = power_of_two(size);
    let step = sampling_step(scale, unit);
    let mut one = |t: f64| {
        let Point { t, y } = line(t)?;
        let y = vec![y[output]];
        Ok(Point { t, y })
    };
    let mut still = true;
    let mut noise = noise(&[f0], unit, |closer| {
        let mut at = |k| one(offset(k) * step * closer).map(|point| point.y);
        let values: Vec<_> = (0..SAMPLES).filter_map(|k| at(k).ok()).collect();
        still &= values.iter().all(|v| v[0] == f0);
        values
    });
    nearer(&mut one, &[f0], &mut noise, (scale, unit))?;
    Ok((noise[0], still))
}

/// Three standard deviations of a value of every output, from samples on both sides of f0; 0 where
/// there are none that are finite.
fn deviations(f0: &[f64], samples: &[Vec<f64>]) -> Vec<f64> {
    let (before, after) = samples.split_at(samples.len() / 2);
    let before = before.iter().map(Vec::as_slice);
    let after = after.iter().map(Vec::as_slice);
    let values: Vec<&[f64]> = before.chain([f0]).chain(after).collect();
    let deviation = |i| match fourth_difference(&values, i) {
        deviation if deviation.is_finite() => 3. * deviation,
        _ => 0.,
    };
    (0..f0.len()).map(deviation).collect()
}

/// How many steps from x a sample of [`noise`] is: -4, ..., -1, 1, ..., 4.
pub(crate) fn offset(sample: usize) -> f64 {
    let half = (SAMPLES / 2) as f64;
    let k = sample as f64 - half;
    if k < 0. { k } else { k + 1. }
}

/// The standard deviation of one value, from the fourth differences of output i.
fn fourth_difference(values: &[&[f64]], i: usize) -> f64 {
    let windows = values.windows(5);
    let count = windows.len() as f64;
    let squares =
        windows.map(|w| (w[0][i] - 4. * w[1][i] + 6. * w[2][i] - 4. * w[3][i] + w[4][i]).powi(2));
    (squares.sum::<f64>() / count / 70.).sqrt()
}
