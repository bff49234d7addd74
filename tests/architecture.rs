//! The page on the crate's architecture: who knows whom, held against the files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

type Arrows = BTreeMap<String, BTreeSet<String>>;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The list of the page.
fn page() -> Arrows {
    let page = std::fs::read_to_string(Path::new(ROOT).join("src/architecture.md")).unwrap();
    let (_, list) = page.split_once("# Who knows whom\n\n```text\n").unwrap();
    let (list, _) = list.split_once("```").unwrap();
    let arrow = |line: &str| {
        let (from, to) = line.split_once("->").unwrap();
        let to = to.split(',').map(str::trim).filter(|to| !to.is_empty());
        (from.trim().to_owned(), to.map(str::to_owned).collect())
    };
    list.lines().map(arrow).collect()
}

/// The Rust files at or below a path.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        return entries.flat_map(|e| files(&e.unwrap().path())).collect();
    }
    let rust = path.is_file() && path.extension().is_some_and(|e| e == "rs");
    rust.then(|| path.to_owned()).into_iter().collect()
}

/// The modules of the crate that a file names outside of comments.
fn named(file: &Path, modules: &[String]) -> BTreeSet<String> {
    let text = std::fs::read_to_string(file).unwrap();
    let code = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let starts = ["crate::", "candle_sine::"];
    let paths = starts.iter().flat_map(|start| code.split(start).skip(1));
    let mut found = BTreeSet::new();
    for path in paths {
        assert!(
            !path.starts_with('{'),
            "{file:?}: a list this test does not read"
        );
        let name: String = path
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        found.extend(Some(name).filter(|name| modules.contains(name)));
    }
    found
}

#[test]
fn the_page_says_who_knows_whom() {
    let page = page();
    let modules: Vec<_> = page.keys().cloned().collect();
    let mut real = Arrows::new();
    for module in &modules {
        let dir = Path::new(ROOT).join("src").join(module);
        let all = files(&dir)
            .into_iter()
            .chain(files(&dir.with_extension("rs")));
        let mut names: BTreeSet<_> = all.flat_map(|file| named(&file, &modules)).collect();
        names.remove(module);
        real.insert(module.clone(), names);
    }
    assert_eq!(page, real);
}

/// Every folder of `src` is on the page.
#[test]
fn the_page_names_every_folder() {
    let page = page();
    for entry in std::fs::read_dir(Path::new(ROOT).join("src")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert!(page.contains_key(name), "{name}");
        }
    }
}
