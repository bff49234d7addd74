//! `train --animate` from outside: the fit as a moving picture, beside the others.

mod common;

use common::movie::frames;
use common::{interrupted, names, run};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;
use tempfile::tempdir;

fn film(dir: &Path) -> Vec<u8> {
    std::fs::read(dir.join("out/fit.png")).unwrap()
}

/// stdout of a run that must succeed and say nothing on stderr.
fn stdout(dir: &Path, args: &[&str]) -> String {
    let (code, stdout, stderr) = run(dir, args);
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
    stdout
}

#[test]
fn it_lies_beside_the_others_and_changes_no_number() {
    let dir = tempdir().unwrap();
    let plain = stdout(dir.path(), &[]);
    assert!(!dir.path().join("out/fit.png").exists());
    let animated = stdout(dir.path(), &["--animate"]);
    let expected = plain
        .replace("--epochs 1000`", "--epochs 1000 --animate`")
        .replace("out/loss.png", "out/loss.png, out/fit.png");
    assert_eq!(animated, expected);
    let file = film(dir.path());
    assert!(file.len() < 1_000_000, "{} bytes", file.len());
    let frames = frames(&file);
    assert!((40..=61).contains(&frames.len()), "{}", frames.len());
    for pair in frames.windows(2) {
        assert!(pair[0].rgb != pair[1].rgb);
    }
    let all: u32 = frames.iter().map(|f| f.milliseconds).sum();
    assert!((4_000..12_000).contains(&all), "{all} ms");
    assert!(frames[frames.len() - 1].milliseconds >= 2000);
    let help = stdout(dir.path(), &["--help"]);
    assert!(help.contains("--animate") && help.contains("fit.png"));
}

#[test]
fn every_way_to_the_gradient_and_any_number_of_points() {
    let dir = tempdir().unwrap();
    for gradient in ["manual", "autograd", "optimizer", "fused", "normal"] {
        let args = ["--animate", "--epochs", "5", "--gradient", gradient];
        stdout(dir.path(), &args);
        assert_eq!(frames(&film(dir.path())).len(), 5, "{gradient}");
    }
    for points in ["2", "3", "100000"] {
        let rate = ["--learning-rate", "1e-9", "--gradient", "normal"];
        stdout(
            dir.path(),
            &[&["--animate", "--points", points][..], &rate].concat(),
        );
        let file = film(dir.path());
        assert!(file.len() < 1_000_000, "{points}: {} bytes", file.len());
        assert!(frames(&file).len() > 30, "{points}");
    }
    stdout(
        dir.path(),
        &["--animate", "--epochs", "1", "--dtype", "f64"],
    );
    assert_eq!(frames(&film(dir.path())).len(), 1);
}

#[test]
fn quiet_json_and_svg() {
    let dir = tempdir().unwrap();
    assert_eq!(stdout(dir.path(), &["--animate", "--quiet"]), "");
    assert!(film(dir.path()).starts_with(b"\x89PNG"));
    let dir = tempdir().unwrap();
    let args = ["--animate", "--format", "svg", "--json", "-"];
    let json: Value = serde_json::from_str(&stdout(dir.path(), &args)).unwrap();
    let files: Vec<_> = json["files"].as_array().unwrap().iter().collect();
    assert_eq!(files[5..], ["out/loss.svg", "out/fit.png"]);
    assert!(film(dir.path()).starts_with(b"\x89PNG"));
    assert_eq!(names(&dir.path().join("out")).len(), 7);
}

#[test]
fn its_place_is_tried_before_the_run() {
    let dir = tempdir().unwrap();
    std::fs::create_dir_all(dir.path().join("out/fit.png")).unwrap();
    let (code, stdout, stderr) = run(dir.path(), &["--animate"]);
    let expected = "error: --animate out/fit.png: out/fit.png is a directory\n";
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (2, "", expected));
    assert_eq!(names(&dir.path().join("out")), ["fit.png"]);
    let same = ["--animate", "--save", "out/fit.png", "--out", "out"];
    std::fs::remove_dir(dir.path().join("out/fit.png")).unwrap();
    let (code, _, stderr) = run(dir.path(), &same);
    assert_eq!(code, 2);
    assert!(
        stderr.contains("--animate writes the same file"),
        "{stderr}"
    );
    assert!(names(&dir.path().join("out")).is_empty());
}

/// A little above the stable rate, for so few epochs that the loss is still below its start.
#[test]
fn a_run_that_comes_nearer_and_goes_away_again() {
    let dir = tempdir().unwrap();
    let args = ["--animate", "--learning-rate", "7.1e-6", "--epochs", "100"];
    let (code, _, stderr) = run(dir.path(), &args);
    assert_eq!(code, 0, "{stderr}");
    assert!(frames(&film(dir.path())).len() > 10);
}

#[test]
fn a_run_that_diverges_draws_none() {
    let dir = tempdir().unwrap();
    let (code, _, stderr) = run(dir.path(), &["--animate", "--learning-rate", "1e-5"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("diverged"), "{stderr}");
    assert!(!dir.path().join("out").exists());
}

/// It goes on where an earlier run has ended, and the commands that are recommended draw it too.
#[test]
fn hints_and_resumed_runs() {
    let dir = tempdir().unwrap();
    let printed = stdout(dir.path(), &["--animate", "--epochs", "400", "--save", "w"]);
    let hint = printed.lines().find(|l| l.starts_with("not converged"));
    assert!(hint.unwrap().contains("--animate` comes"), "{printed}");
    let printed = stdout(
        dir.path(),
        &["--animate", "--resume", "w", "--epochs", "600"],
    );
    assert!(printed.ends_with("out/fit.png\n"), "{printed}");
    assert!(frames(&film(dir.path())).len() > 30);
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_what_was_seen() {
    let dir = tempdir().unwrap();
    let args = ["--animate", "--epochs", "1000000000", "--log-every", "1000"];
    let pause = Duration::from_millis(300);
    let (code, printed, stderr) = interrupted(dir.path(), &args, 3, pause);
    assert_eq!((code, stderr.as_str()), (130, ""));
    let last = printed.lines().last().unwrap();
    assert!(
        last.contains("to go on: `") && last.contains("--animate"),
        "{last}"
    );
    assert!(printed.contains("out/fit.png"));
    assert!(frames(&film(dir.path())).len() > 3);
}
