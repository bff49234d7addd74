//! `--help` names every key of what `--json` writes, and no other.

mod common;

use common::run;
use serde_json::Value;
use std::collections::BTreeSet;
use tempfile::tempdir;

/// The keys, those of the objects inside among them, but for objects whose keys are names or counts.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                found.insert(key.clone());
                if !["summary", "at"].contains(&key.as_str()) {
                    keys(value, found);
                }
            }
        }
        Value::Array(all) => all.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

/// Of the help's last paragraph, without what stands in brackets but is no key.
fn named(help: &str) -> BTreeSet<String> {
    let (_, list) = help.split_once("Keys of the JSON:").unwrap();
    let words = list.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let words = words.filter(|word| !word.is_empty());
    words.map(str::to_owned).collect()
}

#[test]
fn help_names_the_keys_of_the_json() {
    for args in [
        &["train"][..],
        &["check", "--every", "500"],
        &["compare", "--epochs", "3"],
    ] {
        let dir = tempdir().unwrap();
        let (code, stdout, stderr) = run(dir.path(), &[args, &["--json", "-"]].concat());
        assert_eq!(code, 0, "{args:?}: {stderr}");
        let mut written = BTreeSet::new();
        keys(&serde_json::from_str(&stdout).unwrap(), &mut written);
        let (_, help, _) = run(dir.path(), &[args[0], "--help"]);
        assert_eq!(written, named(&help), "{args:?}");
    }
}
