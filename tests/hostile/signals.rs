//! Signals at any moment: before the run, in it, while its files are written.

use crate::chance::{Chance, runs};
use crate::common::hearing;
use crate::program::{ended, program, run};
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::tempdir;

const SIGNALS: &[&str] = &["INT", "TERM", "HUP"];

fn send(signal: &str, child: &Child) {
    let pid = child.id().to_string();
    let kill = Command::new("kill")
        .args(["-s", signal, &pid])
        .stderr(Stdio::null())
        .status();
    // It may have ended by itself.
    _ = kill.unwrap();
}

fn started(dir: &Path, args: &str) -> Child {
    let mut command = program(dir);
    hearing(&mut command)
        .args(args.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// What `w` held before, or a whole checkpoint.
fn old_or_new(dir: &Path, old: &[u8], context: &str) {
    let now = std::fs::read(dir.join("w")).unwrap();
    if now != old {
        let args = "--resume w --epochs 1 -q --format svg --learning-rate 1e-9".split(' ');
        let ended = run(program(dir).args(args), dir, context);
        assert_eq!(ended.code, 0, "{context}\n{}", ended.stderr);
    }
}

fn prepared(dir: &Path) -> Vec<u8> {
    let args = "--epochs 1 -q --format svg --save w".split(' ');
    assert_eq!(run(program(dir).args(args), dir, "to prepare").code, 0);
    std::fs::read(dir.join("w")).unwrap()
}

/// In a run that does not end by itself.
#[test]
fn a_run_that_is_ended_keeps_what_it_learned() {
    let mut chance = Chance::new(7);
    for _ in 0..runs(12) {
        let dir = tempdir().unwrap();
        prepared(dir.path());
        let signal = chance.of(SIGNALS);
        let context = format!("{}: {signal}", chance.seed());
        let mut child = started(
            dir.path(),
            "--epochs 100000000 --log-every 1000 --learning-rate 1e-9 --gradient fused --save w --format svg",
        );
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (0..1 + chance.below(20)).for_each(|_| drop(lines.next().unwrap().unwrap()));
        send(signal, &child);
        let rest: Vec<_> = lines.map(|line| line.unwrap()).collect();
        let ended = ended(child.wait_with_output().unwrap(), dir.path(), &context);
        assert_eq!((ended.code, ended.stderr.as_str()), (130, ""), "{context}");
        let last = rest.last().unwrap();
        assert!(
            last.contains("to go on: `candle-sine --resume w "),
            "{context}\n{last}"
        );
        old_or_new(dir.path(), b"", &context);
    }
}

/// One or two signals at a moment by chance, in runs of all lengths.
#[test]
fn no_moment_leaves_half_a_file() {
    let mut chance = Chance::new(8);
    for _ in 0..runs(60) {
        let dir = tempdir().unwrap();
        let old = prepared(dir.path());
        let epochs = chance.of(&["1", "3000", "300000", "100000000"]);
        let args = format!(
            "--epochs {epochs} --learning-rate 1e-9 --gradient fused --save w --resume w --json j"
        );
        let child = started(dir.path(), &args);
        let mut context = format!("{}: {args}", chance.seed());
        let twice = chance.one_in(2) || *epochs == *"100000000";
        for _ in 0..1 + usize::from(twice) {
            std::thread::sleep(Duration::from_micros(chance.below(150_000) as u64));
            let signal = chance.of(SIGNALS);
            context += &format!(" {signal}");
            send(signal, &child);
        }
        let output = child.wait_with_output().unwrap();
        // Before the program listens a signal does what it does to any program.
        let unheard = output.status.signal().is_some() && output.stdout.is_empty();
        if !unheard {
            ended(output, dir.path(), &context);
        }
        old_or_new(dir.path(), &old, &context);
        if let Ok(json) = std::fs::read(dir.path().join("j")) {
            serde_json::from_slice::<serde_json::Value>(&json).expect(&context);
        }
    }
}

/// `nohup`, and a shell's job in the background.
#[test]
fn a_signal_that_is_to_be_ignored_is() {
    let mut chance = Chance::new(9);
    for _ in 0..runs(4) {
        let dir = tempdir().unwrap();
        let signal = chance.of(SIGNALS);
        let script = format!(
            "trap '' {signal}; exec {} --epochs 400000 --learning-rate 1e-9 --gradient fused --log-every 1000",
            env!("CARGO_BIN_EXE_candle-sine")
        );
        let mut child = hearing(&mut Command::new("sh"))
            .args(["-c", &script])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        send(signal, &child);
        let last = lines.map(|line| line.unwrap()).last().unwrap();
        let context = format!("{}: {signal}", chance.seed());
        let ended = ended(child.wait_with_output().unwrap(), dir.path(), &context);
        assert_eq!(ended.code, 0, "{context}\n{}", ended.stderr);
        assert!(last.starts_with("wrote "), "{context}\n{last}");
    }
}

/// Four thousand million draws take more than a minute, which nobody has to wait for.
#[test]
fn a_search_for_a_late_draw_can_be_ended() {
    let mut chance = Chance::new(15);
    let dir = tempdir().unwrap();
    let mut command = program(dir.path());
    command.args(["--seed", "1", "--draw", "4294967295"]);
    hearing(&mut command)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    let signal = chance.of(SIGNALS);
    send(signal, &child);
    let context = format!("{}: {signal}", chance.seed());
    let output = child.wait_with_output().unwrap();
    // On a busy machine it may not have begun to listen.
    if output.status.signal().is_none() {
        assert_eq!(ended(output, dir.path(), &context).code, 130, "{context}");
    }
}

/// A pipe that nobody opens at its other end is waited for, but not for ever.
#[test]
fn a_pipe_without_another_end_is_named() {
    for (flag, what) in [
        ("--save", "nobody reads this pipe"),
        ("--resume", "nobody writes to"),
    ] {
        let dir = tempdir().unwrap();
        let made = Command::new("mkfifo").arg(dir.path().join("pipe")).status();
        assert!(made.unwrap().success());
        let args = ["--epochs", "1", "-q", "--format", "svg", flag, "pipe"];
        let ended = run(program(dir.path()).args(args), dir.path(), flag);
        assert_eq!(ended.code, 2, "{}", ended.stderr);
        assert!(ended.stderr.contains(what), "{}", ended.stderr);
    }
}
