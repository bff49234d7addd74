//! Weights and rates of any size: no answer is a number that is none, and no gradient is blamed.

use crate::chance::{Chance, runs};
use crate::program::{program, run, shown};
use std::ffi::OsString;
use tempfile::tempdir;

const METHODS: &[&str] = &["manual", "autograd", "optimizer", "fused", "normal"];

fn setting(chance: &mut Chance) -> Vec<OsString> {
    let size = chance.number(-300., 308.).abs().log10();
    let weights: Vec<_> = (0..4)
        .map(|_| match chance.one_in(6) {
            true => 0.,
            false => chance.number((size - 3.).max(-307.), size),
        })
        .map(|weight| format!("{weight:e}"))
        .collect();
    let points = chance.of(&["2", "3", "4", "5", "31", "1000"]);
    let dtype = chance.of(&["f32", "f64"]);
    let args = [
        "--init",
        &weights.join(","),
        "--points",
        points,
        "--dtype",
        dtype,
    ];
    args.map(OsString::from).to_vec()
}

fn any_rate(chance: &mut Chance) -> [OsString; 2] {
    let rate = chance.number(-300., 300.).abs();
    ["--learning-rate".into(), format!("{rate:e}").into()]
}

#[test]
fn training_ends_in_numbers_or_says_that_it_diverged() {
    let mut chance = Chance::new(2);
    for _ in 0..runs(80) {
        let dir = tempdir().unwrap();
        let mut args = setting(&mut chance);
        if chance.one_in(2) {
            args.extend(any_rate(&mut chance));
        }
        let more = [
            "--gradient",
            chance.of(METHODS),
            "--epochs",
            "30",
            "--format",
            "svg",
        ];
        args.extend(more.map(OsString::from));
        args.extend(["--json", "-", "--save", "w"].map(OsString::from));
        let context = format!("{}: {}", chance.seed(), shown(&args));
        let ended = run(program(dir.path()).args(&args), dir.path(), &context);
        let json = ended.json(&context);
        let answered = match ended.code {
            0 => json["final_loss"].is_f64(),
            _ => ["diverged: ", "too large for f"]
                .iter()
                .any(|why| ended.stderr.contains(why)),
        };
        assert!(answered, "{context}\n{}", ended.stderr);
        for file in json["files"].as_array().unwrap() {
            let file = dir.path().join(file.as_str().unwrap());
            assert!(file.metadata().unwrap().len() > 0, "{context}");
        }
        assert_eq!(dir.path().join("w").exists(), ended.code == 0, "{context}");
    }
}

#[test]
fn no_gradient_is_called_wrong() {
    let mut chance = Chance::new(3);
    for _ in 0..runs(60) {
        let dir = tempdir().unwrap();
        let mut args: Vec<OsString> = vec!["check".into()];
        args.extend(setting(&mut chance));
        if chance.one_in(2) {
            args.extend(["--every", "3", "--epochs", "9"].map(OsString::from));
            args.extend(any_rate(&mut chance));
        }
        let context = format!("{}: {}", chance.seed(), shown(&args));
        let ended = run(program(dir.path()).args(&args), dir.path(), &context);
        let stdout = String::from_utf8(ended.stdout).unwrap();
        for accusation in ["NOT OK", "disagree", "no two agree"] {
            assert!(!stdout.contains(accusation), "{context}\n{stdout}");
            assert!(
                !ended.stderr.contains(accusation),
                "{context}\n{}",
                ended.stderr
            );
        }
        assert!(ended.code < 2, "{context}\n{}", ended.stderr);
    }
}

#[test]
fn rungs_are_compared_whatever_the_numbers() {
    let mut chance = Chance::new(4);
    for _ in 0..runs(20) {
        let dir = tempdir().unwrap();
        let mut args: Vec<OsString> = vec!["compare".into()];
        args.extend(setting(&mut chance));
        args.extend(any_rate(&mut chance));
        args.extend(["--epochs", "9", "--format", "svg", "--json", "-"].map(OsString::from));
        let context = format!("{}: {}", chance.seed(), shown(&args));
        let ended = run(program(dir.path()).args(&args), dir.path(), &context);
        let json = ended.json(&context);
        let rungs = json["rungs"].as_array().unwrap();
        let whole = rungs.iter().all(|rung| rung["final_loss"].is_f64());
        assert!(
            ended.code == 1 || whole && ended.code == 0,
            "{context}\n{}",
            ended.stderr
        );
    }
}
