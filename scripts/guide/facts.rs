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
    let (data, run) = (task.data()?, epochs(&task, 1001)?);
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
    let quick = epochs(&post(6e-6)?, 1001)?;
    fixed(facts, 1, &[("loss.flat", aim.baseline_loss)]);
    fixed(
        facts,
        3,
        &[
            ("loss.best", aim.optimum_loss),
            ("loss.1000", run[999].loss),
            // After the last update.
            ("loss.last", run[1000].loss),
            ("loss.quick", quick[1000].loss),
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

/// The loss as a bowl, seen from above, and the path of the weights at three learning rates.
fn bowls(facts: &mut Facts, data: &Data) -> Result<()> {
    for rate in [1e-6, 6e-6, 7.2e-6] {
        let run = epochs(&post(rate)?, 1000)?;
        let bowl = Bowl::new(data, &run[0])?;
        // All of the first steps, and some of those along the bottom; what has left the picture ends it.
        let seen = run.iter().enumerate();
        let seen = seen.filter(|(i, _)| *i < 40 || i % 20 == 0);
        let places = seen.map(|(_, epoch)| bowl.place(epoch));
        let path: Vec<_> = places
            .take_while(|(_, y)| (y - 950.).abs() < 1410.)
            .collect();
        let points: Vec<_> = path.iter().map(|(x, y)| format!("{x:.0},{y:.0}")).collect();
        let ends = [path[0], path[path.len() - 1]];
        let dots = ends.map(|(x, y)| format!("<circle cx=\"{x:.0}\" cy=\"{y:.0}\" r=\"60\"/>"));
        let svg = format!(
            "<svg viewBox=\"0 0 9600 1900\" aria-hidden=\"true\">{}<polyline points=\"{}\"/>{}\
             <path d=\"M8230 880l140 140m0 -140l-140 140\"/></svg>",
            bowl.rings(),
            points.join(" "),
            dots.concat(),
        );
        facts.insert(format!("svg.bowl-{rate:e}"), svg);
    }
    Ok(())
}

/// The flattest direction of the loss to the right, its steepest up, the best cubic at (8300, 950).
struct Bowl {
    best: Vector,
    flat: (f64, Vector),
    steep: (f64, Vector),
}

impl Bowl {
    const WIDE: f64 = 8700.;
    const HIGH: f64 = 4700.;

    /// Turned so that `start` is on the upper left.
    fn new(data: &Data, start: &Epoch) -> Result<Self> {
        let [flat, steep] = eigenvectors(data)?;
        let best = LeastSquares::new(data)?.optimum;
        let mut bowl = Self { best, flat, steep };
        let (x, y) = bowl.place(start);
        bowl.flat.1 = flat.1.map(|v| v * (8300. - x).signum());
        bowl.steep.1 = steep.1.map(|v| v * (950. - y).signum());
        Ok(bowl)
    }

    fn place(&self, epoch: &Epoch) -> (f64, f64) {
        let away = std::array::from_fn(|i| epoch.weights[i] - self.best[i]);
        let (flat, steep) = (dot(away, self.flat.1), dot(away, self.steep.1));
        (8300. + Self::WIDE * flat, 950. - Self::HIGH * steep)
    }

    /// Where the loss is larger than the least by so much.
    fn rings(&self) -> String {
        let ring = |more: f64| {
            let right = Self::WIDE * (more / self.flat.0).sqrt();
            let up = Self::HIGH * (more / self.steep.0).sqrt();
            format!("<ellipse cx=\"8300\" cy=\"950\" rx=\"{right:.0}\" ry=\"{up:.0}\"/>")
        };
        [5., 20., 80., 320., 1280., 5120.].map(ring).concat()
    }
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
