//! Limits that a shell or a container sets: memory, the size of files, open files, processes.

use crate::chance::{Chance, runs};
use crate::program::{Ended, program, run};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use tempfile::tempdir;

/// Somebody without rights, as nobody is limited in processes who has all.
const STRANGER: u32 = 54321;

/// The program as `sh` starts it under limits.
fn limited(dir: &Path, limits: &str, args: &str, context: &str) -> Ended {
    let mut shell = Command::new("sh");
    let program = env!("CARGO_BIN_EXE_candle-sine");
    shell.args(["-c", &format!("{limits}; exec {program} {args}")]);
    run(
        shell.current_dir(dir).env_remove("CARGO_MANIFEST_DIR"),
        dir,
        context,
    )
}

/// A run that is admitted has the memory that it needs.
#[test]
fn memory_is_enough_or_refused() {
    let mut chance = Chance::new(10);
    let mut admitted = 0;
    for _ in 0..runs(50) {
        let dir = tempdir().unwrap();
        let points = chance.number(3., 6.2).abs() as u32;
        let command = chance.of(&[
            "train --gradient manual",
            "train --gradient autograd",
            "train --gradient optimizer",
            "train --gradient fused",
            "train --gradient normal --animate",
            "check",
            "compare",
        ]);
        let short = if command == "check" {
            ""
        } else {
            "--epochs 2 --learning-rate 1e-12"
        };
        let dtype = chance.of(&["f32", "f64"]);
        let args = format!("{command} --dtype {dtype} --points {points} {short}");
        let kilobytes = chance.number(4.7, 5.7).abs() as u64;
        let context = format!("{}: ulimit -v {kilobytes}; {args}", chance.seed());
        let ended = limited(
            dir.path(),
            &format!("ulimit -v {kilobytes}"),
            &args,
            &context,
        );
        match ended.code {
            2 => assert!(
                ended.stderr.contains("of memory, and there are "),
                "{context}\n{}",
                ended.stderr
            ),
            _ => admitted += 1,
        }
    }
    assert!(admitted > 5, "{}: {admitted}", chance.seed());
}

/// What is too large is missing whole, and the rest is there.
#[test]
fn a_limit_on_files_leaves_none_half_written() {
    let mut chance = Chance::new(11);
    for _ in 0..runs(12) {
        let dir = tempdir().unwrap();
        let blocks = chance.below(200);
        let args = "--epochs 3 --save w --json j";
        let context = format!("{}: ulimit -f {blocks}", chance.seed());
        let ended = limited(dir.path(), &format!("ulimit -f {blocks}"), args, &context);
        for name in ["sine", "y_true", "y_pred", "y_random", "overlay", "loss"] {
            if let Ok(png) = std::fs::read(dir.path().join(format!("out/{name}.png"))) {
                assert!(png.ends_with(b"IEND\xaeB`\x82"), "{context}: {name}");
            }
        }
        // The JSON itself is smaller than that.
        if blocks > 8 {
            let json = std::fs::read(dir.path().join("j")).unwrap();
            let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
            let files = json["files"].as_array().unwrap().len();
            assert_eq!(files == 8, ended.code == 0, "{context}\n{}", ended.stderr);
        }
    }
}

#[test]
fn few_open_files_are_enough_or_named() {
    let mut chance = Chance::new(12);
    for _ in 0..runs(12) {
        let dir = tempdir().unwrap();
        let most = 4 + chance.below(16);
        let command = chance.of(&["train --epochs 3 --save w", "check"]);
        let context = format!("{}: ulimit -n {most}; {command}", chance.seed());
        let ended = limited(dir.path(), &format!("ulimit -n {most}"), command, &context);
        assert!([0, 2].contains(&ended.code), "{context}\n{}", ended.stderr);
    }
}

/// The program goes on with the threads that it gets.
#[test]
fn few_threads_are_enough() {
    let mut chance = Chance::new(13);
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let somebody = |command: &mut Command| {
        if root {
            command.uid(STRANGER);
        }
    };
    let dir = tempdir().unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(dir.path(), open).unwrap();
    let mut version = program(dir.path());
    somebody(version.arg("--version"));
    if !version.output().is_ok_and(|output| output.status.success()) {
        eprintln!("left out: the user {STRANGER} cannot start the program");
        return;
    }
    for _ in 0..runs(15) {
        let most = 1 + chance.below(8);
        let command = chance.of(&["train --epochs 3", "check", "compare --epochs 3", "guide"]);
        let context = format!("{}: ulimit -u {most}; {command}", chance.seed());
        let mut shell = Command::new("bash");
        let program = env!("CARGO_BIN_EXE_candle-sine");
        shell.args(["-c", &format!("ulimit -u {most}; exec {program} {command}")]);
        somebody(shell.current_dir(dir.path()));
        let ended = run(&mut shell, dir.path(), &context);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{context}");
    }
}
