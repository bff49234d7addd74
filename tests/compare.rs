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
    let args = "compare --learning-rate 1e-5 --log-every 60 --json run.json";
    let args: Vec<_> = args.split(' ').collect();
    let (code, stdout, stderr) = run(dir.path(), &args);
    assert_eq!((code, stderr.lines().count()), (1, 2), "{stderr}");
    let lines: Vec<_> = stderr.lines().collect();
    assert!(lines[0].starts_with("warning: --learning-rate 1e-5: above 7.094e-6"));
    assert!(
        lines[1].starts_with("error: diverged: manual, "),
        "{stderr}"
    );
    assert!(!lines[1].contains("adamw") && lines[1].contains(" at epoch 69; "));
    assert!(lines[1].ends_with("above the stability limit 7.094e-6 of this data"));
    assert!(!stdout.contains("NaN") && stdout.contains("wrote out/compare.png, run.json"));
    let json = std::fs::read_to_string(dir.path().join("run.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["rungs"][0]["final_loss"].is_null());

    let (code, stdout, stderr) = run(dir.path(), &["compare", "--epochs", "1", "--points", "2"]);
    assert_eq!((code, stderr.as_str()), (0, ""), "{stdout}");
}

#[test]
fn every_way_to_diverge_is_a_negative_answer() {
    let cases = [
        (
            "--gradient optimizer --adamw-rate 1e30",
            "adamw at epoch 2; --adamw-rate 1e30",
        ),
        ("--gradient fused --init 1e39,0,0,0", "too large for f32"),
        (
            "--gradient fused,normal --init 1e39,0,0,0",
            "too large for f32",
        ),
        // Losses up to the largest f64: an axis of 300 powers of ten.
        (
            "--gradient fused --dtype f64 --learning-rate 1e-5",
            "fused at epoch 588",
        ),
        // Finite to the end, and larger all the same.
        (
            "--gradient fused --dtype f64 --learning-rate 8e-6",
            "fused at epoch 1000",
        ),
    ];
    for (args, said) in cases {
        let dir = tempdir().unwrap();
        let args: Vec<_> = ["compare"].into_iter().chain(args.split(' ')).collect();
        let (code, stdout, stderr) = run(dir.path(), &args);
        assert_eq!(code, 1, "{args:?}: {stdout}{stderr}");
        assert!(stderr.lines().last().unwrap().contains(said), "{stderr}");
        assert!(!stdout.contains("0.0e0"), "{stdout}");
        let timings = stdout.lines().find(|l| l.starts_with(" an epoch"));
        assert!(!timings.unwrap().contains("NaN"), "{stdout}");
    }
}

/// A curve of one point has a disc, in the plot and in the legend.
#[test]
fn one_epoch_can_be_seen() {
    let dir = tempdir().unwrap();
    for command in ["compare --gradient fused", "train --seed 3"] {
        let args = command
            .split(' ')
            .chain(["--epochs", "1", "--format", "svg"]);
        let (code, _, stderr) = run(dir.path(), &args.collect::<Vec<_>>());
        assert_eq!(code, 0, "{stderr}");
    }
    let discs = |name: &str| {
        let svg = std::fs::read_to_string(dir.path().join(name)).unwrap();
        svg.matches("<circle").count()
    };
    assert_eq!((discs("out/compare.svg"), discs("out/loss.svg")), (2, 1));
}

#[test]
fn a_rung_alone_and_a_rung_twice() {
    let dir = tempdir().unwrap();
    let (code, stdout, _) = run(dir.path(), &["compare", "--gradient", "fused,fused"]);
    assert_eq!(code, 0);
    let head: Vec<_> = stdout.lines().next().unwrap().split_whitespace().collect();
    assert_eq!(head, ["epoch", "fused"]);
    assert!(!stdout.contains("differ"), "{stdout}");
}

#[test]
fn a_random_seed_is_named() {
    let dir = tempdir().unwrap();
    let random = "compare --gradient normal --seed random --draw 2 --json a.json";
    let (_, stdout, _) = run(dir.path(), &random.split(' ').collect::<Vec<_>>());
    let seed = stdout.lines().next().unwrap().strip_prefix("--seed ");
    let json = std::fs::read_to_string(dir.path().join("a.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["seed"].to_string(), seed.unwrap());
    assert_eq!(
        (&json["draw"], &json["interrupted"]),
        (&2.into(), &false.into())
    );
}

/// What is complete is kept, and named.
#[cfg(unix)]
#[test]
fn ctrl_c_keeps_the_rungs_that_are_complete() {
    let long = "--points 100000 --epochs 100000 --learning-rate 1e-9 --seed random";
    let cases = [
        (
            "normal,manual,fused",
            1000,
            "interrupted: complete are normal; not manual, fused\n",
        ),
        (
            "manual,fused",
            0,
            "interrupted before any rung was complete\n",
        ),
    ];
    for (rungs, pause, said) in cases {
        for file in ["run.json", "-"] {
            let dir = tempdir().unwrap();
            let args = ["compare", "--gradient", rungs, "--json", file];
            let args: Vec<_> = args.into_iter().chain(long.split(' ')).collect();
            // The seed, where it is printed, says that Ctrl-C is listened for.
            let (lines, pause) = if file == "-" {
                (0, pause.max(500))
            } else {
                (1, pause)
            };
            let pause = std::time::Duration::from_millis(pause);
            let (code, stdout, stderr) = common::interrupted(dir.path(), &args, lines, pause);
            assert_eq!(code, 130, "{stdout}{stderr}");
            let (json, line) = match file {
                "-" => (stdout, stderr),
                _ => (
                    std::fs::read_to_string(dir.path().join(file)).unwrap(),
                    stdout,
                ),
            };
            assert!(line.ends_with(said), "{line}");
            let json: Value = serde_json::from_str(&json).unwrap();
            assert_eq!(json["interrupted"], true);
            let complete = usize::from(rungs.starts_with("normal"));
            assert_eq!(json["rungs"].as_array().unwrap().len(), complete);
            assert_eq!(dir.path().join("out/compare.png").exists(), complete == 1);
        }
    }
}

/// On Linux, where the system says how much there is.
#[cfg(target_os = "linux")]
#[test]
fn too_many_points_for_the_memory_are_refused() {
    let dir = tempdir().unwrap();
    let args = [
        "compare",
        "--points",
        "4294967295",
        "--dtype",
        "f64",
        "--epochs",
        "1",
    ];
    let (code, _, stderr) = run(dir.path(), &args);
    assert_eq!((code, stderr.lines().count()), (2, 1), "{stderr}");
    let line =
        "error: --points 4294967295: this run needs some 784.0 GiB of memory, and there are ";
    assert!(stderr.starts_with(line), "{stderr}");
    assert!(names(dir.path()).is_empty());
}

#[test]
fn bad_input_to_compare_is_one_clear_line() {
    let cases: [(&[&str], &str); 9] = [
        (
            &["compare", "--gradient", "guess"],
            "manual, autograd, optimizer, fused, normal",
        ),
        (&["compare", "--adamw-rate", "0"], "--adamw-rate"),
        (&["compare", "--epochs", "0"], "--epochs"),
        (&["compare", "--json", "new/"], "--json new/"),
        (&["compare", "--save", "x"], "--save"),
        (
            &["compare", "--epochs", "281474976710656"],
            "--epochs 281474976710656: this run needs",
        ),
        (
            &["compare", "--json", "out/compare.png"],
            "--json out/compare.png: --out writes the same file",
        ),
        (
            &["compare", "--gradient", "fused", "--adamw-rate", "0.5"],
            "--adamw-rate 5e-1: only with the rung optimizer",
        ),
        (
            &["compare", "--out", "taken"],
            "taken/compare.png is a directory",
        ),
    ];
    for (args, fragment) in cases {
        let dir = tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("taken/compare.png")).unwrap();
        let (code, stdout, stderr) = run(dir.path(), args);
        assert_eq!((code, stderr.lines().count()), (2, 1), "{args:?}: {stderr}");
        assert!(stderr.contains(fragment), "{args:?}: {stderr}");
        assert!(stdout.is_empty());
        assert_eq!(names(dir.path()), ["taken"]);
    }
}
