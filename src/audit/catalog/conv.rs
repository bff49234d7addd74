//! Convolutions and their transposes over a grid of batch, channels, groups, padding, stride,
//! dilation, output padding and sizes.

use candle_core::{DType, Result, Tensor};
use std::fmt::Display;

use crate::audit::case::{Case, v, w};

/// conv2d has no bf16 on the CPU, as `conv2d_with_algo` records; the grid leaves it out. Batches of
/// one in f64 alone: the 224 cases of conv2d are what the whole audit takes longest over.
const NO_BF16: [DType; 3] = [DType::F64, DType::F32, DType::F16];

/// Input channels, output channels, groups.
const CHANNELS: [(usize, usize, usize); 4] = [(1, 1, 1), (2, 3, 1), (4, 2, 2), (2, 2, 2)];

#[derive(Clone, Copy)]
struct Grid {
    batch: usize,
    c_in: usize,
    c_out: usize,
    groups: usize,
    padding: usize,
    stride: usize,
    dilation: usize,
}

impl Grid {
    /// A case here, with what the grid has not; `end` is the end of its label.
    fn case(&self, path: &'static str, end: &str, more: &[(&'static str, &dyn Display)]) -> Case {
        let channels = format!("{}-{}", self.c_in, self.c_out);
        let mut at: Vec<(&'static str, &dyn Display)> = vec![
            ("batch", &self.batch),
            ("channels", &channels),
            ("groups", &self.groups),
            ("padding", &self.padding),
            ("stride", &self.stride),
            ("dilation", &self.dilation),
        ];
        at.extend(more);
        let label = "b{batch} c{channels} g{groups} p{padding} s{stride} d{dilation} ";
        Case::grid(path, &[label, end].concat(), &at)
    }

    /// Whether the probes run here too: at one point with everything in it.
    fn probed(&self) -> bool {
        self.batch == 2 && self.stride == 2 && self.padding == 1 && self.dilation == 1
    }
}

fn grid() -> Vec<Grid> {
    let mut grid = Vec::new();
    for batch in [1, 2] {
        for (c_in, c_out, groups) in CHANNELS {
            for (padding, stride, dilation) in [
                (0, 1, 1),
                (1, 1, 1),
                (0, 2, 1),
                (1, 2, 1),
                (1, 1, 2),
                (1, 2, 2),
                (2, 3, 1),
            ] {
                grid.push(Grid {
                    batch,
                    c_in,
                    c_out,
                    groups,
                    padding,
                    stride,
                    dilation,
                });
            }
        }
    }
    grid
}

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for g in grid() {
        for length in [5, 6] {
            cases.push(conv1d(g, length));
        }
        for size in [(4, 4), (5, 5), (5, 4)] {
            cases.push(conv2d(g, size, (3, 2)));
        }
        cases.push(conv2d(g, (5, 5), (3, 3)));
        for output_padding in 0..g.stride.min(2) {
            cases.push(conv_transpose1d(g, output_padding));
            if g.groups == 1 {
                cases.push(conv_transpose2d(g, output_padding));
            }
        }
        // Not below the stride: PyTorch takes it where it is below the dilation.
        if g.groups == 1 && g.dilation > g.stride {
            cases.push(conv_transpose1d(g, g.stride));
            cases.push(conv_transpose2d(g, g.stride));
        }
    }
    cases.extend(pointwise());
    cases.extend(with_algo());
    cases.extend(strided_kernels());
    cases
}

fn probed(case: Case, g: Grid) -> Case {
    let case = case.batched(&[0]);
    if g.probed() { case } else { case.plain() }
}

fn conv1d(g: Grid, length: usize) -> Case {
    let Grid {
        batch,
        c_in,
        c_out,
        groups,
        padding,
        stride,
        dilation,
    } = g;
    let case = g
        .case(
            "candle_core::Tensor::conv1d",
            "l{length} k{kernel}",
            &[("length", &length), ("kernel", &2)],
        )
        .arg("self", v(&[batch, c_in, length]))
        .arg("kernel", w(&[c_out, c_in / groups, 2]))
        .run(move |a| a[0].conv1d(&a[1], padding, stride, dilation, groups))
        .torch(format!(
            "F.conv1d(self, kernel, None, {stride}, {padding}, {dilation}, {groups})"
        ));
    probed(case, g)
}

fn conv2d(g: Grid, (h, w_): (usize, usize), (kh, kw): (usize, usize)) -> Case {
    let Grid {
        batch,
        c_in,
        c_out,
        groups,
        padding,
        stride,
        dilation,
    } = g;
    let (size, kernel) = (format!("{h}x{w_}"), format!("{kh}x{kw}"));
    let (kh, kw) = if dilation == 2 {
        (2, kw.min(2))
    } else {
        (kh, kw)
    };
    let case = g
        .case(
            "candle_core::Tensor::conv2d",
            "{size} k{kernel}",
            &[("size", &size), ("kernel", &kernel)],
        )
        .arg("self", v(&[batch, c_in, h, w_]))
        .arg("kernel", w(&[c_out, c_in / groups, kh, kw]))
        .run(move |a| a[0].conv2d(&a[1], padding, stride, dilation, groups))
        .torch(format!(
            "F.conv2d(self, kernel, None, {stride}, {padding}, {dilation}, {groups})"
        ))
        .only(if batch == 1 { &NO_BF16[..1] } else { &NO_BF16 });
    probed(case, g)
}

fn conv_transpose1d(g: Grid, output_padding: usize) -> Case {
    let Grid {
        batch,
        c_in,
        c_out,
        groups,
        padding,
        stride,
        dilation,
    } = g;
    let path = "candle_core::Tensor::conv_transpose1d";
    let case = g
        .case(
            path,
            "op{output_padding} l3 k3",
            &[("output_padding", &output_padding)],
        )
        .arg("self", v(&[batch, c_in, 3]))
        .arg("kernel", w(&[c_in, c_out / groups, 3]))
        .run(move |a| {
            a[0].conv_transpose1d(&a[1], padding, output_padding, stride, dilation, groups)
        })
        .torch(format!(
            "F.conv_transpose1d(self, kernel, None, {stride}, {padding}, {output_padding}, \
             {groups}, {dilation})"
        ));
    probed(case, g)
}

fn conv_transpose2d(g: Grid, output_padding: usize) -> Case {
    let Grid {
        batch,
        c_in,
        c_out,
        padding,
        stride,
        dilation,
        ..
    } = g;
    let path = "candle_core::Tensor::conv_transpose2d";
    let case = g
        .case(
            path,
            "op{output_padding} 3x3 k3x3",
            &[("output_padding", &output_padding)],
        )
        .arg("self", v(&[batch, c_in, 3, 3]))
        .arg("kernel", w(&[c_in, c_out, 3, 3]))
        .run(move |a| a[0].conv_transpose2d(&a[1], padding, output_padding, stride, dilation))
        .only(&NO_BF16)
        .torch(format!(
            "F.conv_transpose2d(self, kernel, None, {stride}, {padding}, {output_padding}, 1, \
             {dilation})"
        ));
    probed(case, g)
}

/// Kernels of one element take other paths through the CPU code.
fn pointwise() -> Vec<Case> {
    let mut cases = Vec::new();
    for (padding, stride) in [(0, 1), (1, 1), (0, 2)] {
        cases.push(
            Case::grid(
                "candle_core::Tensor::conv2d",
                "{kernel} kernel, p{padding} s{stride}",
                &[
                    ("kernel", &"1x1"),
                    ("padding", &padding),
                    ("stride", &stride),
                ],
            )
            .arg("self", v(&[2, 3, 4, 4]))
            .arg("kernel", w(&[2, 3, 1, 1]))
            .run(move |a| a[0].conv2d(&a[1], padding, stride, 1, 1))
            .torch(format!("F.conv2d(self, kernel, None, {stride}, {padding})"))
            .only(&NO_BF16)
            .batched(&[0]),
        );
        cases.push(
            Case::grid(
                "candle_core::Tensor::conv1d",
                "kernel of {kernel}, p{padding} s{stride}",
                &[("kernel", &1), ("padding", &padding), ("stride", &stride)],
            )
            .arg("self", v(&[2, 3, 4]))
            .arg("kernel", w(&[2, 3, 1]))
            .run(move |a| a[0].conv1d(&a[1], padding, stride, 1, 1))
            .torch(format!("F.conv1d(self, kernel, None, {stride}, {padding})"))
            .batched(&[0]),
        );
    }
    cases
}

fn with_algo() -> Vec<Case> {
    vec![
        Case::new(
            "candle_core::Tensor::conv1d_with_algo",
            "no algorithm named",
        )
        .arg("self", v(&[1, 2, 5]))
        .arg("kernel", w(&[3, 2, 2]))
        .run(|a| a[0].conv1d_with_algo(&a[1], 1, 1, 1, 1, None))
        .torch("F.conv1d(self, kernel, None, 1, 1)"),
        Case::new(
            "candle_core::Tensor::conv2d_with_algo",
            "no algorithm named",
        )
        .arg("self", v(&[1, 2, 4, 4]))
        .arg("kernel", w(&[3, 2, 3, 3]))
        .run(|a| a[0].conv2d_with_algo(&a[1], 1, 1, 1, 1, None))
        .torch("F.conv2d(self, kernel, None, 1, 1)"),
    ]
}

type Conv = fn(&Tensor, &Tensor) -> Result<Tensor>;

/// A kernel that is a view must convolve as its copy does.
fn strided_kernels() -> Vec<Case> {
    let one: Conv = |x, k| x.conv1d(&k.transpose(0, 1)?, 0, 1, 1, 1);
    let two: Conv = |x, k| x.conv2d(&k.transpose(0, 1)?, 0, 1, 1, 1);
    vec![
        Case::new("candle_core::Tensor::conv1d", "the kernel is a transpose")
            .arg("self", v(&[1, 2, 5]))
            .arg("kernel", w(&[2, 3, 2]))
            .run(move |a| one(&a[0], &a[1]))
            .twin("the kernel copied", |a| {
                a[0].conv1d(&a[1].transpose(0, 1)?.contiguous()?, 0, 1, 1, 1)
            })
            .torch("F.conv1d(self, kernel.transpose(0, 1))")
            .plain(),
        Case::new("candle_core::Tensor::conv2d", "the kernel is a transpose")
            .arg("self", v(&[1, 2, 4, 4]))
            .arg("kernel", w(&[2, 3, 2, 2]))
            .run(move |a| two(&a[0], &a[1]))
            .twin("the kernel copied", |a| {
                a[0].conv2d(&a[1].transpose(0, 1)?.contiguous()?, 0, 1, 1, 1)
            })
            .torch("F.conv2d(self, kernel.transpose(0, 1))")
            .plain(),
    ]
}
