//! candle's functions under gradcheck: which gradients are right.
//!
//! `cargo test --release --test audit` is the audit; `-- max_pool2d` that of one function. The [`catalog`] has
//! samples of every function, [`defects`] what is known to be wrong, each a test of its own, and [`check`]
//! holds the one against the other in f64, f32, bf16 and f16. `AUDIT_JSON=FILE` writes a line of JSON a row.

#[macro_use]
mod case;
mod catalog;
mod check;
mod defects;
mod float;
mod held_back;
mod one_thread;
mod page;
mod range;
mod sources;
mod swept;

use candle_core::{DType, Device};
use candle_nn::{Init, VarBuilder, VarMap, ops};
use candle_sine::gradcheck::{self, ModelReport, Options};
use check::Row;
use defects::Kind;
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use catalog::{ALL, EXEMPT};

/// Every row, in the order in which they were made; the time that each test took.
static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());
static TIMES: Mutex<Vec<(Duration, String)>> = Mutex::new(Vec::new());

fn main() {
    one_thread::one_thread_an_op();
    let args = Arguments::from_args();
    let mut trials = vec![];
    for path in paths() {
        trials.push(trial("function", path, move || function(path)));
    }
    for path in range::functions() {
        trials.push(trial(
            "range",
            &format!("{path} over the range"),
            move || range(path),
        ));
    }
    for defect in defects::all() {
        trials.push(trial("defect", defect.test, || defect.check()));
        if !defect.from.is_empty() || !defect.below.is_empty() {
            trials.push(trial(
                "threshold",
                &format!("{}_begins_where_the_page_says", defect.name),
                || range::threshold(defect),
            ));
        }
    }
    type Check = fn() -> Result<(), String>;
    let audit: [(&str, Check); 6] = [
        ("every_function_is_in_the_catalogue_or_exempt", enumerated),
        ("names_are_unique_and_known", named),
        (
            "gradcheck_suspects_what_is_known_to_cut_the_graph",
            suspected,
        ),
        (
            "reductions_norms_and_losses_are_right_at_random_points",
            held_back::sweep,
        ),
        ("the_page_is_written_from_the_defects", page::page),
        (
            "the_readmes_tables_are_written_from_the_defects",
            page::readmes,
        ),
    ];
    trials.extend(audit.map(|(name, check)| trial("audit", name, check)));
    // Panics are findings here.
    std::panic::set_hook(Box::new(|_| {}));
    let conclusion = libtest_mimic::run(&args, trials);
    let written = write_json();
    if let Some((time, name)) = TIMES
        .lock()
        .ok()
        .and_then(|times| times.iter().max().cloned())
    {
        println!("the longest: {name}, {:.1} s", time.as_secs_f64());
    }
    if let Err(error) = written {
        eprintln!("error: AUDIT_JSON: {error}");
        std::process::exit(2);
    }
    conclusion.exit();
}

/// The functions of the catalogue, each once.
fn paths() -> BTreeSet<&'static str> {
    ALL.iter().map(|case| case.path).collect()
}

/// A test whose time is kept.
fn trial(
    kind: &str,
    name: &str,
    run: impl FnOnce() -> Result<(), String> + Send + 'static,
) -> Trial {
    let own = name.to_owned();
    let run = move || {
        let start = Instant::now();
        let done = on_one_thread(run);
        if let Ok(mut times) = TIMES.lock() {
            times.push((start.elapsed(), own));
        }
        done.map_err(Failed::from)
    };
    Trial::test(name, run).with_kind(kind)
}

/// In a pool of this thread alone: candle would hand each small loop over to rayon's threads and wait.
fn on_one_thread(run: impl FnOnce() -> Result<(), String> + Send) -> Result<(), String> {
    thread_local! {
        static POOL: Option<rayon::ThreadPool> =
            rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build().ok();
    }
    POOL.with(|pool| match pool {
        Some(pool) => pool.install(run),
        None => run(),
    })
}

/// The samples of a function beside the defects that they name.
fn function(path: &str) -> Result<(), String> {
    let mut wrong = vec![];
    for case in ALL.iter().filter(|case| case.path == path) {
        let rows = check::rows(case);
        wrong.extend(check::wrong(case, &rows));
        ROWS.lock().map_err(|e| e.to_string())?.extend(rows);
    }
    failed_if(wrong)
}

/// A function over the range of its types.
fn range(path: &str) -> Result<(), String> {
    let mut wrong = vec![];
    for swept in range::SWEPT.iter().filter(|s| s.path == path) {
        let rows = range::rows(swept).map_err(|e| e.to_string())?;
        wrong.extend(range::wrong(swept, &rows));
        ROWS.lock()
            .map_err(|e| e.to_string())?
            .extend(rows.into_iter().map(|(row, ..)| row));
    }
    failed_if(wrong)
}

fn failed_if(wrong: Vec<String>) -> Result<(), String> {
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join("\n"))
    }
}

/// Every public function of candle that takes a tensor and returns one, by the sources of this build.
fn enumerated() -> Result<(), String> {
    let functions = sources::functions()?;
    if functions.len() < 250 {
        return Err(format!("only {} functions found", functions.len()));
    }
    let exempts = |pattern: &str, path: &str| match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == pattern,
    };
    let exempt: Vec<&str> = EXEMPT
        .iter()
        .flat_map(|(_, paths)| paths.iter().copied())
        .collect();
    let is_exempt = |path: &str| exempt.iter().any(|pattern| exempts(pattern, path));
    let mut wrong = vec![];
    for f in &functions {
        match (paths().contains(f.as_str()), is_exempt(f)) {
            (false, false) => wrong.push(format!("{f} is neither in the catalogue nor exempt")),
            (true, true) => wrong.push(format!("{f} is in the catalogue and exempt")),
            _ => {}
        }
    }
    let gone = paths()
        .into_iter()
        .filter(|path| !functions.contains(*path));
    let gone = gone.chain(
        exempt
            .iter()
            .copied()
            .filter(|p| !functions.iter().any(|f| exempts(p, f))),
    );
    wrong.extend(gone.map(|path| format!("candle has no {path}")));
    failed_if(wrong)
}

/// No two samples and no two defects are called the same; a sample's call says the function's name; every
/// defect shows in a sample.
fn named() -> Result<(), String> {
    let mut wrong = vec![];
    let mut seen = BTreeSet::new();
    for case in ALL.iter() {
        if !seen.insert((case.path, case.name.as_str())) {
            wrong.push(format!("{} has two samples {:?}", case.path, case.name));
        }
        // A call through a table's `f`, or of a type, does not say it.
        let last = case.path.rsplit("::").next().unwrap_or_default();
        let is_type = last.starts_with(char::is_uppercase) || case.path.starts_with('<');
        let by_table = case.code.starts_with("f(") || !case.path.contains("Tensor") || is_type;
        if !by_table
            && !case.code.contains(last)
            && !case.code.contains("one(")
            && !case.code.contains("two(")
        {
            wrong.push(format!(
                "{} is not what {:?} calls: {}",
                case.path, case.name, case.code
            ));
        }
    }
    for defect in defects::all() {
        if !seen.insert(("", defect.name)) || !seen.insert(("", defect.test)) {
            wrong.push(format!("{} is there twice", defect.name));
        }
        if defect.functions().is_empty() {
            wrong.push(format!("no sample shows {:?}", defect.name));
        }
    }
    failed_if(wrong)
}

/// What a check of a model whose graph is cut names as suspects, and what to use instead, is what is known here.
fn suspected() -> Result<(), String> {
    let names = ["ln.weight", "ln.bias", "rms.weight", "attn.weight"];
    let cut = || -> candle_core::Result<ModelReport> {
        let varmap = VarMap::new();
        for name in names {
            varmap.get(2, name, Init::Const(1.), DType::F32, &Device::Cpu)?;
        }
        let loss = |vb: VarBuilder| {
            let mut sum = vb.get(2, names[0])?;
            for name in &names[1..] {
                sum = (sum + vb.get(2, name)?)?;
            }
            ops::softmax_last_dim(&sum.unsqueeze(0)?)?.sqr()?.sum_all()
        };
        gradcheck::model(&varmap, loss, &Options::default())
    };
    let report = cut().map_err(|e| e.to_string())?;
    let known = |f: &str, instead: &str| {
        let mut cuts = defects::all()
            .into_iter()
            .filter(|d| d.kind == Kind::SilentStop);
        cuts.any(|d| d.functions().contains(&f) && d.instead.replace("candle_nn::", "") == instead)
    };
    let mut wrong = vec![];
    for suspect in &report.suspects {
        let unknown = suspect
            .functions
            .iter()
            .filter(|f| !known(f, suspect.instead));
        wrong.extend(
            unknown.map(|f| format!("{f}: {:?} is not what is known here", suspect.instead)),
        );
    }
    if report.suspects.len() < 5 {
        wrong.push(format!("not all are suspected: {report}"));
    }
    failed_if(wrong)
}

/// The rows in the order of the catalogue, a line each.
fn write_json() -> std::io::Result<()> {
    let Some(file) = std::env::var_os("AUDIT_JSON") else {
        return Ok(());
    };
    let mut out = std::io::BufWriter::new(std::fs::File::create(file)?);
    let mut rows = ROWS.lock().map(|rows| rows.clone()).unwrap_or_default();
    rows.sort_by_key(|row| {
        ALL.iter()
            .position(|c| c.path == row.path && c.name == row.case)
    });
    for row in rows {
        let line = serde_json::json!({
            "function": row.path, "case": row.case, "input": row.input, "dtype": row.dtype,
            "probe": row.probe, "verdict": row.verdict, "defect": row.defect, "note": row.note,
        });
        writeln!(out, "{line}")?;
    }
    out.flush()
}
