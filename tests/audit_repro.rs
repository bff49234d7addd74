//! `candle-sine audit NAME --repro`: every program of the record is compiled and run, and shows its
//! defect; one whose defect is gone says so.
#![cfg(feature = "cli")]

mod common;

use candle_sine::audit::known::{Known, Severity, parse, program, record};
use common::program::compile;
use common::run;
use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;

/// Programs by name as the modules of one crate, which runs the one that its argument names.
fn crate_of(programs: &[(String, String)]) -> String {
    let (mut modules, mut arms) = (String::new(), String::new());
    for (name, program) in programs {
        assert_eq!(program.matches("\nfn main() {").count(), 1, "{name}");
        let module = name.replace('-', "_");
        let program = program.replace("\nfn main() {", "\npub fn main() {");
        writeln!(modules, "mod {module} {{\n{program}}}\n").unwrap();
        writeln!(arms, "        \"{name}\" => {module}::main(),").unwrap();
    }
    format!(
        "{modules}\nfn main() {{\n    match std::env::args().nth(1).unwrap().as_str() {{\n{arms}\
         \x20       name => panic!(\"{{name}}\"),\n    }}\n}}\n"
    )
}

/// Exit status and stdout of one of them.
fn outcome(binary: &Path, name: &str) -> (Option<i32>, String) {
    let output = Command::new(binary).arg(name).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    (output.status.code(), stdout)
}

/// Of functions that are right, as if each defect were repaired: of a value, of a gradient, of one
/// that may be absent, and one that may panic.
fn repaired() -> Vec<Known> {
    let entry = |id: &str, repro: &str| {
        format!(
            "[[defect]]\nid = '{id}'\nseverity = 'loud'\nwhat = 'it fails'\nwhen = 'never'\n\
             cause = {{ line = 'candle-core/src/lib.rs:1', quote = '' }}\n\
             rows = [{{ verdict = 'error', function = 'candle_core::Tensor::sqr' }}]\n\
             [defect.repro]\n{repro}torch = ''\n"
        )
    };
    let x = "code = 'let x = Var::new(&[2f32], &Device::Cpu)?; let y = ";
    let entries = [
        entry("a-value", &format!("should_be = [4]\n{x}x.sqr()?;'\n")),
        entry(
            "a-gradient",
            &format!("gradient = 'x'\nshould_be = [4]\n{x}x.sqr()?;'\n"),
        ),
        entry(
            "no-gradient",
            &format!("gradient = 'x'\nshould_be = [0]\n{x}x.zeros_like()?;'\n"),
        ),
        entry(
            "a-panic",
            &format!("panics = true\nshould_be = [4]\n{x}x.sqr()?;'\n"),
        ),
    ];
    parse("repaired", &entries.concat()).unwrap()
}

#[test]
fn every_program_shows_its_defect() {
    let defects = record().unwrap().iter().filter(|k| k.repro.is_some());
    let repaired = repaired();
    let all = defects.clone().chain(&repaired);
    let programs: Vec<_> = all.map(|k| (k.id.clone(), program(k).unwrap())).collect();
    let binary = compile(&crate_of(&programs), "audit_repro");
    for (known, status) in defects
        .map(|k| (k, 1))
        .chain(repaired.iter().map(|k| (k, 0)))
    {
        let (code, stdout) = outcome(&binary, &known.id);
        assert_eq!(code, Some(status), "{}: {stdout}", known.id);
        let should_be = &known.repro.as_ref().unwrap().should_be;
        assert!(stdout.contains("is        "), "{}: {stdout}", known.id);
        assert!(stdout.lines().count() <= 3, "{}: {stdout}", known.id);
        let line = format!("should be {should_be:?}\n");
        assert!(stdout.ends_with(&line), "{}: {stdout}", known.id);
    }
}

/// A defect has a program; a convention where PyTorch does otherwise.
#[test]
fn every_entry_has_a_program() {
    for known in record().unwrap() {
        let shared = known
            .pytorch
            .as_ref()
            .is_some_and(|p| p.starts_with("the same"));
        let convention = known.severity == Severity::Convention;
        assert_eq!(known.repro.is_none(), shared && convention, "{}", known.id);
    }
}

/// Alone, as one who files it has it: no line is longer than rustfmt's, and it is short.
#[test]
fn a_program_is_printed_as_it_is_compiled() {
    let dir = tempdir().unwrap();
    for known in record().unwrap().iter().filter(|k| k.repro.is_some()) {
        let program = program(known).unwrap();
        assert!(program.lines().count() <= 70, "{}:\n{program}", known.id);
        let longest = program.lines().map(|l| l.chars().count()).max();
        assert!(longest <= Some(100), "{}:\n{program}", known.id);
    }
    let (code, stdout, stderr) = run(dir.path(), &["audit", "max_pool2d_with_stride", "--repro"]);
    assert!(code == 2 && stdout.is_empty());
    assert!(
        stderr.contains("max-pool (") && stderr.contains("; pool-stride ("),
        "{stderr}"
    );
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let known = record()
        .unwrap()
        .iter()
        .find(|k| k.id == "pool-stride")
        .unwrap();
    let (code, stdout, stderr) = run(dir.path(), &["audit", "pool-stride", "--repro"]);
    assert!(code == 0 && stderr.is_empty());
    assert_eq!(stdout, program(known).unwrap());
}

#[test]
fn a_report_says_all_that_upstream_needs() {
    let dir = tempdir().unwrap();
    for known in record().unwrap().iter().filter(|k| k.repro.is_some()) {
        let (code, text, _) = run(dir.path(), &["audit", &known.id, "--issue"]);
        assert_eq!(code, 0, "{}", known.id);
        assert!(text.contains(&program(known).unwrap()), "{text}");
        for part in [
            &known.what,
            &known.when,
            &known.cause.quote,
            &known.cause.line.to_string(),
        ] {
            assert!(text.contains(part), "{part}:\n{text}");
        }
        assert!(
            text.contains("import torch") && text.matches("```").count() == 6,
            "{text}"
        );
        if let Some(instead) = &known.instead {
            assert!(text.contains(&instead.text), "{text}");
        }
    }
}

#[test]
fn what_cannot_be_shown_is_one_line() {
    let dir = tempdir().unwrap();
    let cases: [(&[&str], &str); 8] = [
        (&["--repro"], "--repro takes one NAME"),
        (&["--issue"], "--issue takes one NAME"),
        (&["relu", "abs", "--repro"], "--repro takes one NAME"),
        (
            &["no_such_op", "--repro"],
            "the record has no defect of that name",
        ),
        (&["sum", "--repro"], "the record has no defect of that name"),
        (&["elu-at-0", "--issue"], "a convention that PyTorch shares"),
        (&["relu", "--repro", "--all"], "--all"),
        (&["relu", "--issue", "--json", "-"], "--json"),
    ];
    for (args, said) in cases {
        let (code, stdout, stderr) = run(dir.path(), &[&["audit"], args].concat());
        assert!(code == 2 && stdout.is_empty(), "{args:?}: {stdout}{stderr}");
        assert!(
            stderr.contains(said) && stderr.lines().count() == 1,
            "{args:?}: {stderr}"
        );
    }
}
