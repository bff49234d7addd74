//! Places that lie in, on and beside each other.

use crate::chance::{Chance, runs};
use crate::program::{differing, program, run, shown, tree};
use std::ffi::OsString;
use std::path::Path;
use tempfile::tempdir;

const PLACES: &[&str] = &[
    "out",
    "a",
    "a/b",
    "a/b/c",
    "a/../b",
    "./a",
    "b",
    "here",
    "here/file",
    "here/file/x",
    "file",
    "file/x",
    "out/sine.png",
    "out/sine.svg",
    "out/sine.svg/j",
    "out/loss.svg",
    "out/compare.svg",
    "link",
    "link/x",
    "nowhere",
    "loop",
    "w",
    ".",
    "..",
    "",
    "-",
    "/",
    "new/",
    "here/",
    "guide",
    "out/guide",
    "out/guide/index.html",
    "locked/x",
];

/// Those that lie in each other most.
const NESTED: &[&str] = &[
    "out",
    "a",
    "./a",
    "a/b",
    "a/b/c",
    "out/sine.svg",
    "out/sine.svg/j",
];

fn place(chance: &mut Chance) -> &'static str {
    match chance.one_in(2) {
        true => chance.of(NESTED),
        false => chance.of(PLACES),
    }
}

/// A checkpoint.
fn weights() -> Vec<u8> {
    let dir = tempdir().unwrap();
    let args = ["--epochs", "2", "-q", "--save", "w", "--format", "svg"];
    let ended = run(program(dir.path()).args(args), dir.path(), "to prepare");
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    std::fs::read(dir.path().join("w")).unwrap()
}

/// What is there before.
fn prepare(dir: &Path, weights: &[u8]) {
    std::fs::create_dir(dir.join("here")).unwrap();
    std::fs::create_dir(dir.join("locked")).unwrap();
    std::fs::write(dir.join("here/file"), "plain").unwrap();
    std::fs::write(dir.join("file"), "plain").unwrap();
    std::fs::write(dir.join("w"), weights).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        symlink("here", dir.join("link")).unwrap();
        symlink("gone/away", dir.join("nowhere")).unwrap();
        symlink("loop", dir.join("loop")).unwrap();
        let closed = std::fs::Permissions::from_mode(0o555);
        std::fs::set_permissions(dir.join("locked"), closed).unwrap();
    }
}

/// A command, and flags of it that name places.
fn arguments(chance: &mut Chance) -> Vec<OsString> {
    let (command, flags, more): (_, &[&str], &[&str]) = match chance.below(7) {
        0 => (
            "compare",
            &["--out", "--json"],
            &["--epochs", "2", "--format", "svg"],
        ),
        1 => ("guide", &["--out"], &[]),
        2 => ("check", &["--json"], &[]),
        _ => (
            "train",
            &["--out", "--json", "--save", "--resume"],
            &["--epochs", "2", "--format", "svg", "-q"],
        ),
    };
    let mut args: Vec<OsString> = vec![command.into()];
    args.extend(more.iter().map(OsString::from));
    for flag in flags {
        if !chance.one_in(3) {
            args.push(format!("{flag}={}", place(chance)).into());
        }
    }
    args
}

/// Either all is refused and stays as it was, or all that was asked for is there.
#[test]
fn places_are_all_filled_or_none() {
    let mut chance = Chance::new(5);
    let weights = weights();
    for _ in 0..runs(120) {
        let outer = tempdir().unwrap();
        let dir = outer.path().join("inner");
        std::fs::create_dir(&dir).unwrap();
        prepare(&dir, &weights);
        let args = arguments(&mut chance);
        let context = format!("{}: {}", chance.seed(), shown(&args));
        let before = tree(&dir);
        let ended = run(program(&dir).args(&args), &dir, &context);
        match ended.code {
            0 => filled(&dir, &args, &context),
            2 => {
                let differing = differing(&before, &tree(&dir));
                assert!(
                    differing.is_empty(),
                    "{context}\n{}{differing:?}",
                    ended.stderr
                );
            }
            code => panic!("{context}\n{code}: {}", ended.stderr),
        }
    }
}

fn filled(dir: &Path, args: &[OsString], context: &str) {
    for arg in args {
        let arg = arg.to_str().unwrap();
        let Some((flag, place)) = arg.split_once('=') else {
            continue;
        };
        let found = std::fs::metadata(dir.join(place));
        match flag {
            _ if place == "-" => {}
            "--resume" => {}
            "--save" => assert_eq!(found.unwrap().len(), 304, "{context}"),
            "--out" => assert!(found.unwrap().is_dir(), "{context}"),
            _ => assert!(found.unwrap().is_file(), "{context}"),
        }
    }
}
