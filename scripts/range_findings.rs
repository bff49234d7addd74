//! The findings of the sweep, as lines for a person.
use candle_core::Device;
use candle_sine::audit::{catalog, range};
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
    let t = std::time::Instant::now();
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
                "{}|{}|{}|{}|{}|{:e}..{:e}|{:?} should {:?}|{}",
                r.path,
                r.case,
                r.input,
                r.dtype,
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
