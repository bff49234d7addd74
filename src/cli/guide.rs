//! `candle-sine guide`: the guide, which is part of the program.

use super::print::Printer;
use super::{Answer, files};
use anyhow::{Context, Result};
use std::path::PathBuf;

/// `scripts/guide.sh` makes them; both pages load the script.
const FILES: [(&str, &[u8]); 3] = [
    (
        "index.html",
        include_bytes!("../../assets/guide/index.html"),
    ),
    ("en.html", include_bytes!("../../assets/guide/en.html")),
    ("candle.js", include_bytes!("../../assets/guide/candle.js")),
];

#[derive(clap::Args)]
pub struct Args {
    /// Directory in which the folder "guide" is put
    #[arg(long, value_name = "DIR", default_value = "out")]
    out: PathBuf,
}

pub fn run(args: &Args) -> Result<Answer> {
    let flag = || format!("--out {}", args.out.display());
    files::check_dir(&args.out).with_context(flag)?;
    let places = FILES.map(|(name, _)| ("--out", args.out.join("guide").join(name)));
    files::check_places(&places)?;
    for ((_, path), (_, bytes)) in places.iter().zip(FILES) {
        files::write(path, bytes).with_context(flag)?;
    }
    let [(_, korean), (_, english), (_, script)] = &places;
    let mut out = Printer::default();
    out.line(format_args!(
        "wrote {}, {}, {}",
        korean.display(),
        english.display(),
        script.display()
    ));
    out.note("open the first (Korean) or the second (English) in a browser");
    out.finish()?;
    Ok(Answer::Yes)
}
