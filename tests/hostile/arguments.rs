//! Lists of arguments: good ones, bad ones, and what no keyboard writes.

use crate::chance::{Chance, runs};
use crate::program::{differing, program, run, shown, tree};
use std::ffi::OsString;
use tempfile::tempdir;

const COMMANDS: &[&str] = &["train", "check", "compare", "guide", "", "nonsense"];

const FLAGS: &[&str] = &[
    "--points",
    "--seed",
    "--draw",
    "--init",
    "--dtype",
    "--device",
    "--resume",
    "--epochs",
    "--learning-rate",
    "--log-every",
    "--gradient",
    "--out",
    "--format",
    "--json",
    "--save",
    "--every",
    "--adamw-rate",
    "--markdown",
    "--animate",
    "--quiet",
    "-q",
    "--all",
    "--lr",
    "--",
    "-",
    "--points=7",
    "--epochs=3",
    "--help",
    "--version",
    "-h",
    "relu",
];

/// None takes long: what is large is too large for any machine.
const VALUES: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "5",
    "50",
    "-1",
    "4294967296",
    "18446744073709551615",
    "281474976710656",
    "281474976710657",
    "1e-6",
    "6e-6",
    "1e-300",
    "1e300",
    "inf",
    "NaN",
    "-0.0",
    "",
    " ",
    "-",
    "--",
    "f32",
    "f64",
    "f16",
    "cpu",
    "auto",
    "cuda",
    "tpu",
    "manual",
    "autograd",
    "optimizer",
    "fused",
    "normal",
    "manual,fused",
    "png",
    "svg",
    "random",
    "0.1,-0.2,0.3,0.4",
    "1,2,3",
    "1e37,1e37,1,1",
    "out",
    "a/b",
    "w",
    "./-w",
    "..",
    ".",
    "file",
    "file/x",
    "new/",
    "two\nlines",
    "\u{1b}[31m",
    "한글",
];

fn value(chance: &mut Chance) -> OsString {
    #[cfg(unix)]
    if chance.one_in(40) {
        use std::os::unix::ffi::OsStringExt;
        return OsString::from_vec(vec![b'w', 0xff, b'\n']);
    }
    match chance.one_in(60) {
        true => "x".repeat(5000).into(),
        false => chance.of(VALUES).into(),
    }
}

fn arguments(chance: &mut Chance) -> Vec<OsString> {
    let mut args: Vec<OsString> = vec![];
    let command = chance.of(COMMANDS);
    args.extend((!command.is_empty()).then(|| command.into()));
    for _ in 0..chance.below(5) {
        args.push(chance.of(FLAGS).into());
        if !chance.one_in(6) {
            args.push(value(chance));
        }
    }
    args
}

/// An answer that could not be had leaves everything as it was, and one that could is the same again.
#[test]
fn any_arguments_have_an_answer() {
    let mut chance = Chance::new(1);
    for _ in 0..runs(250) {
        let dir = tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "plain").unwrap();
        let args = arguments(&mut chance);
        let context = format!("{}: {}", chance.seed(), shown(&args));
        let before = tree(dir.path());
        let first = run(program(dir.path()).args(&args), dir.path(), &context);
        if first.code == 2 {
            let differing = differing(&before, &tree(dir.path()));
            assert!(
                differing.is_empty(),
                "{context}\n{}{differing:?}",
                first.stderr
            );
        }
        let timed = args.iter().any(|a| a == "compare" || a == "random");
        if chance.one_in(4) && !timed {
            let again = tempdir().unwrap();
            std::fs::write(again.path().join("file"), "plain").unwrap();
            let second = run(program(again.path()).args(&args), again.path(), &context);
            assert_eq!(
                (first.code, first.stdout),
                (second.code, second.stdout),
                "{context}"
            );
        }
    }
}
