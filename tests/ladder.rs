//! The ladder: five ways to one gradient, held against each other along whole runs, and the op of
//! our own under gradcheck.

#![cfg(feature = "nn")]

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{Linear, Module, Optimizer as _};
use candle_sine::gradcheck::{self, Verdict, gradcheck};
use candle_sine::sine::gradient::autograd::Autograd;
use candle_sine::sine::gradient::fused::squared_error;
use candle_sine::sine::gradient::optimizer::Optimizer;
use candle_sine::sine::gradient::{Descent, Gradient, LossAndGrad, Method, rounding_bound};
use candle_sine::sine::least_squares::{LeastSquares, Moments};
use candle_sine::sine::train::{self, History, Options, Pause};
use candle_sine::sine::{Data, Weights, post};
use std::ops::ControlFlow;
use std::time::Duration;

const CPU: &Device = &Device::Cpu;

fn post(points: usize, dtype: DType) -> (Data, Weights) {
    let init = post::WEIGHTS.map(f64::from);
    let data = Data::new(points, dtype, CPU).unwrap();
    (data, Weights::new(init, dtype, CPU).unwrap())
}

fn run(descent: &mut dyn Descent, options: &Options) -> History {
    let go_on = &mut |_: &Pause| Ok(ControlFlow::Continue(()));
    train::train(descent, options, go_on).unwrap()
}

/// The weights after the last update and before it.
fn ends(history: &History) -> Vec<f64> {
    let both = [&history.weights, &history.y_pred_weights];
    both.iter().flat_map(|w| w.values().unwrap()).collect()
}

fn options(learning_rate: f64) -> Options {
    Options {
        learning_rate,
        ..Options::default()
    }
}

/// At the post's rate and near the largest there is, where the run ends at the optimum; for points
/// that fill no whole number of lanes.
#[test]
fn all_rungs_make_one_trajectory_in_f64() {
    for (points, rate) in [(1000, 1e-6), (1000, 6e-6), (997, 6e-6), (50, 1e-4)] {
        let (data, init) = post(points, DType::F64);
        let of = |method: &Method| {
            let mut descent = method.descent(&data, &init).unwrap();
            run(descent.as_mut(), &options(rate))
        };
        let runs: Vec<_> = Method::ALL.iter().map(of).collect();
        for (method, run) in Method::ALL.iter().zip(&runs) {
            let name = method.as_str();
            assert_eq!(run.losses.len(), 1000);
            for (loss, manual) in run.losses.iter().zip(&runs[0].losses) {
                assert!(
                    (loss / manual - 1.).abs() < 1e-12,
                    "{name}: {loss} {manual}"
                );
            }
            let scale = runs[0].weights.values().unwrap().map(f64::abs);
            let scale = scale.into_iter().fold(0., f64::max);
            for (w, manual) in ends(run).into_iter().zip(ends(&runs[0])) {
                assert!((w - manual).abs() < 1e-12 * scale, "{name}: {w} {manual}");
            }
        }
    }
}

/// How far rounding may take one f32 run from exact arithmetic, for each epoch's loss: the bound
/// that `gradient` states.
fn f32_bounds(data: &Data, init: &Weights, rate: f64) -> Vec<f64> {
    let u = 2f64.powi(-24);
    let wide = Data {
        x: data.x.to_dtype(DType::F64).unwrap(),
        y: data.y.to_dtype(DType::F64).unwrap(),
    };
    let moments = Moments::new(&wide).unwrap();
    let lambda = LeastSquares::new(&wide).unwrap().eigenvalues;
    let lambda = lambda.into_iter().fold(0., f64::max);
    let norm = |v: [f64; 4]| v.iter().map(|v| v * v).sum::<f64>().sqrt();
    let (mut w, mut away, mut bounds) = (init.values().unwrap(), 0., vec![]);
    for _ in 0..1000 {
        let at = Weights::new(w, DType::F64, CPU).unwrap();
        let (loss, grad) = moments.loss_and_grad(w);
        // Σ e² has the terms of grad_d, so to say, with e in the place of 2.
        let in_grad = rounding_bound(data, &at).unwrap();
        let in_loss = in_grad[3] * loss.sqrt();
        bounds.push(in_loss + norm(grad) * away + lambda * away * away);
        for (w, g) in w.iter_mut().zip(grad) {
            *w -= rate * g;
        }
        away += rate * norm(in_grad) + u * (norm(w) + 3. * rate * norm(grad));
    }
    bounds
}

#[test]
fn f32_rungs_stay_within_the_bound_of_rounding() {
    for rate in [1e-6, 6e-6] {
        let (data, init) = post(1000, DType::F32);
        let bounds = f32_bounds(&data, &init, rate);
        let wide = Data {
            x: data.x.to_dtype(DType::F64).unwrap(),
            y: data.y.to_dtype(DType::F64).unwrap(),
        };
        let wide_init = Weights::new(init.values().unwrap(), DType::F64, CPU).unwrap();
        let mut exact = Method::Manual.descent(&wide, &wide_init).unwrap();
        let exact = run(exact.as_mut(), &options(rate));
        for method in Method::ALL {
            let mut descent = method.descent(&data, &init).unwrap();
            let single = run(descent.as_mut(), &options(rate));
            let pairs = single.losses.iter().zip(&exact.losses);
            for ((single, exact), bound) in pairs.zip(&bounds) {
                let off = (single - exact).abs();
                assert!(off <= *bound, "{method:?}: {single} {exact} {bound}");
                // What is seen is far less.
                assert!(off < 1e-5 * exact, "{method:?}: {single} {exact}");
            }
            // The bound says something.
            assert!(bounds.iter().zip(&exact.losses).all(|(b, l)| *b < 0.2 * l));
        }
    }
}

/// Many epochs in one go are the epochs one by one.
#[test]
fn the_numbers_do_not_depend_on_patience() {
    for dtype in [DType::F32, DType::F64] {
        let (data, init) = post(100, dtype);
        for method in Method::ALL {
            let of = |patience, log_every| {
                let mut descent = method.descent(&data, &init).unwrap();
                let options = Options {
                    patience,
                    log_every,
                    ..options(1e-5)
                };
                run(descent.as_mut(), &options)
            };
            let [patient, not] = [of(Duration::from_secs(9), 70), of(Duration::ZERO, 1)];
            assert_eq!(patient.losses, not.losses, "{method:?}");
            assert_eq!(patient.final_loss, not.final_loss);
            assert_eq!(ends(&patient), ends(&not), "{method:?}");
        }
    }
}

#[test]
fn every_rung_diverges_at_about_the_same_epoch() {
    let (data, init) = post(1000, DType::F32);
    for method in Method::ALL {
        for patience in [Duration::ZERO, Duration::from_secs(9)] {
            let mut descent = method.descent(&data, &init).unwrap();
            let options = Options {
                patience,
                ..options(1e-5)
            };
            let history = run(descent.as_mut(), &options);
            // Sums in f32 may overflow an epoch or two before their f64 total does.
            let after = history.diverged_after.unwrap();
            assert!((68..=72).contains(&after), "{method:?}: {after}");
            assert_eq!(history.losses.len(), after);
        }
    }
}

/// x, y and weights as they come, cut out of the middle, spread out, and repeated.
fn layouts(t: &Tensor) -> Vec<Tensor> {
    let n = t.elem_count();
    let between = Tensor::stack(&[&t.neg().unwrap(), t, &t.exp().unwrap()], 1).unwrap();
    let padded = Tensor::cat(&[&t.neg().unwrap(), t, t], 0).unwrap();
    vec![
        t.clone(),
        padded.narrow(0, n, n).unwrap(),
        between.narrow(1, 1, 1).unwrap().squeeze(1).unwrap(),
        t.get(0).unwrap().reshape(1).unwrap().expand(n).unwrap(),
    ]
}

/// Certifies the op's gradients by the weights, by x and by y, in every dtype and layout that it
/// claims.
#[test]
fn gradcheck_passes_the_fused_op() {
    for dtype in [DType::F32, DType::F64] {
        let tensor = |v: &[f64]| Tensor::new(v, CPU).unwrap().to_dtype(dtype).unwrap();
        let w = tensor(&[0.25, -0.5, -1.75, 0.75]);
        let x = tensor(&[-3., -1.5, -0.25, 0.5, 1.25, 2., 2.75, 3., 0.125, 1., -2.]);
        let y = x.sin().unwrap();
        for w in layouts(&w) {
            for (x, y) in layouts(&x).iter().zip(layouts(&y).iter().rev()) {
                let inputs = [w.clone(), x.clone(), y.clone()];
                let options = gradcheck::Options::default();
                let report = gradcheck(|t| squared_error(&t[0], &t[1], &t[2]), &inputs, &options);
                report.unwrap().assert_pass();
            }
        }
    }
}

/// The check can fail: a gradient a thousandth off, in one weight, is found.
#[test]
fn gradcheck_fails_a_fused_op_that_is_wrong() {
    let w = Tensor::new(&[0.25, -0.5, -1.75, 0.75], CPU).unwrap();
    let (data, _) = post(10, DType::F64);
    let off = Tensor::new(&[0., 0.25, 0., 0.], CPU).unwrap();
    let wrong = |t: &[Tensor]| {
        let loss = squared_error(&t[0], &data.x, &data.y)?;
        let unseen = (&t[0] * &off)?.sum_all()?;
        loss + (&unseen - unseen.detach())?
    };
    let report = gradcheck(wrong, &[w], &gradcheck::Options::default()).unwrap();
    assert_eq!(report.verdict(), Verdict::Wrong, "{report}");
}

/// The same bits whatever the layout and the number of threads; any length.
#[test]
fn a_pass_adds_in_one_order() {
    for (points, dtype) in [
        (2, DType::F32),
        (9, DType::F64),
        (1000, DType::F32),
        (4097, DType::F64),
        (300_001, DType::F32),
    ] {
        let (data, init) = post(points, dtype);
        let w = init.stack().unwrap();
        let of = |x: &Tensor, y: &Tensor| {
            let w = Var::from_tensor(&w).unwrap();
            let loss = squared_error(&w, x, y).unwrap();
            let grad = loss.backward().unwrap().get(&w).unwrap().clone();
            let all = Tensor::cat(&[&loss.reshape(1).unwrap(), &grad], 0).unwrap();
            all.to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap()
        };
        let plain = of(&data.x, &data.y);
        for (x, y) in layouts(&data.x).iter().zip(&layouts(&data.y)).take(3) {
            assert_eq!(of(x, y), plain);
        }
        let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let alone = one_thread.unwrap().install(|| of(&data.x, &data.y));
        assert_eq!(alone, plain);
    }
}

/// Every sum within 1e-6 of the f64 answer, at ten million points: the answer, rounded once.
#[test]
fn f32_sums_are_the_f64_answer_at_ten_million_points() {
    let (data, init) = post(10_000_000, DType::F32);
    let best = LeastSquares::new(&data).unwrap().optimum;
    let best = Weights::new(best, DType::F32, CPU).unwrap();
    let mut fused = Method::Fused.over(&data).unwrap();
    for weights in [init, best] {
        let (sums, sizes) = sums_in_f64(&data, weights.values().unwrap());
        let step = fused.loss_and_grad(&weights).unwrap();
        let loss = f64::from(step.loss.to_scalar::<f32>().unwrap());
        let ours = [loss].into_iter().chain(step.grad.values().unwrap());
        for ((ours, exact), size) in ours.zip(sums).zip(sizes) {
            // At the optimum the terms of a gradient cancel; those of a loss never do.
            assert!((ours - exact).abs() < 1e-7 * size, "{ours} {exact} {size}");
        }
    }
}

/// The loss and the four gradients, and the sums of their terms' sizes.
fn sums_in_f64(data: &Data, [a, b, c, d]: [f64; 4]) -> ([f64; 5], [f64; 5]) {
    let (x, y) = (
        data.x.to_vec1::<f32>().unwrap(),
        data.y.to_vec1::<f32>().unwrap(),
    );
    let (mut sums, mut sizes) = ([0f64; 5], [0f64; 5]);
    // In blocks, so that the reference does not itself lose digits.
    for (x, y) in x.chunks(1000).zip(y.chunks(1000)) {
        let mut block = [0f64; 5];
        for (x, y) in x.iter().zip(y) {
            let (x, y) = (f64::from(*x), f64::from(*y));
            let e = ((a * x + b) * x + c) * x + d - y;
            let two_e = 2. * e;
            let terms = [e * e, two_e * x.powi(3), two_e * x * x, two_e * x, two_e];
            block.iter_mut().zip(terms).for_each(|(s, t)| *s += t);
            sizes.iter_mut().zip(terms).for_each(|(s, t)| *s += t.abs());
        }
        sums.iter_mut().zip(block).for_each(|(s, b)| *s += b);
    }
    (sums, sizes)
}

#[test]
fn errors_of_the_fused_op_say_what_is_wrong() {
    let of = |dims: usize, dtype| Tensor::zeros(dims, dtype, CPU).unwrap();
    let (w, x) = (of(4, DType::F32), of(10, DType::F32));
    let message = |w: &Tensor, x: &Tensor, y: &Tensor| {
        let error = squared_error(w, x, y).unwrap_err().to_string();
        error.lines().next().unwrap().to_owned()
    };
    assert!(message(&of(3, DType::F32), &x, &x).contains("shape (4,), not [3]"));
    assert!(message(&w, &x, &of(9, DType::F32)).contains("not [10] and [9]"));
    assert!(message(&w, &x.reshape((2, 5)).unwrap(), &x).contains("shape (points,)"));
    assert!(message(&of(4, DType::F64), &x, &x).contains("the weights are f64, x is f32"));
    assert!(message(&w, &x, &of(10, DType::F64)).contains("not f32 and f64"));
    let half = of(10, DType::BF16);
    assert!(message(&of(4, DType::BF16), &half, &half).contains("f32 and f64, not for bf16"));
}

#[test]
fn weights_of_another_dtype_are_refused_by_every_rung() {
    let (data, _) = post(10, DType::F64);
    let (_, single) = post(10, DType::F32);
    for method in Method::ALL {
        let mut gradient = method.over(&data).unwrap();
        assert!(gradient.loss_and_grad(&single).is_err(), "{method:?}");
        let descent = method.descent(&data, &single);
        let descended = descent.and_then(|mut descent| descent.descend(1e-6, 2));
        assert!(descended.is_err(), "{method:?}");
    }
}

/// candle-nn's `Linear` in the loss of the ladder.
#[test]
fn gradcheck_passes_the_linear_layer() {
    let (data, _) = post(12, DType::F64);
    let features = Tensor::stack(
        &[data.x.powf(3.).unwrap(), data.x.sqr().unwrap(), data.x],
        1,
    );
    let (features, y) = (features.unwrap(), data.y.unsqueeze(1).unwrap());
    let weight = Tensor::new(&[[0.25, -0.5, -1.75]], CPU).unwrap();
    let bias = Tensor::new(&[0.75], CPU).unwrap();
    let loss = |t: &[Tensor]| {
        let layer = Linear::new(t[0].clone(), Some(t[1].clone()));
        (layer.forward(&features)? - &y)?.sqr()?.sum_all()
    };
    let report = gradcheck(loss, &[weight, bias], &gradcheck::Options::default());
    report.unwrap().assert_pass();
}

/// `SGD` subtracts rate times gradient and nothing else; `AdamW` follows Loshchilov and Hutter's
/// algorithm 2 (arXiv 1711.05101), written here in numbers.
#[test]
fn the_optimizers_of_candle_nn_do_what_their_papers_say() -> Result<()> {
    let w = Var::new(&[1f64, -2.], CPU)?;
    let loss = |w: &Var| (w.as_tensor().sqr()? * 3.)?.sum_all();
    candle_nn::SGD::new(vec![w.clone()], 0.01)?.backward_step(&loss(&w)?)?;
    for (ours, exact) in w.to_vec1::<f64>()?.into_iter().zip([0.94, -1.88]) {
        assert!((ours - exact).abs() < 1e-15);
    }

    let params = candle_nn::ParamsAdamW {
        lr: 0.1,
        ..candle_nn::ParamsAdamW::default()
    };
    let w = Var::new(&[1f64, -2.], CPU)?;
    let mut adamw = candle_nn::AdamW::new(vec![w.clone()], params.clone())?;
    let (mut expected, mut m, mut v) = ([1f64, -2.], [0f64; 2], [0f64; 2]);
    for t in 1..=20 {
        adamw.backward_step(&loss(&w)?)?;
        for i in 0..2 {
            let g = 6. * expected[i];
            m[i] = params.beta1 * m[i] + (1. - params.beta1) * g;
            v[i] = params.beta2 * v[i] + (1. - params.beta2) * g * g;
            let m_hat = m[i] / (1. - params.beta1.powi(t));
            let v_hat = v[i] / (1. - params.beta2.powi(t));
            expected[i] -= params.lr * (m_hat / (v_hat.sqrt() + params.eps))
                + params.lr * params.weight_decay * expected[i];
        }
    }
    for (ours, exact) in w.to_vec1::<f64>()?.into_iter().zip(expected) {
        assert!((ours - exact).abs() < 1e-14, "{ours} {exact}");
    }
    Ok(())
}

#[test]
fn adamw_takes_another_way_to_the_same_place() {
    let (data, init) = post(1000, DType::F64);
    let best = LeastSquares::new(&data).unwrap().optimum_loss;
    let mut adamw = Optimizer::adamw(&data, &init).unwrap();
    let history = run(
        &mut adamw,
        &Options {
            epochs: 4000,
            ..options(1e-2)
        },
    );
    assert!((history.final_loss / best - 1.).abs() < 1e-3, "{history:?}");
}

/// The normal equations near an exact fit, where their loss is lost in rounding: never negative,
/// and not further off than it says.
#[test]
fn a_loss_of_moments_is_good_to_the_size_of_its_terms() {
    for points in [2, 3, 4, 5, 1000] {
        let (data, _) = post(points, DType::F64);
        let (moments, fit) = (
            Moments::new(&data).unwrap(),
            LeastSquares::new(&data).unwrap(),
        );
        let (loss, grad) = moments.loss_and_grad(fit.optimum);
        let size = 1e-14 * (1. + fit.baseline_loss);
        assert!(
            loss >= 0. && (loss - fit.optimum_loss).abs() < size,
            "{points}: {loss}"
        );
        assert!(
            grad.iter().all(|g| g.abs() < 1e-11 * points as f64),
            "{grad:?}"
        );
    }
    let (nan, _) = Moments::new(&post(9, DType::F64).0)
        .unwrap()
        .loss_and_grad([f64::NAN; 4]);
    assert!(nan.is_nan());
}

#[test]
fn thinned_data_keeps_its_ends() {
    let (data, _) = post(1_000_001, DType::F32);
    for most in [2, 3, 10, 4000] {
        let thin = data.thinned(most).unwrap();
        let x = thin.x.to_vec1::<f32>().unwrap();
        assert!(
            x.len() <= most && x.len() * 2 > most,
            "{} of {most}",
            x.len()
        );
        assert_eq!(x[0], -x[x.len() - 1]);
        assert!(x.is_sorted());
    }
    assert_eq!(data.thinned(2_000_000).unwrap().x.elem_count(), 1_000_001);
}

/// `autograd` goes over 16,384 points at a time; below, at and above that number the loss and the
/// gradient are those of all points at once, and at any number a sum in one order.
#[test]
fn parts_of_the_data_add_up_to_the_whole() {
    for points in [16_383, 16_384, 16_385, 3 * 16_384 + 7] {
        let (data, init) = post(points, DType::F64);
        let mut whole = Autograd::new(&data).unwrap();
        let mut parts = Method::Autograd.over(&data).unwrap();
        let numbers = |gradient: &mut dyn Gradient| {
            let LossAndGrad { loss, grad } = gradient.loss_and_grad(&init).unwrap();
            let mut all = vec![loss.to_scalar::<f64>().unwrap()];
            all.extend(grad.stack().unwrap().to_vec1::<f64>().unwrap());
            all
        };
        let (whole, once) = (numbers(&mut whole), numbers(parts.as_mut()));
        for (a, b) in whole.iter().zip(&once) {
            assert!((a / b - 1.).abs() < 1e-12, "{points}: {whole:?} {once:?}");
        }
        if points <= 16_384 {
            assert_eq!(whole, once, "{points}");
        }
        assert_eq!(once, numbers(parts.as_mut()));
    }
}
