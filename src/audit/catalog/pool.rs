//! Pooling and resampling.

use candle_core::{Result, Tensor};

use crate::audit::case::{Case, at_dims, v};

pub fn cases() -> Vec<Case> {
    let mut cases = pools();
    cases.extend(ties());
    cases.extend(nearest());
    cases.extend(bilinear());
    cases
}

type Pool = fn(&Tensor, (usize, usize), (usize, usize)) -> Result<Tensor>;

type Pair = (usize, usize);

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

fn pools() -> Vec<Case> {
    let with_stride: [(&'static str, Pool, &str); 2] = [
        method!(|x, k, s| avg_pool2d_with_stride(k, s), "F.avg_pool2d"),
        method!(|x, k, s| max_pool2d_with_stride(k, s), "F.max_pool2d"),
    ];
    let square: [(&'static str, Pool, &str); 2] = [
        method!(|x, k, _| avg_pool2d(k), "F.avg_pool2d"),
        method!(|x, k, _| max_pool2d(k), "F.max_pool2d"),
    ];
    let mut cases = Vec::new();
    for (path, f, torch) in with_stride.into_iter().chain(square) {
        for (k, s, (h, w)) in WINDOWS {
            if !path.ends_with("stride") && k != s {
                continue;
            }
            cases.push(
                Case::grid(
                    path,
                    "kernel {kernel}, stride {stride}, {size}",
                    &[
                        ("kernel", &format!("{k:?}")),
                        ("stride", &format!("{s:?}")),
                        ("size", &format!("{h}x{w}")),
                    ],
                )
                .arg("self", v(&[2, 1, h, w]))
                .run(move |a| f(&a[0], k, s))
                .torch(format!("{torch}(self, {k:?}, {s:?})")),
            );
        }
    }
    cases
}

fn ties() -> Vec<Case> {
    vec![
        Case::new("candle_core::Tensor::max_pool2d", "two equal")
            .arg("self", at_dims(&[1, 1, 1, 2], &[1.5, 1.5]))
            .run(|a| a[0].max_pool2d((1, 2)))
            .torch("F.max_pool2d(self, (1, 2))")
            .kink(),
    ]
}

type Resize = fn(&Tensor, usize, usize) -> Result<Tensor>;

fn nearest() -> Vec<Case> {
    let mut cases = Vec::new();
    let one: [(&'static str, Resize); 2] = [
        method!(|x, l, _| interpolate1d(l)),
        method!(|x, l, _| upsample_nearest1d(l)),
    ];
    for (path, f) in one {
        for (from, to) in [(3, 6), (3, 9), (3, 3), (4, 6), (4, 2)] {
            cases.push(
                Case::grid(path, "{from} to {to}", &[("from", &from), ("to", &to)])
                    .arg("self", v(&[2, 2, from]))
                    .run(move |a| f(&a[0], to, 0))
                    .torch(format!("F.interpolate(self, size={to})")),
            );
        }
    }
    let two: [(&'static str, Resize); 2] = [
        method!(|x, h, w| interpolate2d(h, w)),
        method!(|x, h, w| upsample_nearest2d(h, w)),
    ];
    for (path, f) in two {
        for (h, w) in [(4, 6), (2, 3), (6, 9), (4, 3), (3, 4), (1, 2)] {
            cases.push(
                Case::grid(
                    path,
                    "{from} to {to}",
                    &[("from", &"2x3"), ("to", &format!("{h}x{w}"))],
                )
                .arg("self", v(&[1, 2, 2, 3]))
                .run(move |a| f(&a[0], h, w))
                .torch(format!("F.interpolate(self, size=({h}, {w}))")),
            );
        }
    }
    cases
}

fn bilinear() -> Vec<Case> {
    let mut cases = Vec::new();
    for corners in [true, false] {
        let python = if corners { "True" } else { "False" };
        cases.push(
            Case::grid(
                "candle_core::Tensor::upsample_bilinear2d",
                "corners {corners}",
                &[("corners", &corners)],
            )
            .arg("self", v(&[1, 2, 2, 3]))
            .run(move |a| a[0].upsample_bilinear2d(4, 5, corners))
            .torch(format!(
                "F.interpolate(self, size=(4, 5), mode='bilinear', align_corners={python})"
            )),
        );
        let path = "candle_core::Tensor::upsample_bilinear2d_with_scale";
        cases.push(
            Case::grid(
                path,
                "{scale}, corners {corners}",
                &[("scale", &"2 and 1.5"), ("corners", &corners)],
            )
            .arg("self", v(&[1, 2, 2, 3]))
            .run(move |a| a[0].upsample_bilinear2d_with_scale(2., 1.5, corners))
            .torch(format!(
                "F.interpolate(self, scale_factor=(2., 1.5), mode='bilinear', \
                     align_corners={python})"
            )),
        );
    }
    cases.push(
        Case::new(
            "candle_core::Tensor::upsample_bilinear2d_with_scale",
            "1 and 1",
        )
        .arg("self", v(&[1, 2, 2, 3]))
        .run(|a| a[0].upsample_bilinear2d_with_scale(1., 1., false))
        .torch("self.clone()"),
    );
    cases
}
