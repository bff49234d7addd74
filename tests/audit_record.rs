//! The record: strict, kept in the committed card, and able to fail.
#![cfg(feature = "cli")]

#[path = "audit/one_thread.rs"]
mod one_thread;

use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, Var};
use candle_sine::audit::case::{Case, at, v};
use candle_sine::audit::known::{Float, Known, Severity, parse, record};
use candle_sine::audit::verdict::Verdict;
use candle_sine::audit::{Audit, Selection, audit, card, catalog};
use std::sync::OnceLock;

/// The whole audit, once for all tests.
fn whole() -> &'static Audit<'static> {
    static WHOLE: OnceLock<Audit> = OnceLock::new();
    one_thread::one_thread_an_op();
    WHOLE.get_or_init(|| {
        audit(
            &catalog::all(),
            record().expect("the record"),
            &Selection::default(),
            &Device::Cpu,
            || {},
        )
    })
}

#[test]
fn every_verdict_is_as_recorded() {
    let audit = whole();
    let news: Vec<_> = audit.news().map(card::shown).collect();
    assert!(news.is_empty(), "{news:#?}");
    let gone: Vec<_> = audit.gone.iter().map(|k| &k.id).collect();
    assert!(gone.is_empty(), "no longer borne out: {gone:?}");
}

#[test]
fn what_is_to_be_written_instead_works() {
    let broken: Vec<_> = whole().broken.iter().map(|(k, why)| (&k.id, why)).collect();
    assert!(broken.is_empty(), "{broken:?}");
    for known in record()
        .expect("the record")
        .iter()
        .filter(|k| k.severity != Severity::Convention)
    {
        assert!(known.instead.is_some(), "{} has nothing instead", known.id);
    }
}

/// `cargo bench --bench instead` measures them.
#[test]
fn what_is_to_be_written_instead_has_a_cost() {
    for known in record().expect("the record") {
        let (instead, cost) = (known.instead.is_some(), known.cost.is_some());
        assert_eq!(
            instead, cost,
            "{}: run cargo bench --bench instead",
            known.id
        );
    }
}

/// But for the numbers shown, whose last digits depend on the processor.
#[test]
fn the_committed_card_is_this_audit() {
    let but_numbers = |card: &str| -> Vec<String> {
        card.lines()
            .filter(|l| !l.starts_with("- shown:"))
            .map(String::from)
            .collect()
    };
    let committed = but_numbers(include_str!("../assets/audit.md"));
    let now = but_numbers(&card::markdown(whole()));
    for (committed, now) in committed.iter().zip(&now) {
        assert_eq!(
            committed, now,
            "the card has changed: run scripts/audit_card.sh"
        );
    }
    assert_eq!(
        committed.len(),
        now.len(),
        "the card has changed: run scripts/audit_card.sh"
    );
}

#[test]
fn the_card_names_no_machine() {
    let card = card::markdown(whole());
    for word in ["/home", "/root", "/tmp", "http://"] {
        assert!(!card.contains(word), "{word}");
    }
}

#[test]
fn json_has_every_check() {
    let json = serde_json::to_value(whole()).expect("it serialises");
    assert_eq!(json["schema"], 1);
    let cases = json["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), whole().rows.len());
    for key in [
        "path", "op", "case", "input", "dtype", "probe", "verdict", "known",
    ] {
        assert!(cases.iter().all(|c| !c[key].is_null()), "{key}");
    }
    let max_pool = cases
        .iter()
        .find(|c| c["op"] == "max_pool2d" && c["verdict"] == "wrong");
    let max_pool = max_pool.expect("max_pool2d is wrong");
    assert_eq!(max_pool["severity"], "silent-wrong");
    assert_eq!(max_pool["path"], "candle_core::Tensor::max_pool2d");
    assert!(max_pool["instead"].is_string());
}

/// An op with a fault of each kind.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    Wrong,
    Error,
    Imprecise,
}

struct Planted(Fault);

impl CustomOp1 for Planted {
    fn name(&self) -> &'static str {
        "planted"
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = &s.as_slice::<f64>()?[l.start_offset()..];
        let y = x[..l.shape().elem_count()].iter().map(|x| x * x).collect();
        Ok((CpuStorage::F64(y), l.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        match self.0 {
            Fault::Wrong => Ok(Some((x * grad)?)),
            Fault::Error => candle_core::bail!("not today"),
            Fault::Imprecise => (x * grad)?.affine(2.000_001, 0.).map(Some),
        }
    }
}

fn planted() -> Vec<(Case, Verdict, Severity)> {
    let of = |name: &str| {
        Case::new("planted::op", name)
            .only(&[DType::F64])
            .arg("x", v(&[2, 3]))
            .plain()
    };
    let custom = |name, fault| of(name).run(move |a| a[0].apply_op1(Planted(fault)));
    vec![
        (
            custom("wrong", Fault::Wrong),
            Verdict::Wrong,
            Severity::SilentWrong,
        ),
        (
            custom("error", Fault::Error),
            Verdict::Unsupported,
            Severity::Loud,
        ),
        (
            custom("imprecise", Fault::Imprecise),
            Verdict::Imprecise,
            Severity::Precision,
        ),
        (
            of("cut").run(|a| a[0].sqr().map(|y| y.detach())),
            Verdict::Severed,
            Severity::SilentStop,
        ),
        (
            of("not finite").run(|a| (a[0].sqr()? + a[0].relu()?.sqrt()?)?.affine(1., 0.)),
            Verdict::NonFinite,
            Severity::SilentWrong,
        ),
        (
            of("values")
                .run(|a| a[0].sqr())
                .twin("twice", |a| a[0].sqr()?.affine(2., 0.)),
            Verdict::Forward,
            Severity::SilentWrong,
        ),
        (
            of("fails").run(|a| a[0].reshape(7)),
            Verdict::Error,
            Severity::Loud,
        ),
        (
            Case::new("planted::op", "kink")
                .only(&[DType::F64])
                .arg("x", at(&[0.]))
                .run(|a| a[0].relu()),
            Verdict::Kink,
            Severity::Convention,
        ),
    ]
}

#[test]
fn a_planted_defect_of_every_category_is_found() {
    for (case, verdict, severity) in planted() {
        let audit = audit(
            std::slice::from_ref(&case),
            &[],
            &Selection::default(),
            &Device::Cpu,
            || {},
        );
        let found = audit.rows.iter().find(|j| j.row.verdict == verdict);
        let verdicts: Vec<_> = audit.rows.iter().map(|j| j.row.verdict).collect();
        let found = found.unwrap_or_else(|| panic!("{}: {verdicts:?}", case.name));
        assert_eq!(found.severity, Some(severity), "{}", case.name);
        assert!(!found.known && !audit.as_recorded(), "{}", case.name);
    }
}

/// An entry with one row of the function `planted::op`.
fn entry(row: &str) -> Vec<Known> {
    let text = format!(
        r#"[[defect]]
        id = "repaired"
        severity = "silent-wrong"
        what = "the gradient is wrong"
        when = "never any more"
        cause = {{ line = "candle-core/src/lib.rs:1", quote = "" }}
        rows = [{{ function = "planted::op", {row} }}]"#
    );
    parse("planted", &text).expect("an entry")
}

/// A defect that is repaired upstream turns the audit red too, and says what to do.
#[test]
fn a_repaired_defect_is_reported() {
    let case = Case::new("planted::op", "right")
        .arg("x", v(&[3]))
        .run(|a| a[0].sqr());
    let repaired = entry(r#"verdict = "wrong""#);
    let audit = audit(
        &[case],
        &repaired,
        &Selection::default(),
        &Device::Cpu,
        || {},
    );
    assert!(!audit.as_recorded());
    assert_eq!(audit.gone.len(), 1);
    let lines = card::lines(&audit, false);
    assert!(
        lines
            .iter()
            .any(|(_, l)| l.contains("delete or narrow that entry")),
        "{lines:?}"
    );
}

#[test]
fn the_bounds_of_an_entry_are_on_its_card() {
    let wrong = Case::new("planted::op", "a").only(&[DType::F64]).plain();
    let wrong = wrong.run(|a| a[0].apply_op1(Planted(Fault::Wrong)));
    let wrong = wrong.arg("x", v(&[3]));
    let mut record = entry("verdict = 'wrong'");
    record[0].from = [(Float::Bf16, 258.), (Float::F16, 2050.)].into();
    record[0].below = [(Float::F16, 0.125)].into();
    let audit = audit(
        &[wrong],
        &record,
        &Selection::default(),
        &Device::Cpu,
        || {},
    );
    let bounds = "from 258 (bf16), 2050 (f16); below 0.125 (f16)";
    let on_terminal = format!("    bounds   {bounds}");
    assert!(
        card::lines(&audit, false)
            .iter()
            .any(|(_, l)| *l == on_terminal)
    );
    assert!(card::markdown(&audit).contains(&format!("- bounds: {bounds}\n")));
}

/// An alternative that no row bears out is out of date, however many others are borne out.
#[test]
fn every_alternative_of_the_record_is_borne_out() {
    let of = |name| Case::new("planted::op", name).only(&[DType::F64]).plain();
    let wrong = |name| of(name).run(move |a| a[0].apply_op1(Planted(Fault::Wrong)));
    let right = |name| of(name).run(|a| a[0].sqr());
    let cases = [wrong("a"), wrong("b"), right("c")].map(|c| c.arg("x", v(&[3])));
    for (alternatives, gone) in [("['a', 'b']", 0), ("['a', 'b', 'c']", 1), ("['a', 'd']", 1)] {
        let record = entry(&format!("verdict = 'wrong', case = {alternatives}"));
        let all = Selection::default();
        let audit = audit(&cases, &record, &all, &Device::Cpu, || {});
        assert_eq!(audit.gone.len(), gone, "{alternatives}");
    }
}

/// Each defect has one entry, whichever stands first. A row may show a second one once the first is
/// repaired: a wrong value hides an error of the backward pass.
#[test]
fn no_row_is_of_two_entries() {
    for judged in &whole().rows {
        let verdict = judged.row.verdict;
        let covers = |k: &&Known| {
            let mut rows = k.rows.iter();
            rows.any(|p| p.covers(&judged.row) && p.verdict == verdict)
        };
        let entries = record().expect("the record").iter().filter(covers);
        let ids: Vec<_> = entries.map(|k| &k.id).collect();
        assert!(ids.len() < 2, "{ids:?}: {}", card::shown(judged));
    }
}

/// Random, so that nothing can be differenced: but linear in x given the mask, which y / x shows.
#[test]
fn the_gradient_of_dropout_is_its_mask() -> Result<()> {
    let x = Var::from_tensor(&v(&[2000]).tensor(DType::F64, &Device::Cpu)?)?;
    for p in [0.25, 0.5, 0.9] {
        let y = candle_nn::ops::dropout(&x, p)?;
        let grads = y.sum_all()?.backward()?;
        let grad = grads.get(&x).expect("a gradient").to_vec1::<f64>()?;
        let mask = (y / x.as_tensor())?.to_vec1::<f64>()?;
        assert!(
            grad.iter().zip(&mask).all(|(g, m)| (g - m).abs() < 1e-12),
            "{p}"
        );
        assert!(
            mask.contains(&0.) && mask.iter().any(|m| *m > 1.),
            "{p}: {mask:?}"
        );
    }
    Ok(())
}

#[test]
fn a_correct_function_is_not_accused() {
    let right = Case::new("planted::op", "right")
        .arg("x", v(&[2, 3]))
        .run(|a| a[0].sin());
    let audit = audit(&[right], &[], &Selection::default(), &Device::Cpu, || {});
    assert!(audit.as_recorded());
    assert!(audit.rows.iter().all(|j| j.row.verdict == Verdict::Pass));
}
