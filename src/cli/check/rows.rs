//! One weight, three gradients: by hand, by autograd, by numbers.

use candle_core::{DType, Device, Result, Tensor, bail};
use candle_sine::gradcheck::{Dissent, InputReport, Mode, Options, Verdict, gradcheck_with};
use candle_sine::pytorch::sum;
use candle_sine::sine::cubic::{Powers, cubic};
use candle_sine::sine::gradient::{LossAndGrad, Method, rounding_bound};
use candle_sine::sine::{Data, Weights};
use serde::Serialize;

/// A row says OK where rounding cannot hide a larger part of the gradient than this.
const CERTAIN: f64 = 1e-3;

/// One weight at one epoch.
#[derive(Serialize)]
pub struct Row {
    pub epoch: usize,
    pub weight: &'static str,
    pub manual: f64,
    pub autograd: f64,
    pub numeric: f64,
    /// Of the numeric derivative's own error.
    pub bound: f64,
    /// How far rounding may move the other two.
    pub rounding: f64,
    /// The larger of |manual - numeric| and |autograd - numeric|,
    pub difference: f64,
    /// the same over |numeric|,
    pub relative: f64,
    /// and in units in the last place of the dtype at `numeric`.
    pub ulps: f64,
    pub verdict: Verdict,
    pub dissent: Dissent,
}

impl Row {
    /// Neither a pass nor open.
    pub fn disagrees(&self) -> bool {
        !matches!(self.verdict, Verdict::Pass | Verdict::Inconclusive)
    }

    /// Where it is open: whether rounding hides the gradient, and not the numeric derivative's error.
    pub fn lost_in_rounding(&self) -> bool {
        self.rounding > CERTAIN * self.numeric.abs()
    }
}

/// A hand-written gradient at some weights, in their dtype.
pub type Manual<'a> = &'a dyn Fn(&Data, &Weights) -> Result<Weights>;

/// The post's.
pub fn posts_gradient(data: &Data, weights: &Weights) -> Result<Weights> {
    Ok(Method::Manual.over(data)?.loss_and_grad(weights)?.grad)
}

/// The four rows at the weights `w`; none where the loss there is too large for the dtype.
pub fn check_at(
    epoch: usize,
    data: &Data,
    w: &Weights,
    manual: Manual,
) -> Result<Option<Vec<Row>>> {
    let rounding = rounding_bound(data, w)?;
    let by_hand = manual(data, w)?.values()?;
    let LossAndGrad { loss, grad } = Method::Autograd.over(data)?.loss_and_grad(w)?;
    let by_backward = grad.values()?;
    let loss = loss.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
    if !loss.to_scalar::<f64>()?.is_finite() || !rounding.iter().all(|r| r.is_finite()) {
        return Ok(None);
    }
    let row = |i: usize| {
        let report = gradcheck_weight(data, w, manual, i, rounding[i])?;
        Ok(row(
            epoch,
            data.x.dtype(),
            &report,
            by_hand[i],
            by_backward[i],
            rounding[i],
        ))
    };
    (0..4).map(row).collect::<Result<_>>().map(Some)
}

/// gradcheck of weight `i`, with what rounding may do as its absolute tolerance and no other.
fn gradcheck_weight(
    data: &Data,
    w: &Weights,
    manual: Manual,
    i: usize,
    atol: f64,
) -> Result<InputReport> {
    let ones = [&w.a, &w.b, &w.c, &w.d].map(Tensor::ones_like);
    let ones = ones.into_iter().collect::<Result<Vec<_>>>()?;
    // The probes are for functions whose backward is in doubt; here the gradient is.
    let options = Options::default().mode(Mode::Full).probes(false);
    let unit = unit(w)?;
    let options = options.inputs([i]).rtol(0.).atol(atol * unit);
    let loss = |u: &[Tensor]| loss(data, &shifted(w, u, unit)?);
    let manual = |u: &[Tensor], _grad_loss: &Tensor| {
        let w = shifted(w, u, unit)?;
        let Weights { a, b, c, d } = manual(&in_dtype(data, u[0].dtype())?, &w)?;
        [a, b, c, d].iter().map(|grad| grad * unit).collect()
    };
    let report = gradcheck_with(loss, manual, &ones, &options)?;
    let Some(mut input) = report.inputs.into_iter().next() else {
        bail!("gradcheck reported no input")
    };
    if let Some(worst) = &mut input.worst {
        worst.numeric /= unit;
        worst.bound /= unit;
    }
    Ok(input)
}

/// A power of two: 1, or where a weight is larger than a thousand a thousandth of it.
fn unit(w: &Weights) -> Result<f64> {
    let largest = w.values()?.into_iter().map(f64::abs).fold(1., f64::max);
    Ok(2f64.powf(largest.log2().floor() - 10.).max(1.))
}

/// The post's loss, in the dtype of the weights.
fn loss(data: &Data, weights: &Weights) -> Result<Tensor> {
    let data = in_dtype(data, weights.a.dtype())?;
    let y_pred = cubic(&Powers::new(&data.x)?, weights)?;
    sum(&(y_pred - data.y)?.sqr()?)
}

/// The same points, exactly, where the dtype is wider.
fn in_dtype(data: &Data, dtype: DType) -> Result<Data> {
    Ok(Data {
        x: data.x.to_dtype(dtype)?,
        y: data.y.to_dtype(dtype)?,
    })
}

/// w + s (u - 1), which is w at u = 1; its derivatives by u are s times those by w.
///
/// The loss is quadratic in the weights, so a central difference has no truncation error and its
/// round-off shrinks with the step: at u = 1 the checker takes steps of the order of 1, which are
/// steps of the order of s here; at a weight near 0 it would take tiny ones.
fn shifted(w: &Weights, u: &[Tensor], s: f64) -> Result<Weights> {
    let shift = |w: &Tensor, u: &Tensor| w.to_dtype(u.dtype())? + ((u - 1.)? * s)?;
    Ok(Weights {
        a: shift(&w.a, &u[0])?,
        b: shift(&w.b, &u[1])?,
        c: shift(&w.c, &u[2])?,
        d: shift(&w.d, &u[3])?,
    })
}

fn row(
    epoch: usize,
    dtype: DType,
    report: &InputReport,
    manual: f64,
    autograd: f64,
    rounding: f64,
) -> Row {
    let (numeric, bound) = match &report.worst {
        Some(entry) => (entry.numeric, entry.bound),
        None => (f64::NAN, f64::NAN),
    };
    let by_hand = report.manual.as_ref();
    let worst = by_hand.map_or(report.verdict, |m| m.verdict.max(report.verdict));
    let certain = rounding + 4. * bound <= CERTAIN * numeric.abs();
    let difference = (manual - numeric).abs().max((autograd - numeric).abs());
    Row {
        epoch,
        weight: Weights::NAMES[report.input],
        manual,
        autograd,
        numeric,
        bound,
        rounding,
        difference,
        relative: difference / numeric.abs(),
        ulps: difference / ulp(dtype, numeric),
        verdict: match worst {
            // Steps from weights whose loss is almost too large go beyond.
            _ if !numeric.is_finite() && manual.is_finite() && autograd.is_finite() => {
                Verdict::Inconclusive
            }
            Verdict::Pass | Verdict::Inconclusive if certain => Verdict::Pass,
            Verdict::Pass | Verdict::Inconclusive => Verdict::Inconclusive,
            defect => defect,
        },
        dissent: by_hand.map_or(Dissent::None, |m| m.dissent),
    }
}

/// The distance from |value| to the next larger number of the dtype.
fn ulp(dtype: DType, value: f64) -> f64 {
    match dtype {
        DType::F32 => {
            let value = value.abs() as f32;
            f64::from(value.next_up() - value)
        }
        _ => value.abs().next_up() - value.abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_sine::sine::post;

    /// The weights whose rows disagree when one gradient is multiplied by `factor`.
    fn caught(dtype: DType, weight: usize, factor: f64) -> Vec<&'static str> {
        let data = Data::new(1000, dtype, &Device::Cpu).unwrap();
        let w = Weights::new(post::WEIGHTS.map(f64::from), dtype, &Device::Cpu).unwrap();
        let planted = |data: &Data, w: &Weights| {
            let Weights { a, b, c, d } = posts_gradient(data, w)?;
            let mut grad = [a, b, c, d];
            grad[weight] = (&grad[weight] * factor)?;
            let [a, b, c, d] = grad;
            Ok(Weights { a, b, c, d })
        };
        let rows = check_at(1, &data, &w, &planted).unwrap().unwrap();
        let wrong = rows.iter().filter(|r| r.disagrees());
        wrong
            .inspect(|r| assert_eq!(r.dissent, Dissent::Manual))
            .map(|r| r.weight)
            .collect()
    }

    #[test]
    fn a_planted_error_is_seen_in_each_weight() {
        for weight in 0..4 {
            let alone = [Weights::NAMES[weight]];
            assert!(caught(DType::F32, weight, 1.).is_empty());
            assert_eq!(caught(DType::F32, weight, 1.001), alone);
            assert_eq!(caught(DType::F64, weight, 1. + 1e-9), alone);
            assert_eq!(caught(DType::F64, weight, -1.), alone);
        }
    }

    /// Above some size there is no loss, and below it the size alone hides nothing.
    #[test]
    fn weights_of_any_size_are_checked_until_the_loss_overflows() {
        for (dtype, sizes, beyond) in [
            (DType::F32, [1e4, 1e9, 1e12, 1e16], [1e17, 1e30]),
            (DType::F64, [1e4, 1e12, 1e40, 1e150], [1e153, 1e200]),
        ] {
            let data = Data::new(1000, dtype, &Device::Cpu).unwrap();
            let check = |size: f64| {
                let values = [size, -2. * size, 0.5 * size, size];
                let w = Weights::new(values, dtype, &Device::Cpu).unwrap();
                check_at(1, &data, &w, &posts_gradient).unwrap()
            };
            for size in sizes {
                let rows = check(size).unwrap();
                assert!(rows.iter().all(|r| r.verdict == Verdict::Pass), "{size}");
            }
            assert!(beyond.iter().all(|size| check(*size).is_none()));
        }
    }

    /// Where a numeric derivative cannot be had, nothing is OK.
    #[test]
    fn huge_weights_are_not_certified() {
        for values in [[1e14; 4], [1e-8, 1e6, 1e-8, 1e6], [1e4, 0., 0., 0.]] {
            let data = Data::new(1000, DType::F32, &Device::Cpu).unwrap();
            let w = Weights::new(values, DType::F32, &Device::Cpu).unwrap();
            let rows = check_at(1, &data, &w, &posts_gradient).unwrap().unwrap();
            for row in rows.iter().filter(|r| r.verdict == Verdict::Pass) {
                assert!(
                    row.relative < CERTAIN,
                    "{values:?} {} {}",
                    row.weight,
                    row.relative
                );
            }
        }
    }
}
