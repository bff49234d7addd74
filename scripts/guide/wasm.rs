//! What the page calls: candle, compiled to WebAssembly. `scripts/guide.sh` builds it.
//!
//! Only numbers cross the border, one at a time. A run is begun, goes on by so many epochs, and is then
//! read. -1 says that it could not be done, and `message` why.

mod train;

use candle_core::{DType, Result};
use candle_sine::sine::{
    Check, Data, LeastSquares, Method, check as check_gradients, drawn as draw_four,
};
use std::sync::{Mutex, MutexGuard, PoisonError};
use train::{Descent, Epoch, Function, Task};

struct Run {
    descent: Descent,
    data: Data,
    epochs: Vec<Epoch>,
    x: Vec<f64>,
    y: Vec<f64>,
    fit: LeastSquares,
    curve: Vec<f64>,
    check: Option<Check>,
}

static RUN: Mutex<Option<Run>> = Mutex::new(None);
static DRAWN: Mutex<[f64; 4]> = Mutex::new([0.; 4]);
static MESSAGE: Mutex<String> = Mutex::new(String::new());

/// There is one thread.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn answer(result: Result<usize>) -> i32 {
    match result {
        Ok(n) => n as i32,
        Err(error) => {
            *lock(&MESSAGE) = error.to_string();
            -1
        }
    }
}

/// A number of the run, NaN where there is none.
fn read(number: impl Fn(&Run) -> Option<f64>) -> f64 {
    lock(&RUN).as_ref().and_then(number).unwrap_or(f64::NAN)
}

fn with_run(work: impl FnOnce(&mut Run) -> Result<usize>) -> i32 {
    answer(match lock(&RUN).as_mut() {
        Some(run) => work(run),
        None => Err(candle_core::Error::Msg("no run was begun".to_owned())),
    })
}

/// Draws a, b, c, d as `torch.manual_seed(seed)` and `torch.randn(())` do, the `draw`-th four of them.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn draw(seed: f64, draw: u32) -> i32 {
    answer(draw_four(seed as u64, draw).map(|weights| {
        *lock(&DRAWN) = weights;
        4
    }))
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn drawn(i: usize) -> f64 {
    lock(&DRAWN).get(i).copied().unwrap_or(f64::NAN)
}

/// Begins a run. `function`: 0 sin, 1 cos, 2 a step. `double`: 0 f32, 1 f64. `rung`: a place in the
/// ladder, from 0.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
#[allow(clippy::too_many_arguments)]
pub extern "C" fn begin(
    points: usize,
    function: u32,
    double: u32,
    rung: usize,
    learning_rate: f64,
    a: f64,
    b: f64,
    c: f64,
    d: f64,
) -> i32 {
    let task = Task {
        points,
        function: Function::ALL[function.min(2) as usize],
        dtype: if double == 0 { DType::F32 } else { DType::F64 },
        method: Method::ALL[rung.min(Method::ALL.len() - 1)],
        learning_rate,
        weights: [a, b, c, d],
    };
    answer(run(&task).map(|run| {
        *lock(&RUN) = Some(run);
        0
    }))
}

fn run(task: &Task) -> Result<Run> {
    let data = task.data()?;
    let numbers = |t: &candle_core::Tensor| t.to_dtype(DType::F64)?.to_vec1::<f64>();
    Ok(Run {
        descent: task.begin()?,
        epochs: vec![],
        x: numbers(&data.x)?,
        y: numbers(&data.y)?,
        fit: LeastSquares::new(&data)?,
        curve: vec![],
        check: None,
        data,
    })
}

/// Goes on by so many epochs; how many there are then.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn advance(epochs: usize) -> i32 {
    with_run(|run| {
        for _ in 0..epochs {
            run.epochs.push(run.descent.epoch()?);
        }
        Ok(run.epochs.len())
    })
}

/// The loss of an epoch, from 0.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn loss(epoch: usize) -> f64 {
    read(|run| Some(run.epochs.get(epoch)?.loss))
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn weight(epoch: usize, i: usize) -> f64 {
    read(|run| run.epochs.get(epoch)?.weights.get(i).copied())
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn gradient(epoch: usize, i: usize) -> f64 {
    read(|run| run.epochs.get(epoch)?.gradient.get(i).copied())
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn x(i: usize) -> f64 {
    read(|run| run.x.get(i).copied())
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn y(i: usize) -> f64 {
    read(|run| run.y.get(i).copied())
}

/// Computes y_pred of an epoch, for `curve`; how many points it has.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn predict(epoch: usize) -> i32 {
    with_run(|run| {
        let Some(epoch) = run.epochs.get(epoch) else {
            candle_core::bail!("there is no epoch {epoch} yet")
        };
        run.curve = prediction(&run.data, epoch.weights)?;
        Ok(run.curve.len())
    })
}

/// Computes the curve of the best cubic, for `curve`.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn predict_best() -> i32 {
    with_run(|run| {
        run.curve = prediction(&run.data, run.fit.optimum)?;
        Ok(run.curve.len())
    })
}

fn prediction(data: &Data, weights: [f64; 4]) -> Result<Vec<f64>> {
    data.y_pred(weights)?.to_dtype(DType::F64)?.to_vec1()
}

#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn curve(i: usize) -> f64 {
    read(|run| run.curve.get(i).copied())
}

/// Computes an epoch's gradient in three ways, for `checked`.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn check(epoch: usize) -> i32 {
    with_run(|run| {
        let Some(epoch) = run.epochs.get(epoch) else {
            candle_core::bail!("there is no epoch {epoch} yet")
        };
        run.check = Some(check_gradients(&run.data, epoch.weights)?);
        Ok(4)
    })
}

/// `way`: 0 by hand, 1 by autograd, 2 numeric.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn checked(way: usize, i: usize) -> f64 {
    read(|run| {
        let check = run.check?;
        let ways = [check.manual, check.autograd, check.numeric];
        ways.get(way)?.get(i).copied()
    })
}

/// 0: the loss of the best cubic; 1: that of y = 0; 2: the learning rate's limit.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn aim(which: u32) -> f64 {
    read(|run| {
        let fit = &run.fit;
        let all = [fit.optimum_loss, fit.baseline_loss, fit.stability_limit()];
        all.get(which as usize).copied()
    })
}

/// The bytes of the last message, then 0.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn message(i: usize) -> u32 {
    lock(&MESSAGE)
        .as_bytes()
        .get(i)
        .copied()
        .unwrap_or(0)
        .into()
}
