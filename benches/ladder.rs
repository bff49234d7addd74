//! An epoch of each rung: `cargo bench`. Against PyTorch: `scripts/bench_vs_pytorch.py`.

use candle_core::{DType, Device};
use candle_sine::sine::gradient::Method;
use candle_sine::sine::{Data, Weights, post};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn epochs(c: &mut Criterion) {
    for points in [1_000, 10_000, 1_000_000, 10_000_000] {
        let data = Data::new(points, DType::F32, &Device::Cpu).expect("data");
        let init = post::WEIGHTS.map(f64::from);
        let init = Weights::new(init, DType::F32, &Device::Cpu).expect("weights");
        let mut group = c.benchmark_group("epoch");
        group.throughput(Throughput::Elements(points as u64));
        group
            .sample_size(10)
            .warm_up_time(Duration::from_millis(300));
        for method in Method::ALL {
            let mut descent = method.descent(&data, &init).expect("descent");
            let id = BenchmarkId::new(method.as_str(), points);
            group.bench_function(id, |b| {
                b.iter_custom(|epochs| {
                    let began = Instant::now();
                    // A rate at which nothing diverges, however many points there are.
                    let losses = descent.descend(1e-12, epochs as usize);
                    black_box(losses.expect("losses"));
                    began.elapsed()
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, epochs);
criterion_main!(benches);
