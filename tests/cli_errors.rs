//! Bad input: exit 2, one line on stderr that names the flag and the value, nothing written.

mod common;

use common::{names, run};
use std::path::Path;
use tempfile::tempdir;

/// Arguments, and what the line must say.
const CASES: &[(&[&str], &[&str])] = &[
    (&["--points", "0"], &["--points", "'0'", "from 2"]),
    (&["--points", "1"], &["--points", "'1'", "from 2"]),
    (
        &["--points", "many"],
        &["--points", "'many'", "whole number"],
    ),
    (&["--points", "1e3"], &["--points", "'1e3'", "whole number"]),
    (&["--lr", "1"], &["--lr", "tip", "--learning-rate"]),
    (&["--points=-5"], &["--points", "'-5'"]),
    (&["--points", "99999999999999999999"], &["--points"]),
    (&["--epochs", "0"], &["--epochs", "'0'", "from 1"]),
    (&["--log-every", "0"], &["--log-every", "'0'", "from 1"]),
    (
        &["--learning-rate", "-1e-6"],
        &["--learning-rate", "'-1e-6'", "above 0"],
    ),
    (
        &["--epochs", "281474976710656"],
        &["--epochs 281474976710656", "GiB"],
    ),
    (&["--learning-rate", "0"], &["--learning-rate", "above 0"]),
    (
        &["--learning-rate", "NaN"],
        &["--learning-rate", "'NaN'", "finite"],
    ),
    (
        &["--learning-rate", "inf"],
        &["--learning-rate", "'inf'", "finite"],
    ),
    (&["--init", "1,2,3"], &["--init", "'1,2,3'", "four"]),
    (&["--init", "a,b,c,d"], &["--init", "'a,b,c,d'", "four"]),
    (&["--init", "1,2,3,4,5"], &["--init", "four"]),
    (&["--init", "1,2,3,inf"], &["--init", "finite"]),
    (&["--seed", "-1"], &["--seed", "'-1'"]),
    (
        &["--seed", "18446744073709551616"],
        &["--seed", "18446744073709551615"],
    ),
    (&["--seed", "x"], &["--seed", "'x'", "random"]),
    (&["--draw", "2"], &["--draw 2", "--seed"]),
    (
        &["--draw", "2", "--init", "1,2,3,4"],
        &["--draw", "--init", "cannot be used with"],
    ),
    (
        &["--draw", "2", "--resume", "w"],
        &["--draw", "--resume", "cannot be used with"],
    ),
    (&["--seed", "1", "--draw", "0"], &["--draw", "'0'"]),
    (
        &["--device", "tpu"],
        &["--device", "'tpu'", "auto, cpu, cuda[:N] or metal[:N]"],
    ),
    (&["--device", "cuda:x"], &["--device", "'cuda:x'"]),
    (&["--device", "cpu:0"], &["--device", "'cpu:0'"]),
    (&["--dtype", "f16"], &["--dtype", "'f16'", "f32, f64"]),
    (
        &["--gradient", "guess"],
        &["--gradient", "'guess'", "manual, autograd"],
    ),
    (&["--format", "gif"], &["--format", "'gif'", "png, svg"]),
    (
        &["--seed", "1", "--init", "1,2,3,4"],
        &["--seed", "--init", "cannot be used with"],
    ),
    (
        &["--seed", "1", "--resume", "w"],
        &["--seed", "--resume", "cannot be used with"],
    ),
    (
        &["--init", "1,2,3,4", "--resume", "w"],
        &["--init", "--resume", "cannot be used with"],
    ),
    (&["--out", "file"], &["--out file", "not a directory"]),
    (
        &["--out", "file/below"],
        &["--out file/below", "not a directory"],
    ),
    (&["--json", "."], &["--json .", "is a directory"]),
    (
        &["--json", "file/run.json"],
        &["--json file/run.json", "file is not a directory"],
    ),
    (
        &["--json", "new/"],
        &["--json new/", "not the name of a file"],
    ),
    (
        &["--save", "x", "--json", "x"],
        &["--save x", "--json writes the same file"],
    ),
    (
        &["--json", "a", "--save", "a/../b"],
        &["--save a/../b", "--json has a file at a"],
    ),
    (
        &["--save", "-"],
        &["--save -: a file is needed, stdout holds text"],
    ),
    (
        &["--out", "taken"],
        &["--out taken/y_pred.png", "is a directory"],
    ),
    (
        &["--json", "out/sine.png"],
        &["--json out/sine.png", "--out writes the same file"],
    ),
    (
        &["--save", "./out/../out/loss.png"],
        &["--save", "--out writes the same file"],
    ),
    (
        &["--save", "file/w"],
        &["--save file/w", "file is not a directory"],
    ),
    (
        &["--resume", "missing"],
        &["--resume missing", "cannot read"],
    ),
    (
        &["--resume", "file"],
        &["--resume file", "not a whole safetensors file"],
    ),
    (
        &["--resume", "truncated"],
        &["--resume truncated", "not a whole safetensors file"],
    ),
    (
        &["--resume", "foreign"],
        &["--resume foreign", "not a file that --save has written"],
    ),
    (
        &["--resume", "ranked"],
        &["--resume ranked", "no rank-0 tensor \"a\""],
    ),
    (&["--resume", "."], &["--resume .", "cannot read"]),
    (&["--nonsense"], &["--nonsense"]),
    (&["nonsense"], &["nonsense"]),
    (&["--quiet", "train"], &["train"]),
];

#[cfg(target_os = "linux")]
const LINUX_CASES: &[(&[&str], &[&str])] = &[
    (
        &["--resume", "/dev/zero"],
        &["--resume /dev/zero", "too large"],
    ),
    (
        &["--out", "/proc/out"],
        &["--out /proc/out", "cannot write into /proc"],
    ),
];

#[test]
fn bad_input_is_one_clear_line() {
    let mut cases = CASES.to_vec();
    #[cfg(target_os = "linux")]
    cases.extend_from_slice(LINUX_CASES);
    let (cuda, metal): (&[&str], &[&str]) = (&["--device", "cuda"], &["--device", "metal"]);
    if !cfg!(feature = "cuda") {
        cases.push((
            cuda,
            &["--device cuda:0", "cargo build --release --features cuda"],
        ));
    }
    if !cfg!(feature = "metal") {
        cases.push((
            metal,
            &["--device metal:0", "cargo build --release --features metal"],
        ));
    }
    for (args, fragments) in cases {
        let dir = tempdir().unwrap();
        prepare(dir.path());
        let before = names(dir.path());
        let (code, stdout, stderr) = run(dir.path(), args);
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        for fragment in fragments {
            assert!(
                stderr.contains(fragment),
                "{args:?}: {fragment:?} is not in {stderr}"
            );
        }
        assert_eq!(names(dir.path()), before, "{args:?}");
    }
}

/// A plain file, a checkpoint cut short, and safetensors that are no checkpoints.
fn prepare(dir: &Path) {
    use candle_core::{Device, Tensor, safetensors};
    std::fs::write(dir.join("file"), "plain").unwrap();
    std::fs::create_dir_all(dir.join("taken/y_pred.png")).unwrap();
    let names = ["a", "b", "c", "d"];
    let scalar = Tensor::new(1f32, &Device::Cpu).unwrap();
    let scalars = names.map(|n| (n, scalar.clone())).into();
    safetensors::save(&scalars, dir.join("foreign")).unwrap();
    let vectors = names.map(|n| (n, scalar.reshape(1).unwrap())).into();
    safetensors::save(&vectors, dir.join("ranked")).unwrap();
    let whole = std::fs::read(dir.join("foreign")).unwrap();
    std::fs::write(dir.join("truncated"), &whole[..whole.len() - 3]).unwrap();
}
