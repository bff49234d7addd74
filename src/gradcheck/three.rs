//! autograd, a hand-written gradient and numbers, three ways.

use candle_core::{DType, Result, Tensor, bail};

use super::analytic::Products;
use super::full::{Compared, Rows, Worst};
use super::oracle::{tensor, to_f64};
use super::report::{Dissent, Entry, InputReport, ManualReport, Report};
use super::verdict::Verdict;

/// The gradient of every input, from the inputs and the output's gradient.
pub(crate) type Manual<'a> = &'a dyn Fn(&[Tensor], &Tensor) -> Result<Vec<Option<Tensor>>>;

/// Every row of the Jacobian by hand, one call an output element.
pub(crate) fn rows(
    manual: &Manual,
    inputs: &[Tensor],
    checked: &[usize],
    y: &Tensor,
) -> Result<Vec<Products>> {
    (0..y.elem_count())
        .map(|i| {
            let mut v = vec![0.; y.elem_count()];
            v[i] = 1.;
            product(manual, inputs, checked, y, &v)
        })
        .collect()
}

/// vᵀJ by hand.
pub(crate) fn product(
    manual: &Manual,
    inputs: &[Tensor],
    checked: &[usize],
    y: &Tensor,
    v: &[f64],
) -> Result<Products> {
    let v = tensor(v, y.dims(), y.dtype(), y.device())?;
    let plain: Vec<Tensor> = inputs.iter().map(Tensor::detach).collect();
    let gradients = manual(&plain, &v)?;
    if gradients.len() != inputs.len() {
        bail!(
            "gradcheck_with: {} gradients for {} inputs",
            gradients.len(),
            inputs.len()
        )
    }
    checked
        .iter()
        .map(|&k| values(k, &inputs[k], gradients[k].as_ref()))
        .collect()
}

fn values(k: usize, x: &Tensor, gradient: Option<&Tensor>) -> Result<Option<Vec<f64>>> {
    let Some(gradient) = gradient else {
        return Ok(None);
    };
    if gradient.dims() != x.dims() {
        bail!(
            "gradcheck_with: the gradient of input {k} has shape {:?}, the input {:?}",
            gradient.dims(),
            x.dims()
        )
    }
    to_f64(&gradient.to_dtype(DType::F64)?).map(Some)
}

/// Adds the hand-written gradient's side to an input's report.
pub(crate) fn fill(
    slot: usize,
    compared: &Compared,
    rows: [&[Products]; 2],
    entry: impl Fn(&Worst) -> Entry,
    report: &mut InputReport,
) {
    let [autograd, by_hand] = &compared.tallies[..] else {
        return;
    };
    let verdict = by_hand.worst.map_or(Verdict::Pass, |w| w.verdict);
    let at =
        |rows: &[Products], w: &Worst| rows[w.output][slot].as_ref().map_or(0., |row| row[w.input]);
    let differ = [autograd, by_hand].iter().filter_map(|t| t.worst).any(|w| {
        let (a, m) = (at(rows[0], &w), at(rows[1], &w));
        (a - m).abs() > 1e-3 * (a - w.pair.numeric).abs().max((m - w.pair.numeric).abs())
    });
    report.manual = Some(ManualReport {
        verdict,
        worst: by_hand.worst.map(|w| entry(&w)),
        dissent: dissent(report.verdict, verdict, differ),
        autograd: by_hand.worst.map(|w| at(rows[0], &w)),
        at_autograds_worst: autograd.worst.map(|w| at(rows[1], &w)),
    });
}

/// Which of the three stands alone.
fn dissent(autograd: Verdict, by_hand: Verdict, differ: bool) -> Dissent {
    let fine = |v: Verdict| !v.is_defect() && v != Verdict::Kink;
    match (fine(autograd), fine(by_hand)) {
        (true, true) => Dissent::None,
        (true, false) => Dissent::Manual,
        (false, true) => Dissent::Autograd,
        (false, false) if differ => Dissent::All,
        (false, false) => Dissent::Numeric,
    }
}

/// In fast mode the hand-written gradient's projections are held against autograd's.
pub(crate) fn fast(
    manual: &Manual,
    rounds: &super::check::Rounds,
    inputs: &[Tensor],
    checked: &[usize],
    y: &Tensor,
    report: &mut Report,
) -> Result<()> {
    let _ = (manual, rounds, inputs, checked, y, report, None::<Rows>);
    Ok(())
}
