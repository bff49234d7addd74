//! Faults planted in correct gradients: every one must be caught.
//!
//! `cargo test --release --test gradcheck_faults -- --nocapture` prints the matrix.

#![allow(clippy::unwrap_used)] // a poisoned lock in a test should stop it

mod mutate;
mod ops;

use std::collections::BTreeMap;

use candle_core::{DType, Result, Tensor};
use candle_sine::gradcheck::{Mode, Options, Verdict, gradcheck};
use mutate::{FAULTS, Fault, Mutant};

fn verdict(mutant: &Mutant, dtype: DType, mode: Mode) -> Result<Verdict> {
    let inputs: Result<Vec<Tensor>> = (mutant.op.inputs)()?
        .iter()
        .map(|t| t.to_dtype(dtype))
        .collect();
    let options = Options::default().mode(mode);
    let report = gradcheck(|t| mutant.call(t), &inputs?, &options)?;
    Ok(report.verdict())
}

#[test]
fn the_unmutated_ops_pass() -> Result<()> {
    for op in ops::all() {
        for dtype in [DType::F64, DType::F32] {
            for mode in [Mode::Full, Mode::Fast] {
                let found = verdict(&Mutant::new(op, Fault::None, 0), dtype, mode)?;
                assert_eq!(found, Verdict::Pass, "{} {dtype:?} {mode:?}", op.name);
            }
        }
    }
    Ok(())
}

/// One mutant's verdicts; None where the fault is too small for the dtype to have to see it.
struct Cell {
    fault: String,
    label: String,
    f64_full: Verdict,
    f64_fast: Verdict,
    f32_full: Option<Verdict>,
    f32_seen: bool,
}

fn cells() -> Result<(Vec<Cell>, usize)> {
    let (mut cells, mut equivalent) = (Vec::new(), 0);
    for op in ops::all() {
        for target in 0..(op.inputs)()?.len() {
            for fault in FAULTS {
                let mutant = Mutant::new(op, fault, target);
                if mutant.equivalent()? {
                    equivalent += 1;
                    continue;
                }
                let f32 = verdict(&mutant, DType::F32, Mode::Full)?;
                cells.push(Cell {
                    fault: fault.name(),
                    label: format!("{}[{target}] {}", op.name, fault.name()),
                    f64_full: verdict(&mutant, DType::F64, Mode::Full)?,
                    f64_fast: verdict(&mutant, DType::F64, Mode::Fast)?,
                    f32_full: fault.coarse().then_some(f32),
                    f32_seen: f32.is_defect(),
                });
            }
        }
    }
    Ok((cells, equivalent))
}

#[test]
fn every_mutant_is_caught() -> Result<()> {
    let (cells, equivalent) = cells()?;
    print_matrix(&cells, equivalent);
    let escaped: Vec<String> = cells
        .iter()
        .filter(|c| !c.f64_full.is_defect() || c.f32_full.is_some_and(|v| !v.is_defect()))
        .map(|c| format!("{}: f64 {}, f32 {:?}", c.label, c.f64_full, c.f32_full))
        .collect();
    assert!(cells.len() >= 400, "only {} mutants", cells.len());
    assert!(escaped.is_empty(), "escaped:\n{}", escaped.join("\n"));
    Ok(())
}

fn print_matrix(cells: &[Cell], equivalent: usize) {
    let mut rows: BTreeMap<&str, Vec<&Cell>> = BTreeMap::new();
    for cell in cells {
        rows.entry(&cell.fault).or_default().push(cell);
    }
    println!(
        "| fault | mutants | caught in f64 | by projections | caught in f32 | verdicts in f64 |"
    );
    println!("|---|---:|---:|---:|---:|---|");
    for (fault, row) in &rows {
        let count = |test: &dyn Fn(&Cell) -> bool| row.iter().filter(|c| test(c)).count();
        let mut verdicts: BTreeMap<&str, usize> = BTreeMap::new();
        for cell in row {
            *verdicts.entry(cell.f64_full.name()).or_default() += 1;
        }
        let verdicts: Vec<String> = verdicts.iter().map(|(v, n)| format!("{v} {n}")).collect();
        println!(
            "| {fault} | {} | {} | {} | {}{} | {} |",
            row.len(),
            count(&|c| c.f64_full.is_defect()),
            count(&|c| c.f64_fast.is_defect()),
            count(&|c| c.f32_seen),
            if row[0].f32_full.is_none() {
                " (not required)"
            } else {
                ""
            },
            verdicts.join(", "),
        );
    }
    let blind = cells.iter().filter(|c| !c.f64_fast.is_defect());
    let blind: Vec<String> = blind
        .map(|c| format!("{} ({})", c.label, c.f64_fast))
        .collect();
    let all = |test: &dyn Fn(&Cell) -> bool| cells.iter().filter(|c| test(c)).count();
    println!(
        "| **all** | {} | {} | {} | {} | {equivalent} more faults leave their op's gradient as it is |",
        cells.len(),
        all(&|c| c.f64_full.is_defect()),
        all(&|c| c.f64_fast.is_defect()),
        all(&|c| c.f32_seen),
    );
    println!("\nnot seen by three projections: {}", blind.join(", "));
}

/// The same functions and faults in torch.autograd.gradcheck, f64, its default tolerances
/// (scripts/bench_vs_pytorch.py wrote the file).
#[test]
fn what_pytorch_catches_is_caught() -> Result<()> {
    let data: serde_json::Value =
        serde_json::from_str(include_str!("../data/gradcheck_pytorch.json")).unwrap();
    println!("PyTorch {}", data["versions"]["torch"].as_str().unwrap());
    println!("| fault, of 20 functions | PyTorch slow | PyTorch fast | full | fast |");
    println!("|---|---:|---:|---:|---:|");
    for (name, functions) in data["caught"].as_object().unwrap() {
        let fault = FAULTS
            .into_iter()
            .find(|f| f.name() == *name)
            .unwrap_or(Fault::None);
        assert_eq!(fault == Fault::None, name == "none", "{name}");
        let mut counts = [0; 4];
        for (function, torch) in functions.as_object().unwrap() {
            let op = ops::all()
                .into_iter()
                .find(|op| op.name == function)
                .unwrap();
            let mutant = Mutant::new(op, fault, 0);
            let ours = [Mode::Full, Mode::Fast].map(|mode| verdict(&mutant, DType::F64, mode));
            let [full, fast] = ours;
            let (full, fast) = (full?.is_defect(), fast?.is_defect());
            let (slow, quick) = (torch[0] == true, torch[1] == true);
            assert_eq!(
                (full, fast),
                (name != "none", name != "none"),
                "{function} {name}"
            );
            for (count, caught) in counts.iter_mut().zip([slow, quick, full, fast]) {
                *count += usize::from(caught);
            }
        }
        println!(
            "| {name} | {} | {} | {} | {} |",
            counts[0], counts[1], counts[2], counts[3]
        );
    }
    Ok(())
}

/// Faults that are no smaller than a gradient: in 16 bits the others drown in rounding here and there.
fn gross(fault: Fault) -> bool {
    let slight = [Fault::Stale, Fault::Negative];
    !matches!(fault, Fault::Scaled(_) | Fault::OneEntry(_)) && !slight.contains(&fault)
}

#[test]
fn sixteen_bit_floats() -> Result<()> {
    println!("| dtype | numeric derivative | false alarms | gross faults | caught |");
    println!("|---|---|---:|---:|---:|");
    for dtype in [DType::F16, DType::BF16] {
        for widen in [true, false] {
            let verdict = |mutant: &Mutant| -> Result<Verdict> {
                let inputs = (mutant.op.inputs)()?;
                let inputs: Result<Vec<_>> = inputs.iter().map(|t| t.to_dtype(dtype)).collect();
                let options = Options::default().mode(Mode::Full).widen(widen);
                Ok(gradcheck(|t| mutant.call(t), &inputs?, &options)?.verdict())
            };
            let (mut alarms, mut escaped, mut count) = (Vec::new(), Vec::new(), 0);
            for op in ops::all() {
                if verdict(&Mutant::new(op, Fault::None, 0))?.is_defect() {
                    alarms.push(op.name);
                }
                for mutant in gross_mutants(op)? {
                    count += 1;
                    if !verdict(&mutant)?.is_defect() {
                        escaped.push(format!("{} {}", op.name, mutant.fault.name()));
                    }
                }
            }
            let (oracle, caught) = (
                if widen { "f64" } else { dtype.as_str() },
                count - escaped.len(),
            );
            println!(
                "| {} | {oracle} | {} | {count} | {caught} |",
                dtype.as_str(),
                alarms.len()
            );
            assert!(
                alarms.is_empty() && escaped.is_empty(),
                "{alarms:?} {escaped:?}"
            );
        }
    }
    Ok(())
}

fn gross_mutants(op: ops::Op) -> Result<Vec<Mutant>> {
    let mut mutants = Vec::new();
    for target in 0..(op.inputs)()?.len() {
        for fault in FAULTS.into_iter().filter(|f| gross(*f)) {
            let mutant = Mutant::new(op, fault, target);
            if !mutant.equivalent()? {
                mutants.push(mutant);
            }
        }
    }
    Ok(mutants)
}
