//! The READMEs and the pages beside them cannot drift: their commands run and print what they show,
//! their excerpts stand in the files they name, their links lead somewhere, their pictures are what the
//! program draws. Their table of candle's defects is the audit's.

mod common;

use common::movie::frames;
use common::{parts, run, same, sine};
use std::path::Path;
use tempfile::tempdir;

const READMES: [&str; 2] = ["README.md", "README.ko.md"];

/// Those that these tests hold to the sources: the READMEs and what was measured.
fn pages() -> Vec<String> {
    let measured = ["ladder", "gradcheck"].map(|page| format!("assets/{page}.md"));
    let korean = ["ladder", "gradcheck"].map(|page| format!("assets/{page}.ko.md"));
    let all = READMES.map(str::to_owned).into_iter();
    all.chain(measured).chain(korean).collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

#[test]
fn a_readme_is_a_front_page() {
    for readme in READMES {
        let lines = read(readme).lines().count();
        assert!(lines <= 200, "{readme}: {lines} lines");
    }
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
    for page in pages() {
        let dir = tempdir().unwrap();
        let text = read(&page);
        let sessions = blocks(&text, "console");
        let commands = sessions
            .iter()
            .flat_map(|(_, block)| block.split("$ ").skip(1));
        let mut run = 0;
        for (command, shown) in commands.map(|c| c.split_once('\n').unwrap()) {
            let printed = output_of(dir.path(), command);
            assert!(
                same(shown, &printed),
                "{page}: {command}\n{shown}---\n{printed}"
            );
            run += 1;
        }
        let least = if READMES.contains(&page.as_str()) {
            1
        } else {
            0
        };
        assert!(run >= least, "{page}: {run} commands");
    }
}

/// stdout and then stderr of a command, as cargo or an installed program runs it.
fn output_of(dir: &Path, command: &str) -> String {
    let words: Vec<_> = command.split_whitespace().collect();
    let output = match words.as_slice() {
        ["cargo", "run", "--release"] => sine(dir).output(),
        ["cargo", "run", "--release", "--", args @ ..] => sine(dir).args(args).output(),
        ["candle-sine", args @ ..] => sine(dir).args(args).output(),
        _ => panic!("a console block shows a command of another program: {command}"),
    };
    let (_, stdout, stderr) = parts(output.unwrap());
    stdout + &stderr
}

#[test]
fn excerpts_stand_in_the_files_they_name() {
    let mut seen = 0;
    for page in pages() {
        let text = read(&page);
        for (before, excerpt) in blocks(&text, "rust,ignore") {
            let file = before.trim_start_matches("<!-- ").trim_end_matches(" -->");
            assert!(
                read(file).contains(&excerpt),
                "{page}: not in {file}:\n{excerpt}"
            );
            seen += 1;
        }
    }
    assert!(seen >= 4, "{seen} excerpts");
}

mod example {
    #![allow(dead_code)]
    include!("data/gradcheck_example.rs");

    pub fn report() -> String {
        let x = Tensor::new(&[[0.5f64, -1.], [2., 0.25]], &Device::Cpu).unwrap();
        let report = gradcheck(|t| t[0].apply_op1(Cube), &[x], &Options::default());
        report.unwrap().to_string()
    }
}

/// The head of its report: more stands below.
#[test]
fn the_failure_that_is_shown_is_what_gradcheck_says() {
    let report = example::report();
    for readme in READMES {
        let text = read(readme);
        let blocks = blocks(&text, "text");
        let (_, shown) = blocks.iter().find(|b| b.0.contains("report")).unwrap();
        assert!(shown.lines().count() <= 10, "{readme}:\n{shown}");
        assert!(report.starts_with(shown), "{readme}:\n{shown}---\n{report}");
    }
}

/// Links within the page, to other pages and their headings, to files; all relative to the page.
#[test]
fn links_lead_to_files_and_headings() {
    for page in pages() {
        let text = read(&page);
        let links = text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap());
        for link in links.filter(|l| !l.starts_with("http")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => root().join(&page),
                file => root().join(&page).parent().unwrap().join(file),
            };
            assert!(target.exists(), "{page}: {link}");
            if !anchor.is_empty() {
                let text = std::fs::read_to_string(target).unwrap();
                assert!(anchors(&text).contains(&anchor.into()), "{page}: {link}");
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

/// What was measured is the same in both languages.
#[test]
fn the_korean_page_has_the_same_numbers() {
    let [english, korean] = [".md", ".ko.md"].map(|end| read(&format!("assets/gradcheck{end}")));
    assert_eq!(numbers(&english), numbers(&korean));
}

/// Those in the bodies of the tables, row by row, in order of size.
fn numbers(text: &str) -> Vec<Vec<String>> {
    let lines: Vec<_> = text.lines().collect();
    let is_body = |pair: &&[&str]| pair[0].starts_with("| ") && !pair[1].starts_with("|--");
    let row = |pair: &[&str]| {
        let parts = pair[0].split(|c: char| !c.is_ascii_digit() && c != '.');
        let mut row: Vec<_> = parts.map(|p| p.trim_matches('.').to_owned()).collect();
        row.retain(|number| !number.is_empty());
        row.sort();
        row
    };
    lines.windows(2).filter(is_body).map(row).collect()
}

/// What the READMEs say of the whole audit stands on its card.
#[test]
fn the_audits_numbers_are_the_cards() {
    let card = read("assets/audit.md");
    let summary = card.lines().find(|l| l.contains("functions, ")).unwrap();
    let number = |before: &str| {
        let words = summary.split(before).next().unwrap();
        words.rsplit(' ').next().unwrap().parse::<usize>().unwrap()
    };
    let (all, bad) = (number(" functions, "), number(" functions: "));
    for readme in READMES {
        let text = read(readme);
        for number in [all, bad, all - bad] {
            assert!(text.contains(&number.to_string()), "{readme}: {number}");
        }
    }
}

/// `scripts/assets.sh` draws them; another libm may move a pixel's shade, not a line.
#[test]
fn pictures_are_what_the_program_draws() {
    let fast = ["--learning-rate", "6e-6", "--animate"];
    for (args, suffix) in [(&fast[2..], ""), (&fast[..], "-converged")] {
        let dir = tempdir().unwrap();
        assert_eq!(run(dir.path(), args).0, 0);
        let drawn = std::fs::read(dir.path().join("out/fit.png")).unwrap();
        let asset = std::fs::read(root().join(format!("assets/fit{suffix}.png"))).unwrap();
        assert!(
            asset.len() < 1_000_000,
            "fit{suffix}: {} bytes",
            asset.len()
        );
        let (drawn, asset) = (frames(&drawn), frames(&asset));
        assert_eq!(drawn.len(), asset.len());
        for (i, (drawn, asset)) in drawn.iter().zip(&asset).enumerate() {
            assert_eq!(drawn.milliseconds, asset.milliseconds);
            same_picture(&drawn.rgb, &asset.rgb, &format!("fit{suffix}, frame {i}"));
        }
    }
}

fn same_picture(drawn: &[u8], asset: &[u8], name: &str) {
    assert_eq!(drawn.len(), asset.len());
    let pairs = drawn.iter().zip(asset);
    let apart = pairs.filter(|(d, a)| d.abs_diff(**a) > 40).count();
    assert!(
        apart * 2000 < drawn.len(),
        "{name}: {apart} of {} differ",
        drawn.len()
    );
}
