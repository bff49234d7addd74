//! `candle-sine compare` from outside.

mod common;

use common::{names, run};
use serde_json::Value;
use tempfile::tempdir;

#[test]
fn compare_sets_all_rungs_side_by_side() {
    let dir = tempdir().unwrap();
    let (code, stdout, stderr) = run(dir.path(), &["compare", "--log-every", "250"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let lines: Vec<Vec<_>> = stdout
        .lines()
        .map(|l| l.split_whitespace().collect())
        .collect();
    let names = "epoch manual autograd optimizer fused normal differ by adamw";
    assert_eq!(lines[0].join(" "), names);
    for (line, epoch) in lines[1..5].iter().zip(["1", "251", "501", "751"]) {
        assert_eq!((line[0], line.len()), (epoch, 8), "{line:?}");
        let apart: f64 = line[6].parse().unwrap();
        assert!(apart < 2e-6, "{line:?}");
    }
    assert_eq!(
        (lines[5][0], &lines[6][..2]),
        ("setup", &["an", "epoch"][..])
    );
    assert!(stdout.contains("largest difference between the gradients' losses: "));
    assert_eq!(common::names(&dir.path().join("out")), ["compare.png"]);
}

#[test]
fn compare_as_json() {
    let dir = tempdir().unwrap();
    let args = "compare --gradient normal,optimizer --dtype f64 --points 77 --epochs 30 --log-every 10 \
        --adamw-rate 0.5 --format svg --out a --json -";
    let args: Vec<_> = args.split_whitespace().collect();
    let (code, stdout, _) = run(dir.path(), &args);
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (code, &json["schema"], &json["points"]),
        (0, &1.into(), &77.into())
    );
    let rungs = json["rungs"].as_array().unwrap();
    let of = |key: &str| rungs.iter().map(|r| r[key].clone()).collect::<Vec<_>>();
    assert_eq!(of("name"), ["normal", "optimizer", "adamw"]);
    assert_eq!(of("learning_rate"), [1e-6, 1e-6, 0.5]);
    for rung in rungs {
        assert_eq!(rung["log"].as_array().unwrap().len(), 3);
        assert_eq!(rung["log"][2]["epoch"], 21);
        assert!(rung["epoch_seconds"].as_f64().unwrap() > 0.);
        assert!(rung["weights"]["d"].is_f64() && rung["setup_seconds"].is_f64());
    }
    assert_eq!(names(&dir.path().join("a")), ["compare.svg"]);
    let svg = std::fs::read_to_string(dir.path().join("a/compare.svg")).unwrap();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<_> = document
        .descendants()
        .filter_map(|n| n.text())
        .map(str::trim)
        .collect();
    for name in ["normal", "optimizer", "adamw"] {
        assert!(texts.contains(&name), "{name}");
    }
}

/// A rate that diverges, and a run of one epoch: a table all the same.
#[test]
fn compare_survives_divergence_and_short_runs() {
    let dir = tempdir().unwrap();
    for args in [
        &["compare", "--learning-rate", "1e-5", "--log-every", "60"][..],
        &["compare", "--epochs", "1", "--points", "2"],
    ] {
        let (code, stdout, stderr) = run(dir.path(), args);
        assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
    }
}

#[test]
fn bad_input_to_compare_is_one_clear_line() {
    let cases: [(&[&str], &str); 5] = [
        (
            &["compare", "--gradient", "guess"],
            "manual, autograd, optimizer, fused, normal",
        ),
        (&["compare", "--adamw-rate", "0"], "--adamw-rate"),
        (&["compare", "--epochs", "0"], "--epochs"),
        (&["compare", "--json", "new/"], "--json new/"),
        (&["compare", "--save", "x"], "--save"),
    ];
    for (args, fragment) in cases {
        let dir = tempdir().unwrap();
        let (code, _, stderr) = run(dir.path(), args);
        assert_eq!((code, stderr.lines().count()), (2, 1), "{args:?}: {stderr}");
        assert!(stderr.contains(fragment), "{args:?}: {stderr}");
        assert!(names(dir.path()).is_empty());
    }
}
