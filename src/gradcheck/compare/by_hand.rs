//! A hand-written gradient beside autograd's and the numeric derivative: which of the three stands alone.

use candle_core::{DType, Result, Tensor, bail};

use super::fast::Fast;
use super::full::Compared;
use super::projection::Round;
use super::summary::Worst;
use crate::gradcheck::autograd::graph::Products;
use crate::gradcheck::judge::law::Pair;
use crate::gradcheck::judge::verdict::Verdict;
use crate::gradcheck::report::{Entry, InputReport, ManualReport, OddOneOut};
use crate::gradcheck::support::exec::Exec;
use crate::gradcheck::support::values::{or_zeros, tensor, to_f64, unit_vector, unravel};

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
            let v = unit_vector(y.elem_count(), i);
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
    // Where the output is a scalar, a gradient written by hand may assume that the output's gradient is 1.
    let (v, factor) = match v {
        [factor] => (&[1.][..], *factor),
        _ => (v, 1.),
    };
    let v = tensor(v, y.dims(), y.dtype(), y.device())?;
    let plain: Vec<Tensor> = inputs.iter().map(Tensor::detach).collect();
    let gradients = manual(&plain, &v)?;
    if gradients.len() != inputs.len() {
        bail!(
            "gradcheck: {} gradients by hand for {} inputs",
            gradients.len(),
            inputs.len()
        )
    }
    checked
        .iter()
        .map(|&k| values(k, &inputs[k], gradients[k].as_ref(), factor))
        .collect()
}

fn values(
    k: usize,
    x: &Tensor,
    gradient: Option<&Tensor>,
    factor: f64,
) -> Result<Option<Vec<f64>>> {
    let Some(gradient) = gradient else {
        return Ok(None);
    };
    if gradient.dims() != x.dims() {
        bail!(
            "gradcheck: the gradient by hand of input {k} has shape {:?}, the input {:?}",
            gradient.dims(),
            x.dims()
        )
    }
    to_f64(&(gradient.to_dtype(DType::F64)? * factor)?).map(Some)
}

/// Adds the hand-written gradient's side to an input's report.
pub(crate) fn fill(
    slot: usize,
    compared: &Compared,
    rows: [&[Products]; 2],
    entry: impl Fn(&Worst) -> Entry,
    report: &mut InputReport,
) {
    let [autograd, by_hand] = &compared.summaries[..] else {
        return;
    };
    let verdict = by_hand.worst.map_or(Verdict::Pass, |w| w.verdict);
    let at =
        |rows: &[Products], w: &Worst| rows[w.output][slot].as_ref().map_or(0., |row| row[w.input]);
    let differ = [autograd, by_hand].iter().filter_map(|s| s.worst).any(|w| {
        let (a, m) = (at(rows[0], &w), at(rows[1], &w));
        (a - m).abs() > 1e-3 * (a - w.pair.numeric).abs()
    });
    report.manual = Some(ManualReport {
        verdict,
        worst: by_hand.worst.map(|w| entry(&w)),
        odd_one_out: odd_one_out(report.verdict, verdict, differ),
        autograd: by_hand.worst.map(|w| at(rows[0], &w)),
    });
}

/// Which of the three stands alone.
fn odd_one_out(autograd: Verdict, by_hand: Verdict, differ: bool) -> OddOneOut {
    let fine = |v: Verdict| !v.is_defect() && v != Verdict::Kink;
    match (fine(autograd), fine(by_hand)) {
        (true, true) => OddOneOut::None,
        (true, false) => OddOneOut::Manual,
        (false, true) => OddOneOut::Autograd,
        (false, false) if differ => OddOneOut::All,
        (false, false) => OddOneOut::Numeric,
    }
}

/// Adds the hand-written gradient's side in fast mode. vᵀJ by hand is compared with the numeric derivative of vᵀf at
/// two elements: the one where it is furthest from autograd's of the same v, and the one to which halving leads where
/// a projection of it disagrees. The output index of the entry is empty: the entry is a sum over all outputs.
pub(crate) fn projected<E: Exec>(
    exec: &E,
    fast: &Fast,
    round: &Round,
    products: &Products,
    report: &mut InputReport,
) -> Result<()> {
    let slot = fast.target.slot;
    let n = report.shape.iter().product();
    let dense = |p: &Products| or_zeros(p[slot].clone(), n);
    let (autograd, by_hand) = (dense(&round.products), dense(products));
    let apart = |j: &usize| (autograd[*j] - by_hand[*j]).abs();
    let row = autograd.iter().fold(0f64, |m, g| m.max(g.abs()));
    let judge = &fast.target.judge;
    let mut worst: Option<(Verdict, usize, Pair)> = None;
    let from_autograd = (0..n).max_by(|a, b| apart(a).total_cmp(&apart(b)));
    let from_numbers = fast.off(exec, &round.v, products)?;
    for j in from_autograd.into_iter().chain(from_numbers) {
        let mut pair = fast.element(exec, j, &round.v)?;
        (pair.row, pair.peers, pair.analytic) = (row, row, by_hand[j]);
        let verdict = judge.verdict(&pair);
        if worst.is_none_or(|(held, ..)| verdict > held) {
            worst = Some((verdict, j, pair));
        }
    }
    report.manual = worst.map(|(verdict, j, pair)| ManualReport {
        verdict,
        worst: Some(Entry {
            output: Vec::new(),
            input: unravel(j, &report.shape),
            analytic: pair.analytic,
            numeric: pair.numeric,
            bound: pair.bound,
            verdict,
        }),
        odd_one_out: odd_one_out(
            report.verdict,
            verdict,
            apart(&j) > judge.tolerance.rtol * row.max(by_hand[j].abs()),
        ),
        autograd: Some(autograd[j]),
    });
    Ok(())
}
