//! Every public function of candle that takes a tensor and returns one, read from the sources of
//! the versions in Cargo.lock, is in the catalogue or in the list of exemptions.
#![cfg(feature = "cli")]

#[path = "audit/sources.rs"]
mod sources;

use candle_sine::audit::catalog::{self, EXEMPT};
use candle_sine::audit::known::ENTRIES;
use candle_sine::audit::report::CANDLE;
use std::collections::BTreeSet;

fn exempts(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.starts_with(prefix),
        None => path == pattern,
    }
}

#[test]
fn every_function_is_in_the_catalogue_or_exempt() {
    let checked: BTreeSet<&str> = catalog::all().iter().map(|c| c.path).collect();
    let exempt = |path: &str| EXEMPT.iter().any(|(p, _)| exempts(p, path));
    let functions = sources::functions();
    assert!(
        functions.len() > 250,
        "only {} functions found",
        functions.len()
    );
    let missing: Vec<_> = functions
        .iter()
        .filter(|f| !checked.contains(f.as_str()) && !exempt(f))
        .collect();
    assert!(
        missing.is_empty(),
        "neither checked nor exempt: {missing:#?}"
    );
    let both: Vec<_> = checked.iter().filter(|f| exempt(f)).collect();
    assert!(both.is_empty(), "checked and exempt: {both:#?}");
}

#[test]
fn the_catalogue_and_the_exemptions_name_functions_that_exist() {
    let functions = sources::functions();
    for case in catalog::all() {
        assert!(functions.contains(case.path), "there is no {}", case.path);
    }
    for (path, reason) in EXEMPT {
        assert!(
            functions.iter().any(|f| exempts(path, f)),
            "there is no {path}"
        );
        assert!(!reason.is_empty());
    }
}

#[test]
fn no_two_cases_have_the_same_name() {
    let mut names = BTreeSet::new();
    for case in catalog::all() {
        assert!(
            names.insert((case.path, case.name.clone())),
            "{} {}",
            case.path,
            case.name
        );
    }
}

/// The record quotes candle's sources: each line still says what it quotes.
#[test]
fn every_cause_stands_where_the_record_says() {
    for known in ENTRIES {
        let cause = &known.cause;
        let file = sources::folder(cause.krate).join("src").join(cause.file);
        let text = std::fs::read_to_string(&file).expect("a source file");
        let line = text.lines().nth(cause.line - 1).unwrap_or_default();
        let place = format!("{}:{}", cause.file, cause.line);
        assert!(
            line.contains(cause.quote),
            "{}: {place} says {line}",
            known.id
        );
    }
}

#[test]
fn the_record_is_of_the_locked_versions() {
    for krate in ["candle-core", "candle-nn"] {
        let manifest = sources::folder(krate).join("Cargo.toml");
        let text = std::fs::read_to_string(manifest).expect("a manifest");
        assert!(
            text.contains(&format!("version = \"{CANDLE}\"")),
            "{krate} is not {CANDLE}"
        );
    }
}

#[test]
fn ids_are_unique_and_upstream_is_a_thread_of_candle() {
    let mut ids = BTreeSet::new();
    for known in ENTRIES {
        assert!(ids.insert(known.id), "{}", known.id);
        if let Some(link) = known.upstream {
            let thread = link.strip_prefix("https://github.com/huggingface/candle/");
            let thread = thread.and_then(|t| t.split_once('/'));
            let (kind, number) = thread.expect("a thread of candle");
            assert!(kind == "issues" || kind == "pull");
            assert!(number.parse::<u32>().is_ok());
        }
    }
}
