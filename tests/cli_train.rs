//! `candle-sine train` from outside: every option, its files, its exit codes.

mod common;

use common::{names, parts, run, sine};
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use tempfile::tempdir;

const FIGURES: [&str; 6] = ["loss", "overlay", "sine", "y_pred", "y_random", "y_true"];

fn json(dir: &Path, args: &[&str]) -> Value {
    let (code, stdout, stderr) = run(dir, &[args, &["--json", "-"]].concat());
    assert_eq!((code, stderr.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&stdout).unwrap()
}

#[test]
fn help_names_every_option_and_the_exit_codes() {
    let dir = tempdir().unwrap();
    for args in [vec!["--help"], vec!["train", "--help"]] {
        let (code, stdout, stderr) = run(dir.path(), &args);
        assert_eq!((code, stderr.as_str()), (0, ""));
        let options = "--points --seed --draw --init --dtype --device --resume --epochs \
            --learning-rate --log-every --gradient --out --format --json --save --quiet";
        for option in options.split_whitespace() {
            assert!(stdout.contains(option), "{option} is not in {args:?}");
        }
        assert!(stdout.contains("Exit status: 0"));
    }
    let (code, stdout, _) = run(dir.path(), &["--version"]);
    assert_eq!(
        (code, stdout),
        (0, format!("candle-sine {}\n", env!("CARGO_PKG_VERSION")))
    );
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_bare_run_prints_the_posts_lines_and_draws_six_figures() {
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
    for figure in FIGURES {
        assert!(
            lines[15].contains(&format!("out/{figure}.png")),
            "{}",
            lines[15]
        );
    }
    assert_eq!(lines.len(), 16);
    assert_eq!(
        names(&dir.path().join("out")),
        FIGURES.map(|f| format!("{f}.png"))
    );
    assert_eq!(run(dir.path(), &["train"]).1, stdout);
}

/// The run that "not converged" recommends converges, whatever it starts from.
#[test]
fn the_command_that_is_recommended_converges() {
    let starts: [&[&str]; 7] = [
        &[],
        &["--seed", "7", "--draw", "2", "--gradient", "autograd"],
        &["--init", "5,-5,0,1e2"],
        &["--init", "3,3,3,3"],
        &["--seed", "18446744073709551615", "--out", "a b"],
        &["--points", "20", "--dtype", "f64"],
        &["--points", "4", "--dtype", "f64"],
    ];
    for start in starts {
        let dir = tempdir().unwrap();
        let (_, stdout, _) = run(dir.path(), start);
        let note = stdout
            .lines()
            .find(|l| l.starts_with("not converged: `candle-sine "));
        let command = note.unwrap().split('`').nth(1).unwrap();
        // No argument but a path has a space.
        let command = command.replace("'a b'", "a_b");
        let args: Vec<_> = command.split(' ').skip(1).collect();
        let again = json(dir.path(), &args);
        let [last, best] = ["final_loss", "optimum_loss"].map(|k| again[k].as_f64().unwrap());
        assert!(last <= best.max(2e-24) * 1.01, "{command}: {last} {best}");
        let (_, stdout, _) = run(dir.path(), &args);
        assert!(!stdout.contains("not converged"), "{command}: {stdout}");
    }
}

/// Where the cubic meets every point, too: there the loss goes on to fall until rounding stops it.
#[test]
fn what_is_recommended_for_few_points_is_enough() {
    for points in ["2", "3", "5"] {
        for (dtype, gradient) in [("f64", "manual"), ("f64", "normal"), ("f32", "fused")] {
            for seed in ["1", "12983", "672769", "759824"] {
                let dir = tempdir().unwrap();
                let start = ["--points", points, "--dtype", dtype, "--seed", seed];
                let more = ["--gradient", gradient, "--epochs", "1", "--format", "svg"];
                let args = [&start[..], &more].concat();
                let (_, stdout, _) = run(dir.path(), &args);
                let (_, command) = stdout.split_once("not converged: `candle-sine ").unwrap();
                let command = command.split('`').next().unwrap();
                let (code, stdout, _) = run(dir.path(), &command.split(' ').collect::<Vec<_>>());
                let converged = code == 0 && !stdout.contains("not converged");
                assert!(converged, "{command}: {stdout}");
            }
        }
    }
}

#[test]
fn pngs_decode_and_are_not_blank() {
    let dir = tempdir().unwrap();
    run(dir.path(), &[]);
    let mut seen = HashSet::new();
    for figure in FIGURES {
        let file = std::fs::read(dir.path().join(format!("out/{figure}.png"))).unwrap();
        let decoder = png::Decoder::new(std::io::Cursor::new(&file));
        let mut reader = decoder.read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), (1280, 960));
        let colors: HashSet<&[u8]> = pixels.chunks(info.color_type.samples()).collect();
        assert!(colors.len() > 50, "{figure}: {} colours", colors.len());
        let has = |rgb: [u8; 3]| colors.iter().any(|c| c[..3] == rgb);
        // matplotlib's C0 line, its black frame, its white ground.
        assert!(
            has([0x1f, 0x77, 0xb4]) && has([0, 0, 0]) && has([255; 3]),
            "{figure}"
        );
        assert!(seen.insert(file), "{figure} is the same as another");
    }
}

#[test]
fn svgs_are_well_formed_and_titled() {
    let dir = tempdir().unwrap();
    let (code, ..) = run(dir.path(), &["--format", "svg", "--out", "a/b"]);
    assert_eq!(code, 0);
    let text = |figure: &str| {
        let svg = std::fs::read_to_string(dir.path().join(format!("a/b/{figure}.svg"))).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(document.root_element().attribute("width"), Some("640"));
        let texts = document.descendants().filter(|n| n.has_tag_name("text"));
        texts
            .filter_map(|n| n.text())
            .map(|t| t.trim().to_owned())
            .collect::<Vec<_>>()
    };
    let titles = ["y true", "y pred", "y random"];
    for title in titles {
        assert!(text("sine").contains(&title.to_owned()), "{title}");
        assert!(
            text(&title.replace(' ', "_")).contains(&title.to_owned()),
            "{title}"
        );
        assert!(text("overlay").contains(&title.to_owned()), "{title}");
    }
    assert!(text("overlay").contains(&"least squares".to_owned()));
    assert!(text("loss").contains(&"the post".to_owned()));
}

#[test]
fn json_has_the_schema_of_the_readme() {
    let dir = tempdir().unwrap();
    let (_, text, _) = run(dir.path(), &["--json", "-"]);
    assert!(text.starts_with("{\n") && text.ends_with("}\n"));
    let value: Value = serde_json::from_str(&text).unwrap();
    let keys = "schema device dtype gradient points epochs learning_rate seed draw init log \
        weights final_loss baseline_loss optimum_loss files";
    let places = keys
        .split_whitespace()
        .map(|k| text.find(&format!("\n  \"{k}\":")).unwrap());
    assert!(places.is_sorted());
    assert_eq!(
        value.as_object().unwrap().len(),
        keys.split_whitespace().count()
    );
    assert_eq!(value["schema"], 1);
    assert_eq!(
        (&value["seed"], &value["draw"]),
        (&4034316668u64.into(), &3.into())
    );
    assert_eq!(value["log"][9]["epoch"], 901);
    assert_eq!(value["log"][9]["loss"], 704.974853515625);
    assert_eq!(value["init"]["a"], 0.16425246000289917);
    assert_eq!(value["files"].as_array().unwrap().len(), 6);
    assert!((value["optimum_loss"].as_f64().unwrap() - 4.427).abs() < 1e-3);

    let (code, stdout, _) = run(dir.path(), &["--json", "run.json"]);
    assert!(code == 0 && stdout.contains("run.json"));
    let file = std::fs::read_to_string(dir.path().join("run.json")).unwrap();
    assert_eq!(
        file.replace("\"run.json\"", ""),
        text.replace("loss.png\"\n", "loss.png\",\n    \n")
    );
}

#[test]
fn weights_come_from_seed_draw_or_init() {
    let dir = tempdir().unwrap();
    let short = ["--epochs", "1", "--quiet"];
    let of = |args: &[&str]| json(dir.path(), &[&short, args].concat());
    assert_eq!(of(&["--seed", "42"])["init"]["a"], 0.33669036626815796);
    assert_eq!(of(&["--seed", "42"])["draw"], 1);
    let post = of(&["--seed", "4034316668", "--draw", "3"]);
    assert_eq!(post["init"], of(&[])["init"]);
    assert_eq!(
        of(&["--seed", "0"])["init"],
        of(&["--seed", "4294967296"])["init"]
    );
    let given = of(&["--init", "-1,2.5,3e-1, 4", "--dtype", "f64"]);
    assert_eq!(
        given["init"],
        serde_json::json!({"a": -1.0, "b": 2.5, "c": 0.3, "d": 4.0})
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
    let (_, again, _) = run(dir.path(), &["--seed", seed, "--epochs", "1"]);
    assert_eq!(rest, again);
    let (_, other, _) = run(dir.path(), &["--seed", "random", "--epochs", "1"]);
    assert!(!other.starts_with(named));
}

#[test]
fn options_change_the_run() {
    let dir = tempdir().unwrap();
    let of = |args: &[&str]| json(dir.path(), args);
    let run = of(&[
        "--points",
        "50",
        "--epochs",
        "30",
        "--log-every",
        "7",
        "--learning-rate",
        "1e-5",
    ]);
    let epochs: Vec<_> = run["log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| &l["epoch"])
        .collect();
    assert_eq!(epochs, [1, 8, 15, 22, 29]);
    assert_eq!(
        (&run["points"], &run["learning_rate"]),
        (&50.into(), &1e-5.into())
    );
    let (single, double) = (of(&[]), of(&["--dtype", "f64"]));
    assert_ne!(single["final_loss"], double["final_loss"]);
    let autograd = of(&["--gradient", "autograd"]);
    assert_eq!(autograd["gradient"], "autograd");
    let [a, b] = [&autograd, &single].map(|r| r["final_loss"].as_f64().unwrap());
    assert!((a / b - 1.).abs() < 2e-6);
    assert_eq!(of(&["--device", "auto", "--epochs", "1"])["schema"], 1);
}

#[test]
fn another_precision_or_gradient_says_how_near_the_post_it_is() {
    let dir = tempdir().unwrap();
    for args in [["--dtype", "f64"], ["--gradient", "autograd"]] {
        let (_, stdout, _) = run(dir.path(), &args);
        let note = stdout
            .lines()
            .find(|l| l.starts_with("the post's table within "))
            .unwrap();
        let within = note.split([' ', ',']).nth(4).unwrap();
        assert!(within.parse::<f64>().unwrap() <= 2e-6, "{note}");
    }
}

#[test]
fn save_and_resume_make_one_run_of_two() {
    let dir = tempdir().unwrap();
    let whole = json(dir.path(), &[]);
    let first = json(dir.path(), &["--epochs", "450", "--save", "w.safetensors"]);
    assert_eq!(first["files"][0], "w.safetensors");
    let rest = json(
        dir.path(),
        &["--epochs", "550", "--resume", "w.safetensors"],
    );
    assert_eq!(rest["weights"], whole["weights"]);
    assert_eq!(rest["init"], first["weights"]);
    assert_eq!(rest["log"][0]["epoch"], 501);
    let (code, _, stderr) = run(dir.path(), &["--resume", "w.safetensors", "--dtype", "f64"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("--dtype f32"), "{stderr}");
}

#[test]
fn divergence_is_a_negative_answer() {
    let dir = tempdir().unwrap();
    let (code, stdout, stderr) = run(
        dir.path(),
        &["--learning-rate", "1e-5", "--json", "run.json"],
    );
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
    assert_eq!(names(dir.path()), ["run.json"]);
    let json = std::fs::read_to_string(dir.path().join("run.json")).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    assert!(json["final_loss"].is_null());
    assert_eq!(json["files"], serde_json::json!([]));
    // In f64 the loss stays finite for a thousand epochs, and has still diverged.
    let (code, _, stderr) = run(dir.path(), &["--learning-rate", "8e-6", "--dtype", "f64"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("has grown from 7.9377e3"), "{stderr}");
}

#[test]
fn quiet_prints_nothing_and_writes_all() {
    let dir = tempdir().unwrap();
    assert_eq!(
        run(dir.path(), &["--quiet"]),
        (0, String::new(), String::new())
    );
    assert_eq!(names(&dir.path().join("out")).len(), 6);
}

#[test]
fn colours_are_for_terminals_and_respect_no_color() {
    let dir = tempdir().unwrap();
    let escaped = |set: &[(&str, &str)]| {
        let output = sine(dir.path())
            .args(["--epochs", "1"])
            .envs(set.iter().copied())
            .output();
        parts(output.unwrap()).1.contains('\u{1b}')
    };
    assert!(!escaped(&[]));
    assert!(escaped(&[("CLICOLOR_FORCE", "1")]));
    assert!(!escaped(&[("NO_COLOR", "1")]));
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
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let (code, _, stderr) = parts(child.wait_with_output().unwrap());
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert_eq!(names(&dir.path().join("out")).len(), 6);
    }

    fn shell(dir: &Path, script: &str) -> (i32, String, String) {
        let program = env!("CARGO_BIN_EXE_candle-sine");
        let script = script.replace("candle-sine", program);
        let output = Command::new("sh")
            .args(["-c", &script])
            .current_dir(dir)
            .output();
        parts(output.unwrap())
    }

    /// A file-size limit is a full disk for files that are too large for it.
    #[test]
    fn a_full_disk_leaves_no_half_written_file() {
        let dir = tempdir().unwrap();
        let script = "trap '' XFSZ; ulimit -f 4; candle-sine";
        let (code, _, stderr) = shell(dir.path(), script);
        assert_eq!((code, stderr.lines().count()), (2, 1), "{stderr}");
        assert!(
            stderr.starts_with("error: --out out: cannot write out/sine.png"),
            "{stderr}"
        );
        assert!(names(&dir.path().join("out")).is_empty());
    }

    /// What is no file is written into, and stays what it is.
    #[test]
    fn weights_go_into_a_pipe() {
        let dir = tempdir().unwrap();
        let script = "mkfifo pipe; cat pipe > saved & candle-sine --epochs 3 -q --save pipe; wait";
        let (code, _, stderr) = shell(dir.path(), script);
        assert_eq!((code, stderr.as_str()), (0, ""));
        assert!(
            !std::fs::metadata(dir.path().join("pipe"))
                .unwrap()
                .is_file()
        );
        let go_on = ["--resume", "saved", "--epochs", "1", "--log-every", "1"];
        let (code, stdout, _) = run(dir.path(), &go_on);
        assert!(code == 0 && stdout.starts_with("epoch : 4,"), "{stdout}");
    }

    /// A limit on the address space is a machine with that much memory.
    #[cfg(target_os = "linux")]
    #[test]
    fn too_many_points_for_the_memory_are_refused() {
        let dir = tempdir().unwrap();
        let (code, _, stderr) = shell(
            dir.path(),
            "ulimit -v 2000000; candle-sine --points 200000000",
        );
        assert_eq!((code, stderr.lines().count()), (2, 1), "{stderr}");
        assert!(
            stderr.starts_with(
                "error: --points 200000000: this run needs some 3.8 GiB of memory, and there are 1."
            ),
            "{stderr}"
        );
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn a_full_device_is_an_error() {
        if !Path::new("/dev/full").exists() {
            return;
        }
        let dir = tempdir().unwrap();
        let (code, _, stderr) = shell(dir.path(), "candle-sine > /dev/full");
        assert_eq!((code, stderr.lines().count()), (2, 1), "{stderr}");
        assert!(stderr.contains("stdout"), "{stderr}");
        let (code, _, stderr) = run(dir.path(), &["--json", "/dev/full"]);
        assert!(code == 2 && stderr.contains("--json /dev/full"), "{stderr}");
        assert!(!std::fs::metadata("/dev/full").unwrap().is_file());
    }

    #[test]
    fn an_interrupted_run_leaves_nothing() {
        let dir = tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_candle-sine"))
            .args([
                "--points",
                "100000",
                "--epochs",
                "1000000",
                "--save",
                "w.safetensors",
            ])
            .current_dir(dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(names(dir.path()).is_empty(), "{:?}", names(dir.path()));
    }

    /// Ctrl-C, and the command that is then recommended: together the run that was interrupted.
    #[test]
    fn ctrl_c_writes_what_was_learned_and_says_how_to_go_on() {
        for (save, dtype) in [(true, "f32"), (false, "f32"), (false, "f64")] {
            let dir = tempdir().unwrap();
            let shared =
                "--epochs 300000 --log-every 100000 --learning-rate 1e-8 --gradient fused \
                --points 500 --dtype"
                    .split_whitespace()
                    .chain([dtype]);
            let mut args: Vec<_> = shared.collect();
            let whole = json(dir.path(), &args);
            args.extend(["--json", "run.json"]);
            args.extend(
                save.then_some(["--save", "w.safetensors"])
                    .into_iter()
                    .flatten(),
            );
            let (code, stdout, stderr) = interrupted(dir.path(), &args, 1, Duration::ZERO);
            assert_eq!((code, stderr.as_str()), (130, ""), "{stdout}");
            assert_eq!(names(&dir.path().join("out")).len(), 6);
            let first = std::fs::read_to_string(dir.path().join("run.json")).unwrap();
            let first: Value = serde_json::from_str(&first).unwrap();
            let done = first["epochs"].as_u64().unwrap();
            assert!((1..300_000).contains(&done), "{done}");

            let advice = stdout.lines().last().unwrap();
            assert!(
                advice.starts_with(&format!("interrupted after {done} of 300000 epochs; ")),
                "{advice}"
            );
            let command = advice.split('`').nth(1).unwrap();
            let command = command.strip_suffix(" --json run.json").unwrap();
            let rest: Vec<_> = command.split(' ').skip(1).collect();
            let rest = json(dir.path(), &rest);
            assert_eq!(rest["weights"], whole["weights"], "{command}");
            assert_eq!(rest["epochs"], 300_000 - done);
        }
    }

    /// Where stdout is not for it, the same on stderr; in a run that goes on, counted from the first.
    #[test]
    fn ctrl_c_says_how_to_go_on_whatever_stdout_holds() {
        let dir = tempdir().unwrap();
        run(dir.path(), &["--epochs", "401", "--save", "w", "--quiet"]);
        let long = "--resume w --epochs 100000000 --learning-rate 1e-8 --gradient fused --out a";
        for (option, kept) in [
            (["--json", "-"], " --json -"),
            (["--quiet", "--json=run.json"], " --json run.json --quiet"),
        ] {
            let args: Vec<_> = long.split(' ').chain(option).collect();
            let pause = Duration::from_secs(1);
            let (code, stdout, stderr) = interrupted(dir.path(), &args, 0, pause);
            assert_eq!((code, stderr.lines().count()), (130, 1), "{stderr}");
            let epochs = match option[0] {
                "--quiet" => std::fs::read_to_string(dir.path().join("run.json")).unwrap(),
                _ => stdout,
            };
            let epochs: Value = serde_json::from_str(&epochs).unwrap();
            let behind = 401 + epochs["epochs"].as_u64().unwrap();
            let line = format!("interrupted after {behind} of 100000401 epochs; to go on: `");
            assert!(stderr.starts_with(&line), "{stderr}");
            assert!(stderr.ends_with(&format!("{kept}`\n")), "{stderr}");
        }
        let args: Vec<_> = long.split(' ').collect();
        let (_, stdout, _) = interrupted(dir.path(), &args, 0, Duration::from_secs(1));
        let count = |before: &str, after: &str| {
            let rest = stdout.split_once(before).unwrap().1;
            rest.split_once(after).unwrap().0.to_owned()
        };
        assert_eq!(
            count(" after ", " epochs;"),
            count("interrupted after ", " of ")
        );
    }

    #[test]
    fn files_have_the_mode_of_new_files_and_links_stay() {
        let dir = tempdir().unwrap();
        std::fs::write(dir.path().join("real.json"), "").unwrap();
        symlink("real.json", dir.path().join("link.json")).unwrap();
        let (code, ..) = shell(
            dir.path(),
            "umask 022; candle-sine --json link.json --save w",
        );
        assert_eq!(code, 0);
        let mode = std::fs::metadata(dir.path().join("w"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o644);
        assert!(dir.path().join("link.json").is_symlink());
        assert!(
            std::fs::metadata(dir.path().join("real.json"))
                .unwrap()
                .len()
                > 100
        );
    }
}
