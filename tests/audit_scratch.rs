use candle_sine::audit::{catalog, known::{self, Standing}, run};
#[test]
fn scratch() {
    let mut cases = catalog::all();
    if let Ok(f) = std::env::var("F") { cases.retain(|c| c.path.contains(&f)); }
    println!("cases {}", cases.len());
    let t = std::time::Instant::now();
    let rows = run::run(&cases, &candle_core::Device::Cpu, || {});
    println!("rows {} in {:?}", rows.len(), t.elapsed());
    for r in &rows {
        let tag = match known::standing(r, known::ENTRIES) { Standing::Known(k) => k.id.to_string(), Standing::Clean => "clean".into(), Standing::New => "NEW".into(), Standing::Changed(k, v) => format!("CHANGED {} {v}", k.id) };
        if r.verdict != "pass" || tag != "clean" {
            println!("R|{}|{}|{}|{}|{}|{}|{}|{:?}|{:?}|{:?}|{}", tag, r.path, r.case, r.input, r.dtype, r.probe, r.verdict, r.max_rel_err, r.autograd, r.numeric, r.note.clone().unwrap_or_default());
        }
    }
    for k in known::ENTRIES { for (i, p) in k.rows.iter().enumerate() { if !rows.iter().any(|r| p.covers(r)) { println!("UNUSED {} {}", k.id, i); } } }
    for k in known::ENTRIES {
        if let Some(i) = &k.instead {
            let case = cases.iter().find(|c| c.path == i.path && c.name == i.case);
            let Some(case) = case else { println!("INSTEAD {} no case", k.id); continue };
            let dtype = i.dtype.unwrap_or(case.dtypes[0]);
            let call: candle_sine::audit::case::Call = std::sync::Arc::new(i.call);
            match run::gradchecked(&call, case, dtype, &candle_core::Device::Cpu, true) {
                Ok(r) => println!("INSTEAD {} {}{}", k.id, r.verdict().name(), if r.verdict().is_defect() { format!("\n{r}") } else { String::new() }),
                Err(e) => println!("INSTEAD {} ERR {}", k.id, e.to_string().lines().next().unwrap_or("")),
            }
        }
    }
}
