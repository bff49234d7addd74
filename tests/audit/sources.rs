//! candle's sources, as Cargo resolved them: the lines that the defects name, and the public functions of
//! candle-core and candle-nn, found by parsing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use quote::ToTokens;
use syn::{Attribute, ImplItem, Item, ItemImpl, Signature, TraitItem, Type, Visibility};

/// Features that bring another device: their code is not what this build runs.
const OTHER_BUILDS: [&str; 5] = ["cuda", "metal", "cutile", "mkl", "accelerate"];

/// The manifest of a dependency, as Cargo itself resolved it, and whether it is the registry's.
fn package(krate: &str) -> Result<(PathBuf, bool), String> {
    static METADATA: OnceLock<Result<serde_json::Value, String>> = OnceLock::new();
    let metadata = METADATA
        .get_or_init(metadata)
        .as_ref()
        .map_err(String::clone)?;
    let packages = metadata["packages"]
        .as_array()
        .ok_or("cargo metadata names no packages")?;
    let package = packages.iter().find(|p| p["name"] == krate);
    let manifest = package
        .and_then(|p| p["manifest_path"].as_str())
        .and_then(|m| Path::new(m).parent());
    let folder = manifest.ok_or_else(|| format!("{krate} is no dependency"))?;
    Ok((
        folder.to_path_buf(),
        package.is_some_and(|p| p["source"].is_string()),
    ))
}

fn host() -> Result<String, String> {
    let out = Command::new("rustc")
        .arg("-vV")
        .output()
        .map_err(|e| format!("rustc -vV: {e}"))?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(String::from)
        .ok_or_else(|| "rustc -vV names no host".into())
}

/// Without a network, and without the dependencies of other platforms, which need not be there.
fn metadata() -> Result<serde_json::Value, String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let out = Command::new(cargo)
        .args([
            "metadata",
            "--format-version=1",
            "--offline",
            "--filter-platform",
            &host()?,
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    let out = out.map_err(|e| format!("cargo metadata: {e}"))?;
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into_owned());
    }
    serde_json::from_slice(&out.stdout).map_err(|e| e.to_string())
}

/// Whether a line such as `candle-core/src/lib.rs:1` says what it is quoted for. Where there is no such file, or the
/// candle is not the registry's, that is only noted, and the line may be another.
pub fn stands(line: &str, quote: &str) -> Result<(), String> {
    let (file, number) = line.rsplit_once(':').ok_or("no line number")?;
    let (krate, file) = file.split_once('/').ok_or("no crate")?;
    let read = package(krate).and_then(|(folder, released)| {
        let text = std::fs::read_to_string(folder.join(file)).map_err(|e| e.to_string())?;
        Ok((text, released))
    });
    let (text, released) = match read {
        Ok(read) => read,
        Err(why) => {
            eprintln!("note: {line} cannot be looked at: {why}");
            return Ok(());
        }
    };
    let place = number
        .parse::<usize>()
        .map_err(|e| format!("{line}: {e}"))?;
    let said = text
        .lines()
        .nth(place.saturating_sub(1))
        .unwrap_or_default();
    match (said.contains(quote), released) {
        (true, _) => Ok(()),
        (false, true) => Err(format!("{line} does not say {quote:?} but {said:?}")),
        (false, false) if text.contains(quote) => Ok(()),
        (false, false) => {
            eprintln!("note: {line}: this candle has no {quote:?}");
            Ok(())
        }
    }
}

/// Full paths such as `candle_core::Tensor::max` or `candle_nn::ops::softmax`, sorted.
pub fn functions() -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    for (krate, name) in [("candle-core", "candle_core"), ("candle-nn", "candle_nn")] {
        let src = package(krate)?.0.join("src");
        let mut reader = Reader { found: &mut found };
        reader.file(&src.join("lib.rs"), &src, name);
    }
    Ok(found)
}

struct Reader<'a> {
    found: &'a mut BTreeSet<String>,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, children: &Path, module: &str) {
        let text =
            std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        self.items(&file.items, children, module);
    }

    fn items(&mut self, items: &[Item], children: &Path, module: &str) {
        for item in items {
            match item {
                Item::Mod(m) if !skipped(&m.attrs) => {
                    let inner = format!("{module}::{}", m.ident);
                    let dir = children.join(m.ident.to_string());
                    match &m.content {
                        Some((_, items)) => self.items(items, &dir, &inner),
                        None => {
                            let flat = children.join(format!("{}.rs", m.ident));
                            let file = if flat.exists() {
                                flat
                            } else {
                                dir.join("mod.rs")
                            };
                            self.file(&file, &dir, &inner);
                        }
                    }
                }
                Item::Fn(f)
                    if public(&f.vis) && !skipped(&f.attrs) && tensor_to_tensor(&f.sig, "") =>
                {
                    self.found.insert(format!("{module}::{}", f.sig.ident));
                }
                Item::Impl(i) if !skipped(&i.attrs) => self.block(i, module),
                Item::Trait(t) if public(&t.vis) => {
                    for item in &t.items {
                        if let TraitItem::Fn(f) = item
                            && tensor_to_tensor(&f.sig, "")
                        {
                            self.insert(module, &t.ident.to_string(), &f.sig.ident.to_string());
                        }
                    }
                }
                Item::Macro(m) => self.call(&m.mac, module, ""),
                _ => {}
            }
        }
    }

    fn block(&mut self, block: &ItemImpl, module: &str) {
        let Some(owner) = type_name(&block.self_ty) else {
            return;
        };
        let of_trait = block.trait_.as_ref().map(|(_, path, _)| {
            path.segments
                .last()
                .map(|s| s.ident.to_string())
                .unwrap_or_default()
        });
        for item in &block.items {
            match item {
                ImplItem::Fn(f)
                    if (of_trait.is_some() || public(&f.vis))
                        && !skipped(&f.attrs)
                        && tensor_to_tensor(&f.sig, &owner) =>
                {
                    let via = match &of_trait {
                        Some(t) if !MODULES.contains(&t.as_str()) => format!("<{t}>::"),
                        _ => String::new(),
                    };
                    self.insert(module, &owner, &format!("{via}{}", f.sig.ident));
                }
                ImplItem::Macro(m) => self.call(&m.mac, module, &owner),
                _ => {}
            }
        }
    }

    /// The macros of tensor.rs and indexer.rs that define methods.
    fn call(&mut self, mac: &syn::Macro, module: &str, owner: &str) {
        let name = mac
            .path
            .segments
            .last()
            .map(|s| s.ident.to_string())
            .unwrap_or_default();
        let first = mac
            .tokens
            .clone()
            .into_iter()
            .next()
            .map(|t| t.to_string())
            .unwrap_or_default();
        match name.as_str() {
            "unary_op" | "binary_op" | "binary_op_scalar" | "broadcast_binary_op"
                if owner == "Tensor" =>
            {
                self.insert(module, owner, &first);
            }
            "bin_trait" => {
                let method = first.to_lowercase();
                self.insert(module, "Tensor", &format!("<{first}>::{method}"));
            }
            _ => assert!(
                owner != "Tensor",
                "an unknown macro makes methods of Tensor: {name}"
            ),
        }
    }

    fn insert(&mut self, module: &str, owner: &str, method: &str) {
        let krate = module.split("::").next().unwrap_or(module);
        let path = match (owner, method.split_once(">::")) {
            ("Tensor", Some(("<IndexOp", _))) | ("IndexOp", None) => {
                "candle_core::IndexOp::i".into()
            }
            ("Tensor", Some((op, f))) if OPERATORS.contains(&op) => {
                format!("<candle_core::Tensor as std::ops::{}>::{f}", &op[1..])
            }
            ("f64", Some((op, f))) => {
                format!("<f64 as std::ops::{}<candle_core::Tensor>>::{f}", &op[1..])
            }
            ("Tensor", _) => format!("{krate}::Tensor::{method}"),
            _ => format!("{module}::{owner}::{method}"),
        };
        self.found.insert(short(&path));
    }
}

const OPERATORS: [&str; 4] = ["<Add", "<Sub", "<Mul", "<Div"];

/// A layer is called by its type's name.
fn short(path: &str) -> String {
    let path = path.strip_suffix("::forward").unwrap_or(path);
    path.strip_suffix("::forward_t").unwrap_or(path).to_string()
}

/// Traits whose method is the type's own function.
const MODULES: [&str; 3] = ["Module", "ModuleT", "RNN"];

fn public(vis: &Visibility) -> bool {
    matches!(vis, Visibility::Public(_))
}

fn skipped(attrs: &[Attribute]) -> bool {
    attrs.iter().any(|a| {
        let text = a.to_token_stream().to_string();
        a.path().is_ident("cfg")
            && !text.contains("not")
            && (text.contains("test") || OTHER_BUILDS.iter().any(|f| text.contains(f)))
    })
}

fn type_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(p) => p.path.segments.last().map(|s| s.ident.to_string()),
        Type::Reference(r) => type_name(&r.elem),
        _ => None,
    }
}

/// A tensor goes in and a tensor comes out, owned: a reference returned is an accessor.
fn tensor_to_tensor(sig: &Signature, owner: &str) -> bool {
    let words = |text: String| -> Vec<String> {
        text.split(|c: char| !c.is_alphanumeric() && c != '_')
            .map(String::from)
            .collect()
    };
    let of_tensor = |w: &String| {
        matches!(
            w.as_str(),
            "Tensor" | "TensorOrScalar" | "LSTMState" | "GRUState"
        ) || (w == "Self" && owner == "Tensor")
            || w == "State"
            || w == "Output"
    };
    let takes = sig.inputs.to_token_stream().to_string()
        + &sig.generics.to_token_stream().to_string()
        + &sig.generics.where_clause.to_token_stream().to_string();
    let inputs = words(takes).iter().any(of_tensor) || sig.receiver().is_some();
    let gives = sig.output.to_token_stream().to_string();
    if sig.receiver().is_some()
        && (changes_a_tensor(&gives, owner) || layer_to_layer(&gives, sig, owner))
    {
        return true;
    }
    let accessor = gives.contains("& Tensor") || gives.contains("& 'a Tensor");
    inputs && !accessor && words(gives).iter().any(of_tensor)
}

/// In place: a tensor or a variable goes in, and nothing comes out.
fn changes_a_tensor(gives: &str, owner: &str) -> bool {
    let nothing = gives.is_empty() || gives.replace(' ', "") == "->Result<()>";
    nothing && ["Tensor", "Var"].contains(&owner)
}

/// A layer and something beside it go in, and a layer comes out.
fn layer_to_layer(gives: &str, sig: &Signature, owner: &str) -> bool {
    // What stands below the tensors: storages, which are given layouts, and the layouts.
    let below = owner == "Layout"
        || owner.ends_with("Storage")
        || sig.inputs.to_token_stream().to_string().contains("Layout");
    gives.replace(' ', "") == "->Result<Self>" && sig.inputs.len() > 1 && !below
}
