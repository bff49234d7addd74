//! Which functions of the catalogue call which, found in the sources by name.

use std::collections::BTreeSet;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{ImplItem, Item, TraitItem, Type};

/// What stands before a name that is called.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Before {
    /// `x.name()`
    Dot,
    /// `owner::name()`, or the name where there is no owner.
    Path(String),
}

/// A function's body, or a macro that makes a function.
struct Body {
    file: String,
    /// `Tensor`, `LSTM`; empty outside of an `impl`.
    owner: String,
    name: String,
    calls: BTreeSet<(Before, String)>,
}

/// `caller: callee, callee`, a line for each function of these paths that calls another.
pub fn lines(paths: &BTreeSet<&str>, folders: &[std::path::PathBuf]) -> String {
    let mut bodies = vec![];
    for folder in folders {
        read(&folder.join("src"), &mut bodies);
    }
    let mut text = String::new();
    for path in paths {
        let mut callees = callees(path, paths, &bodies);
        callees.remove(path);
        if !callees.is_empty() {
            let callees: Vec<_> = callees.into_iter().collect();
            text += &format!("{path}: {}\n", callees.join(", "));
        }
    }
    text
}

fn read(folder: &Path, bodies: &mut Vec<Body>) {
    for entry in std::fs::read_dir(folder).expect("the sources") {
        let path = entry.expect("a file").path();
        if path.is_dir() {
            read(&path, bodies);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let file = syn::parse_file(&text).expect("Rust");
            items(&file.items, &path.display().to_string(), bodies);
        }
    }
}

fn items(items: &[Item], file: &str, bodies: &mut Vec<Body>) {
    let mut add = |owner: &str, name: String, tokens: TokenStream| {
        let mut calls = BTreeSet::new();
        collect(tokens, &mut calls);
        let own = |before| match before {
            Before::Path(path) if path == "Self" => Before::Path(owner.to_owned()),
            before => before,
        };
        let calls = calls.into_iter().map(|(b, name)| (own(b), name)).collect();
        bodies.push(Body {
            file: file.to_owned(),
            owner: owner.to_owned(),
            name,
            calls,
        });
    };
    for item in items {
        match item {
            Item::Fn(f) => add("", f.sig.ident.to_string(), f.block.to_token_stream()),
            Item::Impl(block) => {
                let owner = owner(&block.self_ty);
                for item in &block.items {
                    match item {
                        ImplItem::Fn(f) => {
                            add(&owner, f.sig.ident.to_string(), f.block.to_token_stream())
                        }
                        ImplItem::Macro(m) => {
                            let (name, tokens) = made(m.mac.tokens.clone());
                            add(&owner, name, tokens);
                        }
                        _ => {}
                    }
                }
            }
            Item::Trait(of) => {
                for item in &of.items {
                    if let TraitItem::Fn(f) = item {
                        let tokens = f.default.to_token_stream();
                        add(&of.ident.to_string(), f.sig.ident.to_string(), tokens);
                    }
                }
            }
            _ => {}
        }
    }
}

fn owner(ty: &Type) -> String {
    match ty {
        Type::Path(p) => p.path.segments.last().map(|s| s.ident.to_string()),
        Type::Reference(r) => Some(owner(&r.elem)),
        _ => None,
    }
    .unwrap_or_default()
}

/// `broadcast_binary_op!(broadcast_add, add)`: the function, and a call of the second name.
fn made(tokens: TokenStream) -> (String, TokenStream) {
    let mut words = tokens.into_iter().filter_map(|t| match t {
        TokenTree::Ident(word) => Some(word),
        _ => None,
    });
    let name = words.next().map(|w| w.to_string()).unwrap_or_default();
    let callee = words.next();
    (
        name,
        callee.map_or(quote::quote!(), |c| quote::quote!(self.#c())),
    )
}

/// Names before parentheses, and what arithmetic between `(` and `)?` stands for.
fn collect(tokens: TokenStream, calls: &mut BTreeSet<(Before, String)>) {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let is =
        |i: usize, c: char| matches!(tokens.get(i), Some(TokenTree::Punct(p)) if p.as_char() == c);
    for (i, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else {
            continue;
        };
        collect(group.stream(), calls);
        if group.delimiter() != Delimiter::Parenthesis {
            continue;
        }
        match i.checked_sub(1).map(|i| &tokens[i]) {
            Some(TokenTree::Ident(name)) => {
                let before = match i {
                    2.. if is(i - 2, '.') => Before::Dot,
                    4.. if is(i - 2, ':') => Before::Path(tokens[i - 4].to_string()),
                    _ => Before::Path(String::new()),
                };
                calls.insert((before, name.to_string()));
            }
            _ if is(i + 1, '?') => calls.extend(arithmetic(group.stream())),
            _ => {}
        }
    }
}

fn arithmetic(tokens: TokenStream) -> Vec<(Before, String)> {
    let named = |t: TokenTree| match t {
        TokenTree::Punct(p) => match p.as_char() {
            '+' => Some("add"),
            '-' => Some("sub"),
            '*' => Some("mul"),
            '/' => Some("div"),
            _ => None,
        },
        _ => None,
    };
    let names = tokens.into_iter().skip(1).filter_map(named);
    names.map(|n| (Before::Dot, n.to_owned())).collect()
}

/// Those of the catalogue that a function of it reaches, through functions of the same file that are
/// not in it.
fn callees<'a>(path: &str, paths: &BTreeSet<&'a str>, bodies: &[Body]) -> BTreeSet<&'a str> {
    let mut left: Vec<&Body> = bodies.iter().filter(|b| is_of(b, path)).collect();
    let (mut found, mut seen) = (BTreeSet::new(), BTreeSet::new());
    while let Some(body) = left.pop() {
        for (before, name) in &body.calls {
            let called = |p: &&&str| names(p, body, before, name);
            let called: Vec<_> = paths.iter().filter(called).collect();
            found.extend(called.iter().copied());
            if called.is_empty() && seen.insert((&body.file, before.clone(), name)) {
                let same =
                    |b: &&Body| b.file == body.file && b.name == *name && helps(b, body, before);
                left.extend(bodies.iter().filter(same));
            }
        }
    }
    found
}

/// Whether a body is a function of the catalogue: by its name, a layer's by its type's.
fn is_of(body: &Body, path: &str) -> bool {
    let parts: Vec<_> = path.split("::").collect();
    let (last, before) = (parts[parts.len() - 1], parts[parts.len() - 2]);
    let layer = last.starts_with(char::is_uppercase);
    let module = format!("/{before}.rs");
    match (layer, body.owner.is_empty()) {
        (true, _) => body.owner == last && body.name.starts_with("forward"),
        (false, false) => body.name == last && body.owner == before,
        (false, true) => body.name == last && body.file.ends_with(&module),
    }
}

/// Whether a call is of a function of the catalogue: a function by its module, a method of `Tensor` or
/// of a type of the same file.
fn names(path: &str, body: &Body, before: &Before, name: &str) -> bool {
    let parts: Vec<_> = path.split("::").collect();
    let [.., module, owner, last] = parts.as_slice() else {
        return false;
    };
    let operator = path.starts_with('<');
    let same_file = || !operator && body.file.ends_with(&format!("/{module}.rs"));
    *last == name
        && match before {
            Before::Dot => *owner == "Tensor" || same_file(),
            Before::Path(of) => owner == of,
        }
}

/// A helper: a function of the same file, or a method of the same type.
fn helps(helper: &Body, body: &Body, before: &Before) -> bool {
    match before {
        Before::Path(owner) if owner.is_empty() => helper.owner.is_empty(),
        Before::Path(owner) => helper.owner == *owner,
        Before::Dot => helper.owner == body.owner && !helper.owner.is_empty(),
    }
}
