//! Reads the record: the files in `record/`, in this order.

use std::sync::LazyLock;

use candle_core::Result;
use serde::Deserialize;

use super::Known;
use super::cost::attach;

/// The files, by what is in them; the card sorts by severity and keeps this order within one.
const FILES: [(&str, &str); 8] = [
    (
        "silent-wrong.toml",
        include_str!("record/silent-wrong.toml"),
    ),
    (
        "silent-wrong-extremes.toml",
        include_str!("record/silent-wrong-extremes.toml"),
    ),
    ("silent-stop.toml", include_str!("record/silent-stop.toml")),
    ("loud.toml", include_str!("record/loud.toml")),
    ("precision.toml", include_str!("record/precision.toml")),
    ("convention.toml", include_str!("record/convention.toml")),
    ("range.toml", include_str!("record/range.toml")),
    ("range-alike.toml", include_str!("record/range-alike.toml")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    defect: Vec<Known>,
}

/// The entries of one file's text.
pub fn parse(name: &str, text: &str) -> Result<Vec<Known>> {
    match toml::from_str::<File>(text) {
        Ok(file) => Ok(file.defect),
        Err(error) => candle_core::bail!("src/audit/known/record/{name}: {error}"),
    }
}

/// The record of candle-core and candle-nn 0.11.1. An error is one in the files of `record/`.
pub fn record() -> Result<&'static [Known]> {
    static RECORD: LazyLock<std::result::Result<Vec<Known>, String>> = LazyLock::new(|| {
        let entries = FILES.map(|(name, text)| parse(name, text)).into_iter();
        let entries: Result<Vec<_>> = entries.collect();
        let costed = entries.and_then(|entries| {
            let mut entries = entries.concat();
            attach(&mut entries, include_str!("cost.toml"))?;
            Ok(entries)
        });
        costed.map_err(|e| e.to_string())
    });
    match &*RECORD {
        Ok(entries) => Ok(entries),
        Err(error) => candle_core::bail!("{error}"),
    }
}
