//! `candle-sine guide`: the guide, which is part of the program.

use super::Answer;
use super::files::Outputs;
use super::places::{self, Place, Role};
use super::print::{Printer, shown};
use anyhow::Result;
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
    let mut all = vec![Place::new("--out", &args.out, Role::Filled)];
    let paths = FILES.map(|(name, _)| args.out.join("guide").join(name));
    all.extend(
        paths
            .iter()
            .map(|path| Place::new("--out", path, Role::Written)),
    );
    places::check(&all)?;
    let flag = format!("--out {}", shown(&args.out));
    let mut outputs = Outputs::default();
    for (path, (_, bytes)) in paths.iter().zip(FILES) {
        outputs.write(&flag, path, Ok(bytes.to_vec()));
    }
    let mut out = Printer::default();
    let written: Vec<_> = outputs.written.iter().map(|path| shown(path)).collect();
    if outputs.missing().is_none() {
        out.line(format_args!("wrote {}", written.join(", ")));
        out.note("open the first (Korean) or the second (English) in a browser");
    }
    outputs.printed(out);
    Answer::Yes.with(&outputs)
}
