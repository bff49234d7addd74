//! Convolutions and their transposes over a grid of batch, channels, groups, padding, stride, dilation,
//! output padding and sizes.

use candle_core::{DType, Result, Tensor};

use crate::case::{Case, v, w};

/// conv2d has no bf16 on the CPU, as `conv2d_with_algo` shows; the grid leaves it out. Batches of one in f64
/// alone: conv2d is what the whole audit takes longest over.
const NO_BF16: [DType; 3] = [DType::F64, DType::F32, DType::F16];

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

/// Padding, stride, dilation.
#[rustfmt::skip]
const STEPS: [(usize, usize, usize); 7] =
    [(0, 1, 1), (1, 1, 1), (0, 2, 1), (1, 2, 1), (1, 1, 2), (1, 2, 2), (2, 3, 1)];

#[rustfmt::skip]
fn grid() -> Vec<Grid> {
    let mut grid = vec![];
    for batch in [1, 2] {
        for (c_in, c_out, groups) in [(1, 1, 1), (2, 3, 1), (4, 2, 2), (2, 2, 2)] {
            let all = STEPS.map(|(padding, stride, dilation)| {
                Grid { batch, c_in, c_out, groups, padding, stride, dilation }
            });
            grid.extend(all);
        }
    }
    grid
}

impl Grid {
    fn name(&self, end: String) -> String {
        let (p, s, d) = (self.padding, self.stride, self.dilation);
        let channels = format!("c{}-{} g{}", self.c_in, self.c_out, self.groups);
        format!("b{} {channels} p{p} s{s} d{d} {end}", self.batch)
    }

    /// The probes run at one point with everything in it.
    fn probed(&self, case: Case) -> Case {
        let all = self.batch == 2 && self.stride == 2 && self.padding == 1 && self.dilation == 1;
        if all {
            case.batched()
        } else {
            case.batched().plain()
        }
    }

    /// What is left of a size when the windows are laid.
    fn remainder(&self, size: usize, kernel: usize) -> usize {
        (size + 2 * self.padding - self.dilation * (kernel - 1) - 1) % self.stride
    }

    /// Several products at once, and more than one channel in each.
    fn products(&self, channels: usize) -> bool {
        self.batch > 1 && channels / self.groups > 1
    }
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for g in grid() {
        for length in [5, 6] {
            cases.push(conv1d(g, length));
        }
        for (size, kernel) in [
            ((4, 4), (3, 2)),
            ((5, 5), (3, 2)),
            ((5, 4), (3, 2)),
            ((5, 5), (3, 3)),
        ] {
            cases.push(conv2d(g, size, kernel));
        }
        // Below the stride; PyTorch also takes what is below the dilation.
        let beyond = (g.groups == 1 && g.dilation > g.stride).then_some(g.stride);
        for output_padding in (0..g.stride.min(2)).chain(beyond) {
            cases.push(conv_transpose1d(g, output_padding));
            if g.groups == 1 {
                cases.push(conv_transpose2d(g, output_padding));
            }
        }
    }
    pointwise(&mut cases);
    others(&mut cases);
    cases
}

const VIEWS: &str = "conv1d-strided-kernel: strided";

fn conv1d(g: Grid, length: usize) -> Case {
    let (padding, stride, dilation, groups) = (g.padding, g.stride, g.dilation, g.groups);
    let (x, kernel) = (
        v(&[g.batch, g.c_in, length]),
        w(&[g.c_out, g.c_in / groups, 2]),
    );
    let case = case!("candle_core::Tensor::conv1d", g.name(format!("l{length} k2")), ["self" x, "kernel" kernel],
        |a| a[0].conv1d(&a[1], padding, stride, dilation, groups),
        fails_if(g.products(g.c_out), "conv1d-strided-kernel: kernel"),
        fails_if(g.products(g.c_out) && padding == 0 && dilation == 1 && g.remainder(length, 2) == 0,
            "matmul-fold: self"));
    let case = g.probed(case);
    if !case.probes {
        return case;
    }
    case.fails(VIEWS)
}

fn conv2d(g: Grid, (h, w_): (usize, usize), (kh, kw): (usize, usize)) -> Case {
    let (padding, stride, dilation, groups) = (g.padding, g.stride, g.dilation, g.groups);
    let name = g.name(format!("{h}x{w_} k{kh}x{kw}"));
    let (kh, kw) = if dilation == 2 {
        (2, kw.min(2))
    } else {
        (kh, kw)
    };
    let (x, kernel) = (
        v(&[g.batch, g.c_in, h, w_]),
        w(&[g.c_out, g.c_in / groups, kh, kw]),
    );
    let dtypes: &[DType] = if g.batch == 1 {
        &NO_BF16[..1]
    } else {
        &NO_BF16
    };
    let case = case!("candle_core::Tensor::conv2d", name, ["self" x, "kernel" kernel],
        |a| a[0].conv2d(&a[1], padding, stride, dilation, groups), only(dtypes),
        fails_if(g.remainder(h, kh) != g.remainder(w_, kw), "conv2d-remainders"));
    g.probed(case)
}

fn conv_transpose1d(g: Grid, output_padding: usize) -> Case {
    let (padding, stride, dilation, groups) = (g.padding, g.stride, g.dilation, g.groups);
    let (x, kernel) = (v(&[g.batch, g.c_in, 3]), w(&[g.c_in, g.c_out / groups, 3]));
    let name = g.name(format!("op{output_padding} l3 k3"));
    let fold =
        g.products(g.c_in) && g.groups == 1 && padding == 0 && dilation == 1 && output_padding == 0;
    let case = case!("candle_core::Tensor::conv_transpose1d", name, ["self" x, "kernel" kernel],
        |a| a[0].conv_transpose1d(&a[1], padding, output_padding, stride, dilation, groups),
        fails(if fold { "matmul-fold" } else { "conv-transpose1d" }));
    g.probed(case)
}

fn conv_transpose2d(g: Grid, output_padding: usize) -> Case {
    let (padding, stride, dilation) = (g.padding, g.stride, g.dilation);
    let (x, kernel) = (v(&[g.batch, g.c_in, 3, 3]), w(&[g.c_in, g.c_out, 3, 3]));
    let name = g.name(format!("op{output_padding} 3x3 k3x3"));
    let case = case!("candle_core::Tensor::conv_transpose2d", name, ["self" x, "kernel" kernel],
        |a| a[0].conv_transpose2d(&a[1], padding, output_padding, stride, dilation), only(&NO_BF16),
        fails_if(output_padding >= stride, "conv-transpose2d-output-padding"));
    g.probed(case)
}

/// Kernels of one element take other paths through the CPU code.
fn pointwise(cases: &mut Vec<Case>) {
    for (padding, stride) in [(0, 1), (1, 1), (0, 2)] {
        samples! { cases, "candle_core::Tensor::conv2d";
            format!("1x1 kernel, p{padding} s{stride}"), ["self" v(&[2, 3, 4, 4]), "kernel" w(&[2, 3, 1, 1])],
                |a| a[0].conv2d(&a[1], padding, stride, 1, 1), only(&NO_BF16), batched();
        }
        samples! { cases, "candle_core::Tensor::conv1d";
            format!("kernel of 1, p{padding} s{stride}"), ["self" v(&[2, 3, 4]), "kernel" w(&[2, 3, 1])],
                |a| a[0].conv1d(&a[1], padding, stride, 1, 1), batched(),
                fails("conv1d-strided-kernel: kernel"), fails(VIEWS),
                fails_if((padding, stride) == (0, 1), "matmul-fold: self");
        }
    }
}

type Conv = fn(&Tensor, &Tensor) -> Result<Tensor>;

/// Without an algorithm named; and a kernel that is a view must convolve as its copy does.
fn others(cases: &mut Vec<Case>) {
    let one: Conv = |x, k| x.conv1d(k, 0, 1, 1, 1);
    let two: Conv = |x, k| x.conv2d(k, 0, 1, 1, 1);
    samples! { cases, "candle_core::Tensor::conv1d_with_algo";
        "no algorithm named", ["self" v(&[1, 2, 5]), "kernel" w(&[3, 2, 2])],
            |a| a[0].conv1d_with_algo(&a[1], 1, 1, 1, 1, None), fails(VIEWS);
    }
    samples! { cases, "candle_core::Tensor::conv2d_with_algo";
        "no algorithm named", ["self" v(&[1, 2, 4, 4]), "kernel" w(&[3, 2, 3, 3])],
            |a| a[0].conv2d_with_algo(&a[1], 1, 1, 1, 1, None), fails("conv2d-bf16: bf16");
    }
    let name = "the kernel is a transpose";
    samples! { cases, "candle_core::Tensor::conv1d";
        name, ["self" v(&[1, 2, 5]), "kernel" w(&[2, 3, 2])], |a| one(&a[0], &a[1].transpose(0, 1)?),
            twin("the kernel copied", move |a| one(&a[0], &a[1].transpose(0, 1)?.contiguous()?)),
            plain(), fails("conv1d-strided-kernel");
    }
    samples! { cases, "candle_core::Tensor::conv2d";
        name, ["self" v(&[1, 2, 4, 4]), "kernel" w(&[2, 3, 2, 2])], |a| two(&a[0], &a[1].transpose(0, 1)?),
            twin("the kernel copied", move |a| two(&a[0], &a[1].transpose(0, 1)?.contiguous()?)),
            plain(), fails("conv2d-bf16: bf16");
    }
}
