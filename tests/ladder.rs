//! The five ways to one gradient: along whole runs, beside each other, and where the descent is heading.

#![cfg(feature = "nn")]
#![allow(clippy::unwrap_used)] // a test that cannot go on should stop

use candle_core::{DType, Device, Tensor};
use candle_sine::gradcheck::Gradcheck;
use candle_sine::pytorch::sum;
use candle_sine::sine::{Data, LeastSquares, Method, NAMES, Weights, check, post};

const CPU: &Device = &Device::Cpu;

fn data(points: usize, dtype: DType) -> Data {
    Data::new(points, dtype, CPU).unwrap()
}

/// The losses of a run from `start`, and the weights at its end.
fn run_from(
    start: Weights,
    method: Method,
    data: &Data,
    learning_rate: f64,
    epochs: usize,
) -> (Vec<f64>, Weights) {
    let mut descent = method.begin(data, start, learning_rate).unwrap();
    let losses = (0..epochs).map(|_| descent.epoch().unwrap()).collect();
    (losses, descent.weights().unwrap())
}

fn run(method: Method, data: &Data, learning_rate: f64, epochs: usize) -> (Vec<f64>, Weights) {
    run_from(post::WEIGHTS, method, data, learning_rate, epochs)
}

/// The same within this part of the largest.
fn near(a: Weights, b: Weights, part: f64) -> bool {
    let largest = b.into_iter().map(f64::abs).fold(0., f64::max);
    a.iter()
        .zip(b)
        .all(|(a, b)| (a - b).abs() <= part * largest)
}

#[test]
fn manual_prints_the_posts_ten_losses() {
    let (losses, _) = run(Method::Manual, &data(1000, DType::F32), 1e-6, 1000);
    for (epoch, loss) in post::TABLE {
        assert_eq!(losses[epoch - 1], loss, "epoch {epoch}");
    }
}

/// At the post's rate and near the largest there is, where the run ends at the optimum; for points
/// that fill no whole number of lanes, and for several parts. The loss of the normal equations is a small
/// difference of large numbers: the others agree within 1e-12.
#[test]
fn all_ways_are_one_in_f64() {
    let large = 3 * 16_384 + 7;
    for (points, rate, epochs) in [
        (1000, 1e-6, 1000),
        (1000, 6e-6, 1000),
        (997, 6e-6, 1000),
        (50, 1e-4, 1000),
        (large, 1e-7, 20),
        (200_001, 1e-8, 3),
    ] {
        let data = data(points, DType::F64);
        let (manual, end) = run(Method::Manual, &data, rate, epochs);
        for method in Method::ALL {
            let (losses, weights) = run(*method, &data, rate, epochs);
            for (loss, manual) in losses.iter().zip(&manual) {
                let apart = (loss / manual - 1.).abs();
                assert!(apart < 1e-11, "{method:?}, {points}: {loss} {manual}");
            }
            assert!(near(weights, end, 1e-11), "{method:?}: {weights:?} {end:?}");
        }
    }
}

#[test]
fn all_ways_follow_f64_in_f32() {
    for rate in [1e-6, 6e-6] {
        let single = data(1000, DType::F32);
        let wide = |t: &Tensor| t.to_dtype(DType::F64).unwrap();
        let (x, y) = (wide(&single.x), wide(&single.y));
        let (exact, _) = run(Method::Manual, &Data { x, y }, rate, 1000);
        for method in Method::ALL {
            let (losses, _) = run(*method, &single, rate, 1000);
            for (loss, exact) in losses.iter().zip(&exact) {
                let apart = (loss / exact - 1.).abs();
                assert!(apart < 1e-5, "{method:?}: {loss} {exact}");
            }
        }
    }
}

/// By gradcheck: a loss of tensor operations, and the gradient of each way.
#[test]
fn every_way_passes_gradcheck() {
    let data = data(40, DType::F64);
    let inputs = [0.25, -0.5, -1.75, 0.75].map(|w| Tensor::new(w, CPU).unwrap());
    let loss = |w: &[Tensor]| {
        let cubic = data.x.powf(3.)?.broadcast_mul(&w[0])? + data.x.sqr()?.broadcast_mul(&w[1])?;
        let cubic = (cubic? + data.x.broadcast_mul(&w[2])?)?.broadcast_add(&w[3])?;
        sum(&(cubic - &data.y)?.sqr()?)
    };
    for method in Method::ALL {
        let gradient = |w: &[Tensor], _: &Tensor| {
            let weights = w.iter().map(|w| w.to_scalar::<f64>());
            let weights: Vec<_> = weights.collect::<Result<_, _>>()?;
            let mut descent = method.begin(&data, weights.try_into().unwrap(), 0.)?;
            descent.epoch()?;
            let gradient = descent.gradient()?;
            gradient.iter().map(|g| Tensor::new(*g, CPU)).collect()
        };
        let report = Gradcheck::of(loss).by_hand(gradient).run(&inputs);
        report.unwrap().assert_pass();
    }
}

/// Every sum within 1e-7 of its terms' sizes, at ten million points.
#[test]
fn fused_loses_no_digit_of_f32_at_ten_million_points() {
    let data = data(10_000_000, DType::F32);
    let best = LeastSquares::new(&data).unwrap().optimum;
    for weights in [post::WEIGHTS, best] {
        let weights = weights.map(|w| f64::from(w as f32));
        let mut fused = Method::Fused.begin(&data, weights, 0.).unwrap();
        let loss = fused.epoch().unwrap();
        let ours = [loss].into_iter().chain(fused.gradient().unwrap());
        let (sums, sizes) = sums_in_f64(&data, weights);
        for ((ours, exact), size) in ours.zip(sums).zip(sizes) {
            // At the optimum the terms of a gradient cancel; those of a loss never do.
            assert!((ours - exact).abs() < 1e-7 * size, "{ours} {exact} {size}");
        }
    }
}

/// The loss and the four gradients, and the sums of their terms' sizes.
fn sums_in_f64(data: &Data, [a, b, c, d]: Weights) -> ([f64; 5], [f64; 5]) {
    let [x, y] = [&data.x, &data.y].map(|t| t.to_vec1::<f32>().unwrap());
    let (mut sums, mut sizes) = ([0f64; 5], [0f64; 5]);
    // In blocks, so that the reference does not itself lose digits.
    for (x, y) in x.chunks(1000).zip(y.chunks(1000)) {
        let mut block = [0f64; 5];
        for (x, y) in x.iter().zip(y) {
            let (x, y) = (f64::from(*x), f64::from(*y));
            let e = ((a * x + b) * x + c) * x + d - y;
            let terms = [
                e * e,
                2. * e * x.powi(3),
                2. * e * x * x,
                2. * e * x,
                2. * e,
            ];
            block.iter_mut().zip(terms).for_each(|(s, t)| *s += t);
            sizes.iter_mut().zip(terms).for_each(|(s, t)| *s += t.abs());
        }
        sums.iter_mut().zip(block).for_each(|(s, b)| *s += b);
    }
    (sums, sizes)
}

#[test]
fn the_digits_do_not_depend_on_the_number_of_cores() {
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    for method in Method::ALL {
        let data = data(150_001, DType::F32);
        let run = || run(*method, &data, 1e-9, 3);
        assert_eq!(one.install(run), run(), "{method:?}");
    }
}

/// The weights at the end of one run are the start of the next: together they are the run in one.
#[test]
fn a_run_in_two_parts_is_the_run() {
    for dtype in [DType::F32, DType::F64] {
        let data = data(1000, dtype);
        for method in Method::ALL {
            let (whole, end) = run(*method, &data, 1e-6, 1000);
            let (first, halfway) = run(*method, &data, 1e-6, 450);
            let (second, again) = run_from(halfway, *method, &data, 1e-6, 550);
            assert_eq!([first, second].concat(), whole, "{method:?}");
            assert_eq!(again, end, "{method:?}");
        }
    }
}

#[test]
fn every_way_diverges_at_about_the_same_epoch() {
    for method in Method::ALL {
        let (losses, _) = run(*method, &data(1000, DType::F32), 1e-5, 100);
        // Sums in f32 may overflow an epoch or two before their f64 total does.
        let finite = losses.iter().take_while(|loss| loss.is_finite()).count();
        assert!((67..=71).contains(&finite), "{method:?}: {finite}");
    }
}

/// All three within a part of what the sum would be if nothing in it cancelled.
#[test]
fn check_finds_one_gradient_three_times() {
    for (dtype, part) in [(DType::F32, 1e-6), (DType::F64, 1e-13)] {
        let data = data(1000, dtype);
        let best = LeastSquares::new(&data).unwrap().optimum;
        let sizes = [1e-3, 1., 1e6, 1e12].map(|size| post::WEIGHTS.map(|w| size * w));
        for weights in sizes.into_iter().chain([best]) {
            let found = check(&data, weights).unwrap();
            for (i, name) in NAMES.into_iter().enumerate() {
                let most = part * found.uncancelled[i];
                for gradient in [found.manual, found.autograd] {
                    let off = (gradient[i] - found.numeric[i]).abs();
                    assert!(off < most, "{name}, {weights:?}: {found:?}");
                }
                assert!(found.uncancelled[i] >= found.numeric[i].abs());
            }
        }
    }
}

#[test]
fn descent_is_stable_just_below_the_limit_and_not_above() {
    let data = data(1000, DType::F64);
    let limit = LeastSquares::new(&data).unwrap().stability_limit();
    let grows = |factor: f64| {
        let (losses, _) = run(Method::Normal, &data, factor * limit, 20_000);
        losses[19_999] > losses[0]
    };
    assert!(!grows(0.999) && grows(1.001));
}

/// The closed form of the descent against the descent itself.
#[test]
fn excess_loss_foretells_the_run() {
    let data = data(1000, DType::F64);
    let fit = LeastSquares::new(&data).unwrap();
    let (losses, _) = run(Method::Manual, &data, 5e-6, 1000);
    for epochs in [0, 1, 10, 500, 999] {
        let foretold = fit.optimum_loss + fit.excess_loss(post::WEIGHTS, 5e-6, epochs);
        let seen = losses[epochs as usize];
        assert!((foretold / seen - 1.).abs() < 1e-9, "{foretold} {seen}");
    }
    let excess = |epochs| fit.excess_loss(post::WEIGHTS, 5e-6, epochs);
    let epochs = fit.epochs_to(post::WEIGHTS, 5e-6, 1.).unwrap();
    assert!(excess(epochs) <= 1. && excess(epochs - 1) > 1.);
    assert_eq!(fit.epochs_to(post::WEIGHTS, 8e-6, 1.), None);
}

#[test]
fn the_optimum_has_no_gradient_and_no_even_part() {
    let data = data(1000, DType::F64);
    let fit = LeastSquares::new(&data).unwrap();
    let [_, b, _, d] = fit.optimum;
    assert!(b.abs() < 1e-12 && d.abs() < 1e-12);
    for method in Method::ALL {
        let mut descent = method.begin(&data, fit.optimum, 0.).unwrap();
        assert!((descent.epoch().unwrap() - fit.optimum_loss).abs() < 1e-10);
        let gradient = descent.gradient().unwrap();
        assert!(gradient.iter().all(|g| g.abs() < 1e-8), "{method:?}");
    }
}

/// A cubic meets up to four points; two and three leave a choice of cubics, and the eigenvalues that vanish
/// must not blow up. The loss of the normal equations is lost in rounding there, but never negative.
#[test]
fn few_points_are_met_exactly() {
    for points in [2, 3, 4] {
        let data = data(points, DType::F64);
        let fit = LeastSquares::new(&data).unwrap();
        assert!(fit.optimum_loss < 1e-20, "{points}: {fit:?}");
        assert!(fit.optimum.iter().all(|w| w.abs() < 10.));
        let (losses, _) = run_from(fit.optimum, Method::Normal, &data, 0., 1);
        assert!((0. ..1e-13).contains(&losses[0]), "{losses:?}");
    }
    let (nan, _) = run_from([f64::NAN; 4], Method::Normal, &data(9, DType::F64), 0., 1);
    assert!(nan[0].is_nan());
}

#[test]
fn thinned_data_keeps_its_ends() {
    let data = data(1_000_001, DType::F32);
    for most in [2, 3, 10, 4000] {
        let x = data.thinned(most).unwrap().x.to_vec1::<f32>().unwrap();
        let n = x.len();
        assert!(n <= most && n * 2 > most, "{n} of {most}");
        assert_eq!(x[0], -x[n - 1]);
        assert!(x.is_sorted());
    }
    assert_eq!(data.thinned(2_000_000).unwrap().x.elem_count(), 1_000_001);
}

#[test]
fn errors_say_what_is_wrong() {
    let error = |points, dtype| Data::new(points, dtype, CPU).unwrap_err().to_string();
    assert!(error(1, DType::F32).starts_with("1 points"));
    assert!(error(10, DType::F16).contains("f32 and f64, not for f16"));
}

/// The sum's own gradient, which candle's chain rule relies on.
#[test]
fn the_gradient_of_a_sum_is_one_everywhere() {
    let x = candle_core::Var::new(&[1f64, 2., 3.], CPU).unwrap();
    let loss = (sum(&x.sqr().unwrap()).unwrap() * 5.).unwrap();
    let grad = loss.backward().unwrap().get(&x).unwrap().to_vec1::<f64>();
    assert_eq!(grad.unwrap(), [10., 20., 30.]);
}
