//! What scripts/trainable.py builds against its copy of candle-nn: gradcheck of each function that it changed, and
//! what its passes cost. The forward pass is the original's; where a rope's tables are trained too there is another,
//! whose values are compared with it.
use candle_core::{Device, Result, Tensor, Var};
use candle_nn::{ops, rotary_emb};
use candle_sine::gradcheck::{Options, gradcheck};
use std::time::Instant;

type Function = fn(&[Tensor]) -> Result<Tensor>;

/// A function, the shapes it is checked with, and those it is timed with.
struct Case {
    name: &'static str,
    call: Function,
    /// candle's own variant that has a gradient.
    slow: Function,
    small: [&'static [&'static [usize]]; 2],
    large: &'static [&'static [usize]],
}

const CASES: [Case; 6] = [
    Case {
        name: "softmax_last_dim",
        call: |t| ops::softmax_last_dim(&t[0]),
        slow: |t| ops::softmax(&t[0], candle_core::D::Minus1),
        small: [&[&[2, 3, 5]], &[&[7]]],
        large: &[&[8, 8, 128, 128]],
    },
    Case {
        name: "rms_norm",
        call: |t| ops::rms_norm(&t[0], &t[1], 1e-5),
        slow: |t| ops::rms_norm_slow(&t[0], &t[1], 1e-5),
        small: [&[&[2, 3, 6], &[6]], &[&[4, 5], &[5]]],
        large: &[&[8, 128, 512], &[512]],
    },
    Case {
        name: "layer_norm",
        call: |t| ops::layer_norm(&t[0], &t[1], &t[2], 1e-5),
        slow: |t| ops::layer_norm_slow(&t[0], &t[1], &t[2], 1e-5),
        small: [&[&[2, 3, 6], &[6], &[6]], &[&[4, 5], &[5], &[5]]],
        large: &[&[8, 128, 512], &[512], &[512]],
    },
    // Tables longer than the sequence, and tables of each sequence's own.
    Case {
        name: "rope",
        call: |t| rotary_emb::rope(&t[0], &t[1], &t[2]),
        slow: |t| rotary_emb::rope_slow(&t[0], &t[1], &t[2]),
        small: [
            &[&[2, 3, 4, 6], &[5, 3], &[5, 3]],
            &[&[2, 3, 4, 6], &[2, 4, 3], &[2, 4, 3]],
        ],
        large: &[&[8, 8, 128, 64], &[128, 32], &[128, 32]],
    },
    Case {
        name: "rope_i",
        call: |t| rotary_emb::rope_i(&t[0], &t[1], &t[2]),
        slow: |t| rotary_emb::rope_i_slow(&t[0], &t[1], &t[2]),
        small: [
            &[&[2, 3, 4, 6], &[5, 3], &[5, 3]],
            &[&[2, 3, 4, 6], &[2, 4, 3], &[2, 4, 3]],
        ],
        large: &[&[8, 8, 128, 64], &[128, 32], &[128, 32]],
    },
    Case {
        name: "rope_thd",
        call: |t| rotary_emb::rope_thd(&t[0], &t[1], &t[2]),
        slow: |t| {
            rotary_emb::rope_slow(&t[0].transpose(1, 2)?, &t[1], &t[2])?
                .transpose(1, 2)?
                .contiguous()
        },
        small: [
            &[&[2, 4, 3, 6], &[5, 3], &[5, 3]],
            &[&[2, 4, 3, 6], &[2, 4, 3], &[2, 4, 3]],
        ],
        large: &[&[8, 128, 8, 64], &[128, 32], &[128, 32]],
    },
];

fn main() {
    match run() {
        Ok(true) => {}
        Ok(false) => std::process::exit(1),
        Err(error) => {
            eprintln!(
                "error: {}",
                error.to_string().lines().next().unwrap_or_default()
            );
            std::process::exit(2);
        }
    }
}

fn run() -> Result<bool> {
    println!(
        "                  gradcheck,                 its values  its time, and that of candle's slow variant,"
    );
    println!("                  entries certified          differ by   the forward pass being 1:");
    println!(
        "                                             at most     backward  slow forward  slow backward"
    );
    let mut well = true;
    for case in &CASES {
        let (mut certified, mut entries, mut pass) = (0, 0, true);
        let mut apart = apart(case, case.large)?;
        for shapes in case.small {
            apart = apart.max(self::apart(case, shapes)?);
            // The first input alone, as where a rope's tables are fixed, then all.
            for trained in [1, shapes.len()] {
                let report = gradcheck(
                    case.call,
                    &inputs(shapes)?,
                    &Options::default().inputs(0..trained),
                )?;
                certified += report.inputs.iter().map(|i| i.certified).sum::<usize>();
                entries += report.inputs.iter().map(|i| i.entries).sum::<usize>();
                pass &= report.is_pass();
                if !report.is_pass() {
                    println!("{}:\n{report}", case.name);
                }
            }
        }
        // Of numbers about 1 in size, in f32.
        well &= pass && apart < 1e-5;
        let [backward, slow, slow_backward] = times(case)?;
        let says = if pass { "pass" } else { "NOT OK" };
        let entries = format!("{says}, {certified} of {entries}");
        let times = format!("{backward:<9.1} {slow:<13.1} {slow_backward:.1}");
        println!("{:<17} {entries:<26} {apart:<11.1e} {times}", case.name);
    }
    Ok(well)
}

/// Numbers between -1.5 and 1.5, in f32.
fn inputs(shapes: &[&[usize]]) -> Result<Vec<Tensor>> {
    let wave =
        |k: usize| (0.7 * k as f32 + 0.3).sin() + 0.5 * (0.013 * (k * k % 1013) as f32).cos();
    let one = |shape: &&[usize]| {
        let data: Vec<f32> = (0..shape.iter().product()).map(wave).collect();
        Tensor::from_vec(data, *shape, &Device::Cpu)
    };
    shapes.iter().map(one).collect()
}

fn trained(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    inputs
        .iter()
        .map(|t| Ok(Var::from_tensor(t)?.as_tensor().clone()))
        .collect()
}

/// The largest difference between the original's values and those that have gradients.
fn apart(case: &Case, shapes: &[&[usize]]) -> Result<f32> {
    let inputs = inputs(shapes)?;
    let apart = ((case.call)(&inputs)? - (case.call)(&trained(&inputs)?)?)?;
    apart.abs()?.flatten_all()?.max(0)?.to_scalar()
}

/// Backward, and the slow variant's forward and backward, over the forward pass: the shortest of 40 each, taken in
/// turns. A backward pass begins at a weighted sum of the output; the tables of a rope are fixed.
fn times(case: &Case) -> Result<[f64; 3]> {
    let plain = inputs(case.large)?;
    let trained = match case.name.starts_with("rope") {
        true => [trained(&plain[..1])?, plain[1..].to_vec()].concat(),
        false => trained(&plain)?,
    };
    let weights = (case.call)(&plain)?.cos()?;
    let seconds = |f: &dyn Fn() -> Result<Tensor>| {
        let start = Instant::now();
        let y = f()?;
        Ok::<_, candle_core::Error>((start.elapsed().as_secs_f64(), y))
    };
    let backward = |y: Tensor| {
        let loss = y.mul(&weights)?.sum_all()?;
        let start = Instant::now();
        loss.backward()?;
        Ok::<_, candle_core::Error>(start.elapsed().as_secs_f64())
    };
    let mut least = [f64::INFINITY; 4];
    for _ in 0..40 {
        let (forward, _) = seconds(&|| (case.call)(&plain))?;
        let (slow, slow_y) = seconds(&|| (case.slow)(&trained))?;
        let both = [backward((case.call)(&trained)?)?, backward(slow_y)?];
        for (least, time) in least.iter_mut().zip([forward, slow, both[0], both[1]]) {
            *least = least.min(time);
        }
    }
    let [forward, slow, backward, slow_backward] = least;
    Ok([backward / forward, slow / forward, slow_backward / forward])
}
