//! Every public function of candle that takes a tensor and returns one, read from the sources of
//! the versions in Cargo.lock, is in the catalogue or in the list of exemptions.
#![cfg(feature = "cli")]

#[path = "audit/calls.rs"]
mod calls;
#[path = "audit/sources.rs"]
mod sources;

use candle_sine::audit::case::Coordinates;
use candle_sine::audit::catalog::{self, EXEMPT};
use candle_sine::audit::known::{Place, REPAIRS, record};
use candle_sine::audit::range;
use candle_sine::audit::range::line::Line;
use candle_sine::audit::report::CANDLE;
use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
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

/// A path that is written out stands in a function of the catalogue that calls what it names: paths and
/// calls of the tables are made of one name anyway.
#[test]
fn the_catalogue_calls_what_it_names() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/audit/catalog");
    let (mut seen, mut wrong) = (0, vec![]);
    for file in std::fs::read_dir(folder).expect("the catalogue") {
        let file = file.expect("a file").path();
        if file.ends_with("exempt.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a source file");
        for item in syn::parse_file(&text).expect("Rust").items {
            let (mut paths, mut words) = (vec![], BTreeSet::new());
            collect(item.to_token_stream(), &mut paths, &mut words);
            seen += paths.len();
            paths.retain(|path| !calls(path, &words));
            wrong.extend(paths);
        }
    }
    assert!(seen > 100, "only {seen} paths");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The strings that are paths of candle, and the identifiers.
fn collect(tokens: TokenStream, paths: &mut Vec<String>, words: &mut BTreeSet<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => collect(group.stream(), paths, words),
            TokenTree::Ident(word) => drop(words.insert(word.to_string())),
            TokenTree::Literal(literal) => {
                let text = literal.to_string().trim_matches('"').to_string();
                if text.starts_with("candle_") && text.contains("::") && !text.ends_with("::") {
                    paths.push(text);
                }
            }
            TokenTree::Punct(_) => {}
        }
    }
}

/// Made by a function, or in a table, of another name.
const MADE_BY: [(&str, &str); 4] = [
    ("Activation", "VARIANTS"),
    ("Func", "func"),
    ("FuncT", "func_t"),
    ("Sequential", "seq"),
];

/// A function by its name, a layer by its type's.
fn calls(path: &str, words: &BTreeSet<String>) -> bool {
    let last = path.rsplit("::").next().unwrap_or(path);
    let made_by = MADE_BY.iter().find(|(name, _)| *name == last);
    words.contains(made_by.map_or(last, |(_, by)| by))
}

/// Neither the same label, which readers and the second opinion use, nor the same coordinates, which
/// the record uses.
#[test]
fn no_two_cases_are_the_same() {
    let (mut names, mut places) = (BTreeSet::new(), BTreeSet::new());
    for case in catalog::all() {
        let what = format!("{} {} {:?}", case.path, case.name, case.at);
        assert!(names.insert((case.path, case.name.clone())), "{what}");
        let mut at = case.at.to_vec();
        at.sort();
        assert!(places.insert((case.path, at)), "{what}");
        assert!(!case.name.contains(['{', '}']), "{what}");
    }
}

/// Both ways: what the record names is there, and what is there is named.
#[test]
fn every_repair_is_of_an_entry_and_of_one_case() {
    let cases = catalog::all();
    let mut named = BTreeSet::new();
    for known in record().expect("the record") {
        let Some(instead) = &known.instead else {
            continue;
        };
        named.insert(instead.call.name.as_str());
        let of: Vec<_> = cases.iter().filter(|c| instead.is_of(c)).collect();
        assert_eq!(of.len(), 1, "{}: {} cases", known.id, of.len());
    }
    let there: BTreeSet<_> = REPAIRS.iter().map(|(name, _)| *name).collect();
    assert_eq!(named, there);
    assert_eq!(there.len(), REPAIRS.len());
}

/// What the record says of a place is a coordinate that the function's cases have, or that the sweep
/// of the whole range gives them.
#[test]
fn every_place_of_the_record_is_a_cases() {
    let cases = catalog::all();
    let lines = range::lines(&cases);
    let patterns = record().expect("the record").iter();
    for pattern in patterns.flat_map(|k| &k.rows).flat_map(|p| p.apart()) {
        let probes = pattern.probe.iter().flat_map(|p| p.all());
        let swept = probes.clone().any(|p| p.starts_with("range"));
        let holds = |place: &Place| {
            let mut of = cases.iter().filter(|c| pattern.concerns(c.path));
            let mut along = lines.iter().filter(|l| pattern.concerns(l.case.path));
            match swept {
                true => along.any(|l| in_the_range(l).iter().any(|at| place.holds(at))),
                false => of.any(|c| place.holds(&c.at)),
            }
        };
        let places = pattern.case.iter().flat_map(|c| c.all());
        assert!(places.clone().all(holds), "{pattern}");
        assert!(cases.iter().any(|c| pattern.concerns(c.path)), "{pattern}");
    }
}

/// The coordinates of a line of the sweep.
fn in_the_range(line: &Line) -> Vec<Coordinates> {
    let way = line.way.map(|w| ("way", w.name().to_string()));
    let mut all = vec![];
    for side in ["negative", "positive"] {
        for upstream in ["value", "1", "2^-10", "2^10"] {
            let own = [("side", side.to_string()), ("upstream", upstream.into())];
            let case = line.case.at.iter().cloned();
            all.push(case.chain(way.clone()).chain(own).collect());
        }
    }
    all
}

/// The record quotes candle's sources: each line still says what it quotes.
#[test]
fn every_cause_stands_where_the_record_says() {
    for known in record().expect("the record") {
        let cause = &known.cause;
        let line = &cause.line;
        let file = sources::folder(&line.krate).join("src").join(&line.file);
        let text = std::fs::read_to_string(&file).expect("a source file");
        let said = text.lines().nth(line.number - 1).unwrap_or_default();
        assert!(
            said.contains(&cause.quote),
            "{}: {line} says {said}",
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
    for known in record().expect("the record") {
        assert!(ids.insert(&known.id), "{}", known.id);
        if let Some(link) = &known.upstream {
            let thread = link.strip_prefix("https://github.com/huggingface/candle/");
            let thread = thread.and_then(|t| t.split_once('/'));
            let (kind, number) = thread.expect("a thread of candle");
            assert!(kind == "issues" || kind == "pull");
            assert!(number.parse::<u32>().is_ok());
        }
    }
}

/// Which function calls which, as the report of the audit has it; with the variable WRITE set the file is
/// written.
#[test]
fn calls_are_what_the_sources_say() {
    let cases = catalog::all();
    let paths: BTreeSet<&str> = cases.iter().map(|c| c.path).collect();
    let folders = ["candle-core", "candle-nn"].map(sources::folder);
    let lines = calls::lines(&paths, &folders);
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/audit/calls.txt");
    if std::env::var_os("WRITE").is_some() {
        std::fs::write(file, &lines).expect("it is written");
    }
    let committed = std::fs::read_to_string(file).expect("the file");
    assert_eq!(
        committed, lines,
        "WRITE=1 cargo test --release --test audit_enumeration writes it again"
    );
    for known in [
        ("candle_nn::ops::mish", "candle_core::Tensor::tanh"),
        ("candle_nn::activation::Activation", "candle_nn::ops::mish"),
        (
            "candle_core::Tensor::broadcast_add",
            "candle_core::Tensor::add",
        ),
        ("candle_nn::loss::mse", "candle_core::Tensor::sqr"),
        (
            "candle_nn::rnn::RNN::seq_init",
            "candle_nn::rnn::LSTM::step",
        ),
    ] {
        let line = lines
            .lines()
            .find(|l| l.starts_with(&format!("{}: ", known.0)));
        assert!(
            line.is_some_and(|l| l.contains(known.1)),
            "{known:?}: {line:?}"
        );
    }
}
