//! `candle-sine audit` from outside.

mod common;

use common::run;
use serde_json::Value;
use std::path::Path;
use tempfile::tempdir;

#[test]
fn one_function_by_name() {
    let dir = tempdir().expect("a directory");
    let (code, stdout, stderr) = run(dir.path(), &["audit", "max_pool2d"]);
    let card = stdout;
    assert_eq!(code, 0, "{card}");
    assert!(card.contains("candle_core::Tensor::max_pool2d\n"), "{card}");
    assert!(card.contains("backprop.rs:374") && card.contains("Every verdict is as recorded."));
    assert!(!card.contains("avg_pool2d") && stderr.is_empty());
}

#[test]
fn by_full_path_and_by_the_name_of_a_layer() {
    let dir = tempdir().expect("a directory");
    for name in [
        "candle_nn::ops::softmax",
        "ops::softmax",
        "Linear",
        "LayerNorm",
        "QMatMul",
    ] {
        let (code, stdout, _) = run(dir.path(), &["audit", name, "--all"]);
        assert_eq!(code, 0, "{name}: {}", stdout);
        assert!(stdout.contains("Every check"), "{name}");
    }
}

#[test]
fn json_to_stdout_holds_nothing_else() {
    let dir = tempdir().expect("a directory");
    let (code, stdout, stderr) = run(dir.path(), &["audit", "relu", "sum", "--json", "-"]);
    assert_eq!(code, 0);
    let json: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(json["schema"], 1);
    assert_eq!(json["candle_core"], "0.11.1");
    assert_eq!(json["device"], "cpu");
    assert_eq!(json["summary"]["convention"], 1);
    let ops: Vec<_> = json["cases"]
        .as_array()
        .expect("cases")
        .iter()
        .map(|c| &c["op"])
        .collect();
    assert!(ops.iter().all(|op| *op == "relu" || *op == "sum") && !ops.is_empty());
    assert!(stderr.is_empty());
}

#[test]
fn markdown_and_json_to_files_and_one_type() {
    let dir = tempdir().expect("a directory");
    let args = [
        "audit",
        "gelu",
        "--dtype",
        "f16",
        "--json",
        "a.json",
        "--markdown",
        "a.md",
    ];
    let (code, stdout, _) = run(dir.path(), &args);
    assert_eq!(code, 0, "{}", stdout);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("a file");
    let json: Value = serde_json::from_str(&read("a.json")).expect("JSON");
    let cases = json["cases"].as_array().expect("cases");
    assert!(cases.iter().all(|c| c["dtype"] == "f16"));
    assert!(
        cases
            .iter()
            .any(|c| c["verdict"] == "non_finite" && c["known"] == true)
    );
    assert!(read("a.md").starts_with("# Which of candle's gradients are right"));
}

/// A kernel that is expanded has conv1d read what lies behind it in memory: that is said, not shown.
#[test]
fn two_runs_print_the_same_bytes() {
    let dir = tempdir().expect("a directory");
    let checked = |before: &[&str]| -> Vec<Value> {
        let convolutions = ["conv1d", "conv1d_with_algo", "Conv1d", "--json", "-"];
        let args = [&["audit"], before, &convolutions].concat();
        let (code, stdout, _) = run(dir.path(), &args);
        assert_eq!(code, 0);
        let json: Value = serde_json::from_str(&stdout).expect("JSON");
        let cases = json["cases"].as_array().expect("cases").iter();
        let of = |c: &&Value| convolutions.iter().any(|name| c["op"] == *name);
        cases.filter(of).cloned().collect()
    };
    // Other functions before leave other memory behind.
    let runs = [&[][..], &[], &["matmul"], &["relu", "conv2d"]].map(checked);
    for run in &runs[1..] {
        assert_eq!(run, &runs[0]);
    }
    let hidden = |c: &&Value| c["note"].to_string().contains("varies from run to run");
    let hidden: Vec<_> = runs[0].iter().filter(hidden).collect();
    assert!(hidden.len() > 20 && hidden.iter().all(|c| c["probe"] == "expanded"));
    assert!(hidden.iter().all(|c| c["autograd"].is_null()));
}

/// It is over in seconds and has nothing to write before.
#[test]
fn its_help_promises_nothing_after_ctrl_c() {
    let dir = tempdir().expect("a directory");
    let (code, stdout, _) = run(dir.path(), &["audit", "--help"]);
    let text = stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        code == 0 && text.contains("130 ended by Ctrl-C, with nothing written."),
        "{text}"
    );
}

#[test]
fn its_help_names_every_key_of_the_json() {
    let dir = tempdir().expect("a directory");
    let (_, help, _) = run(dir.path(), &["audit", "--help"]);
    let words: Vec<_> = help
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .collect();
    let (_, stdout, _) = run(dir.path(), &["audit", "relu", "--json", "-"]);
    let json: Value = serde_json::from_str(&stdout).expect("JSON");
    let keys = |v: &Value| {
        v.as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let all = [keys(&json), keys(&json["cases"][0])].concat();
    assert!(all.len() > 20);
    for key in all {
        assert!(words.contains(&key.as_str()), "{key}");
    }
}

/// An entry of the record by its id.
#[test]
fn an_entry_stands_for_its_functions() {
    let dir = tempdir().expect("a directory");
    let (code, by_id, _) = run(dir.path(), &["audit", "scatter-self"]);
    let (_, by_name, _) = run(dir.path(), &["audit", "Tensor::scatter"]);
    assert_eq!((code, by_id), (0, by_name));
}

#[test]
fn bad_arguments_are_one_line() {
    let dir = tempdir().expect("a directory");
    let cases: [(&[&str], &str); 6] = [
        (
            &["audit", "relu", "--json", "a", "--markdown", "./a"],
            "--markdown ./a: --json writes the same file",
        ),
        (&["audit", "no_such_op"], "no_such_op"),
        (&["audit", "--dtype", "f8"], "--dtype"),
        (&["audit", "--device", "abacus"], "--device"),
        (&["audit", "relu", "--json", "/dev/null/a.json"], "--json"),
        (
            &["audit", "relu", "--json", "-", "--markdown", "-"],
            "stdout holds only one",
        ),
    ];
    for (args, said) in cases {
        let (code, stdout, stderr) = run(dir.path(), args);
        let error = stderr;
        assert_eq!(code, 2, "{args:?}: {error}");
        assert!(
            error.contains(said) && error.lines().count() == 1,
            "{args:?}: {error}"
        );
        assert!(stdout.is_empty());
    }
    assert!(
        Path::new(dir.path())
            .read_dir()
            .expect("readable")
            .next()
            .is_none()
    );
}
