//! What it costs to write what the audit's record says instead of a function: both side by side.
//!
//!     RAYON_NUM_THREADS=1 cargo bench --bench instead
//!
//! writes src/audit/known/cost.toml, which the card reads. The inputs are those of the case that the
//! record names, repeated along their first dim, and along their last where the two calls agree then. They
//! take turns; a ratio is the median over all turns, so that what slows the machine down slows both.

#![allow(clippy::unwrap_used)] // a benchmark that cannot run should stop

use std::fmt::Write;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_sine::audit::case::Case;
use candle_sine::audit::catalog;
use candle_sine::audit::known::{Instead, Known, record};

/// Elements of the first input, about.
const ELEMENTS: usize = 1 << 16;
/// The last dim is so many times the case's.
const WIDE: usize = 64;
/// Each with the ratio of the least times of a few timings in turn, since others use the machine too.
const TURNS: usize = 15;
const TIMINGS: usize = 5;
/// A timing takes at least this long, in seconds.
const LEAST: f64 = 2e-4;

type Call<'a> = &'a dyn Fn(&[Tensor]) -> Result<Tensor>;

/// How often the inputs are repeated: the first so many of them along the first dim, all along the last.
#[derive(Clone, Copy)]
struct Size {
    times: usize,
    of_them: usize,
    wide: usize,
}

/// An input; a float is differentiated.
fn input(case: &Case, at: usize, dtype: DType, size: Size) -> Result<Tensor> {
    let values = &case.args[at].values;
    let mut x = values.tensor(dtype, &Device::Cpu)?;
    let last = x.rank().saturating_sub(1);
    if size.wide > 1 {
        x = Tensor::cat(&vec![x; size.wide], last)?;
    }
    if at < size.of_them {
        x = Tensor::cat(&vec![x; size.times], 0)?;
    }
    match values.is_float() {
        true => Ok(Var::from_tensor(&x)?.as_tensor().clone()),
        false => Ok(x),
    }
}

/// The output, unless the call fails or panics.
fn tried(call: Call, inputs: &[Tensor]) -> Option<Tensor> {
    catch_unwind(AssertUnwindSafe(|| call(inputs))).ok()?.ok()
}

/// The largest inputs that both calls take: wide ones on which they agree; long ones, on which what is
/// written instead gives its own values again and again; or those of the case. With a backward pass if
/// that has one.
fn inputs(case: &Case, dtype: DType, f: Call, g: Call) -> Result<Option<Vec<Tensor>>> {
    let first = &case.args[0].values.dims;
    let times = ELEMENTS.div_ceil(first.iter().product::<usize>().max(1));
    let made = |size| -> Result<Vec<Tensor>> {
        (0..case.args.len())
            .map(|i| input(case, i, dtype, size))
            .collect()
    };
    let size = |times, of_them, wide| Size {
        times,
        of_them,
        wide,
    };
    let one = made(size(1, 0, 1))?;
    let alone = g(&one)?;
    let backward = tried(f, &one).is_some_and(|y| has_backward(&y, &one));
    for (wide, of_them) in [
        (WIDE, 1),
        (WIDE, case.args.len()),
        (1, 1),
        (1, case.args.len()),
    ] {
        let least = if wide > 1 { 2 } else { 1 };
        let mut ranks = case.args[..of_them].iter().map(|a| a.values.dims.len());
        if ranks.any(|rank| rank < least) {
            continue;
        }
        let Ok(inputs) = made(size(times.div_ceil(wide), of_them, wide)) else {
            continue;
        };
        if let (Some(y), Some(z)) = (tried(f, &inputs), tried(g, &inputs))
            && y.dims() == z.dims()
            && has_backward(&y, &inputs) == backward
            && match wide {
                1 => z.rank() == 0 || repeats(&z, &alone, times)?,
                _ => repeats(&y, &z, 1)?,
            }
        {
            return Ok(Some(inputs));
        }
    }
    Ok(tried(f, &one).is_some().then_some(one))
}

/// Whether a tensor is another one, so many times along its first dim.
fn repeats(all: &Tensor, one: &Tensor, times: usize) -> Result<bool> {
    let values = |x: &Tensor| x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let (all, one) = (values(all)?, values(one)?);
    let mut pairs = all.iter().zip(one.iter().cycle());
    let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-2 * (1. + b.abs());
    Ok(all.len() == times * one.len() && pairs.all(close))
}

/// Seconds of one of so many runs.
fn seconds(run: &dyn Fn(), times: usize) -> f64 {
    let start = Instant::now();
    (0..times).for_each(|_| run());
    start.elapsed().as_secs_f64() / times as f64
}

/// The time of `g` over that of `f`.
fn ratio(f: &dyn Fn(), g: &dyn Fn()) -> f64 {
    f();
    g();
    let times = |run| (LEAST / seconds(run, 3)).ceil() as usize;
    let (of_f, of_g) = (times(f), times(g));
    let turn = |_| {
        let (mut least_f, mut least_g) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..TIMINGS {
            least_f = least_f.min(seconds(f, of_f));
            least_g = least_g.min(seconds(g, of_g));
        }
        least_g / least_f
    };
    let mut ratios: Vec<f64> = (0..TURNS).map(turn).collect();
    ratios.sort_by(f64::total_cmp);
    ratios[TURNS / 2]
}

/// Whether there is a backward pass: it neither fails nor panics, and a gradient arrives at an input.
fn has_backward(y: &Tensor, inputs: &[Tensor]) -> bool {
    let grads = catch_unwind(AssertUnwindSafe(|| y.sum_all()?.backward()));
    let arrives = |grads: GradStore| inputs.iter().any(|x| grads.get(x).is_some());
    grads.is_ok_and(|grads| grads.is_ok_and(arrives))
}

fn backward(y: &Tensor) {
    black_box(y.sum_all().unwrap().backward().unwrap());
}

/// `[[cost]]` of an entry, as text.
fn cost(known: &Known, instead: &Instead, case: &Case) -> Result<String> {
    let f = |a: &[Tensor]| (case.call)(a);
    let g = |a: &[Tensor]| (instead.call.call)(a);
    let f32 = case.dtypes.iter().find(|d| **d == DType::F32);
    let dtype = instead.dtype.map(|d| d.dtype());
    let dtype = dtype.or(f32.copied()).unwrap_or(case.dtypes[0]);
    let mut text = format!("\n[[cost]]\nid = {:?}\n", known.id);
    let Some(inputs) = inputs(case, dtype, &f, &g)? else {
        return Ok(text);
    };
    let shape = |(arg, x): (&candle_sine::audit::case::Arg, &Tensor)| {
        format!("{} {:?}", arg.name, x.dims())
    };
    let shapes: Vec<_> = case.args.iter().zip(&inputs).map(shape).collect();
    let run = |call: Call| drop(black_box(call(&inputs).unwrap()));
    let forward = ratio(&|| run(&f), &|| run(&g));
    _ = writeln!(
        text,
        "inputs = {:?}\ndtype = {:?}",
        shapes.join(", "),
        dtype.as_str()
    );
    _ = writeln!(text, "forward = {}", two_digits(forward));
    let (y, z) = (f(&inputs)?, g(&inputs)?);
    if has_backward(&y, &inputs) && has_backward(&z, &inputs) {
        let ratio = ratio(&|| backward(&y), &|| backward(&z));
        _ = writeln!(text, "backward = {}", two_digits(ratio));
    }
    Ok(text)
}

fn two_digits(x: f64) -> String {
    let digits = (1. - x.log10().floor()).max(0.) as usize;
    format!("{x:.digits$}")
}

fn main() -> Result<()> {
    let cores = rayon::current_num_threads();
    let mut text = format!(
        "# What is to be written instead beside the function it replaces: the ratio of their times.\n\
         # The median of {TURNS} turns; written by `cargo bench --bench instead`, see there.\ncores = {cores}\n"
    );
    let cases = catalog::all();
    for known in record()? {
        if let Some(instead) = &known.instead {
            let case = cases.iter().find(|c| instead.is_of(c)).unwrap();
            let cost = cost(known, instead, case)?;
            print!("{cost}");
            text += &cost;
        }
    }
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/audit/known/cost.toml");
    std::fs::write(file, text)?;
    Ok(())
}
