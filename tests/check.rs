//! The manual gradient against autograd and numbers: by the library, with mistakes planted, and by
//! `candle-sine check` from outside.

mod common;

use candle_core::{DType, Device, Result, Tensor};
use candle_sine::gradcheck::{Dissent, Options, gradcheck_with};
use candle_sine::pytorch::sum;
use candle_sine::sine::cubic::{Powers, cubic};
use candle_sine::sine::gradient::Method;
use candle_sine::sine::{Data, Weights, post};
use common::{names, run};
use serde_json::Value;
#[cfg(unix)]
use std::time::Duration;
use tempfile::tempdir;

fn weights_of(w: &[Tensor]) -> Weights {
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| w[i].clone());
    Weights { a, b, c, d }
}

fn loss(data: &Data, w: &[Tensor]) -> Result<Tensor> {
    sum(&(cubic(&Powers::new(&data.x)?, &weights_of(w))? - &data.y)?.sqr()?)
}

type Mistake = fn(&Data, &Tensor, Vec<Tensor>) -> Result<Vec<Tensor>>;

/// Which weights' gradients stand alone when `mistake` is made in the manual one.
fn dissenters(mistake: Mistake) -> Vec<&'static str> {
    let data = Data::new(1000, DType::F64, &Device::Cpu).unwrap();
    let w = post::WEIGHTS.map(|w| Tensor::new(f64::from(w), &Device::Cpu).unwrap());
    let manual = |w: &[Tensor], _: &Tensor| {
        let Weights { a, b, c, d } = Method::Manual
            .over(&data)?
            .loss_and_grad(&weights_of(w))?
            .grad;
        let y_pred = cubic(&Powers::new(&data.x)?, &weights_of(w))?;
        let grad_y_pred = ((y_pred - &data.y)? * 2.)?;
        mistake(&data, &grad_y_pred, vec![a, b, c, d])
    };
    let report = gradcheck_with(|w| loss(&data, w), manual, &w, &Options::default()).unwrap();
    let of = |i: &candle_sine::gradcheck::InputReport| i.manual.as_ref().unwrap().dissent;
    let alone = report.inputs.iter().filter(|i| of(i) != Dissent::None);
    alone
        .map(|i| {
            assert_eq!(of(i), Dissent::Manual);
            Weights::NAMES[i.input]
        })
        .collect()
}

#[test]
fn a_wrong_manual_gradient_is_caught_and_blamed() {
    let cases: [(&str, Mistake, &[&str]); 6] = [
        ("none", |_, _, g| Ok(g), &[]),
        (
            "sign",
            |_, _, g| Ok(vec![g[0].neg()?, g[1].clone(), g[2].clone(), g[3].clone()]),
            &["a"],
        ),
        (
            "factor 2",
            |_, _, g| g.iter().map(|g| g / 2.).collect(),
            &["a", "b", "c", "d"],
        ),
        (
            "x² for x³",
            |data, grad_y_pred, g| {
                let grad_a = sum(&(grad_y_pred * data.x.sqr()?)?)?;
                Ok(vec![grad_a, g[1].clone(), g[2].clone(), g[3].clone()])
            },
            &["a"],
        ),
        (
            "mean for sum",
            |_, _, g| g.iter().map(|g| g / 1000.).collect(),
            &["a", "b", "c", "d"],
        ),
        // One part in a million, in one weight.
        (
            "1e-6 off",
            |_, _, g| {
                Ok(vec![
                    g[0].clone(),
                    g[1].clone(),
                    (&g[2] * (1. + 1e-6))?,
                    g[3].clone(),
                ])
            },
            &["c"],
        ),
    ];
    for (name, mistake, caught) in cases {
        assert_eq!(dissenters(mistake), caught, "{name}");
    }
}

#[test]
fn check_answers_with_four_rows() {
    let dir = tempdir().unwrap();
    for dtype in ["f32", "f64"] {
        let (code, stdout, stderr) = run(dir.path(), &["check", "--dtype", dtype]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        let lines: Vec<_> = stdout.lines().collect();
        assert!(lines[0].contains("manual") && lines[0].contains("autograd"));
        for (line, name) in lines[1..5].iter().zip(["a", "b", "c", "d"]) {
            let words: Vec<_> = line.split_whitespace().collect();
            assert_eq!((words[0], words[1], words[8]), ("1", name, "OK"), "{line}");
        }
        assert_eq!(lines[6], "the gradients agree: 4 of 4 rows certified");
    }
    assert!(names(dir.path()).is_empty());
}

/// What f32 is too coarse for, f64 certifies; and a beginner is told.
#[test]
fn what_rounding_leaves_open_is_said_to_be_seen_in_f64() {
    let dir = tempdir().unwrap();
    let (code, stdout, _) = run(dir.path(), &["check", "--every", "10"]);
    let (_, open) = stdout.split_once(" of 400 rows certified; ").unwrap();
    assert!(
        code == 0 && open.contains(" agree within the rounding of f32, "),
        "{open}"
    );
    assert!(open.ends_with("`--dtype f64` sees more\n"), "{open}");
    let (code, stdout, _) = run(dir.path(), &["check", "--every", "10", "--dtype", "f64"]);
    let all = stdout.ends_with("the gradients agree: 400 of 400 rows certified\n");
    assert!(code == 0 && all, "{stdout}");
}

#[test]
fn check_follows_a_run() {
    let dir = tempdir().unwrap();
    let args = [
        "check",
        "--every",
        "250",
        "--learning-rate",
        "5e-6",
        "--seed",
        "3",
        "--json",
        "-",
    ];
    let (code, stdout, _) = run(dir.path(), &args);
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(
        (code, &json["agree"], &json["schema"]),
        (0, &true.into(), &1.into())
    );
    assert_eq!(json["interrupted"], false);
    let rows = json["rows"].as_array().unwrap();
    let epochs: Vec<_> = rows
        .iter()
        .step_by(4)
        .map(|r| r["epoch"].as_u64().unwrap())
        .collect();
    assert_eq!(epochs, [1, 251, 501, 751]);
    for row in rows {
        let [numeric, manual] = ["numeric", "manual"].map(|k| row[k].as_f64().unwrap());
        // serde_json reads a number to within a unit in the last place.
        let difference = row["difference"].as_f64().unwrap();
        assert!((numeric - manual).abs() <= difference * (1. + 1e-9) + 1e-14 * numeric.abs());
        assert!(
            row["ulps"].as_f64().unwrap() < 1e3 || row["verdict"] == "inconclusive",
            "{row}"
        );
    }
}

/// Where every gradient is rounding, nothing is certified, and that is no yes.
#[test]
fn check_at_the_optimum_certifies_nothing() {
    let dir = tempdir().unwrap();
    let optimum = "-0.09327321,0,0.85649875,0";
    let (code, stdout, stderr) = run(dir.path(), &["check", "--init", optimum]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stderr.contains("nothing could be certified"), "{stderr}");
    let (_, help, _) = run(dir.path(), &["check", "--help"]);
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(
        "1 a negative answer (the loss diverged, gradients disagree or none could be certified"
    ));
}

#[test]
fn a_run_that_diverges_is_no_yes() {
    let dir = tempdir().unwrap();
    let args = ["check", "--every", "100", "--learning-rate", "1e-5"];
    let (code, _, stderr) = run(dir.path(), &args);
    assert_eq!(code, 1);
    assert!(stderr.contains("not finite at epoch 69"), "{stderr}");
}

/// Where the loss itself overflows, no gradient is to blame: `train` gives the same answer.
#[test]
fn a_loss_that_overflows_is_the_answer() {
    for (dtype, init) in [
        ("f32", "1e39,0,0,0"),
        ("f32", "1e37,1e37,1e37,1e37"),
        ("f64", "1e153,0,0,1"),
    ] {
        for command in [&["check"][..], &["check", "--every", "1"], &["train"]] {
            let dir = tempdir().unwrap();
            let args = [command, &["--dtype", dtype, "--init", init]].concat();
            let (code, _, stderr) = run(dir.path(), &args);
            let line = format!("error: the loss at the initial weights is too large for {dtype}\n");
            assert_eq!((code, stderr), (1, line), "{args:?}");
            assert!(names(dir.path()).is_empty());
        }
    }
}

#[cfg(unix)]
#[test]
fn ctrl_c_leaves_the_rows_so_far() {
    let dir = tempdir().unwrap();
    let args = "check --every 1000000 --epochs 100000000 --learning-rate 1e-9 --json";
    let args: Vec<_> = args.split(' ').chain(["rows.json"]).collect();
    // The head and a row: the run has begun.
    let (code, stdout, stderr) = common::interrupted(dir.path(), &args, 2, Duration::ZERO);
    assert_eq!((code, stderr.as_str()), (130, ""), "{stdout}");
    let verdict = "the gradients agree: 4 of 4 rows certified\ninterrupted after ";
    assert!(stdout.contains(verdict), "{stdout}");
    assert!(stdout.ends_with(" of 100000000 epochs\n"), "{stdout}");
    let json = std::fs::read_to_string(dir.path().join("rows.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&json["interrupted"], &json["agree"]),
        (&true.into(), &true.into())
    );
    assert_eq!(json["rows"].as_array().unwrap().len(), 4);
}

#[test]
fn a_random_seed_is_named() {
    let dir = tempdir().unwrap();
    let (_, stdout, _) = run(dir.path(), &["check", "--seed", "random"]);
    assert!(stdout.starts_with("--seed "), "{stdout}");
}

#[test]
fn bad_input_to_check_is_one_clear_line() {
    let cases: [(&[&str], &str); 6] = [
        (&["check", "--every", "0"], "--every"),
        (
            &["check", "--every", "1", "--epochs", "281474976710656"],
            "--epochs 281474976710656",
        ),
        (&["check", "--epochs", "5"], "--every"),
        (&["check", "--points", "1"], "--points"),
        (&["check", "--json", "new/"], "--json new/"),
        (&["check", "--out", "x"], "--out"),
    ];
    for (args, fragment) in cases {
        let dir = tempdir().unwrap();
        let (code, _, stderr) = run(dir.path(), args);
        assert_eq!((code, stderr.lines().count()), (2, 1), "{args:?}: {stderr}");
        assert!(stderr.contains(fragment), "{args:?}: {stderr}");
        assert!(names(dir.path()).is_empty());
    }
}
