//! The guide cannot drift: its code lines stand in the sources, its outputs, numbers and pictures are what
//! the programs give now, and its WebAssembly was built from the sources that are here.
//!
//! When one of these fails, `scripts/guide.sh` makes the pages again: from the texts alone, with `--facts` from
//! what the programs give now, with `--module` the WebAssembly.

#[path = "../scripts/guide/facts.rs"]
mod facts;

mod common;

use candle_sine::sine::Method;
use common::{names, run, same};
use facts::train::Task;
use facts::{Edit, Facts, TUTORIAL, root};
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::read_to_string;
use std::sync::OnceLock;
use tempfile::tempdir;

const PAGES: [&str; 2] = ["index.html", "en.html"];

fn read(path: &str) -> String {
    read_to_string(root().join(path)).unwrap()
}

fn page(name: &str) -> String {
    read(&format!("assets/guide/{name}"))
}

/// The page is written so that it is XML too.
fn parse(text: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(text, options).unwrap()
}

fn text(node: Node) -> String {
    let texts = node.descendants().filter(Node::is_text);
    texts.filter_map(|n| n.text()).collect()
}

/// What a node says in the words of ko.md or en.md: without formulas, facts, and links to itself.
fn words(node: Node) -> String {
    let said = |n: &Node| {
        let within = n.ancestors().take_while(|a| *a != node);
        let mut others = within.filter(Node::is_element);
        others.all(|a| {
            !["math", "data", "select"].contains(&a.tag_name().name())
                && a.attribute("class") != Some("anchor")
        })
    };
    let texts = node.descendants().filter(Node::is_text).filter(said);
    squeezed(&texts.filter_map(|n| n.text()).collect::<String>())
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The texts of a language, by their keys.
fn texts(language: &str) -> BTreeMap<String, String> {
    let (mut texts, mut key) = (BTreeMap::new(), String::new());
    for line in read(&format!("scripts/guide/{language}.md")).lines() {
        if let Some(next) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            key = next.to_owned();
        } else {
            let text: &mut String = texts.entry(key.clone()).or_default();
            *text += line;
            *text += "\n";
        }
    }
    texts
        .into_iter()
        .map(|(k, v)| (k, v.trim().to_owned()))
        .collect()
}

/// The paragraphs and points of a list, without Markdown, formulas and facts.
fn paragraphs(markdown: &str) -> Vec<String> {
    let mut text = markdown.replace("\n- ", "\n\n- ");
    for (from, to) in [("$", "$"), ("{", "}"), ("](", ")")] {
        while let Some((before, rest)) = text.split_once(from) {
            text = before.to_owned() + rest.split_once(to).unwrap().1;
        }
    }
    let text = text.replace(['`', '*', '['], "");
    let paragraphs = text
        .split("\n\n")
        .map(|p| squeezed(p.trim().trim_start_matches("- ")));
    paragraphs.collect()
}

/// Each paragraph of ko.md and en.md stands in its page, whole; and each paragraph of a page in its text.
#[test]
fn the_pages_say_what_the_texts_say() {
    for (language, name) in ["ko", "en"].into_iter().zip(PAGES) {
        let page = page(name);
        let document = parse(&page);
        let elements = document.descendants().filter(Node::is_element);
        let attributes = elements.clone().flat_map(|n| n.attributes());
        let mut said: BTreeSet<_> = attributes.map(|a| squeezed(a.value())).collect();
        said.extend(elements.clone().map(words));
        let (_, script) = with(&document, "id")
            .into_iter()
            .find(|(id, _)| *id == "words")
            .unwrap();
        let script: BTreeMap<String, String> = serde_json::from_str(&text(script)).unwrap();
        let mut written = BTreeSet::new();
        for (key, text) in texts(language) {
            if let Some(key) = key.strip_prefix("play.") {
                assert_eq!(script[key], text, "{name}: play.{key}");
            }
            for paragraph in paragraphs(&text) {
                // A word may stand beside others, a sentence is a paragraph of its own.
                let beside =
                    || !paragraph.ends_with('.') && said.iter().any(|s| s.contains(&paragraph));
                let script = key.starts_with("play.");
                assert!(
                    script || said.contains(&paragraph) || beside(),
                    "{name}: {key}: {paragraph}"
                );
                written.insert(paragraph);
            }
        }
        let sentences = elements.filter(|n| ["p", "li"].contains(&n.tag_name().name()));
        for sentence in sentences
            .filter(|n| n.attribute("class") != Some("pair"))
            .map(words)
        {
            assert!(
                !sentence.ends_with('.') || written.contains(&sentence),
                "{name}: {sentence}"
            );
        }
        for file in ["style.css", "play.js"] {
            assert!(
                page.contains(&read(&format!("scripts/guide/{file}"))),
                "{name}: {file}"
            );
        }
    }
}

/// Under each key both languages have the same paragraphs, facts, and links inside of the page.
#[test]
fn both_texts_are_alike() {
    let marks = |text: &str| {
        let after = |mark: &str, end: char| {
            let parts = text.split(mark).skip(1);
            let found = parts.map(|part| part.split(end).next().unwrap().to_owned());
            found.collect::<BTreeSet<_>>()
        };
        (paragraphs(text).len(), after("{", '}'), after("](#", ')'))
    };
    let [ko, en] = ["ko", "en"].map(texts);
    assert!(ko.keys().eq(en.keys()));
    for (key, text) in &ko {
        assert_eq!(marks(text), marks(&en[key]), "{key}");
    }
}

/// Elements with an attribute, and its value.
fn with<'a>(document: &'a Document, attribute: &str) -> Vec<(&'a str, Node<'a, 'a>)> {
    let all = document.descendants();
    all.filter_map(|n| Some((n.attribute(attribute)?, n)))
        .collect()
}

fn now() -> &'static Facts {
    static FACTS: OnceLock<Facts> = OnceLock::new();
    FACTS.get_or_init(|| facts::facts().unwrap())
}

/// Not a test: `scripts/guide.sh --facts` calls it.
#[test]
#[ignore = "writes scripts/guide/facts.json"]
fn facts_for_the_page() {
    let text = serde_json::to_string_pretty(now()).unwrap() + "\n";
    std::fs::write(root().join("scripts/guide/facts.json"), text).unwrap();
}

#[test]
fn code_lines_are_those_of_the_sources() {
    for name in PAGES {
        let page = page(name);
        let document = parse(&page);
        let mut shown = BTreeSet::new();
        for (place, node) in with(&document, "data-line") {
            let (file, number) = place.split_once(':').unwrap();
            let number: usize = number.parse().unwrap();
            let source = read(file);
            let line = source.lines().nth(number - 1).unwrap();
            assert_eq!(text(node), line.trim(), "{name}: {place}");
            shown.insert((file.to_owned(), number));
        }
        let code = code_lines("scripts/post.py").chain(code_lines("src/tutorial/post.rs"));
        assert_eq!(shown, code.collect(), "{name}");
    }
}

/// On the left are all lines of the post's code blocks, by their numbers there: empty ones and comments aside.
#[test]
fn the_left_column_is_the_post() {
    for name in PAGES {
        let page = page(name);
        let document = parse(&page);
        let lines = with(&document, "data-line").into_iter();
        let python = lines.filter(|(place, _)| place.starts_with("scripts/post.py:"));
        let numbers = python.filter_map(|(_, line)| line.attribute("data-number"));
        let numbers: Vec<_> = numbers.filter(|number| *number != "+").collect();
        let blocks =
            "2 3 4|1 2|2 3 4 5|1 4 5 6|2 4 5 7 9 10 12 13 14 15 16 19 20 21 22|2 3 4|2 3 4";
        assert_eq!(numbers.join(" "), blocks.replace('|', " "), "{name}");
    }
}

/// All lines but empty ones, comments, and the text at the head.
fn code_lines(file: &'static str) -> impl Iterator<Item = (String, usize)> {
    let source = read(file);
    let (comment, head) = match file.ends_with(".py") {
        true => ("#", source.lines().position(|l| l == "\"\"\"").unwrap() + 1),
        false => ("//", 0),
    };
    let lines = source.lines().enumerate().skip(head);
    let code = |(_, line): &(usize, &str)| !line.is_empty() && !line.trim().starts_with(comment);
    let numbers: Vec<_> = lines.filter(code).map(|(i, _)| i + 1).collect();
    numbers.into_iter().map(move |n| (file.to_owned(), n))
}

#[test]
fn outputs_and_numbers_are_what_the_programs_give() {
    for name in PAGES {
        let page = page(name);
        let document = parse(&page);
        let shown = with(&document, "data-fact");
        for (fact, node) in &shown {
            let now = &now()[*fact];
            let shown = text(*node);
            assert!(same(&shown, now), "{name}: {fact}\n{shown}\n---\n{now}");
        }
        let shown: BTreeSet<_> = shown.into_iter().map(|(fact, _)| fact).collect();
        let long = |fact: &&String| fact.starts_with("out.") || fact.starts_with("edit.");
        for fact in now().keys().filter(long) {
            assert!(shown.contains(fact.as_str()), "{name}: {fact} is not shown");
        }
    }
}

#[test]
fn the_table_is_the_posts_and_the_programs() {
    let printed = &now()["out.post"];
    let (table, gradients): (Vec<_>, Vec<_>) =
        printed.lines().partition(|line| line.starts_with("epoch"));
    for name in PAGES {
        let page = page(name);
        let document = parse(&page);
        for program in ["data-python", "data-rust"] {
            let cells = with(&document, program).into_iter();
            let line = |(epoch, cell)| format!("epoch : {epoch}, loss : {}", text(cell));
            let shown: Vec<_> = cells.map(line).collect();
            assert_eq!(shown.len(), 10);
            for (shown, printed) in shown.iter().zip(&table) {
                assert!(same(shown, printed), "{name}: {shown}, {printed}");
            }
        }
        let tail = with(&document, "data-tail");
        let tail = tail.iter().map(|(_, node)| text(*node));
        for tail in tail {
            assert!(same(tail.trim(), &gradients.join("\n")), "{name}: {tail}");
        }
    }
}

#[test]
fn pictures_are_what_src_plot_draws() {
    for name in PAGES {
        let page = page(name);
        let document = parse(&page);
        let figures = with(&document, "data-svg");
        let drawn: BTreeSet<_> = figures.iter().map(|(fact, _)| *fact).collect();
        let all = now().keys().filter(|fact| fact.starts_with("svg."));
        assert!(drawn.into_iter().eq(all), "{name}");
        for (fact, figure) in figures {
            let svg = parse(&now()[fact]);
            let (shown, drawn) = (strokes(figure), strokes(svg.root_element()));
            assert_eq!(shown.len(), drawn.len(), "{name}: {fact}");
            for (s, d) in shown.iter().zip(&drawn) {
                assert!(close(s, d), "{name}: {fact}: {s}, {d}");
            }
        }
    }
}

/// Lines and texts of an SVG.
fn strokes(svg: Node) -> Vec<String> {
    let nodes = svg.descendants();
    let stroke = |n: Node| match n.tag_name().name() {
        "polyline" => n.attribute("points").map(str::to_owned),
        "text" => Some(text(n).trim().to_owned()),
        _ => None,
    };
    nodes.filter_map(stroke).collect()
}

/// The same words, and whole numbers within one: a tenth of a point.
fn close(shown: &str, drawn: &str) -> bool {
    let split = |s: &str| s.split([' ', ',']).map(str::to_owned).collect::<Vec<_>>();
    let near = |(s, d): (&String, &String)| match (s.parse::<i64>(), d.parse::<i64>()) {
        (Ok(s), Ok(d)) => s.abs_diff(d) <= 1,
        _ => s == d,
    };
    let (shown, drawn) = (split(shown.trim()), split(drawn.trim()));
    shown.len() == drawn.len() && shown.iter().zip(&drawn).all(near)
}

/// The rows of a diff: whether the line was there before, whether it is there now, its number, its text.
fn rows(diff: Node) -> Vec<(bool, bool, usize, String)> {
    let lines = diff.children().filter(|n| n.has_attribute("data-number"));
    let row = |n: Node| {
        let number = n.attribute("data-number").unwrap().parse().unwrap();
        let tag = n.tag_name().name();
        (tag != "ins", tag != "del", number, text(n))
    };
    lines.map(row).collect()
}

#[test]
fn the_ladder_is_the_files() {
    for name in PAGES {
        let page = page(name);
        let document = parse(&page);
        let steps = with(&document, "data-rung");
        let shown: Vec<_> = steps.iter().map(|(rung, _)| *rung).collect();
        assert_eq!(shown, TUTORIAL);
        for (rung, step) in steps {
            let diff = step
                .children()
                .find(|n| n.has_attribute("data-new"))
                .unwrap();
            let rows = rows(diff);
            let lines = |keep: fn(&&(bool, bool, usize, String)) -> bool| {
                let lines = rows.iter().filter(keep).map(|row| row.3.clone() + "\n");
                lines.collect::<String>()
            };
            let file = diff.attribute("data-new").unwrap();
            assert_eq!(lines(|row| row.1), read(file), "{name}: {rung}");
            if let Some(old) = diff.attribute("data-old").filter(|old| !old.is_empty()) {
                let old = read(&format!("src/tutorial/{old}"));
                assert_eq!(lines(|row| row.0), old, "{name}: {rung}");
            }
        }
    }
}

/// The diff on the page, applied to post.rs, is the file whose output stands below it.
#[test]
fn the_edits_are_what_was_run() {
    let post = read("src/tutorial/post.rs");
    for name in PAGES {
        let page = page(name);
        let document = parse(&page);
        let shown = with(&document, "data-edit");
        let edits = Edit::all().unwrap();
        assert_eq!(shown.len(), edits.len(), "{name}");
        for ((id, article), edit) in shown.into_iter().zip(edits) {
            assert_eq!(id, edit.id, "{name}");
            let diff = article.children().find(|n| n.has_attribute("data-new"));
            let rows = rows(diff.unwrap());
            let gone = |i: &usize| rows.iter().any(|(_, new, n, _)| !new && *n == i + 1);
            let kept = post.lines().enumerate().filter(|(i, _)| !gone(i));
            let mut lines: Vec<_> = kept.map(|(_, line)| line.to_owned()).collect();
            for (_, _, number, line) in rows.iter().filter(|(old, ..)| !old) {
                lines.insert(number - 1, line.clone());
            }
            assert_eq!(lines.join("\n") + "\n", edit.apply().unwrap(), "{id}");
            for (_, _, number, line) in rows.iter().filter(|(_, new, ..)| !new) {
                assert_eq!(post.lines().nth(number - 1), Some(line.as_str()), "{id}");
            }
        }
    }
}

/// What the answers of "Try it" say about the outputs.
#[test]
fn the_answers_are_true() {
    let printed = |id: &str| now()[&format!("edit.{id}")].as_str();
    let losses = |id: &str| {
        let lines = printed(id).lines().filter(|l| l.starts_with("epoch"));
        let loss = |l: &str| l.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
        lines.map(loss).collect::<Vec<_>>()
    };
    let falls = |id: &str| losses(id).windows(2).all(|pair| pair[1] < pair[0]);
    let grows = |id: &str| losses(id).windows(2).all(|pair| pair[1] > 100. * pair[0]);
    // The weights whose gradients are not the same.
    let wrong = |id: &str| {
        let lines = printed(id).lines().filter(|l| l.contains("NOT the same"));
        lines.map(|l| &l[5..6]).collect::<String>()
    };
    assert!(falls("rate-5e-6") && losses("rate-5e-6")[9] < 10.);
    assert!(grows("rate-7.2e-6") && wrong("rate-7.2e-6").is_empty());
    assert_eq!(losses("rate-7.2e-6")[9].log10().floor(), 26.);
    assert!(falls("no-factor-2") && wrong("no-factor-2") == "abcd");
    assert!(falls("mean") && losses("mean")[9] > 0.8 * losses("mean")[0]);
    assert!(falls("mean-loss") && losses("mean-loss")[9] < 0.1 * losses("mean-loss")[0]);
    assert!(wrong("mean").is_empty() && wrong("mean-loss") == "abcd");
    assert!(grows("sign") && wrong("sign") == "b");
    assert!(falls("cos") && falls("seed-42"));
    assert_eq!(losses("epoch-200").len(), 2);
    assert!(losses("quintic-1e-6")[1..].iter().all(|loss| loss.is_nan()));
    assert_eq!(printed("quintic-1e-6").matches("diverged").count(), 5);
    assert!(falls("quintic-1e-7") && wrong("quintic-1e-7").is_empty());
}

/// What make.py's `fingerprint` computes.
#[test]
fn the_webassembly_is_built_from_these_sources() {
    let files = |folder: &str| {
        let names = names(&root().join(folder)).into_iter();
        names.map(|name| format!("{folder}/{name}")).collect()
    };
    let guide = ["Cargo.toml", "train.rs", "wasm.rs"].map(|name| format!("scripts/guide/{name}"));
    let sources: [Vec<String>; 3] = [files("src/pytorch"), files("src/sine"), guide.to_vec()];
    let sources = sources.concat();
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for source in &sources {
        hash = fnv(read(source).as_bytes(), hash);
    }
    let lock = read("Cargo.lock");
    for package in lock
        .split("[[package]]")
        .filter(|p| p.contains("\nsource = "))
    {
        let field = |name: &str| package.split(&format!("\n{name} = \"")).nth(1);
        let value = |name: &str| field(name).and_then(|v| v.split('"').next()).unwrap();
        if value("name").starts_with("candle-") {
            let package = format!("{} {}", value("name"), value("version"));
            hash = fnv(package.as_bytes(), hash);
        }
    }
    let script = read("assets/guide/candle.js");
    let head = script.lines().next().unwrap();
    assert!(head.ends_with(&format!(" {hash:016x}.")), "{head}");
    for name in PAGES {
        let page = page(name);
        assert!(sources.iter().all(|source| page.contains(source)), "{name}");
    }
}

/// FNV-1a.
fn fnv(bytes: &[u8], start: u64) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    bytes.iter().fold(start, step)
}

#[test]
fn both_languages_have_the_same_blocks() {
    let pages = PAGES.map(page);
    let ids = pages.each_ref().map(|page| {
        let document = parse(page);
        let ids = with(&document, "id");
        ids.into_iter()
            .map(|(id, _)| id.to_owned())
            .collect::<Vec<_>>()
    });
    assert_eq!(ids[0], ids[1]);
    let once: BTreeSet<_> = ids[0].iter().collect();
    assert_eq!(once.len(), ids[0].len(), "an id stands twice");
    for page in &pages {
        for (link, _) in with(&parse(page), "href") {
            let inside = link.strip_prefix('#').filter(|id| !id.is_empty());
            assert!(
                inside.is_none_or(|id| ids[0].iter().any(|i| i == id)),
                "{link}"
            );
        }
    }
}

/// What trains in the page against the files that the page shows: the same digits, but for the operation of our
/// own, which adds in another order.
#[test]
fn each_way_prints_what_its_file_prints() {
    let post = facts::post(1e-6).unwrap();
    for (&method, name) in Method::ALL.iter().zip(TUTORIAL) {
        let epochs = facts::epochs(&Task { method, ..post }, 1000).unwrap();
        let printed = now()[&format!("out.{name}")].lines();
        let printed: Vec<f64> = printed
            .filter_map(|l| l.strip_prefix("epoch : ")?.rsplit(' ').next()?.parse().ok())
            .collect();
        assert_eq!(printed.len(), 10, "{name}");
        for (epoch, printed) in epochs.iter().step_by(100).zip(printed) {
            let apart = (epoch.loss / printed - 1.).abs();
            let most = if method == Method::Fused { 2e-6 } else { 0. };
            assert!(apart <= most, "{name}: {} {printed}", epoch.loss);
        }
    }
}

#[test]
fn the_command_writes_the_guide() {
    let dir = tempdir().unwrap();
    let (code, stdout, stderr) = run(dir.path(), &["guide"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(
        stdout.starts_with("wrote out/guide/index.html, "),
        "{stdout}"
    );
    let written = dir.path().join("out/guide");
    assert_eq!(names(&written), ["candle.js", "en.html", "index.html"]);
    for file in names(&written) {
        let written = read_to_string(written.join(&file)).unwrap();
        assert_eq!(written, page(&file));
    }
}
