//! Elements that get no gradient: does the loss move with them?
//!
//! All of them move at once first. Where the loss moves, each parameter's own are looked at: severed, if no gradient
//! appears on the segment; a dead relu that wakes is none.

use candle_core::{Result, Tensor};

use super::context::{Model, Rng};
use super::plain::Plain;
use super::report::Segment;
use crate::gradcheck::compare::displace::Move;
use crate::gradcheck::judge::constants::FARTHEST;

/// Steps that leave a dead relu dead, and almost any of ten thousand, in root mean squares of what has no
/// gradient,
const NEAR: f64 = 0.01;
const NEARER: f64 = 1e-4;

/// and those of what is not in the graph at all, in root mean squares of all parameters: the first that
/// moves the loss beyond its rounding counts, however long it is, since nothing is compared.
const UNTRACKED: [f64; 3] = [2., 8., 32.];

/// A change of the loss by so many times its rounding shows in its bits.
const SHOWS: f64 = 8.;

/// A change of the loss by so many times its rounding is none of rounding, however it adds up.
const SURE: f64 = 1e3;

/// Said of what moves the loss only where the other parameters are moved too,
const ELSEWHERE: &str =
    "here the loss is flat in it; where the other parameters are moved it is not";

/// and of a parameter with a zero gradient.
pub(crate) const ZERO: &str = "its gradient is zero here, and does not account for the loss nearby";

/// What is known of a parameter from its elements without a gradient.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Zeros {
    /// Nothing: there are none, or how the loss moves with them says nothing.
    Open,
    /// The loss moves with them, and no gradient appears.
    Severed(Segment, Option<&'static str>),
    /// A gradient appears nearby, and does not account for the loss there.
    Unaccounted,
    /// The loss moves with the parameter by its rounding,
    Flat,
    /// not by a bit,
    Still,
    /// nor where the other parameters are moved: f does not read it.
    Unread,
}

impl Zeros {
    /// Whether the other elements are to be compared.
    pub(crate) fn leaves_open(&self) -> bool {
        matches!(self, Self::Open | Self::Unaccounted)
    }

    /// The loss moves by `difference`, give or take `error`.
    fn severed(difference: f64, error: f64, note: Option<&'static str>) -> Self {
        let segment = Segment {
            difference,
            integral: 0.,
            error,
        };
        Self::Severed(segment, note)
    }
}

/// Looks for elements that move the loss without a gradient, in every parameter; and for parameters with which it
/// does not move at all.
pub(crate) fn zeros(model: &Model, rng: &mut Rng) -> Result<Vec<Zeros>> {
    let plain = &model.plain;
    let all = (0..plain.len()).filter(|&t| plain[t].zeros.is_some());
    let (missing, some): (Vec<usize>, Vec<usize>) = all.partition(|&t| plain[t].missing);
    let mut found = vec![Zeros::Open; plain.len()];
    let appears = appear(model, &missing, rng)?;
    for &t in &missing {
        found[t] = match appears[t] {
            true => by_itself(model, t, rng)?,
            false => untracked(model, t, rng)?,
        };
    }
    let still = some.is_empty() || nothing_moves(model, &some, rng)?;
    // What has some gradient is looked at by itself only where something moves.
    for &t in some.iter().filter(|&&t| plain[t].all_zero || !still) {
        found[t] = by_itself(model, t, rng)?;
    }
    let still = |&t: &usize| found[t] == Zeros::Still;
    let still: Vec<usize> = missing.into_iter().chain(some).filter(still).collect();
    for (t, zeros) in elsewhere(model, &still, rng)? {
        found[t] = zeros;
    }
    for (t, zeros) in found.iter_mut().enumerate() {
        if zeros.leaves_open() && is_flat(model, t, rng)? {
            *zeros = Zeros::Flat;
        }
    }
    Ok(found)
}

/// Which parameters get a gradient where all of these, which get none, are moved.
fn appear(model: &Model, which: &[usize], rng: &mut Rng) -> Result<Vec<bool>> {
    let mut appears = vec![false; model.plain.len()];
    let twice = if which.is_empty() { 0..0 } else { 0..2 };
    for _ in twice {
        let moves = moves(model, which, FARTHEST, rng);
        if let Ok(pass) = model.scalar.at_end(&moves, || model.scalar.pass())? {
            let all = appears.iter_mut().zip(&pass.gradients);
            all.for_each(|(appears, gradient)| *appears |= gradient.is_some());
        }
    }
    Ok(appears)
}

/// One for which no gradient appears. The first step that moves the loss beyond its rounding counts, however long it
/// is, since nothing is compared; if none does, values all along the segment that moves it most.
fn untracked(model: &Model, t: usize, rng: &mut Rng) -> Result<Zeros> {
    let size = model.parameters.sizes[t];
    let longest = size.max(model.parameters.typical);
    let steps = UNTRACKED.map(|step| step * longest);
    let (mut largest, mut along) = (0f64, None);
    for step in [FARTHEST * size].into_iter().chain(steps) {
        let moves = [model.perturb(t, step, None, rng)];
        let moved = model.ends(&moves)?.unwrap_or_default();
        if moved.abs() > SURE * model.noise {
            return Ok(Zeros::severed(moved, model.noise, None));
        }
        if moved.abs() > largest.abs() {
            (largest, along) = (moved, Some(moves));
        }
    }
    let Some(moves) = along else {
        return Ok(Zeros::Still);
    };
    Ok(match model.forward(&moves)? {
        Some(seen) if seen.moves(model.kappa()) => Zeros::severed(largest, seen.noise, None),
        Some(_) => Zeros::Flat,
        None => Zeros::Still,
    })
}

/// Whether the loss stays where it is when all elements without a gradient move, or autograd finds a gradient
/// on the segment that accounts for it.
fn nothing_moves(model: &Model, which: &[usize], rng: &mut Rng) -> Result<bool> {
    if model.is_still(&moves(model, which, NEAR, rng))? == Some(true) {
        return Ok(true);
    }
    let far = moves(model, which, FARTHEST, rng);
    // What moves the loss from the first step on would show nearer too; relus that wake farther out do not.
    let moved = model.ends(&far)?.unwrap_or_default().abs();
    if moved * NEARER / FARTHEST > SHOWS * model.noise
        && model.is_still(&moves(model, which, NEARER, rng))? == Some(true)
    {
        return Ok(true);
    }
    let Ok(Some(evidence)) = model.scalar.along(&far)? else {
        return Ok(false);
    };
    let contradicts = evidence.contradicts(model.kappa(), model.rtol(which[0]));
    Ok(!evidence.moves(model.kappa()) || (evidence.alive && !contradicts))
}

/// Moves of the elements without a gradient of these, by a share of each one's size.
fn moves(model: &Model, which: &[usize], share: f64, rng: &mut Rng) -> Vec<Move> {
    let one = |&t: &usize| {
        let step = share * model.parameters.sizes[t];
        model.perturb(t, step, model.plain[t].zeros.as_ref(), rng)
    };
    which.iter().map(one).collect()
}

/// The elements without a gradient of one parameter: severed if the loss moves with them and no gradient appears on
/// the segment, the shortest one last, on which f jumps least.
fn by_itself(model: &Model, t: usize, rng: &mut Rng) -> Result<Zeros> {
    let (size, typical) = (model.parameters.sizes[t], model.parameters.typical);
    let (mut still, mut range) = (true, 0f64);
    for step in [FARTHEST * size, size.max(typical), NEAR * size] {
        let moves = [model.perturb(t, step, model.plain[t].zeros.as_ref(), rng)];
        if model.is_still(&moves)? != Some(false) {
            continue;
        }
        still = false;
        let Ok(Some(evidence)) = model.scalar.along(&moves)? else {
            continue;
        };
        let accounted = !evidence.contradicts(model.kappa(), model.rtol(t));
        match evidence.alive {
            true if accounted => {}
            true => return Ok(Zeros::Unaccounted),
            false if evidence.moves(model.kappa()) => {
                return Ok(Zeros::Severed(Segment::of(&evidence), None));
            }
            false => range = range.max(evidence.range),
        }
    }
    // What moves the loss by jumps alone, and gets no gradient, stays open; and so do the other elements.
    Ok(match model.plain[t].all_zero {
        true if still => Zeros::Still,
        true if range <= SURE * model.noise => Zeros::Flat,
        _ => Zeros::Open,
    })
}

/// Those that do not move the loss at all: do they where the other parameters are moved too (LoRA's A, while B is
/// 0)? Then they are severed where no gradient appears there either; else the loss is flat in them here. What moves
/// nothing there and is in no graph is not read.
fn elsewhere(model: &Model, still: &[usize], rng: &mut Rng) -> Result<Vec<(usize, Zeros)>> {
    if still.is_empty() {
        return Ok(Vec::new());
    }
    let mut far = |t: usize| model.perturb(t, model.farthest(t), None, rng);
    let others = (0..model.plain.len()).filter(|t| !still.contains(t));
    let mut moves: Vec<Move> = others.map(&mut far).collect();
    let there = model.scalar.at_end(&moves, || model.scalar.pass())?.ok();
    let mut found = Vec::with_capacity(still.len());
    for &t in still {
        moves.push(far(t));
        let value = model.scalar.at_end(&moves, || model.scalar.value());
        moves.pop();
        let moved = match (&there, value) {
            (Some(pass), Ok(value)) if is_zero(pass.gradients[t].as_ref())? => value - pass.value,
            _ => f64::NAN,
        };
        let zeros = match moved.abs() > SURE * model.noise {
            true => Zeros::severed(moved, model.noise, Some(ELSEWHERE)),
            false if moved == 0. && model.plain[t].missing => Zeros::Unread,
            false => Zeros::Flat,
        };
        found.push((t, zeros));
    }
    Ok(found)
}

fn is_zero(gradient: Option<&Tensor>) -> Result<bool> {
    let n = gradient.map_or(0, Tensor::elem_count);
    Ok(Plain::new(gradient, n)?.sum == 0.)
}

/// Whether the loss does not move with a parameter that has a gradient: autograd claims no more than rounding for
/// its largest step, and the loss moves by no more either.
fn is_flat(model: &Model, t: usize, rng: &mut Rng) -> Result<bool> {
    let (plain, farthest) = (&model.plain[t], model.farthest(t));
    if plain.all_zero || plain.norm * farthest > model.kappa() * model.noise {
        return Ok(false);
    }
    let moves = [model.perturb(t, farthest, None, rng)];
    match model.ends(&moves)? {
        Some(moved) if moved.abs() > 0. && moved.abs() <= SURE * model.noise => {
            let seen = model.forward(&moves)?;
            Ok(seen.is_some_and(|seen| !seen.moves(model.kappa())))
        }
        moved => Ok(moved == Some(0.)),
    }
}
