//! The program from outside: what each command answers, its files, its exit status.

mod common;

use common::movie::frames;
use common::{names, parts, run};
use serde_json::Value;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use tempfile::tempdir;

const PICTURES: [&str; 6] = ["loss", "overlay", "sine", "y_pred", "y_random", "y_true"];

fn json(dir: &Path, args: &[&str]) -> Value {
    let (code, stdout, stderr) = run(dir, &[args, &["--json", "-"]].concat());
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&stdout).unwrap()
}

/// As `--init` takes them.
fn init(run: &Value) -> String {
    let weight = |name: &str| run["weights"][name].to_string();
    ["a", "b", "c", "d"].map(weight).join(",")
}

#[test]
fn a_bare_run_prints_the_posts_lines_and_draws_six_pictures() {
    let dir = tempdir().unwrap();
    let (code, stdout, stderr) = run(dir.path(), &[]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    let lines: Vec<_> = stdout.lines().collect();
    assert_eq!(lines[0], "epoch : 1, loss : 7937.68505859375");
    assert_eq!(lines[9], "epoch : 901, loss : 704.974853515625");
    assert!(
        lines[11].starts_with("y_pred = 0.04696316"),
        "{}",
        lines[11]
    );
    assert!(lines[12].ends_with("499.500 for drawing y = 0, 4.427 for the best cubic"));
    assert_eq!(
        lines[14],
        "the post's table, all 10 lines to the last digit"
    );
    assert_eq!(lines.len(), 16);
    for name in PICTURES {
        assert!(
            lines[15].contains(&format!("out/{name}.png")),
            "{}",
            lines[15]
        );
    }
    let out = dir.path().join("out");
    assert_eq!(names(&out), PICTURES.map(|f| format!("{f}.png")));
    assert_eq!(run(dir.path(), &["train"]).1, stdout);
}

/// The options that "not converged" recommends are enough.
#[test]
fn what_is_recommended_converges() {
    let starts: [&[&str]; 5] = [
        &[],
        &["--seed", "7", "--draw", "2", "--gradient", "autograd"],
        &["--init", "5,-5,0,1e2"],
        &["--seed", "18446744073709551615", "--points", "300"],
        &["--points", "20", "--dtype", "f64"],
    ];
    for start in starts {
        let dir = tempdir().unwrap();
        let (_, stdout, _) = run(dir.path(), start);
        let options = stdout.split_once("not converged: `").unwrap().1;
        let options = options.split('`').next().unwrap().split(' ');
        let args: Vec<_> = start.iter().copied().chain(options).collect();
        let again = json(dir.path(), &args);
        let [last, best] = ["final_loss", "optimum_loss"].map(|k| again[k].as_f64().unwrap());
        assert!(last <= best * 1.01, "{args:?}: {last} {best}");
        assert!(!run(dir.path(), &args).1.contains("not converged"));
    }
}

#[test]
fn pngs_decode_and_are_not_blank() {
    let dir = tempdir().unwrap();
    run(dir.path(), &[]);
    let mut seen = HashSet::new();
    for name in PICTURES {
        let file = std::fs::read(dir.path().join(format!("out/{name}.png"))).unwrap();
        let decoder = png::Decoder::new(std::io::Cursor::new(&file));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (1280, 960));
        let colors: HashSet<&[u8]> = pixels.chunks(info.color_type.samples()).collect();
        assert!(colors.len() > 50, "{name}: {} colours", colors.len());
        // matplotlib's C0 line, its black frame, its white ground.
        for rgb in [[0x1f, 0x77, 0xb4], [0, 0, 0], [255; 3]] {
            assert!(colors.iter().any(|c| c[..3] == rgb), "{name}: {rgb:?}");
        }
        assert!(seen.insert(file), "{name} is the same as another");
    }
}

#[test]
fn svgs_are_well_formed_and_titled() {
    let dir = tempdir().unwrap();
    assert_eq!(run(dir.path(), &["--format", "svg", "--out", "a/b"]).0, 0);
    let text = |name: &str| {
        let svg = std::fs::read_to_string(dir.path().join(format!("a/b/{name}.svg"))).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(document.root_element().attribute("width"), Some("640"));
        let texts = document.descendants().filter(|n| n.has_tag_name("text"));
        let texts = texts.filter_map(|n| n.text()).map(str::trim);
        texts.map(str::to_owned).collect::<Vec<_>>().join("|")
    };
    for title in ["y true", "y pred", "y random"] {
        for picture in ["sine", "overlay", &title.replace(' ', "_")] {
            assert!(text(picture).contains(title), "{picture}, {title}");
        }
    }
    assert!(text("overlay").contains("best cubic"));
    assert!(text("loss").contains("the post"));
}

#[test]
fn json_holds_the_run() {
    let dir = tempdir().unwrap();
    let value = json(dir.path(), &[]);
    assert_eq!(value["schema"], 1);
    assert_eq!(
        (&value["seed"], &value["draw"]),
        (&4034316668u64.into(), &3.into())
    );
    assert_eq!(
        value["log"][9],
        serde_json::json!({"epoch": 901, "loss": 704.974853515625})
    );
    assert_eq!(value["init"]["a"], 0.16425246000289917);
    assert_eq!(value["files"].as_array().unwrap().len(), 6);
    assert!((value["optimum_loss"].as_f64().unwrap() - 4.427).abs() < 1e-3);

    let (code, stdout, _) = run(dir.path(), &["--json", "run.json"]);
    assert!(code == 0 && stdout.contains("run.json"));
    let file = std::fs::read_to_string(dir.path().join("run.json")).unwrap();
    assert!(file.starts_with("{\n") && file.ends_with("}"));
    let mut file: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(
        file["files"].as_array_mut().unwrap().pop(),
        Some("run.json".into())
    );
    assert_eq!(file, value);
}

/// The keys, those of the objects inside among them.
fn keys(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            found.insert(key.clone());
            keys(value, found);
        }),
        Value::Array(all) => all.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn help_names_every_option_and_the_keys_of_the_json() {
    let dir = tempdir().unwrap();
    for command in ["train", "check"] {
        let (code, help, stderr) = run(dir.path(), &[command, "--help"]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        for said in [
            "--points",
            "--seed",
            "--init",
            "--device",
            "--json",
            "Exit status: 0",
        ] {
            assert!(
                help.contains(said),
                "{said} is not in the help of {command}"
            );
        }
        let (_, list) = help.split_once("Keys of the JSON:").unwrap();
        let words = list.split(|c: char| !(c.is_alphanumeric() || c == '_'));
        let named: BTreeSet<_> = words.filter(|w| !w.is_empty()).map(str::to_owned).collect();
        let mut written = BTreeSet::new();
        keys(&json(dir.path(), &[command]), &mut written);
        assert_eq!(written, named, "{command}");
    }
    let version = format!("candle-sine {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(dir.path(), &["--version"]).1, version);
}

#[test]
fn weights_come_from_seed_draw_or_init() {
    let dir = tempdir().unwrap();
    let short = ["--epochs", "1"];
    let of = |args: &[&str]| json(dir.path(), &[&short, args].concat());
    assert_eq!(of(&["--seed", "42"])["init"]["a"], 0.33669036626815796);
    assert_eq!(of(&["--seed", "42"])["draw"], 1);
    let post = of(&["--seed", "4034316668", "--draw", "3"]);
    assert_eq!(post["init"], of(&[])["init"]);
    // Of a seed PyTorch keeps 32 bits.
    assert_eq!(
        of(&["--seed", "0"])["init"],
        of(&["--seed", "4294967296"])["init"]
    );
    let given = of(&["--init", "-1,2.5,3e-1, 4", "--dtype", "f64"]);
    let expected = serde_json::json!({"a": -1.0, "b": 2.5, "c": 0.3, "d": 4.0});
    assert_eq!(given["init"], expected);
    assert_eq!(
        of(&["--seed", "7", "--init", "-1,2.5,3e-1, 4"])["draw"],
        Value::Null
    );
    assert!(given["seed"].is_null() && given["draw"].is_null());
}

#[test]
fn a_random_seed_is_named_and_repeats() {
    let dir = tempdir().unwrap();
    let (code, stdout, _) = run(dir.path(), &["--seed", "random", "--epochs", "1"]);
    assert_eq!(code, 0);
    let (named, rest) = stdout.split_once('\n').unwrap();
    let seed = named.strip_prefix("--seed ").unwrap();
    assert_eq!(run(dir.path(), &["--seed", seed, "--epochs", "1"]).1, rest);
    let (_, other, _) = run(dir.path(), &["--seed", "random", "--epochs", "1"]);
    assert!(!other.starts_with(named));
}

#[test]
fn options_change_the_run() {
    let dir = tempdir().unwrap();
    let of = |args: &str| json(dir.path(), &args.split_whitespace().collect::<Vec<_>>());
    let run = of("--points 50 --epochs 30 --log-every 7 --learning-rate 1e-5");
    let log = run["log"].as_array().unwrap().iter();
    assert_eq!(
        log.map(|l| &l["epoch"]).collect::<Vec<_>>(),
        [1, 8, 15, 22, 29]
    );
    assert_eq!(
        (&run["points"], &run["learning_rate"]),
        (&50.into(), &1e-5.into())
    );
    let (single, double) = (of(""), of("--dtype f64"));
    assert_ne!(single["final_loss"], double["final_loss"]);
    for gradient in ["autograd", "optimizer", "fused", "normal"] {
        let run = of(&format!("--gradient {gradient}"));
        assert_eq!(run["gradient"], gradient);
        let [a, b] = [&run, &single].map(|r| r["final_loss"].as_f64().unwrap());
        assert!((a / b - 1.).abs() < 2e-6, "{gradient}: {a} {b}");
    }
    assert_eq!(of("--device cpu --epochs 1")["device"], "cpu");
}

#[test]
fn another_precision_or_gradient_says_how_near_the_post_it_is() {
    let dir = tempdir().unwrap();
    for args in [["--dtype", "f64"], ["--gradient", "autograd"]] {
        let (_, stdout, _) = run(dir.path(), &args);
        let (_, note) = stdout.split_once("the post's table within ").unwrap();
        let within: f64 = note.split(',').next().unwrap().parse().unwrap();
        assert!(within <= 2e-6, "{note}");
    }
}

/// What a run ends with goes into --init, and the two are the run in one.
#[test]
fn init_continues_a_run() {
    let dir = tempdir().unwrap();
    for (dtype, gradient) in [("f32", "manual"), ("f64", "manual"), ("f32", "normal")] {
        let same = ["--dtype", dtype, "--gradient", gradient];
        let of = |args: &[&str]| json(dir.path(), &[&same, args].concat());
        let whole = of(&[]);
        let first = of(&["--epochs", "500"]);
        let rest = of(&["--epochs", "500", "--init", &init(&first)]);
        assert_eq!(rest["weights"], whole["weights"]);
        assert_eq!(rest["init"], first["weights"]);
        assert_eq!(rest["log"][0]["loss"], whole["log"][5]["loss"]);
    }
}

#[test]
fn divergence_is_a_negative_answer() {
    let dir = tempdir().unwrap();
    let args = ["--learning-rate", "1e-5", "--json", "run.json"];
    let (code, stdout, stderr) = run(dir.path(), &args);
    assert_eq!((code, stdout.lines().count()), (1, 1));
    let lines: Vec<_> = stderr.lines().collect();
    assert!(
        lines[0].starts_with("warning: --learning-rate 1e-5: above 7.094e-6"),
        "{stderr}"
    );
    assert!(
        lines[1].contains("epoch 69") && lines[1].contains("7.094e-6"),
        "{stderr}"
    );
    assert_eq!(
        (lines.len(), names(dir.path())),
        (2, vec!["run.json".to_owned()])
    );
    let text = std::fs::read_to_string(dir.path().join("run.json")).unwrap();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert!(json["final_loss"].is_null());
    assert_eq!(json["files"], serde_json::json!([]));
    // In f64 the loss stays finite for a thousand epochs, and has still diverged.
    let args = ["--learning-rate", "8e-6", "--dtype", "f64"];
    let (code, _, stderr) = run(dir.path(), &args);
    assert!(
        code == 1 && stderr.contains("has grown from 7.9377e3"),
        "{stderr}"
    );
}

#[test]
fn quiet_prints_nothing_and_writes_all() {
    let dir = tempdir().unwrap();
    let all = run(dir.path(), &["--quiet", "--animate"]);
    assert_eq!(all, (0, String::new(), String::new()));
    assert_eq!(names(&dir.path().join("out")).len(), 7);
}

#[test]
fn the_moving_picture_lies_beside_the_others() {
    let dir = tempdir().unwrap();
    let (_, stdout, _) = run(dir.path(), &["--animate", "--format", "svg"]);
    assert!(stdout.ends_with("out/loss.svg, out/fit.png\n"), "{stdout}");
    let file = std::fs::read(dir.path().join("out/fit.png")).unwrap();
    assert!(file.len() < 1_000_000, "{} bytes", file.len());
    let frames = frames(&file);
    assert!((40..=61).contains(&frames.len()), "{}", frames.len());
    assert!(frames.windows(2).all(|pair| pair[0].rgb != pair[1].rgb));
    assert!(frames[frames.len() - 1].milliseconds >= 2000);
}

#[test]
fn check_answers_with_four_rows() {
    let dir = tempdir().unwrap();
    for dtype in ["f32", "f64"] {
        let (code, stdout, stderr) = run(dir.path(), &["check", "--dtype", dtype]);
        assert_eq!((code, stderr.as_str()), (0, ""));
        let lines: Vec<_> = stdout.lines().collect();
        for (line, name) in lines[1..5].iter().zip(["a", "b", "c", "d"]) {
            assert!(
                line.trim_start().starts_with(name) && line.ends_with("  OK"),
                "{line}"
            );
        }
        assert_eq!(lines[6], "the gradients agree in 4 of 4 rows");
    }
    assert!(names(dir.path()).is_empty());
}

/// What f32 cannot show, f64 can; and a beginner is told. At the optimum all is rounding, and that is no yes.
#[test]
fn terms_that_cancel_are_said_to_be_seen_in_f64() {
    let dir = tempdir().unwrap();
    let trained = json(dir.path(), &["--learning-rate", "6e-6", "--epochs", "500"]);
    let check = |dtype, weights: &str| {
        let args = ["check", "--dtype", dtype, "--init", weights];
        run(dir.path(), &args)
    };
    let (code, stdout, _) = check("f32", &init(&trained));
    assert!(
        code == 0 && stdout.contains("  its terms cancel\n"),
        "{stdout}"
    );
    assert!(
        stdout.ends_with(" whose terms cancel: `--dtype f64` can\n"),
        "{stdout}"
    );
    let (code, stdout, _) = check("f64", &init(&trained));
    assert!(
        code == 0 && stdout.ends_with("agree in 4 of 4 rows\n"),
        "{stdout}"
    );
    let (code, _, stderr) = check("f32", "-0.09327321,0,0.85649875,0");
    assert!(
        code == 1 && stderr.contains("no gradient could be compared"),
        "{stderr}"
    );
}

/// Arguments, and what the line on stderr says.
const WRONG: &[(&str, &[&str])] = &[
    ("--points 1", &["--points", "'1'"]),
    ("--points many", &["--points", "'many'"]),
    ("--points -5", &["--points", "'-5'"]),
    ("--lr 1", &["--lr", "tip", "--learning-rate"]),
    ("--epochs 0", &["--epochs", "'0'"]),
    ("--log-every 0", &["--log-every", "'0'"]),
    (
        "--learning-rate -1e-6",
        &["--learning-rate", "'-1e-6'", "above 0"],
    ),
    (
        "--learning-rate NaN",
        &["--learning-rate", "'NaN'", "finite"],
    ),
    ("--init 1,2,3", &["--init", "'1,2,3'", "four"]),
    ("--init 1,2,3,inf", &["--init", "finite"]),
    ("--seed -1", &["--seed", "'-1'"]),
    ("--seed x", &["--seed", "'x'", "random"]),
    ("--draw 2", &["--draw 2", "only with --seed"]),
    ("--seed 1 --draw 0", &["--draw", "'0'"]),
    (
        "--device tpu",
        &["--device", "'tpu'", "auto, cpu, cuda[:N] or metal[:N]"],
    ),
    ("--dtype f16", &["--dtype", "'f16'", "f32, f64"]),
    (
        "--gradient guess",
        &["--gradient", "'guess'", "manual, autograd"],
    ),
    ("--format gif", &["--format", "'gif'", "png, svg"]),
    ("--out file", &["--out file", "not a directory"]),
    ("--out taken", &["--out taken/y_pred.png", "a directory"]),
    ("--json .", &["--json .", "a directory"]),
    (
        "--json file/run.json",
        &["--json file/run.json", "file is not a directory"],
    ),
    (
        "--json out/sine.png",
        &["--json out/sine.png", "--out out/sine.png"],
    ),
    (
        "--json out/fit.png --animate",
        &["--json out/fit.png", "--animate out/fit.png"],
    ),
    ("--json out", &["--json out", "--out out/sine.png"]),
    ("--nonsense", &["--nonsense"]),
    ("nonsense", &["nonsense"]),
    ("check --out x", &["--out"]),
    ("guide --out file", &["--out file/guide", "not a directory"]),
    #[cfg(not(feature = "cuda"))]
    (
        "--device cuda",
        &["--device cuda:0", "cargo build --release --features cuda"],
    ),
    #[cfg(not(feature = "metal"))]
    (
        "--device metal",
        &["--device metal:0", "cargo build --release --features metal"],
    ),
    #[cfg(target_os = "linux")]
    (
        "--out /proc/out",
        &["--out /proc/out", "cannot write into /proc"],
    ),
];

/// Exit 2 before any work, one line that names the option, nothing written.
#[test]
fn bad_input_is_one_clear_line() {
    for (args, fragments) in WRONG {
        let dir = tempdir().unwrap();
        std::fs::write(dir.path().join("file"), "plain").unwrap();
        std::fs::create_dir_all(dir.path().join("taken/y_pred.png")).unwrap();
        let before = names(dir.path());
        let (code, stdout, stderr) = run(dir.path(), &args.split(' ').collect::<Vec<_>>());
        assert_eq!((code, stdout.as_str()), (2, ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{args:?}: {stderr}");
        assert_eq!(stderr.lines().count(), 1, "{args:?}: {stderr}");
        for fragment in *fragments {
            assert!(
                stderr.contains(fragment),
                "{args:?}: {fragment:?} is not in {stderr}"
            );
        }
        assert_eq!(names(dir.path()), before, "{args:?}");
    }
}

#[cfg(unix)]
mod unix {
    use super::*;
    use common::interrupted;
    use std::io::{BufRead, BufReader};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::process::{Command, Stdio};
    use std::time::Duration;

    /// `candle-sine | head -1`
    #[test]
    fn a_closed_pipe_is_no_error() {
        let dir = tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_candle-sine"))
            .args(["--log-every", "1", "--epochs", "20000"])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        drop(stdout);
        let (code, _, stderr) = parts(child.wait_with_output().unwrap());
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert_eq!(names(&dir.path().join("out")).len(), 6);
    }

    fn shell(dir: &Path, script: &str) -> (i32, String, String) {
        let script = script.replace("candle-sine", env!("CARGO_BIN_EXE_candle-sine"));
        let mut sh = Command::new("sh");
        parts(sh.args(["-c", &script]).current_dir(dir).output().unwrap())
    }

    /// A file-size limit is a full disk for files that are too large for it.
    #[test]
    fn a_full_disk_leaves_no_half_written_file() {
        let dir = tempdir().unwrap();
        let (code, _, stderr) = shell(dir.path(), "trap '' XFSZ; ulimit -f 4; candle-sine");
        assert_eq!((code, stderr.lines().count()), (2, 1), "{stderr}");
        let line = "error: --out out/sine.png: cannot write it: ";
        assert!(stderr.starts_with(line), "{stderr}");
        assert!(names(&dir.path().join("out")).is_empty());
    }

    /// Ctrl-C writes everything, and the same command with what it then names goes on.
    #[test]
    fn ctrl_c_writes_what_was_learned_and_says_how_to_go_on() {
        for dtype in ["f32", "f64"] {
            let dir = tempdir().unwrap();
            let args = "--seed 5 --epochs 3000000 --log-every 1000000 --learning-rate 1e-8 --gradient fused \
                --points 500 --animate --dtype";
            let args: Vec<_> = args.split_whitespace().chain([dtype]).collect();
            let whole = json(dir.path(), &args);
            let (code, stdout, stderr) = interrupted(dir.path(), &args, 1, Duration::ZERO);
            assert_eq!(code, 130, "{stdout}{stderr}");
            assert_eq!(names(&dir.path().join("out")).len(), 7);
            assert!(stderr.starts_with("interrupted after "), "{stderr}");
            let options = stderr.split('`').nth(1).unwrap().split(' ');
            let rest = json(
                dir.path(),
                &args.into_iter().chain(options).collect::<Vec<_>>(),
            );
            assert_eq!(rest["weights"], whole["weights"], "{stderr}");
            assert!(rest["epochs"].as_u64().unwrap() < 3_000_000);
        }
    }

    #[test]
    fn files_have_the_mode_of_new_files_and_links_stay() {
        let dir = tempdir().unwrap();
        std::fs::write(dir.path().join("real.json"), "").unwrap();
        symlink("real.json", dir.path().join("link.json")).unwrap();
        assert_eq!(
            shell(dir.path(), "umask 022; candle-sine --json link.json").0,
            0
        );
        let mode = std::fs::metadata(dir.path().join("out/sine.png"))
            .unwrap()
            .permissions();
        assert_eq!(mode.mode() & 0o777, 0o644);
        assert!(dir.path().join("link.json").is_symlink());
        assert!(
            std::fs::metadata(dir.path().join("real.json"))
                .unwrap()
                .len()
                > 100
        );
    }
}
