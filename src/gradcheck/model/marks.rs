//! Marks in a model, to find where its graph ends.
//!
//! Outside of a check a mark is a clone of the tensor and nothing else. Inside, a first pass records
//! the marks in the order passed and whether candle tracks them; then one pass a mark puts a variable
//! in its place, a little beside its value, and looks at the marks that follow: one whose value moves
//! with the variable and whose graph does not lead back to it lies behind a cut.
//!
//! The record is the thread's own: marks passed on other threads are inert.

use std::cell::RefCell;

use candle_core::{Result, Tensor, TensorId, Var};

use crate::gradcheck::support::values::to_f64;

/// A mark as it was passed.
struct Passed {
    name: String,
    tracked: bool,
    values: Vec<f64>,
    /// Whether its graph leads back to the variable in the place of an earlier mark.
    descends: bool,
}

#[derive(Default)]
struct Recorder {
    passed: Vec<Passed>,
    /// The mark to replace by a variable, and that variable's id once it is.
    replace: Option<usize>,
    variable: Option<TensorId>,
}

thread_local! {
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

/// Names a place in a model: in a check, the report says whether the graph reaches it.
///
/// Returns a clone of `x`, which shares its storage and its graph. Outside of a check that is all.
///
/// ```
/// use candle_core::{Device, Result, Tensor, Var};
/// use candle_sine::gradcheck::{self, Options, mark};
///
/// let w = Var::new(&[0.3f32, -0.7], &Device::Cpu)?;
/// let loss = || -> Result<Tensor> {
///     let h = mark("hidden", &w.as_tensor().sin()?);
///     let h = mark("after the op", &h.detach().exp()?); // the graph is cut here
///     h.sum_all()
/// };
/// let named = [("w".to_string(), w.clone())];
/// let report = gradcheck::vars(&named, loss, &Options::default())?;
/// assert_eq!(report.cuts[0].from, "hidden");
/// assert_eq!(report.cuts[0].to, "after the op");
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn mark(name: &str, x: &Tensor) -> Tensor {
    RECORDER.with_borrow_mut(|recorder| match recorder {
        Some(recorder) => recorder.pass(name, x),
        None => x.clone(),
    })
}

impl Recorder {
    fn pass(&mut self, name: &str, x: &Tensor) -> Tensor {
        let replace = self.replace == Some(self.passed.len());
        self.passed.push(Passed {
            name: name.to_string(),
            tracked: x.track_op(),
            values: to_f64(x).unwrap_or_default(),
            descends: self.variable.is_some_and(|id| descends(x, id)),
        });
        if replace && let Ok(variable) = beside(x) {
            self.variable = Some(variable.id());
            return variable.into_inner();
        }
        x.clone()
    }
}

/// Whether candle's graph of `x` leads back to the tensor `id`.
fn descends(x: &Tensor, id: TensorId) -> bool {
    x.id() == id || x.sorted_nodes().iter().any(|node| node.id() == id)
}

/// A variable a 64th beside x, and a little away from zero.
fn beside(x: &Tensor) -> Result<Var> {
    Var::from_tensor(&x.detach().contiguous()?.affine(1. + 1. / 64., 1. / 128.)?)
}

/// Runs `f` with a recorder in place, and takes it out again, also when f panics.
fn record<T>(replace: Option<usize>, f: impl FnOnce() -> T) -> (T, Recorder) {
    struct Clear;
    impl Drop for Clear {
        fn drop(&mut self) {
            RECORDER.take();
        }
    }
    let _clear = Clear;
    RECORDER.set(Some(Recorder {
        replace,
        ..Recorder::default()
    }));
    let result = f();
    (result, RECORDER.take().unwrap_or_default())
}

/// A mark in the order passed.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// Whether candle tracks the tensor there: whether a gradient can come back to it at all.
    pub tracked: bool,
}

/// Two marks between which the graph ends: the value at `to` moves with that at `from`, and no
/// gradient comes back from it.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Cut {
    /// The last mark that the forward pass goes through before the cut.
    pub from: String,
    /// The first one behind it, or `the loss`.
    pub to: String,
}

/// The marks that f passes, and what it returns.
pub(crate) fn passed(f: &dyn Fn() -> Result<Tensor>) -> Result<(Tensor, Vec<Mark>)> {
    let (y, recorder) = record(None, f);
    let mark = |Passed { name, tracked, .. }| Mark { name, tracked };
    Ok((y?, recorder.passed.into_iter().map(mark).collect()))
}

/// The pairs of marks between which the graph ends, one forward pass a mark.
pub(crate) fn cuts(f: &dyn Fn() -> Result<Tensor>) -> Result<Vec<Cut>> {
    let (y, plain) = record(None, f);
    let end = to_f64(&y?)?;
    let mut cuts: Vec<Cut> = Vec::new();
    for k in 0..plain.passed.len() {
        let (y, moved) = record(Some(k), f);
        let (Ok(y), Some(id)) = (y, moved.variable) else {
            continue;
        };
        let later = plain.passed.iter().zip(&moved.passed).skip(k + 1);
        let mut later = later.map(|(a, b)| (&b.name[..], a.values != b.values, b.descends));
        let loss = ("the loss", end != to_f64(&y)?, descends(&y, id));
        let (to, moves, descends) = later.find(|(_, moves, _)| *moves).unwrap_or(loss);
        let (from, to) = (moved.passed[k].name.clone(), to.to_string());
        let cut = Cut { from, to };
        if moves && !descends && !cuts.contains(&cut) {
            cuts.push(cut);
        }
    }
    Ok(cuts)
}
