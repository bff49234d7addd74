//! Functions with correct hand-written gradients, in plain tensor operations.

use candle_core::{D, Device, Result, Tensor};

pub type Forward = fn(&[Tensor]) -> Result<Tensor>;
/// (inputs, output, gradient of the output) -> gradient of each input
pub type Backward = fn(&[Tensor], &Tensor, &Tensor) -> Result<Vec<Tensor>>;

#[derive(Clone, Copy)]
pub struct Op {
    pub name: &'static str,
    pub inputs: fn() -> Result<Vec<Tensor>>,
    pub forward: Forward,
    pub backward: Backward,
}

/// A 2x3 matrix of both signs, in f64.
fn matrix() -> Result<Tensor> {
    Tensor::new(&[[0.3f64, -1.2, 0.7], [2.1, 0.4, -0.45]], &Device::Cpu)
}

fn matrix2() -> Result<Tensor> {
    Tensor::new(&[[-0.8f64, 0.6, 1.7], [0.9, -1.1, 0.55]], &Device::Cpu)
}

fn one() -> Result<Vec<Tensor>> {
    Ok(vec![matrix()?])
}

fn positive() -> Result<Vec<Tensor>> {
    Ok(vec![(matrix()?.sqr()? + 0.3)?])
}

fn two() -> Result<Vec<Tensor>> {
    Ok(vec![matrix()?, matrix2()?])
}

fn three() -> Result<Vec<Tensor>> {
    Ok(vec![matrix()?, matrix2()?, (matrix()? - matrix2()?)?])
}

fn vector(values: &[f64]) -> Result<Tensor> {
    Tensor::new(values, &Device::Cpu)
}

fn softmax(x: &Tensor) -> Result<Tensor> {
    let e = x.broadcast_sub(&x.max_keepdim(D::Minus1)?)?.exp()?;
    e.broadcast_div(&e.sum_keepdim(D::Minus1)?)
}

fn normalise(x: &Tensor) -> Result<(Tensor, Tensor)> {
    let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
    let deviation = (centred.sqr()?.mean_keepdim(D::Minus1)? + 1e-5)?.sqrt()?;
    Ok((centred.broadcast_div(&deviation)?, deviation))
}

fn root_mean_square(x: &Tensor) -> Result<Tensor> {
    (x.sqr()?.mean_keepdim(D::Minus1)? + 1e-5)?.sqrt()
}

fn rows(x: &Tensor) -> Result<Tensor> {
    Tensor::new(&[2u32, 0, 2, 1], x.device())
}

fn columns(x: &Tensor) -> Result<Tensor> {
    Tensor::new(&[[0u32, 2], [1, 1]], x.device())
}

fn labels(x: &Tensor) -> Result<Tensor> {
    Tensor::new(&[[2u32], [0]], x.device())
}

fn ones_like(x: &Tensor) -> Result<Tensor> {
    x.ones_like()
}

/// The upper triangle: cumsum is a product with it.
fn triangle(x: &Tensor) -> Result<Tensor> {
    Tensor::triu2(x.dim(1)?, x.dtype(), x.device())
}

/// Σₖ x[i+k] w[k], by windows.
fn windows(x: &Tensor, width: usize) -> Result<Tensor> {
    let count = x.dim(0)? + 1 - width;
    let parts: Result<Vec<_>> = (0..width).map(|k| x.narrow(0, k, count)).collect();
    Tensor::stack(&parts?, 1)
}

/// Thirty functions: elementwise, reductions, products, gathers, normalisations, softmaxes, a
/// convolution, and several inputs.
pub fn all() -> Vec<Op> {
    let mut ops = elementwise();
    ops.extend(reductions());
    ops.extend(normalisations());
    ops.extend(products());
    ops.extend(gathers());
    ops
}

fn elementwise() -> Vec<Op> {
    vec![
        Op {
            name: "square",
            inputs: one,
            forward: |t| t[0].sqr(),
            backward: |t, _, g| Ok(vec![(g * (&t[0] * 2.)?)?]),
        },
        Op {
            name: "exp",
            inputs: one,
            forward: |t| t[0].exp(),
            backward: |_, y, g| Ok(vec![(g * y)?]),
        },
        Op {
            name: "tanh",
            inputs: one,
            forward: |t| t[0].tanh(),
            backward: |_, y, g| Ok(vec![(g * y.sqr()?.affine(-1., 1.)?)?]),
        },
        Op {
            name: "sigmoid",
            inputs: one,
            forward: |t| (t[0].neg()?.exp()? + 1.)?.recip(),
            backward: |_, y, g| Ok(vec![(g * (y - y.sqr()?)?)?]),
        },
        Op {
            name: "log",
            inputs: positive,
            forward: |t| t[0].log(),
            backward: |t, _, g| Ok(vec![g.div(&t[0])?]),
        },
        Op {
            name: "sqrt",
            inputs: positive,
            forward: |t| t[0].sqrt(),
            backward: |_, y, g| Ok(vec![(g.div(y)? * 0.5)?]),
        },
        Op {
            name: "recip",
            inputs: one,
            forward: |t| t[0].recip(),
            backward: |_, y, g| Ok(vec![(g * y.sqr()?.neg()?)?]),
        },
        Op {
            name: "leaky_relu",
            inputs: one,
            forward: |t| t[0].maximum(&(&t[0] * 0.1)?),
            backward: |t, _, g| {
                let right = t[0].gt(0.)?.to_dtype(g.dtype())?;
                Ok(vec![(g * right.affine(0.9, 0.1)?)?])
            },
        },
        Op {
            name: "mul",
            inputs: two,
            forward: |t| &t[0] * &t[1],
            backward: |t, _, g| Ok(vec![(g * &t[1])?, (g * &t[0])?]),
        },
        Op {
            name: "div",
            inputs: two,
            forward: |t| &t[0] / &t[1],
            backward: |t, y, g| {
                let a = g.div(&t[1])?;
                let b = (&a * y)?.neg()?;
                Ok(vec![a, b])
            },
        },
        Op {
            name: "fma",
            inputs: three,
            forward: |t| (&t[0] * &t[1])? + &t[2],
            backward: |t, _, g| Ok(vec![(g * &t[1])?, (g * &t[0])?, g.clone()]),
        },
    ]
}

fn reductions() -> Vec<Op> {
    vec![
        Op {
            name: "sum dim 1",
            inputs: one,
            forward: |t| t[0].sum(1),
            backward: |t, _, g| Ok(vec![ones_like(&t[0])?.broadcast_mul(&g.unsqueeze(1)?)?]),
        },
        Op {
            name: "mean dim 0",
            inputs: one,
            forward: |t| t[0].mean(0),
            backward: |t, _, g| {
                let n = t[0].dim(0)? as f64;
                Ok(vec![
                    (ones_like(&t[0])?.broadcast_mul(&g.unsqueeze(0)?)? / n)?,
                ])
            },
        },
        Op {
            name: "sum of squares",
            inputs: one,
            forward: |t| t[0].sqr()?.sum_all(),
            backward: |t, _, g| Ok(vec![(&t[0] * 2.)?.broadcast_mul(g)?]),
        },
        Op {
            name: "norm",
            inputs: one,
            forward: |t| t[0].sqr()?.sum_all()?.sqrt(),
            backward: |t, y, g| Ok(vec![t[0].broadcast_mul(&g.div(y)?)?]),
        },
        Op {
            name: "logsumexp",
            inputs: one,
            forward: |t| t[0].exp()?.sum(1)?.log(),
            backward: |t, _, g| Ok(vec![softmax(&t[0])?.broadcast_mul(&g.unsqueeze(1)?)?]),
        },
        Op {
            name: "variance",
            inputs: one,
            forward: |t| t[0].broadcast_sub(&t[0].mean_keepdim(1)?)?.sqr()?.mean(1),
            backward: |t, _, g| {
                let centred = t[0].broadcast_sub(&t[0].mean_keepdim(1)?)?;
                let n = t[0].dim(1)? as f64;
                Ok(vec![(centred * (2. / n))?.broadcast_mul(&g.unsqueeze(1)?)?])
            },
        },
        Op {
            name: "squared error",
            inputs: two,
            forward: |t| (&t[0] - &t[1])?.sqr()?.sum_all(),
            backward: |t, _, g| {
                let a = ((&t[0] - &t[1])? * 2.)?.broadcast_mul(g)?;
                Ok(vec![a.clone(), a.neg()?])
            },
        },
        Op {
            name: "cross entropy",
            inputs: one,
            forward: |t| {
                softmax(&t[0])?
                    .log()?
                    .gather(&labels(&t[0])?, 1)?
                    .mean_all()?
                    .neg()
            },
            backward: |t, _, g| {
                let hot = t[0].zeros_like()?.scatter_add(
                    &labels(&t[0])?,
                    &Tensor::ones((2, 1), g.dtype(), g.device())?,
                    1,
                )?;
                Ok(vec![((softmax(&t[0])? - hot)? / 2.)?.broadcast_mul(g)?])
            },
        },
    ]
}

fn normalisations() -> Vec<Op> {
    vec![
        Op {
            name: "softmax",
            inputs: one,
            forward: |t| softmax(&t[0]),
            backward: |_, y, g| {
                let dot = (g * y)?.sum_keepdim(1)?;
                Ok(vec![(y * g.broadcast_sub(&dot)?)?])
            },
        },
        Op {
            name: "log_softmax",
            inputs: one,
            forward: |t| softmax(&t[0])?.log(),
            backward: |_, y, g| Ok(vec![(g - y.exp()?.broadcast_mul(&g.sum_keepdim(1)?)?)?]),
        },
        Op {
            name: "layer norm",
            inputs: one,
            forward: |t| Ok(normalise(&t[0])?.0),
            backward: |t, y, g| {
                let (_, deviation) = normalise(&t[0])?;
                let mean = g.mean_keepdim(1)?;
                let along = y.broadcast_mul(&(g * y)?.mean_keepdim(1)?)?;
                let inner = (g.broadcast_sub(&mean)? - along)?;
                Ok(vec![inner.broadcast_div(&deviation)?])
            },
        },
        Op {
            name: "rms norm",
            inputs: || Ok(vec![matrix()?, vector(&[0.8, -1.3, 0.6])?]),
            forward: |t| {
                t[0].broadcast_div(&root_mean_square(&t[0])?)?
                    .broadcast_mul(&t[1])
            },
            backward: |t, _, g| {
                let rms = root_mean_square(&t[0])?;
                let unit = t[0].broadcast_div(&rms)?;
                let scaled = g.broadcast_mul(&t[1])?;
                let along = unit.broadcast_mul(&(&scaled * &unit)?.mean_keepdim(1)?)?;
                let x = (scaled - along)?.broadcast_div(&rms)?;
                Ok(vec![x, (g * unit)?.sum(0)?])
            },
        },
    ]
}

fn products() -> Vec<Op> {
    vec![
        Op {
            name: "matmul",
            inputs: || Ok(vec![matrix()?, matrix2()?.t()?.contiguous()?]),
            forward: |t| t[0].matmul(&t[1]),
            backward: |t, _, g| {
                let (a, b) = (t[0].t()?.contiguous()?, t[1].t()?.contiguous()?);
                Ok(vec![g.matmul(&b)?, a.matmul(g)?])
            },
        },
        Op {
            name: "linear",
            inputs: || Ok(vec![matrix()?, matrix2()?, vector(&[0.2, -0.9])?]),
            forward: |t| t[0].matmul(&t[1].t()?.contiguous()?)?.broadcast_add(&t[2]),
            backward: |t, _, g| {
                Ok(vec![
                    g.matmul(&t[1])?,
                    g.t()?.contiguous()?.matmul(&t[0])?,
                    g.sum(0)?,
                ])
            },
        },
        Op {
            name: "outer",
            inputs: || Ok(vec![vector(&[0.4, -1.1, 0.9])?, vector(&[1.6, -0.3])?]),
            forward: |t| t[0].unsqueeze(1)?.broadcast_mul(&t[1].unsqueeze(0)?),
            backward: |t, _, g| {
                let a = g.broadcast_mul(&t[1].unsqueeze(0)?)?.sum(1)?;
                let b = g.broadcast_mul(&t[0].unsqueeze(1)?)?.sum(0)?;
                Ok(vec![a, b])
            },
        },
        Op {
            name: "bilinear",
            inputs: || {
                Ok(vec![
                    vector(&[0.4, -1.1])?,
                    matrix()?,
                    vector(&[1.6, -0.3, 0.7])?,
                ])
            },
            forward: |t| {
                let outer = t[0].unsqueeze(1)?.broadcast_mul(&t[2].unsqueeze(0)?)?;
                (outer * &t[1])?.sum_all()
            },
            backward: |t, _, g| {
                let outer = t[0].unsqueeze(1)?.broadcast_mul(&t[2].unsqueeze(0)?)?;
                let x = t[1].broadcast_mul(&t[2].unsqueeze(0)?)?.sum(1)?;
                let y = t[1].broadcast_mul(&t[0].unsqueeze(1)?)?.sum(0)?;
                let each = [x, outer, y];
                each.iter().map(|d| d.broadcast_mul(g)).collect()
            },
        },
        Op {
            name: "conv1d",
            inputs: || {
                let x = vector(&[0.4, -1.1, 0.9, 1.3, -0.6])?;
                Ok(vec![x, vector(&[0.7, -0.2, 1.1])?])
            },
            forward: |t| {
                let x = windows(&t[0], t[1].dim(0)?)?;
                x.broadcast_mul(&t[1].unsqueeze(0)?)?.sum(1)
            },
            backward: |t, _, g| {
                let width = t[1].dim(0)?;
                let flipped = t[1].flip(&[0])?;
                let padded = g.pad_with_zeros(0, width - 1, width - 1)?;
                let x = windows(&padded, width)?
                    .broadcast_mul(&flipped.unsqueeze(0)?)?
                    .sum(1)?;
                let w = windows(&t[0], width)?
                    .broadcast_mul(&g.unsqueeze(1)?)?
                    .sum(0)?;
                Ok(vec![x, w])
            },
        },
    ]
}

fn gathers() -> Vec<Op> {
    vec![
        Op {
            name: "index_select",
            inputs: || Ok(vec![matrix()?.t()?.contiguous()?]),
            forward: |t| t[0].index_select(&rows(&t[0])?, 0),
            backward: |t, _, g| Ok(vec![t[0].zeros_like()?.index_add(&rows(&t[0])?, g, 0)?]),
        },
        Op {
            name: "gather",
            inputs: one,
            forward: |t| t[0].gather(&columns(&t[0])?, 1),
            backward: |t, _, g| {
                Ok(vec![t[0].zeros_like()?.scatter_add(
                    &columns(&t[0])?,
                    g,
                    1,
                )?])
            },
        },
        Op {
            name: "cumsum",
            inputs: one,
            forward: |t| t[0].matmul(&triangle(&t[0])?),
            backward: |t, _, g| Ok(vec![g.matmul(&triangle(&t[0])?.t()?.contiguous()?)?]),
        },
    ]
}
