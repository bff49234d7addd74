//! Pooling and resampling.

use candle_core::{Result, Tensor};

use crate::case::{Case, at, v};

type Pair = (usize, usize);
type Pool = fn(&Tensor, Pair, Pair) -> Result<Tensor>;

/// Kernel, stride, size: equal and unequal, dividing and not, square and not.
const WINDOWS: [(Pair, Pair, Pair); 8] = [
    ((2, 2), (2, 2), (4, 4)),
    ((2, 2), (2, 2), (5, 5)),
    ((2, 2), (2, 2), (4, 5)),
    ((2, 1), (2, 1), (4, 3)),
    ((3, 2), (3, 2), (6, 4)),
    ((2, 2), (1, 1), (4, 4)),
    ((3, 3), (2, 2), (5, 5)),
    ((1, 1), (1, 1), (3, 3)),
];

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    let pools: [(&str, Pool); 4] = [
        ("candle_core::Tensor::avg_pool2d_with_stride", |x, k, s| {
            x.avg_pool2d_with_stride(k, s)
        }),
        ("candle_core::Tensor::max_pool2d_with_stride", |x, k, s| {
            x.max_pool2d_with_stride(k, s)
        }),
        ("candle_core::Tensor::avg_pool2d", |x, k, _| x.avg_pool2d(k)),
        ("candle_core::Tensor::max_pool2d", |x, k, _| x.max_pool2d(k)),
    ];
    for (path, f) in pools {
        for (k, s, (h, w)) in WINDOWS {
            if !path.ends_with("stride") && k != s {
                continue;
            }
            let max = path.contains("max_pool");
            let case = case!(path, format!("kernel {k:?}, stride {s:?}, {h}x{w}"), ["self" v(&[2, 1, h, w])],
                |a| f(&a[0], k, s), fails_if(k != s, "pool-stride"),
                fails_if(max && k == s && k != (1, 1), "max-pool"),
                fails_if(!max && k == s && (h % k.0, w % k.1) != (0, 0), "avg-pool-remainder"));
            cases.push(case);
        }
    }
    samples! { cases, "candle_core::Tensor::max_pool2d";
        "two equal", ["self" at(&[1.5, 1.5]).of(&[1, 1, 1, 2])], |a| a[0].max_pool2d((1, 2)), kink("max-pool-tied");
    }
    nearest(&mut cases);
    bilinear(&mut cases);
    cases
}

type Resize = fn(&Tensor, usize, usize) -> Result<Tensor>;

const OVERWRITES: &str = "upsample-overwrites: f(x) + f(x)";

fn nearest(cases: &mut Vec<Case>) {
    let one: [(&str, Resize); 2] = [
        ("candle_core::Tensor::interpolate1d", |x, l, _| {
            x.interpolate1d(l)
        }),
        ("candle_core::Tensor::upsample_nearest1d", |x, l, _| {
            x.upsample_nearest1d(l)
        }),
    ];
    for (path, f) in one {
        for (from, to) in [(3, 6), (3, 9), (3, 3), (4, 6), (4, 2)] {
            let case = case!(path, format!("{from} to {to}"), ["self" v(&[2, 2, from])], |a| f(&a[0], to, 0),
                fails_if(to % from == 0, OVERWRITES), fails_if(to % from != 0, "upsample-broken-factor"));
            cases.push(case);
        }
    }
    let two: [(&str, Resize); 2] = [
        ("candle_core::Tensor::interpolate2d", |x, h, w| {
            x.interpolate2d(h, w)
        }),
        ("candle_core::Tensor::upsample_nearest2d", |x, h, w| {
            x.upsample_nearest2d(h, w)
        }),
    ];
    for (path, f) in two {
        for (h, w) in [(4, 6), (2, 3), (6, 9), (4, 3), (3, 4), (1, 2)] {
            let (whole, equal) = (h % 2 == 0 && w % 3 == 0, h * 3 == w * 2);
            let case = case!(path, format!("2x3 to {h}x{w}"), ["self" v(&[1, 2, 2, 3])], |a| f(&a[0], h, w),
                fails_if(whole && equal, OVERWRITES), fails_if(whole && equal, "conv2d-bf16: bf16"),
                fails_if(whole && !equal, "upsample-unequal-factors"), fails_if(!whole, "upsample-broken-factor"));
            cases.push(case);
        }
    }
}

fn bilinear(cases: &mut Vec<Case>) {
    for corners in [true, false] {
        samples! { cases, "candle_core::Tensor::upsample_bilinear2d";
            format!("corners {corners}"), ["self" v(&[1, 2, 2, 3])],
                |a| a[0].upsample_bilinear2d(4, 5, corners), fails("upsample-bilinear");
        }
        samples! { cases, "candle_core::Tensor::upsample_bilinear2d_with_scale";
            format!("2 and 1.5, corners {corners}"), ["self" v(&[1, 2, 2, 3])],
                |a| a[0].upsample_bilinear2d_with_scale(2., 1.5, corners), fails("upsample-bilinear");
        }
    }
    samples! { cases, "candle_core::Tensor::upsample_bilinear2d_with_scale";
        "1 and 1", ["self" v(&[1, 2, 2, 3])], |a| a[0].upsample_bilinear2d_with_scale(1., 1., false);
    }
}
