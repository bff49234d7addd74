//! `candle-sine guide`: the guide, which is part of the program.

use super::Answer;
use super::files::{Output, try_places};
use super::print::Printer;
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
    let outputs = FILES.map(|(name, _)| Output::new("--out", args.out.join("guide").join(name)));
    try_places(&outputs)?;
    for (output, (_, bytes)) in outputs.iter().zip(FILES) {
        output.write(bytes)?;
    }
    let mut out = Printer::new(false);
    out.wrote(outputs.iter().map(|output| output.path.as_path()));
    out.line("open the first (Korean) or the second (English) in a browser");
    out.finish()?;
    Ok(Answer::Yes)
}
