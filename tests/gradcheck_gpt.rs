//! A GPT as it is written with candle-nn: which of its parameters are not trained, and where the
//! graph ends.

#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

#[path = "common/gpt.rs"]
mod gpt;
#[path = "common/numbers.rs"]
mod numbers;

use std::cell::Cell;

use candle_core::{DType, Result, Tensor, Var};
use candle_nn::{Module, VarBuilder, VarMap};
use candle_sine::gradcheck::{self, ModelReport, Options, Verdict};
use gpt::{Fault, Gpt, Kind};
use numbers::{CPU, fill};

fn varmap(n: usize, dtype: DType) -> Result<VarMap> {
    seeded(n, dtype, 0)
}

fn seeded(n: usize, dtype: DType, seed: u64) -> Result<VarMap> {
    let varmap = VarMap::new();
    Gpt::new(
        Kind::default(),
        n,
        VarBuilder::from_varmap(&varmap, dtype, CPU),
    )?;
    fill(&varmap, seed)?;
    Ok(varmap)
}

fn check(kind: Kind, varmap: &VarMap, n: usize) -> Result<ModelReport> {
    let f = |vb: VarBuilder| Gpt::new(kind, n, vb)?.loss();
    gradcheck::model(varmap, f, &Options::default())
}

fn cuts(report: &ModelReport) -> Vec<(&str, &str)> {
    report
        .cuts
        .iter()
        .map(|c| (&c.from[..], &c.to[..]))
        .collect()
}

#[test]
fn a_right_gpt_passes() -> Result<()> {
    for (n, dtype) in [(8, DType::F32), (64, DType::F32), (64, DType::F64)] {
        let varmap = varmap(n, dtype)?;
        let start = std::time::Instant::now();
        let report = check(Kind::default(), &varmap, n)?;
        println!("{n} {dtype:?}: {:?}\n{report}", start.elapsed());
        report.assert_pass();
        assert_eq!(report.parameters.len(), 29);
        assert!(report.passes <= 60, "{report}");
        assert!(report.to_string().lines().count() <= 24, "{report}");
    }
    Ok(())
}

/// LayerNorm and softmax_last_dim everywhere: only the head gets a gradient.
#[test]
fn a_gpt_as_users_write_it_is_severed() -> Result<()> {
    let kind = Kind {
        norm: true,
        softmax: [true; 2],
        ..Kind::default()
    };
    // In the last six of the bf16 seeds a bias shows only in steps of several times its size.
    let bf16: &[u64] = &[0, 1, 2, 17, 26, 36, 40, 50, 59];
    for (dtype, seeds) in [(DType::F32, &[0, 1, 2][..]), (DType::BF16, bf16)] {
        for &seed in seeds {
            let varmap = seeded(8, dtype, seed)?;
            let report = check(kind, &varmap, 8)?;
            println!("{report}");
            let passed: Vec<&str> = report.with(Verdict::Pass).map(|p| &p.name[..]).collect();
            assert_eq!(
                report.with(Verdict::Severed).count(),
                28,
                "{dtype:?} {seed}\n{report}"
            );
            assert!(passed.len() <= 1 && !passed.iter().any(|p| *p != "lm_head.weight"));
            assert!(
                report
                    .parameters
                    .iter()
                    .all(|p| p.missing == (p.name != "lm_head.weight"))
            );
            let found = cuts(&report);
            for block in ["block 0", "block 1"] {
                let (before, after) = (format!("{block}, in"), format!("{block}, after ln_1"));
                assert!(found.contains(&(&before, &after)), "{report}");
            }
            assert!(report.to_string().lines().count() <= 40, "{report}");
        }
    }
    Ok(())
}

/// What benches/gradcheck.rs plants: the values are those of the right model to the last bit.
#[test]
fn a_fault_in_one_matrix_is_found_by_name() -> Result<()> {
    let faults = [
        (Fault::Cut, Verdict::Severed),
        (Fault::Times(2.), Verdict::Wrong),
        (Fault::Times(-1.), Verdict::Wrong),
    ];
    for dtype in [DType::F32, DType::F64] {
        let varmap = varmap(8, dtype)?;
        for (fault, verdict) in faults {
            let kind = Kind {
                fault,
                ..Kind::default()
            };
            let report = check(kind, &varmap, 8)?;
            assert_eq!(report.loss, check(Kind::default(), &varmap, 8)?.loss);
            let found: Vec<&str> = report.with(verdict).map(|p| &p.name[..]).collect();
            assert_eq!(found, ["blocks.1.mlp.c_fc.weight"], "{fault:?}\n{report}");
        }
    }
    Ok(())
}

/// One softmax without a backward: the rows of q and k get zeros, v does not; what lies before misses
/// a branch.
#[test]
fn a_cut_in_one_block_says_which_rows_and_what_follows() -> Result<()> {
    let kind = Kind {
        softmax: [false, true],
        ..Kind::default()
    };
    let varmap = varmap(8, DType::F32)?;
    let report = check(kind, &varmap, 8)?;
    println!("{report}");
    assert_eq!(report.verdict(), Verdict::Severed);
    let c_attn = report.parameter("blocks.1.attn.c_attn.weight").unwrap();
    assert_eq!(
        (c_attn.verdict, &c_attn.severed_rows[..]),
        (Verdict::Severed, std::slice::from_ref(&(0..16)))
    );
    for p in report.with(Verdict::Severed) {
        assert!(p.name.starts_with("blocks.1.attn.c_attn"), "{report}");
    }
    assert!(report.with(Verdict::Wrong).count() > 0, "{report}");
    for p in report.with(Verdict::Wrong) {
        assert!(p.consequence, "{report}");
        let before = ["wte", "wpe", "blocks.0", "blocks.1.ln_1"];
        assert!(before.iter().any(|b| p.name.starts_with(b)), "{report}");
    }
    assert_eq!(
        cuts(&report),
        [("block 1, scores", "block 1, attention weights")],
        "{report}"
    );
    Ok(())
}

#[test]
fn dropout_is_nondeterministic() -> Result<()> {
    let kind = Kind {
        dropout: 0.1,
        ..Kind::default()
    };
    let report = check(kind, &varmap(8, DType::F32)?, 8)?;
    assert_eq!(report.verdict(), Verdict::Nondeterministic);
    assert!(report.to_string().contains("train"), "{report}");
    Ok(())
}

fn bits(vars: &[(String, Var)]) -> Vec<Vec<u32>> {
    let of = |var: &Var| var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect();
    vars.iter().map(|(_, var)| bits(of(var))).collect()
}

fn named(varmap: &VarMap) -> Vec<(String, Var)> {
    let data = varmap.data().lock().unwrap();
    data.iter().map(|(n, v)| (n.clone(), v.clone())).collect()
}

#[test]
fn a_built_model_is_put_back_bit_for_bit() -> Result<()> {
    let varmap = varmap(8, DType::F32)?;
    let gpt = Gpt::new(
        Kind::default(),
        8,
        VarBuilder::from_varmap(&varmap, DType::F32, CPU),
    )?;
    let vars = named(&varmap);
    let before = bits(&vars);
    gradcheck::vars(&vars, || gpt.loss(), &Options::default())?.assert_pass();
    assert_eq!(bits(&vars), before);

    let calls = Cell::new(0);
    let fails = || {
        calls.set(calls.get() + 1);
        match calls.get() {
            20 => candle_core::bail!("stopped by the caller"),
            _ => gpt.loss(),
        }
    };
    assert!(gradcheck::vars(&vars, fails, &Options::default()).is_err());
    assert_eq!(bits(&vars), before);

    calls.set(0);
    let panics = || {
        calls.set(calls.get() + 1);
        assert!(calls.get() < 20, "stopped");
        gpt.loss()
    };
    let check =
        std::panic::AssertUnwindSafe(|| gradcheck::vars(&vars, panics, &Options::default()));
    assert!(std::panic::catch_unwind(check).is_err());
    assert_eq!(bits(&vars), before);
    Ok(())
}

#[test]
fn what_f_does_not_read_is_refused() -> Result<()> {
    let varmap = varmap(8, DType::F32)?;
    let gpt = Gpt::new(
        Kind::default(),
        8,
        VarBuilder::from_varmap(&varmap, DType::F32, CPU),
    )?;
    let mut vars = named(&varmap);
    vars.push(("stranger".to_string(), Var::new(&[1f32, 2.], CPU)?));
    let error = gradcheck::vars(&vars, || gpt.loss(), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("stranger"), "{error}");

    let captured = |_: VarBuilder| gpt.loss();
    let error = gradcheck::model(&varmap, captured, &Options::default()).unwrap_err();
    assert!(error.to_string().contains("gradcheck::vars"), "{error}");
    Ok(())
}

#[test]
fn running_statistics_are_listed_apart() -> Result<()> {
    let varmap = VarMap::new();
    let x: Vec<f32> = (0..64).map(|k| (0.9 * k as f32).sin()).collect();
    let x = Tensor::from_vec(x, (16, 4), CPU)?;
    let f = |vb: VarBuilder| {
        let norm = candle_nn::batch_norm(4, 1e-5, vb.pp("bn"))?;
        let h = candle_nn::linear(4, 4, vb.pp("fc"))?.forward(&x)?;
        candle_nn::ModuleT::forward_t(&norm, &h, false)?
            .tanh()?
            .sqr()?
            .mean_all()
    };
    f(VarBuilder::from_varmap(&varmap, DType::F32, CPU))?;
    let report = gradcheck::model(&varmap, f, &Options::default())?;
    report.assert_pass();
    assert_eq!(report.buffers, ["bn.running_mean", "bn.running_var"]);
    assert_eq!(report.parameters.len(), 4);
    let report = gradcheck::model(&varmap, f, &Options::default().buffers(["fc.bias"]))?;
    assert_eq!(report.parameters.len(), 3);
    Ok(())
}

/// A model in training that moves its running statistics finds them where they were.
#[test]
fn running_statistics_are_put_back() -> Result<()> {
    let varmap = VarMap::new();
    let vb = VarBuilder::from_varmap(&varmap, DType::F32, CPU);
    let norm = candle_nn::batch_norm(4, 1e-5, vb.pp("bn"))?;
    let x: Vec<f32> = (0..64).map(|k| (0.9 * k as f32).sin()).collect();
    let x = Tensor::from_vec(x, (16, 4), CPU)?;
    let named: Vec<(String, Var)> = {
        let data = varmap.data().lock().unwrap();
        data.iter().map(|(n, v)| (n.clone(), v.clone())).collect()
    };
    let values = || -> Result<Vec<Vec<f32>>> { named.iter().map(|(_, v)| v.to_vec1()).collect() };
    let before = values()?;
    let loss = || {
        let y = candle_nn::ModuleT::forward_t(&norm, &x, true)?;
        y.tanh()?.sqr()?.mean_all()
    };
    let report = gradcheck::vars(&named, loss, &Options::default())?;
    assert_eq!(report.buffers, ["bn.running_mean", "bn.running_var"]);
    assert_eq!(values()?, before);
    loss()?;
    assert_ne!(values()?, before); // a step of training does move them
    Ok(())
}
