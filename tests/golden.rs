//! Against real PyTorch, by the data that `scripts/golden.py` has made with it.

use candle_core::{DType, Device, Tensor};
use candle_sine::pytorch::{linspace, manual_seed, sum};
use candle_sine::sine::{Data, Method, drawn};
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("data/golden.json")).unwrap()
}

fn rows<'a>(golden: &'a Value, key: &str) -> &'a Vec<Value> {
    golden[key].as_array().unwrap()
}

fn dtype(row: &Value) -> DType {
    match row["dtype"].as_str().unwrap() {
        "f32" => DType::F32,
        "f64" => DType::F64,
        other => panic!("{other}"),
    }
}

fn words(hex: &Value) -> Vec<u64> {
    let words = hex.as_str().unwrap().split(' ');
    words.map(|w| u64::from_str_radix(w, 16).unwrap()).collect()
}

/// The bits of a rank-1 tensor of f32 or f64.
fn bits(tensor: &Tensor) -> Vec<u64> {
    match tensor.dtype() {
        DType::F32 => {
            let values = tensor.to_vec1::<f32>().unwrap();
            values.into_iter().map(|v| v.to_bits().into()).collect()
        }
        _ => {
            let values = tensor.to_vec1::<f64>().unwrap();
            values.into_iter().map(f64::to_bits).collect()
        }
    }
}

#[test]
fn randn_is_pytorchs_bit_for_bit() {
    let golden = golden();
    let rows = rows(&golden, "randn");
    assert!(rows.len() >= 64, "{} seeds", rows.len());
    for row in rows {
        let seed: u64 = row["seed"].as_str().unwrap().parse().unwrap();
        for (draw, expected) in (1..).zip(row["draws"].as_array().unwrap()) {
            let ours = drawn(seed, draw)
                .unwrap()
                .map(|v| u64::from((v as f32).to_bits()));
            assert_eq!(ours.as_slice(), words(expected), "seed {seed}, draw {draw}");
        }
    }
}

#[test]
fn randn_of_a_shape_is_pytorchs_too() {
    let golden = golden();
    for row in rows(&golden, "randn_of_a_shape") {
        let seed = row["seed"].as_str().unwrap().parse().unwrap();
        let shape = row["shape"].as_array().unwrap();
        let shape: Vec<_> = shape.iter().map(|n| n.as_u64().unwrap() as usize).collect();
        let ours = manual_seed(seed, &Device::Cpu)
            .randn(shape.clone())
            .unwrap();
        assert_eq!(ours.dims(), shape);
        let ours = ours.flatten_all().unwrap();
        assert_eq!(bits(&ours), words(&row["draws"]), "seed {seed}, {shape:?}");
    }
    let many = manual_seed(1, &Device::Cpu).randn(16).unwrap_err();
    assert!(many.to_string().starts_with("randn: 16 elements"), "{many}");
}

#[test]
fn linspace_is_pytorchs_bit_for_bit_and_sin_within_one_ulp() {
    let golden = golden();
    for row in rows(&golden, "points") {
        let n = row["points"].as_u64().unwrap() as usize;
        let data = Data::new(n, dtype(row), &Device::Cpu).unwrap();
        assert_eq!(bits(&data.x), words(&row["x"]), "linspace, {n} points");
        for (i, (ours, theirs)) in bits(&data.y).iter().zip(words(&row["y"])).enumerate() {
            let ulps = ours.abs_diff(theirs);
            assert!(ulps <= 1, "sin of point {i} of {n}: {ulps} ulps apart");
        }
    }
}

#[test]
fn sum_adds_in_pytorchs_order() {
    let golden = golden();
    for row in rows(&golden, "sums") {
        let n = row["points"].as_u64().unwrap();
        let scattered = |i: u64| (i * 2654435761 % (1 << 32)) as f64;
        let values = Tensor::from_iter((0..n).map(scattered), &Device::Cpu).unwrap();
        // The conversion to f32 comes first, as it does in the script.
        let values = values.to_dtype(dtype(row)).unwrap();
        let values = ((values / 2f64.powi(31)).unwrap() - 1.).unwrap();
        let ours = sum(&values).unwrap().reshape(1).unwrap();
        assert_eq!(bits(&ours), words(&row["sum"]), "{n} of {:?}", dtype(row));
    }
}

#[test]
fn the_sum_of_a_view_is_that_of_its_copy() {
    let x = linspace(-1., 3., 35, DType::F32, &Device::Cpu).unwrap();
    let view = x
        .reshape((5, 7))
        .unwrap()
        .t()
        .unwrap()
        .narrow(0, 1, 4)
        .unwrap();
    let copy = Tensor::new(view.to_vec2::<f32>().unwrap(), &Device::Cpu).unwrap();
    let [of_view, of_copy] = [view, copy].map(|t| sum(&t).unwrap().to_scalar::<f32>().unwrap());
    assert_eq!(of_view, of_copy);
}

/// Relative to the larger of 1 and the loss, the bound on what rounding makes of a whole run.
fn tolerance(dtype: DType) -> f64 {
    match dtype {
        DType::F32 => 2e-6,
        _ => 1e-12,
    }
}

#[test]
fn runs_are_pytorchs() {
    let golden = golden();
    for row in rows(&golden, "runs") {
        let seed = row["seed"].as_str().unwrap();
        let draw = row["draw"].as_u64().unwrap() as u32;
        let init = drawn(seed.parse().unwrap(), draw).unwrap();
        let number = |key: &str| row[key].as_u64().unwrap() as usize;
        let (epochs, log_every) = (number("epochs"), number("log_every"));
        for method in [Method::Manual, Method::Autograd] {
            let points = number("points");
            let data = Data::new(points, dtype(row), &Device::Cpu).unwrap();
            let rate = row["learning_rate"].as_f64().unwrap();
            let mut descent = method.begin(&data, init, rate).unwrap();
            let losses: Vec<_> = (0..epochs).map(|_| descent.epoch().unwrap()).collect();
            let logged = losses.into_iter().step_by(log_every);
            let ours = logged.chain(descent.weights().unwrap());
            let theirs = [&row["losses"], &row["weights"]].map(|v| v.as_array().unwrap());
            let theirs = theirs.into_iter().flatten().map(|v| v.as_f64().unwrap());
            let pairs: Vec<_> = ours.zip(theirs).collect();
            assert_eq!(pairs.len(), 14);
            for (ours, theirs) in pairs {
                let apart = (ours - theirs).abs() / theirs.abs().max(1.);
                let bound = tolerance(dtype(row));
                let name = method.name();
                assert!(
                    apart <= bound,
                    "seed {seed}, {points} points, {name}: {ours}, not {theirs}, {apart:.1e} apart"
                );
            }
        }
    }
}
