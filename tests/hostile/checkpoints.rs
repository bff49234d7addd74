//! Checkpoints that are broken: a byte, a piece, the header.

use crate::chance::{Chance, runs};
use crate::program::{program, run};
use tempfile::tempdir;

fn broken(whole: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let at = chance.below(bytes.len());
    match chance.below(7) {
        0 => bytes.truncate(at),
        1 => bytes[at] = chance.below(256) as u8,
        2 => bytes[at] ^= 1 << chance.below(8),
        3 => bytes.insert(at, chance.below(256) as u8),
        4 => drop(bytes.remove(at)),
        5 => bytes.extend(vec![0; 1 + chance.below(100_000)]),
        _ => return renamed(whole, chance),
    }
    bytes
}

/// A word of the header is another of the same length.
fn renamed(whole: &[u8], chance: &mut Chance) -> Vec<u8> {
    let (from, to) = [
        ("F32", "F16"),
        ("F32", "I32"),
        ("F32", "Q99"),
        ("I64", "F64"),
        ("I64", "U64"),
        ("\"a\"", "\"b\""),
        ("\"epoch\"", "\"epo\\u\""),
        ("shape", "shame"),
        ("[]", "{}"),
        ("0,4", "4,0"),
        ("0,4", "0,9"),
    ][chance.below(11)];
    let text: Vec<_> = whole.to_vec();
    let at = text.windows(from.len()).position(|w| w == from.as_bytes());
    let mut bytes = whole.to_vec();
    if let Some(at) = at {
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    }
    bytes
}

/// They are refused in one line that names them, or hold four numbers after all.
#[test]
fn a_broken_checkpoint_is_refused() {
    let mut chance = Chance::new(6);
    let dir = tempdir().unwrap();
    let path = dir.path().join("w");
    let train = [
        "--epochs",
        "3",
        "-q",
        "--format",
        "svg",
        "--gradient",
        "fused",
    ];
    let save = [&train[..], &["--save", "w"]].concat();
    let ended = run(program(dir.path()).args(save), dir.path(), "to prepare");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    let whole = std::fs::read(&path).unwrap();
    let mut refused = 0;
    let all = runs(150);
    for _ in 0..all {
        let bytes = broken(&whole, &mut chance);
        std::fs::write(&path, &bytes).unwrap();
        let context = format!("{}: {:?}", chance.seed(), String::from_utf8_lossy(&bytes));
        let resume = [&train[..], &["--resume", "w"]].concat();
        let ended = run(program(dir.path()).args(resume), dir.path(), &context);
        if ended.code == 2 {
            refused += 1;
            let named = ended.stderr.starts_with("error: --resume w: ");
            let counted = ended.stderr.starts_with("error: --epochs 3: after ");
            assert!(named || counted, "{context}\n{}", ended.stderr);
        }
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{context}");
    }
    assert!(refused > all / 3, "{}: {refused} of {all}", chance.seed());
}
