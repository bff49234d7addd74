//! The five ways side by side: `cargo bench --bench ladder`. Their losses, how far they are apart, and how
//! long an epoch takes, as assets/ladder.md shows them; and the losses as a picture, out/ladder.png.
//!
//!     cargo bench --bench ladder -- 1e6        # so many points
//!     cargo bench --bench ladder -- 1e6 f64 json    # in f64, as JSON

#![allow(clippy::unwrap_used)] // a benchmark that cannot run should stop

use candle_core::{DType, Device};
use candle_sine::plot::Figure;
use candle_sine::sine::{Data, Method, post};
use std::time::{Duration, Instant};

// The allocator of the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Of the time that a way is given, and of one timing.
const PATIENCE: Duration = Duration::from_millis(600);
const TIMING: f64 = 2e-3;

/// A way over some points.
struct Way {
    name: &'static str,
    losses: Vec<f64>,
    setup: f64,
    epoch: f64,
}

fn measure(method: Method, data: &Data) -> Way {
    // As far as the post goes, at its rate where that is stable.
    let rate = 1e-3 / data.x.elem_count() as f64;
    let began = Instant::now();
    let mut descent = method.begin(data, post::WEIGHTS, rate).unwrap();
    let setup = began.elapsed().as_secs_f64();
    let (began, mut losses, mut times, mut many) = (Instant::now(), vec![], vec![], 1);
    // At a thousand points as many epochs as the post, whatever else the machine does.
    let least = (1_000_000 / data.x.elem_count()).clamp(5, 1000);
    while losses.len() < least || began.elapsed() < PATIENCE {
        let start = Instant::now();
        losses.extend((0..many).map(|_| descent.epoch().unwrap()));
        let seconds = start.elapsed().as_secs_f64();
        times.push(seconds / many as f64);
        many = ((TIMING * many as f64 / seconds) as usize).clamp(1, 4 * many);
    }
    times.sort_by(f64::total_cmp);
    let (name, epoch) = (method.name(), times[times.len() / 2]);
    losses.truncate(1000);
    Way {
        name,
        losses,
        setup,
        epoch,
    }
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let points = args
        .iter()
        .find_map(|arg| arg.parse::<f64>().ok())
        .unwrap_or(1000.);
    let dtype = if has("f64") { DType::F64 } else { DType::F32 };
    let device = if has("gpu") {
        candle_sine::device::DeviceName::Auto.open().unwrap()
    } else {
        Device::Cpu
    };
    let data = Data::new(points as usize, dtype, &device).unwrap();
    let ways: Vec<_> = Method::ALL.iter().map(|m| measure(*m, &data)).collect();
    if has("json") {
        let times = ways
            .iter()
            .map(|w| format!("\"{}\": [{:e}, {:e}]", w.name, w.epoch, w.setup));
        println!("{{{}}}", times.collect::<Vec<_>>().join(", "));
        return;
    }
    table(&ways);
    picture(&ways);
}

fn table(ways: &[Way]) {
    let row = |name: &str, cell: &dyn Fn(&Way) -> String, apart: &str| {
        let cells: String = ways.iter().map(|w| format!(" {:>11}", cell(w))).collect();
        println!("{name:>9}{cells} {apart:>11}");
    };
    row("epoch", &|w| w.name.to_owned(), "differ by");
    let shortest = ways.iter().map(|w| w.losses.len()).min().unwrap_or(0);
    for epoch in (0..shortest).step_by(300) {
        let losses = ways.iter().map(|w| w.losses[epoch]);
        let (low, high) = losses.fold((f64::MAX, 0f64), |(l, h), v| (l.min(v), h.max(v)));
        let loss = |w: &Way| format!("{:.6}", w.losses[epoch]);
        row(
            &(epoch + 1).to_string(),
            &loss,
            &format!("{:.1e}", (high - low) / low),
        );
    }
    row("an epoch", &|w| time(w.epoch), "");
    row("setup", &|w| time(w.setup), "");
}

fn time(seconds: f64) -> String {
    let units = [(1., "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")];
    let unit = units.into_iter().find(|(unit, _)| seconds >= *unit);
    let (unit, name) = unit.unwrap_or((1e-9, "ns"));
    format!("{:.1} {name}", seconds / unit)
}

/// The first as a line, the others as markers upon it, each at epochs of its own.
fn picture(ways: &[Way]) {
    let mut plt = Figure::new();
    plt.title("loss: sum of squared errors");
    plt.xlabel("epoch");
    plt.semilogy();
    for (k, way) in ways.iter().enumerate() {
        let (first, step) = if k == 0 { (0, 1) } else { (25 * k, 125) };
        let chosen = (first..way.losses.len()).step_by(step);
        let (x, y): (Vec<_>, Vec<_>) = chosen.map(|i| (i as f64 + 1., way.losses[i])).unzip();
        let line = plt.plot(&x, &y).unwrap().label(way.name);
        if k > 0 {
            line.markers();
        }
    }
    plt.legend();
    plt.savefig("out/ladder.png").unwrap();
    println!("wrote out/ladder.png");
}
