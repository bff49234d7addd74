//! Training by the library: the post's run, and what must hold of any run.

use candle_core::{DType, Device, Tensor};
use candle_sine::sine::gradient::Method;
use candle_sine::sine::least_squares::LeastSquares;
use candle_sine::sine::train::{self, History, Options, Pause};
use candle_sine::sine::{Data, Weights, post};
use std::ops::ControlFlow;

/// The output of the post, to the letter.
fn posts_output() -> String {
    let line = |(epoch, loss)| format!("epoch : {epoch}, loss : {loss}\n");
    post::TABLE.map(line).concat()
}

fn post(dtype: DType) -> (Data, Weights) {
    let data = Data::new(1000, dtype, &Device::Cpu).unwrap();
    let init = post::WEIGHTS.map(f64::from);
    (data, Weights::new(init, dtype, &Device::Cpu).unwrap())
}

fn run(method: Method, dtype: DType, options: &Options) -> History {
    let (data, init) = post(dtype);
    let mut descent = method.descent(&data, &init).unwrap();
    let go_on = &mut |_: &Pause| Ok(ControlFlow::Continue(()));
    train::train(descent.as_mut(), options, go_on).unwrap()
}

#[test]
fn the_posts_ten_lines() {
    let (data, init) = post(DType::F32);
    let mut descent = Method::Manual.descent(&data, &init).unwrap();
    let mut lines = String::new();
    train::train(descent.as_mut(), &Options::default(), &mut |e| {
        if let Some(loss) = e.loss {
            lines += &format!("epoch : {}, loss : {loss}\n", e.epoch);
        }
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(lines, posts_output());
}

/// At every epoch of a run, so that a gradient wrong only far from or near to the optimum shows.
#[test]
fn manual_equals_autograd_along_a_whole_run() {
    let (data, init) = post(DType::F64);
    let mut autograd = Method::Autograd.over(&data).unwrap();
    let mut manual = Method::Manual.descent(&data, &init).unwrap();
    // At the largest rate the descent allows the run converges, and gradients shrink to rounding:
    // what they are sums of does not, and bounds the difference.
    let options = Options {
        learning_rate: 6e-6,
        ..Options::default()
    };
    let mut seen = 0;
    train::train(manual.as_mut(), &options, &mut |pause| {
        let weights = &pause.y_pred_weights()?;
        let [by_hand, by_backward] = [
            Method::Manual.over(&data)?.loss_and_grad(weights)?,
            autograd.loss_and_grad(weights)?,
        ];
        let scale = by_hand.loss.to_scalar::<f64>()?.sqrt() * 1e3;
        let pairs = by_hand
            .grad
            .values()?
            .into_iter()
            .zip(by_backward.grad.values()?);
        for (hand, backward) in pairs {
            assert!(
                (hand - backward).abs() <= 1e-13 * scale,
                "{hand} {backward}"
            );
        }
        seen += 1;
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    assert_eq!(seen, 1000);
}

#[test]
fn f32_follows_f64() {
    for method in [Method::Manual, Method::Autograd] {
        let single = run(method, DType::F32, &Options::default());
        let double = run(method, DType::F64, &Options::default());
        for (s, d) in single.losses.iter().zip(&double.losses) {
            assert!((s / d - 1.).abs() < 2e-6, "{s} {d}");
        }
    }
}

#[test]
fn y_pred_is_one_update_old() {
    let history = run(Method::Manual, DType::F64, &Options::default());
    let (data, _) = post(DType::F64);
    let last = Method::Manual
        .over(&data)
        .unwrap()
        .loss_and_grad(&history.y_pred_weights);
    let last = last.unwrap().loss.to_scalar::<f64>().unwrap();
    assert_eq!(Some(&last), history.losses.last());
    assert!(history.final_loss < last);
}

#[test]
fn a_run_in_two_parts_is_the_run() {
    let whole = run(Method::Manual, DType::F32, &Options::default());
    let (data, init) = post(DType::F32);
    let part = |weights: &Weights, first_epoch, epochs| {
        let mut descent = Method::Manual.descent(&data, weights).unwrap();
        let options = Options {
            first_epoch,
            epochs,
            ..Options::default()
        };
        let mut logged = vec![];
        let history = train::train(descent.as_mut(), &options, &mut |e| {
            logged.extend(e.loss.map(|_| e.epoch));
            Ok(ControlFlow::Continue(()))
        });
        (history.unwrap(), logged)
    };
    let (first, _) = part(&init, 1, 450);
    let (second, logged) = part(&first.weights, 451, 550);
    assert_eq!([first.losses, second.losses].concat(), whole.losses);
    assert_eq!(
        second.weights.values().unwrap(),
        whole.weights.values().unwrap()
    );
    assert_eq!(logged, [501, 601, 701, 801, 901]);
}

#[test]
fn a_pause_can_end_the_run() {
    let (data, init) = post(DType::F32);
    let mut descent = Method::Manual.descent(&data, &init).unwrap();
    let history = train::train(descent.as_mut(), &Options::default(), &mut |e| {
        Ok(if e.epoch == 42 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    });
    assert_eq!(history.unwrap().losses.len(), 42);
}

/// `log_every` decides when losses are fetched; which epoch diverged must not depend on it.
#[test]
fn divergence_names_its_epoch_whatever_is_logged() {
    let at = [1, 7, 100, 100_000].map(|log_every| {
        let options = Options {
            learning_rate: 1e-5,
            epochs: 5000,
            log_every,
            ..Options::default()
        };
        let history = run(Method::Manual, DType::F32, &options);
        assert_eq!(Some(history.losses.len()), history.diverged_after);
        assert!(history.losses.iter().rev().skip(1).all(|l| l.is_finite()));
        history.diverged_after
    });
    assert_eq!(at, [Some(69); 4]);
}

#[test]
fn descent_is_stable_just_below_the_limit_and_not_above() {
    let (data, _) = post(DType::F64);
    let limit = LeastSquares::new(&data).unwrap().stability_limit();
    let options = |factor: f64| Options {
        learning_rate: factor * limit,
        epochs: 20_000,
        ..Options::default()
    };
    let below = run(Method::Manual, DType::F64, &options(0.999));
    let above = run(Method::Manual, DType::F64, &options(1.001));
    assert!(below.final_loss < below.losses[0]);
    assert!(above.final_loss > above.losses[0]);
}

/// The closed form of the descent against the descent itself.
#[test]
fn excess_loss_foretells_the_run() {
    let (data, init) = post(DType::F64);
    let fit = LeastSquares::new(&data).unwrap();
    let w0 = init.values().unwrap();
    let options = Options {
        learning_rate: 5e-6,
        ..Options::default()
    };
    let history = run(Method::Manual, DType::F64, &options);
    for epochs in [0, 1, 10, 500, 999] {
        let foretold = fit.optimum_loss + fit.excess_loss(w0, 5e-6, epochs);
        let seen = history.losses[epochs as usize];
        assert!((foretold / seen - 1.).abs() < 1e-9, "{foretold} {seen}");
    }
    let epochs = fit.epochs_to(w0, 5e-6, 1.).unwrap();
    assert!(fit.excess_loss(w0, 5e-6, epochs) <= 1. && fit.excess_loss(w0, 5e-6, epochs - 1) > 1.);
    assert_eq!(fit.epochs_to(w0, 8e-6, 1.), None);
}

#[test]
fn the_optimum_has_no_gradient_and_no_even_part() {
    let (data, _) = post(DType::F64);
    let fit = LeastSquares::new(&data).unwrap();
    let [_, b, _, d] = fit.optimum;
    assert!(b.abs() < 1e-12 && d.abs() < 1e-12);
    let optimum = Weights::new(fit.optimum, DType::F64, &Device::Cpu).unwrap();
    let at = Method::Manual
        .over(&data)
        .unwrap()
        .loss_and_grad(&optimum)
        .unwrap();
    assert!((at.loss.to_scalar::<f64>().unwrap() - fit.optimum_loss).abs() < 1e-10);
    assert!(at.grad.values().unwrap().iter().all(|g| g.abs() < 1e-8));
}

/// Two and three points leave a choice of cubics; the eigenvalues that vanish must not blow up.
#[test]
fn few_points_are_met_exactly() {
    for points in [2, 3, 4] {
        let data = Data::new(points, DType::F64, &Device::Cpu).unwrap();
        let fit = LeastSquares::new(&data).unwrap();
        assert!(fit.optimum_loss < 1e-20, "{points}: {fit:?}");
        assert!(fit.optimum.iter().all(|w| w.abs() < 10.));
    }
}

/// There the descent from w₀ ends at the cubic nearest to it, at the rate of the eigenvalues that are not
/// 0: what rounding leaves of the others would end it long before.
#[test]
fn where_a_descent_over_three_points_ends() {
    let data = Data::new(3, DType::F64, &Device::Cpu).unwrap();
    let fit = LeastSquares::new(&data).unwrap();
    assert_eq!(fit.eigenvalues.iter().filter(|l| **l == 0.).count(), 1);
    let w0 = [2., -1., 0.5, 3.];
    let init = Weights::new(w0, DType::F64, &Device::Cpu).unwrap();
    let rate = 4e-4;
    let losses = |epochs| {
        let options = Options {
            epochs,
            learning_rate: rate,
            ..Options::default()
        };
        let mut descent = Method::Fused.descent(&data, &init).unwrap();
        train::train(descent.as_mut(), &options, &mut |_| {
            Ok(ControlFlow::Continue(()))
        })
        .unwrap()
    };
    let halfway = losses(20_000).final_loss;
    let excess = fit.excess_loss(w0, rate, 20_000);
    assert!((halfway / excess - 1.).abs() < 1e-3, "{halfway} {excess}");
    let end = losses(80_000).weights.values().unwrap();
    for (w, end) in end.iter().zip(fit.end(w0)) {
        assert!((w - end).abs() < 1e-9, "{w} {end}");
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let too_few = Data::new(1, DType::F32, &Device::Cpu)
        .unwrap_err()
        .to_string();
    assert!(too_few.starts_with("1 points"), "{too_few}");
    let half = Data::new(10, DType::F16, &Device::Cpu)
        .unwrap_err()
        .to_string();
    assert!(half.contains("f32 and f64, not for f16"), "{half}");
    let (data, _) = post(DType::F64);
    let other = Weights::new([0.; 4], DType::F32, &Device::Cpu).unwrap();
    assert!(
        Method::Manual
            .over(&data)
            .unwrap()
            .loss_and_grad(&other)
            .is_err()
    );
}

/// The sum's own gradient, which candle's chain rule relies on.
#[test]
fn the_gradient_of_a_sum_is_one_everywhere() {
    let x = candle_core::Var::new(&[1f64, 2., 3.], &Device::Cpu).unwrap();
    let loss = (candle_sine::pytorch::sum(&x.sqr().unwrap()).unwrap() * 5.).unwrap();
    let grads = loss.backward().unwrap();
    let grad: &Tensor = grads.get(&x).unwrap();
    assert_eq!(grad.to_vec1::<f64>().unwrap(), [10., 20., 30.]);
}
