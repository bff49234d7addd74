//! Any number of threads: the same bytes.

use crate::chance::{Chance, runs};
use crate::program::{program, run};
use tempfile::tempdir;

/// More than any machine has, and what is no number.
const NUMBERS: &[&str] = &["1", "2", "3", "7", "16", "100000", "0", "-1", "x", ""];

#[test]
fn threads_change_nothing() {
    let mut chance = Chance::new(14);
    for _ in 0..runs(12) {
        let dir = tempdir().unwrap();
        let points = 2 + chance.below(40_000);
        let gradient = chance.of(&["manual", "autograd", "optimizer", "fused", "normal"]);
        let dtype = chance.of(&["f32", "f64"]);
        let args = format!(
            "--points {points} --gradient {gradient} --dtype {dtype} --epochs 20 --learning-rate 1e-9 --format svg --json -"
        );
        let mut answers = vec![];
        for _ in 0..4 {
            let (rayon, candle) = (chance.of(NUMBERS), chance.of(NUMBERS));
            let context = format!("{}: {rayon:?} {candle:?} {args}", chance.seed());
            let mut command = program(dir.path());
            command.args(args.split(' '));
            command
                .env("RAYON_NUM_THREADS", rayon)
                .env("CANDLE_NUM_THREADS", candle);
            let ended = run(&mut command, dir.path(), &context);
            assert_eq!(ended.code, 0, "{context}\n{}", ended.stderr);
            answers.push(ended.stdout);
        }
        assert!(
            answers.iter().all(|a| *a == answers[0]),
            "{}: {args}",
            chance.seed()
        );
    }
}
