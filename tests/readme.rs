//! The READMEs cannot drift: their commands run and print what they show, their excerpts stand in
//! the files they name, their links lead somewhere, their pictures are what the program draws.

mod common;

use common::{parts, sine};
use std::path::Path;
use tempfile::tempdir;

const READMES: [&str; 2] = ["README.md", "README.ko.md"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

/// The fenced blocks of a language, each with the line before it.
fn blocks<'a>(text: &'a str, language: &str) -> Vec<(&'a str, String)> {
    let (mut blocks, mut before, mut open) = (vec![], "", None::<String>);
    for line in text.lines() {
        match &mut open {
            Some(block) if line == "```" => {
                blocks.push((before, std::mem::take(block)));
                open = None;
            }
            Some(block) => *block += &format!("{line}\n"),
            None if line.strip_prefix("```") == Some(language) => open = Some(String::new()),
            None => before = line,
        }
    }
    blocks
}

/// Runs what a console shows after `$ ` and compares it with what stands below.
#[test]
fn commands_print_what_is_shown() {
    for readme in READMES {
        let dir = tempdir().unwrap();
        let text = read(readme);
        let sessions = blocks(&text, "console");
        let commands = sessions
            .iter()
            .flat_map(|(_, block)| block.split("$ ").skip(1));
        let mut run = 0;
        for (command, shown) in commands.map(|c| c.split_once('\n').unwrap()) {
            let printed = output_of(dir.path(), command);
            assert!(
                same(shown, &printed),
                "{readme}: {command}\n{shown}---\n{printed}"
            );
            run += 1;
        }
        assert!(run >= 6, "{readme}: {run} commands");
    }
}

/// The same words line by line, numbers within 2e-6: another libm may round them otherwise. A
/// line `...` stands for all that follows.
fn same(shown: &str, printed: &str) -> bool {
    let (shown, open) = match shown.strip_suffix("...\n") {
        Some(beginning) => (beginning, true),
        None => (shown, false),
    };
    let enough = match open {
        true => printed.lines().count() > shown.lines().count(),
        false => printed.lines().count() == shown.lines().count(),
    };
    let line = |(s, p): (&str, &str)| {
        let (s, p): (Vec<_>, Vec<_>) = (s.split(' ').collect(), p.split(' ').collect());
        s.len() == p.len() && s.into_iter().zip(p).all(|(s, p)| same_word(s, p))
    };
    enough && shown.lines().zip(printed.lines()).all(line)
}

fn same_word(shown: &str, printed: &str) -> bool {
    let number = |word: &str| word.trim_end_matches(',').parse::<f64>().ok();
    match (number(shown), number(printed)) {
        // A rounding error, or its size in ulps: its order of magnitude is what is shown.
        (Some(s), Some(p)) if is_rounding(shown) => p.abs() <= 10. * s.abs().max(1e-15),
        (Some(s), Some(p)) => (s - p).abs() <= 2e-6 * s.abs().max(1.),
        _ => shown == printed,
    }
}

/// `4.6e-3`, `1.2`: two digits, where a result has more.
fn is_rounding(word: &str) -> bool {
    let digits = word.split('e').next().unwrap_or(word);
    digits.contains('.') && digits.bytes().filter(u8::is_ascii_digit).count() == 2
}

/// stdout and then stderr of a command, as cargo or an installed program runs it.
fn output_of(dir: &Path, command: &str) -> String {
    let words: Vec<_> = command.split_whitespace().collect();
    let output = match words.as_slice() {
        ["cargo", "run", "--release"] => sine(dir).env("CARGO_MANIFEST_DIR", "").output(),
        ["cargo", "run", "--release", "--", args @ ..] => {
            sine(dir).env("CARGO_MANIFEST_DIR", "").args(args).output()
        }
        ["candle-sine", args @ ..] => sine(dir).args(args).output(),
        _ => panic!("a console block shows a command of another program: {command}"),
    };
    let (_, stdout, stderr) = parts(output.unwrap());
    stdout + &stderr
}

#[test]
fn excerpts_stand_in_the_files_they_name() {
    for readme in READMES {
        let text = read(readme);
        let excerpts = blocks(&text, "rust,ignore");
        assert!(excerpts.len() >= 5, "{readme}: {} excerpts", excerpts.len());
        for (before, excerpt) in excerpts {
            let file = before.trim_start_matches("<!-- ").trim_end_matches(" -->");
            assert!(
                read(file).contains(&excerpt),
                "{readme}: not in {file}:\n{excerpt}"
            );
        }
    }
}

#[test]
fn links_lead_to_files_and_headings() {
    for readme in READMES {
        let text = read(readme);
        let links = text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap());
        for link in links.filter(|l| !l.starts_with("http")) {
            match link.strip_prefix('#') {
                Some(anchor) => assert!(
                    anchors(&text).contains(&anchor.into()),
                    "{readme}: #{anchor}"
                ),
                None => assert!(root().join(link).exists(), "{readme}: {link}"),
            }
        }
    }
}

/// As GitHub makes them of headings.
fn anchors(text: &str) -> Vec<String> {
    let headings = text.lines().filter(|l| l.starts_with("##"));
    let anchor = |heading: &str| {
        let heading = heading
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .replace(' ', "-");
        heading
            .chars()
            .filter(|c| c.is_alphanumeric() || "-_".contains(*c))
            .collect()
    };
    headings.map(anchor).collect()
}

/// `scripts/assets.sh` draws them; another libm may move a pixel's shade, not a line.
#[test]
fn pictures_are_what_the_program_draws() {
    drawn_as(&[], &["sine", "overlay", "loss"], "");
    drawn_as(&["--learning-rate", "6e-6"], &["overlay"], "-converged");
}

fn drawn_as(args: &[&str], figures: &[&str], suffix: &str) {
    let dir = tempdir().unwrap();
    sine(dir.path()).args(args).assert().success();
    for figure in figures {
        let drawn = pixels(&dir.path().join(format!("out/{figure}.png")));
        let asset = pixels(&root().join(format!("assets/{figure}{suffix}.png")));
        assert_eq!(drawn.len(), asset.len());
        let pairs = drawn.iter().zip(&asset);
        let apart = pairs.filter(|(d, a)| d.abs_diff(**a) > 40).count();
        assert!(
            apart * 2000 < drawn.len(),
            "{figure}: {apart} of {} differ",
            drawn.len()
        );
    }
}

fn pixels(path: &Path) -> Vec<u8> {
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    pixels
}
