//! Commands that a run recommends, ready to paste: how to converge, how to go on.

use super::super::args::Precision;
use super::super::files::is_stdout;
use super::Run;
use candle_sine::plot::Format;
use candle_sine::sine::gradient::Method;
use candle_sine::sine::post;
use std::path::Path;

/// Above the least-squares optimum by less than this part of it, a run has converged.
const CONVERGED: f64 = 0.01;

/// Where the run has not converged: the command that gets there, by the exact rate of descent.
pub fn convergence(run: &Run) -> Option<String> {
    let best = run.fit.optimum_loss;
    let (part, rounding) = (CONVERGED * best, rounding(run));
    if run.history.final_loss - best <= part.max(rounding) {
        return None;
    }
    let rate = one_digit_below(0.9 * run.fit.stability_limit());
    let epochs = run
        .fit
        .epochs_to(run.start.init, rate, part.max(rounding))?;
    let epochs = one_digit_above(f64::from(epochs));
    let behind = run.options.learning_rate == rate && run.history.losses.len() as u64 >= epochs;
    if behind {
        let dtype = run.args.problem.dtype.dtype().as_str();
        return Some(format!(
            "not converged: the rounding of {dtype} keeps this run from the best cubic"
        ));
    }
    let near = match part > rounding {
        true => format!("within {}% of the best cubic", 100. * CONVERGED),
        false => "as near to the best cubic as rounding allows".to_owned(),
    };
    let (from, others) = (start(run), others(run));
    let command = format!(
        "{} --learning-rate {rate:e} --epochs {epochs}{from}{others}",
        program()
    );
    Some(format!("not converged: `{command}` comes {near}"))
}

/// The loss that rounding alone may leave where the best cubic leaves none: n (1000 u Y)², Y being a
/// bound on the cubic that the descent comes to. Updates smaller than half a unit in a weight's last
/// place are lost, which costs the flattest direction some hundred units. The normal equations lose a
/// loss below some units of n Y² besides, see `Moments::loss_and_grad`.
fn rounding(run: &Run) -> f64 {
    let double = 2f64.powi(-53);
    let unit = match run.args.problem.dtype {
        Precision::F32 => 2f64.powi(-24),
        Precision::F64 => double,
    };
    let lost = match run.args.gradient {
        Method::Normal => 16. * double,
        _ => 0.,
    };
    let pi = std::f64::consts::PI;
    let end = run.fit.end(run.start.init);
    let size = end.iter().fold(0., |y, w| y * pi + w.abs()).max(1.);
    f64::from(run.args.problem.points) * size.powi(2) * (1000. * unit).powi(2).max(lost)
}

/// How a run that Ctrl-C ended is continued: the same weights, to the last digit.
pub fn interruption(run: &Run, weights: [f64; 4], saved: bool) -> String {
    let (args, options) = (run.args, &run.options);
    let done = run.history.losses.len();
    let from = match &args.save {
        Some(path) if saved => format!(" --resume {0} --save {0}", quoted(path)),
        Some(path) => format!("{} --save {}", init(weights), quoted(path)),
        None => init(weights),
    };
    let mut command = format!("{}{from} --epochs {}", program(), options.epochs - done);
    if options.learning_rate != post::LEARNING_RATE {
        command += &format!(" --learning-rate {:e}", options.learning_rate);
    }
    if args.log_every != post::LOG_EVERY {
        command += &format!(" --log-every {}", args.log_every);
    }
    command += &others(run);
    if let Some(path) = &args.json {
        command += &format!(" --json {}", quoted(path));
    }
    if args.quiet {
        command += " --quiet";
    }
    format!(
        "interrupted after {} of {} epochs; to go on: `{command}`",
        run.epochs_behind(),
        options.first_epoch - 1 + options.epochs
    )
}

/// How the reader starts this program: cargo tells those that it runs of their manifest.
fn program() -> &'static str {
    match std::env::var_os("CARGO_MANIFEST_DIR") {
        Some(_) => "cargo run --release --",
        None => "candle-sine",
    }
}

/// The options for the weights that the run started with, where they are not the default. A file that
/// was resumed from may have changed since.
fn start(run: &Run) -> String {
    let problem = &run.args.problem;
    let seed = run.start.seed.filter(|_| problem.seed.is_some());
    match (seed, problem.draw) {
        (Some(seed), Some(draw)) => format!(" --seed {seed} --draw {draw}"),
        (Some(seed), None) => format!(" --seed {seed}"),
        _ if run.start.seed.is_some() => String::new(),
        _ => init(run.start.init),
    }
}

/// The option for these weights.
pub fn init([a, b, c, d]: [f64; 4]) -> String {
    format!(" --init {a:?},{b:?},{c:?},{d:?}")
}

/// The options that neither the start nor the length of the run depends on.
fn others(run: &Run) -> String {
    let (args, problem) = (run.args, &run.args.problem);
    let mut options = String::new();
    if problem.points != post::POINTS {
        options += &format!(" --points {}", problem.points);
    }
    if problem.dtype == Precision::F64 {
        options += " --dtype f64";
    }
    if args.gradient != Method::Manual {
        options += &format!(" --gradient {}", args.gradient.as_str());
    }
    if run.device != "cpu" {
        options += &format!(" --device {}", run.device);
    }
    if args.out != Path::new("out") {
        options += &format!(" --out {}", quoted(&args.out));
    }
    if args.format == Format::Svg {
        options += " --format svg";
    }
    if args.animate {
        options += " --animate";
    }
    options
}

/// As a shell and then this program read one word. "-" is stdout, and what begins so an option.
fn quoted(path: &Path) -> String {
    let dash = path.as_os_str().as_encoded_bytes().starts_with(b"-") && !is_stdout(path);
    let path = match dash {
        true => Path::new(".").join(path),
        false => path.to_owned(),
    };
    let plain = |c: char| c.is_alphanumeric() || "._-/+:,@".contains(c);
    match path.to_str() {
        Some(text) if text.chars().all(plain) => text.to_owned(),
        Some(text) if !text.contains(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        _ => byte_by_byte(&path),
    }
}

/// `$'\xff'`, which bash, zsh, ksh and POSIX's sh of 2024 read.
fn byte_by_byte(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes().iter();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-/+:,@".contains(&b);
    let word = bytes.map(|&b| match plain(b) {
        true => char::from(b).to_string(),
        // Three octal digits: what follows cannot be taken for a fourth.
        false => format!("\\{b:03o}"),
    });
    format!("$'{}'", word.collect::<String>())
}

fn one_digit_below(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor());
    // Through decimal, so that it prints as one digit.
    format!("{}e{}", (value / unit).floor(), unit.log10().round())
        .parse()
        .unwrap_or(value)
}

fn one_digit_above(value: f64) -> u64 {
    let unit = 10f64.powf(value.max(1.).log10().floor());
    ((value / unit).ceil() * unit) as u64
}
