//! What a run needs beside x and y. Alone in its binary, whose allocator counts.

use candle_core::{DType, Device};
use candle_sine::sine::gradient::Method;
use candle_sine::sine::least_squares::LeastSquares;
use candle_sine::sine::train::{self, Options, curve};
use candle_sine::sine::{Data, Weights, post};
use std::alloc::{GlobalAlloc, Layout, System};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

struct Counting;

static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator, whose calls are passed on unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(held, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// The most that was held while `work` ran, beyond what was held before.
fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = HELD.load(Relaxed);
    PEAK.store(before, Relaxed);
    let done = work();
    (done, PEAK.load(Relaxed) - before)
}

#[test]
fn fused_and_normal_hold_x_and_y_and_nothing_of_their_size() {
    const POINTS: usize = 2_000_000;
    let of_a_tensor = POINTS * size_of::<f32>();
    let (data, making) = peak(|| Data::new(POINTS, DType::F32, &Device::Cpu).unwrap());
    assert!(making < 2 * of_a_tensor + 100_000, "{making}");

    let init = post::WEIGHTS.map(f64::from);
    let init = Weights::new(init, DType::F32, &Device::Cpu).unwrap();
    let run = |method: Method| {
        let fit = LeastSquares::new(&data).unwrap();
        let mut descent = method.descent(&data, &init).unwrap();
        let options = Options {
            epochs: 5,
            learning_rate: 1e-10,
            ..Options::default()
        };
        let go_on = &mut |_: &train::Pause| Ok(ControlFlow::Continue(()));
        let history = train::train(descent.as_mut(), &options, go_on).unwrap();
        // What the figures need.
        let thin = data.thinned(4000).unwrap();
        (fit.optimum_loss, curve(&thin, &history.weights).unwrap())
    };
    for method in [Method::Fused, Method::Normal] {
        let (_, extra) = peak(|| run(method));
        assert!(extra < 1_000_000, "{method:?}: {extra} bytes");
    }
    // The test can fail: tensor operations make tensors, of which manual keeps x² and x³.
    let (_, extra) = peak(|| run(Method::Manual));
    assert!(extra > 2 * of_a_tensor, "manual: {extra} bytes");
}
