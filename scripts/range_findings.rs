//! The findings of the sweep, as lines for a person.
use candle_core::Device;
use candle_sine::audit::{catalog, range};
use std::time::Instant;
fn main() {
    let cases = catalog::all();
    let only = std::env::args().nth(1);
    let lines: Vec<_> = range::lines(&cases)
        .into_iter()
        .filter(|l| {
            only.as_ref()
                .is_none_or(|o| l.case.path.contains(o.as_str()))
        })
        .collect();
    if std::env::var_os("T").is_some() {
        for l in &lines {
            for d in range::dtypes(l) {
                let t = Instant::now();
                let n = range::findings::findings(l, d, &Device::Cpu).len();
                println!(
                    "{} {} {} {:?} {:?} {n}",
                    t.elapsed().as_micros(),
                    l.case.path,
                    l.case.name,
                    l.way,
                    d
                );
            }
        }
        return;
    }
    let t = Instant::now();
    let found = range::sweep(&lines, &Device::Cpu, None);
    eprintln!(
        "{} lines, {} rows, {:?}",
        lines.len(),
        found.len(),
        t.elapsed()
    );
    for (_, f) in &found {
        let r = &f.row;
        if r.verdict != "pass" {
            println!(
                "{}|{}|{}|{}|{}|{}|{:e}..{:e}|{:?} should {:?}|{}",
                r.path,
                r.case,
                r.input,
                r.dtype,
                r.probe,
                r.verdict,
                r.from.unwrap(),
                r.to.unwrap(),
                r.autograd.unwrap(),
                r.numeric.unwrap(),
                r.note.as_deref().unwrap_or("")
            );
        }
    }
}
