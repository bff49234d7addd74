//! Everything the guide's page shows that a program has to say: outputs, numbers, pictures. `tests/guide.rs`
//! writes it as JSON for make.py, and holds the committed page against it.

mod programs;
pub mod train;

use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_sine::plot::{Figure, Format};
use candle_sine::sine::{Data, LeastSquares, Method, check, drawn, post as the_post};
use programs::Programs;
pub use programs::{Edit, TUTORIAL, root};
use std::collections::BTreeMap;
use train::{Epoch, Function, Task};

/// Texts by name.
pub type Facts = BTreeMap<String, String>;

/// The point whose numbers the page follows through the chain rule.
const POINT: usize = 750;

pub fn facts() -> Result<Facts> {
    let mut facts = Facts::new();
    outputs(&mut facts)?;
    let task = post(1e-6)?;
    let (data, run) = (task.data()?, epochs(&task, 1000)?);
    start(&mut facts, &data, &run)?;
    one_point(&mut facts, &data, &run)?;
    totals(&mut facts, &data, &run)?;
    unsaid(&mut facts, &data, &run)?;
    bowls(&mut facts, &data)?;
    pictures(&mut facts, &data, &run)?;
    Ok(facts)
}

/// The post's run, but for the learning rate.
pub fn post(learning_rate: f64) -> Result<Task> {
    Ok(Task {
        points: 1000,
        function: Function::Sin,
        dtype: DType::F32,
        method: Method::Manual,
        learning_rate,
        weights: drawn(the_post::SEED, the_post::DRAW)?,
    })
}

pub fn epochs(task: &Task, n: usize) -> Result<Vec<Epoch>> {
    let mut descent = task.begin()?;
    Ok((0..n).map(|_| descent.epoch()).collect::<Result<_, _>>()?)
}

/// What the programs print, as they are and edited.
fn outputs(facts: &mut Facts) -> Result<()> {
    let programs = Programs::build()?;
    for name in TUTORIAL {
        let printed = programs.output(name, &[])?;
        facts.insert(format!("out.{name}"), printed);
    }
    let printed = programs.output("candle_sine", &["check"])?;
    facts.insert("out.check".to_owned(), printed);
    for edit in Edit::all()? {
        let printed = programs.edited(&edit)?;
        facts.insert(format!("edit.{}", edit.id), printed);
    }
    Ok(())
}

/// Inserts numbers with so many decimals.
fn fixed(facts: &mut Facts, decimals: usize, numbers: &[(&str, f64)]) {
    for (name, value) in numbers {
        let text = format!("{value:.decimals$}");
        // No minus before a zero.
        let zero = text.parse::<f64>() == Ok(0.);
        let text = text.replace('-', if zero { "" } else { "\u{2212}" });
        facts.insert((*name).to_owned(), text);
    }
}

const WEIGHTS: [&str; 4] = ["a", "b", "c", "d"];

fn start(facts: &mut Facts, data: &Data, run: &[Epoch]) -> Result<()> {
    let (x, y) = (data.x.to_vec1::<f32>()?, data.y.to_vec1::<f32>()?);
    for i in [0, 1, 2, 997, 998, 999] {
        let numbers = [(format!("x.{i}"), x[i]), (format!("y.{i}"), y[i])];
        for (name, value) in numbers {
            fixed(facts, 4, &[(&name, value.into())]);
        }
    }
    for (i, name) in WEIGHTS.into_iter().enumerate() {
        fixed(facts, 6, &[(name, run[0].weights[i])]);
        fixed(facts, 6, &[(&format!("{name}.next"), run[1].weights[i])]);
        fixed(facts, 6, &[(&format!("{name}.last"), run[999].weights[i])]);
        fixed(facts, 2, &[(&format!("grad_{name}"), run[0].gradient[i])]);
    }
    facts.insert("a.exact".to_owned(), run[0].weights[0].to_string());
    Ok(())
}

/// The chain rule at one point of the first epoch.
fn one_point(facts: &mut Facts, data: &Data, run: &[Epoch]) -> Result<()> {
    let at = |t: &Tensor| Ok::<_, candle_core::Error>(f64::from(t.get(POINT)?.to_scalar::<f32>()?));
    let (x, y) = (at(&data.x)?, at(&data.y)?);
    let y_pred = at(&prediction(data, run[0].weights)?)?;
    let error = y_pred - y;
    fixed(
        facts,
        4,
        &[
            ("point.x", x),
            ("point.y", y),
            ("point.y_pred", y_pred),
            ("point.error", error),
            ("point.square", error * error),
            ("point.twice", 2. * error),
            ("point.x3", x.powi(3)),
            ("point.x2", x.powi(2)),
            ("point.a", 2. * error * x.powi(3)),
            ("point.b", 2. * error * x.powi(2)),
            ("point.c", 2. * error * x),
            ("point.d", 2. * error),
        ],
    );
    facts.insert("point".to_owned(), (POINT + 1).to_string());
    let ax3 = run[0].weights[0] * x.powi(3);
    fixed(facts, 4, &[("point.ax3", ax3)]);
    // With a larger by 0.001.
    let more = 0.001 * x.powi(3);
    for (name, change) in [
        ("point.rest", y_pred - ax3),
        ("nudge.y_pred", more),
        ("nudge.square", (error + more).powi(2) - error.powi(2)),
    ] {
        facts.insert(
            name.to_owned(),
            format!("{change:+.4}").replace('-', "\u{2212}"),
        );
    }
    Ok(())
}

/// The sums over all points, and the same derivative from the loss alone.
fn totals(facts: &mut Facts, data: &Data, run: &[Epoch]) -> Result<()> {
    let loss = |step: f64| {
        let mut weights = run[0].weights;
        weights[0] += step;
        let wide = Data {
            x: data.x.to_dtype(DType::F64)?,
            y: data.y.to_dtype(DType::F64)?,
        };
        let error = (prediction(&wide, weights)? - &wide.y)?;
        Ok::<_, anyhow::Error>(error.sqr()?.sum_all()?.to_scalar::<f64>()?)
    };
    let check = check(data, run[0].weights)?;
    fixed(
        facts,
        3,
        &[
            ("loss.first", run[0].loss),
            ("loss.plus", loss(1.)?),
            ("loss.minus", loss(-1.)?),
            ("step.a", 1e-6 * run[0].gradient[0]),
        ],
    );
    fixed(facts, 2, &[("nudge.loss", loss(0.001)? - loss(0.)?)]);
    let loss = run[0].loss;
    facts.insert("loss.f64".to_owned(), loss.to_string());
    facts.insert("loss.f32".to_owned(), (loss as f32).to_string());
    for (i, name) in WEIGHTS.into_iter().enumerate() {
        fixed(facts, 4, &[(&format!("numeric.{name}"), check.numeric[i])]);
    }
    let sum_all = run[0].gradient[0] - check.numeric[0];
    fixed(facts, 3, &[("grad_a.rounding", sum_all.abs())]);
    Ok(())
}

/// What the post does not say.
fn unsaid(facts: &mut Facts, data: &Data, run: &[Epoch]) -> Result<()> {
    let aim = LeastSquares::new(data)?;
    let quick = epochs(&post(6e-6)?, 1000)?;
    fixed(
        facts,
        1,
        &[
            ("loss.last", run[999].loss),
            ("loss.flat", aim.baseline_loss),
        ],
    );
    fixed(
        facts,
        3,
        &[
            ("loss.best", aim.optimum_loss),
            ("loss.quick", quick[999].loss),
        ],
    );
    for (name, function) in ["sin", "cos", "step"].into_iter().zip(Function::ALL) {
        let task = Task {
            function,
            ..post(1e-6)?
        };
        let best = LeastSquares::new(&task.data()?)?.optimum_loss;
        fixed(facts, 1, &[(&format!("best.{name}"), best)]);
    }
    facts.insert("limit".to_owned(), format!("{:.2e}", aim.stability_limit()));
    let [(low, _), (high, _)] = eigenvectors(data)?;
    fixed(
        facts,
        0,
        &[
            ("eigen.low", low),
            ("eigen.high", high),
            ("eigen.ratio", high / low),
        ],
    );
    fixed(facts, 0, &[("x5", std::f64::consts::PI.powi(5))]);
    fixed(facts, 5, &[("shrink.slow", 1. - 2e-6 * low)]);
    fixed(facts, 2, &[("shrink.fast", 1. - 2e-6 * high)]);
    let slow = (1. - 2e-6 * low).powi(1000);
    fixed(facts, 0, &[("shrink.percent", 100. * slow)]);
    Ok(())
}

type Vector = [f64; 4];

fn dot(v: Vector, w: Vector) -> f64 {
    v.iter().zip(w).map(|(v, w)| v * w).sum()
}

/// Of XᵀX the least eigenvalue and the largest, each with its eigenvector.
fn eigenvectors(data: &Data) -> Result<[(f64, Vector); 2]> {
    let fit = LeastSquares::new(data)?;
    let pairs = fit.eigenvalues.into_iter().zip(fit.eigenvectors);
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
    Ok([pairs[0], pairs[3]])
}

/// The loss as a bowl, seen from above, in its flattest direction (to the right) and its steepest (up): rings
/// of the same loss around the best cubic, and the path of the weights at a learning rate.
fn bowls(facts: &mut Facts, data: &Data) -> Result<()> {
    let best = LeastSquares::new(data)?.optimum;
    let [(low, flat), (high, steep)] = eigenvectors(data)?;
    for rate in [1e-6, 6e-6, 7.2e-6] {
        let run = epochs(&post(rate)?, 1000)?;
        let away = |epoch: &Epoch, direction| {
            let from_best = std::array::from_fn(|i| epoch.weights[i] - best[i]);
            dot(from_best, direction)
        };
        // The start is on the left, above the bottom of the valley.
        let signs = (-away(&run[0], flat).signum(), away(&run[0], steep).signum());
        let point = |epoch: &Epoch| {
            let right = 8300. + 8700. * signs.0 * away(epoch, flat);
            let down = 950. - 4700. * signs.1 * away(epoch, steep);
            format!("{right:.0},{down:.0}")
        };
        let seen = run
            .iter()
            .enumerate()
            .filter(|(i, _)| *i < 40 || i % 20 == 0);
        let inside = seen.take_while(|(_, epoch)| away(epoch, steep).abs() < 0.3);
        let path: Vec<_> = inside.map(|(_, epoch)| point(epoch)).collect();
        let ring = |loss: f64| {
            let (right, up) = (8700. * (loss / low).sqrt(), 4700. * (loss / high).sqrt());
            format!("<ellipse cx=\"8300\" cy=\"950\" rx=\"{right:.0}\" ry=\"{up:.0}\"/>")
        };
        let rings: String = [5., 20., 80., 320., 1280., 5120.].map(ring).concat();
        let [start, end] = [&path[0], &path[path.len() - 1]].map(|at| dot_at(at));
        let svg = format!(
            "<svg viewBox=\"0 0 9600 1900\" aria-hidden=\"true\">{rings}<polyline points=\"{}\"/>{start}{end}\
             <path d=\"M8230 880l140 140m0 -140l-140 140\"/></svg>",
            path.join(" ")
        );
        facts.insert(format!("svg.bowl-{rate:e}"), svg);
    }
    Ok(())
}

fn dot_at(point: &str) -> String {
    let (x, y) = point.split_once(',').unwrap_or_default();
    format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"60\"/>")
}

fn prediction(data: &Data, weights: [f64; 4]) -> Result<Tensor> {
    Ok(data.y_pred(weights)?)
}

fn pictures(facts: &mut Facts, data: &Data, run: &[Epoch]) -> Result<()> {
    let quick = epochs(&post(6e-6)?, 1000)?;
    let curves = [
        ("y_random", "y random", prediction(data, run[0].weights)?),
        ("y_pred", "y pred", prediction(data, run[999].weights)?),
        ("y_true", "y true", data.y.clone()),
    ];
    for (name, title, y) in &curves {
        let mut plt = Figure::new();
        plt.title(title);
        plt.plot(&thin(&data.x)?, &thin(y)?)?;
        insert(facts, name, &plt)?;
    }
    let mut plt = Figure::new();
    plt.plot(&thin(&data.x)?, &thin(&data.y)?)?.label("y true");
    for (name, run) in [("1e-6", run), ("6e-6", quick.as_slice())] {
        let y = prediction(data, run[999].weights)?;
        plt.plot(&thin(&data.x)?, &thin(&y)?)?.label(name);
    }
    plt.title("y pred after 1000 epochs");
    plt.legend();
    insert(facts, "unsaid", &plt)?;
    let mut plt = Figure::new();
    plt.title("loss");
    plt.xlabel("epoch");
    plt.semilogy();
    for (name, run) in [("1e-6", run), ("6e-6", quick.as_slice())] {
        let points = || (0..1000).step_by(5);
        let epoch: Vec<f64> = points().map(|i| i as f64 + 1.).collect();
        let loss: Vec<f64> = points().map(|i| run[i].loss).collect();
        plt.plot(&epoch, &loss)?.label(name);
    }
    let ends = [1., 1000.];
    let aim = LeastSquares::new(data)?;
    plt.plot(&ends, &[aim.baseline_loss; 2])?.label("y = 0");
    plt.plot(&ends, &[aim.optimum_loss; 2])?.label("best cubic");
    plt.legend();
    insert(facts, "loss", &plt)?;
    let mut plt = Figure::new();
    plt.plot(&thin(&data.x)?, &thin(&data.y)?)?.label("y true");
    for epoch in [1, 200, 1000] {
        let y = prediction(data, run[epoch - 1].weights)?;
        plt.plot(&thin(&data.x)?, &thin(&y)?)?
            .label(&format!("epoch {epoch}"));
    }
    plt.title("y pred");
    plt.legend();
    insert(facts, "epochs", &plt)
}

/// Every ninth point, the first and the last among them: a line looks the same.
fn thin(t: &Tensor) -> Result<Tensor> {
    let kept: Vec<u32> = (0..1000).step_by(9).collect();
    let kept = Tensor::new(kept, &Device::Cpu)?;
    Ok(t.index_select(&kept, 0)?)
}

fn insert(facts: &mut Facts, name: &str, plt: &Figure) -> Result<()> {
    let svg = String::from_utf8(plt.render(Format::Svg)?)?;
    facts.insert(format!("svg.{name}"), svg);
    Ok(())
}
