//! The tutorial's five programs, one type each, for the page: the same operations on the same tensors,
//! and every epoch is kept. `tests/guide.rs` holds what they print against the programs.

use candle_core::{
    CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, Var,
    backend::BackendStorage,
};
use candle_nn::{Linear, Module, Optimizer, SGD};
use candle_sine::pytorch::{linspace, sum};
use std::f64::consts::PI;

/// What the cubic is to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Sin,
    Cos,
    /// -1 left of 0, 1 right of it
    Step,
}

impl Function {
    pub const ALL: [Self; 3] = [Self::Sin, Self::Cos, Self::Step];
}

/// A file of `src/tutorial`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    Post,
    Autograd,
    Optimizer,
    CustomOp,
    Normal,
}

impl Rung {
    pub const ALL: [Self; 5] = [
        Self::Post,
        Self::Autograd,
        Self::Optimizer,
        Self::CustomOp,
        Self::Normal,
    ];
}

/// A run, before its first epoch.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    pub points: usize,
    pub function: Function,
    pub dtype: DType,
    pub rung: Rung,
    pub learning_rate: f64,
    pub weights: [f64; 4],
}

/// The points, in the dtype of the run.
#[derive(Clone)]
pub struct Data {
    pub x: Tensor,
    pub y: Tensor,
}

/// What an epoch computes: the loss and its gradient at the weights before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    pub loss: f64,
    pub weights: [f64; 4],
    pub gradient: [f64; 4],
}

/// A run that goes on by one epoch at a time.
pub trait Descent: Send {
    fn epoch(&mut self) -> Result<Epoch>;
}

impl Task {
    pub fn data(&self) -> Result<Data> {
        let x = linspace(-PI, PI, self.points, self.dtype, &Device::Cpu)?;
        let y = match self.function {
            Function::Sin => x.sin()?,
            Function::Cos => x.cos()?,
            Function::Step => x.sign()?,
        };
        Ok(Data { x, y })
    }

    /// a, b, c, d, each of the shape ().
    pub fn start(&self) -> Result<[Tensor; 4]> {
        tensors(self.weights, self.dtype)
    }

    pub fn begin(&self) -> Result<Box<dyn Descent>> {
        let (data, start, rate) = (self.data()?, self.start()?, self.learning_rate);
        Ok(match self.rung {
            Rung::Post => Box::new(Post(data, start, rate)),
            Rung::Autograd => Box::new(Autograd::new(data, start, rate)?),
            Rung::Optimizer => Box::new(Layer::new(data, start, rate, |e| e.powf(2.))?),
            Rung::CustomOp => Box::new(Layer::new(data, start, rate, |e| e.apply_op1(Square))?),
            Rung::Normal => Box::new(Normal::new(data, start, rate)?),
        })
    }
}

fn tensors(weights: [f64; 4], dtype: DType) -> Result<[Tensor; 4]> {
    let tensor = |w: f64| Tensor::new(w, &Device::Cpu)?.to_dtype(dtype);
    let [a, b, c, d] = weights;
    Ok([tensor(a)?, tensor(b)?, tensor(c)?, tensor(d)?])
}

/// a x³ + b x² + c x + d
pub fn cubic(x: &Tensor, [a, b, c, d]: [&Tensor; 4]) -> Result<Tensor> {
    let y_pred = (x.powf(3.)?.broadcast_mul(a)? + x.powf(2.)?.broadcast_mul(b)?)?;
    (y_pred + x.broadcast_mul(c)?)?.broadcast_add(d)
}

/// A rank-0 tensor's number; what an f32 holds, an f64 holds too.
fn number(t: &Tensor) -> Result<f64> {
    t.to_dtype(DType::F64)?.to_scalar()
}

fn numbers([a, b, c, d]: [&Tensor; 4]) -> Result<[f64; 4]> {
    Ok([number(a)?, number(b)?, number(c)?, number(d)?])
}

/// The loss, and by the chain rule its gradient.
fn by_hand(Data { x, y }: &Data, weights: [&Tensor; 4]) -> Result<(Tensor, [Tensor; 4])> {
    let y_pred = cubic(x, weights)?;
    let loss = sum(&(&y_pred - y)?.powf(2.)?)?;
    let grad_y_pred = (2. * (&y_pred - y)?)?;
    let grad_a = sum(&(&grad_y_pred * x.powf(3.)?)?)?;
    let grad_b = sum(&(&grad_y_pred * x.powf(2.)?)?)?;
    let grad_c = sum(&(&grad_y_pred * x)?)?;
    let grad_d = sum(&grad_y_pred)?;
    Ok((loss, [grad_a, grad_b, grad_c, grad_d]))
}

/// post.rs
struct Post(Data, [Tensor; 4], f64);

impl Descent for Post {
    fn epoch(&mut self) -> Result<Epoch> {
        let Self(data, weights, rate) = self;
        let (loss, gradient) = by_hand(data, weights.each_ref())?;
        let epoch = Epoch {
            loss: number(&loss)?,
            weights: numbers(weights.each_ref())?,
            gradient: numbers(gradient.each_ref())?,
        };
        for (w, grad) in weights.iter_mut().zip(gradient) {
            *w = (&*w - *rate * grad)?;
        }
        Ok(epoch)
    }
}

/// autograd.rs
struct Autograd {
    data: Data,
    weights: [Var; 4],
    rate: f64,
}

impl Autograd {
    fn new(data: Data, start: [Tensor; 4], rate: f64) -> Result<Self> {
        let weights = variables(start)?;
        Ok(Self {
            data,
            weights,
            rate,
        })
    }

    fn loss_and_gradient(&self) -> Result<(Tensor, [Tensor; 4])> {
        let weights = self.weights.each_ref().map(|w| w.as_tensor());
        let y_pred = cubic(&self.data.x, weights)?;
        let loss = sum(&(&y_pred - &self.data.y)?.powf(2.)?)?;
        let grads = loss.backward()?;
        let grad = |i: usize| {
            let grad = grads.get(&self.weights[i]).cloned();
            grad.ok_or_else(|| candle_core::Error::Msg("no gradient".to_owned()))
        };
        Ok((loss, [grad(0)?, grad(1)?, grad(2)?, grad(3)?]))
    }
}

impl Descent for Autograd {
    fn epoch(&mut self) -> Result<Epoch> {
        let (loss, gradient) = self.loss_and_gradient()?;
        let epoch = Epoch {
            loss: number(&loss)?,
            weights: numbers(self.weights.each_ref().map(|w| w.as_tensor()))?,
            gradient: numbers(gradient.each_ref())?,
        };
        for (w, grad) in self.weights.iter().zip(gradient) {
            w.set(&(w.as_tensor() - self.rate * grad)?)?;
        }
        Ok(epoch)
    }
}

fn variables([a, b, c, d]: [Tensor; 4]) -> Result<[Var; 4]> {
    Ok([
        Var::from_tensor(&a)?,
        Var::from_tensor(&b)?,
        Var::from_tensor(&c)?,
        Var::from_tensor(&d)?,
    ])
}

/// optimizer.rs and custom_op.rs, which differ in the op that squares.
struct Layer {
    columns: Tensor,
    y: Tensor,
    linear: Linear,
    weight: Var,
    bias: Var,
    sgd: SGD,
    square: fn(&Tensor) -> Result<Tensor>,
}

impl Layer {
    fn new(
        Data { x, y }: Data,
        [a, b, c, d]: [Tensor; 4],
        rate: f64,
        square: fn(&Tensor) -> Result<Tensor>,
    ) -> Result<Self> {
        let columns = Tensor::stack(&[x.powf(3.)?, x.powf(2.)?, x.clone()], 1)?;
        let weight = Var::from_tensor(&Tensor::stack(&[a, b, c], 0)?.unsqueeze(0)?)?;
        let bias = Var::from_tensor(&d.unsqueeze(0)?)?;
        let linear = Linear::new(weight.as_tensor().clone(), Some(bias.as_tensor().clone()));
        let sgd = SGD::new(vec![weight.clone(), bias.clone()], rate)?;
        Ok(Self {
            columns,
            y,
            linear,
            weight,
            bias,
            sgd,
            square,
        })
    }
}

impl Descent for Layer {
    fn epoch(&mut self) -> Result<Epoch> {
        let y_pred = self.linear.forward(&self.columns)?.squeeze(1)?;
        let loss = sum(&(self.square)(&(&y_pred - &self.y)?)?)?;
        let grads = loss.backward()?;
        let of = |weight: Option<&Tensor>, bias: Option<&Tensor>| match (weight, bias) {
            (Some(weight), Some(bias)) => four(weight, bias),
            _ => candle_core::bail!("no gradient"),
        };
        let epoch = Epoch {
            loss: number(&loss)?,
            weights: of(Some(self.weight.as_tensor()), Some(self.bias.as_tensor()))?,
            gradient: of(grads.get(&self.weight), grads.get(&self.bias))?,
        };
        // `sgd.backward_step(&loss)` is `backward` and this.
        self.sgd.step(&grads)?;
        Ok(epoch)
    }
}

/// a, b, c of the shape (1, 3) and d of (1,).
fn four(weight: &Tensor, bias: &Tensor) -> Result<[f64; 4]> {
    let row = |t: &Tensor| t.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
    match (row(weight)?.as_slice(), row(bias)?.as_slice()) {
        (&[a, b, c], &[d]) => Ok([a, b, c, d]),
        _ => candle_core::bail!("a linear layer of three inputs has three weights and one bias"),
    }
}

/// e², as in custom_op.rs.
struct Square;

impl CustomOp1 for Square {
    fn name(&self) -> &'static str {
        "square"
    }

    fn cpu_fwd(&self, e: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((e.powf(layout, 2.)?, layout.shape().clone()))
    }

    fn bwd(&self, e: &Tensor, _square: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(((2. * e)? * grad)?))
    }
}

/// normal.rs
struct Normal {
    xtx: Tensor,
    xty: Tensor,
    yty: Tensor,
    w: Tensor,
    rate: f64,
    dtype: DType,
}

impl Normal {
    fn new(data: Data, start: [Tensor; 4], rate: f64) -> Result<Self> {
        let (big_x, big_y) = matrices(&data)?;
        Ok(Self {
            xtx: big_x.t()?.matmul(&big_x)?,
            xty: big_x.t()?.matmul(&big_y)?,
            yty: big_y.t()?.matmul(&big_y)?,
            w: Tensor::stack(&start, 0)?
                .unsqueeze(1)?
                .to_dtype(DType::F64)?,
            rate,
            dtype: data.x.dtype(),
        })
    }
}

/// X, of the shape (n, 4), and y, of (n, 1), in f64.
fn matrices(Data { x, y }: &Data) -> Result<(Tensor, Tensor)> {
    let columns = Tensor::stack(&[x.powf(3.)?, x.powf(2.)?, x.clone(), x.ones_like()?], 1)?;
    let wide = |t: &Tensor| t.to_dtype(DType::F64);
    Ok((wide(&columns)?, wide(&y.unsqueeze(1)?)?))
}

impl Descent for Normal {
    fn epoch(&mut self) -> Result<Epoch> {
        let half_grad = (self.xtx.matmul(&self.w)? - &self.xty)?;
        let loss = (self.w.t()?.matmul(&(&half_grad - &self.xty)?)? + &self.yty)?;
        let loss = loss.squeeze(0)?.squeeze(0)?.to_scalar::<f64>()?;
        let grad = (2. * half_grad)?;
        let epoch = Epoch {
            // As the program prints it.
            loss: match self.dtype {
                DType::F32 => f64::from(loss as f32),
                _ => loss,
            },
            weights: column(&self.w)?,
            gradient: column(&grad)?,
        };
        self.w = (&self.w - self.rate * grad)?;
        Ok(epoch)
    }
}

/// A (4, 1) matrix as four numbers.
fn column(t: &Tensor) -> Result<[f64; 4]> {
    match t.flatten_all()?.to_vec1::<f64>()?.as_slice() {
        &[a, b, c, d] => Ok([a, b, c, d]),
        other => candle_core::bail!("four numbers are needed, not {}", other.len()),
    }
}

/// The gradient at some weights, three times: by hand, by autograd, and from differences of the loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Check {
    pub by_hand: [f64; 4],
    pub autograd: [f64; 4],
    pub numeric: [f64; 4],
}

impl Check {
    pub fn new(data: &Data, weights: [f64; 4]) -> Result<Self> {
        let at = tensors(weights, data.x.dtype())?;
        let (_, by_hand) = by_hand(data, at.each_ref())?;
        let (_, autograd) = Autograd::new(data.clone(), at, 0.)?.loss_and_gradient()?;
        Ok(Self {
            by_hand: numbers(by_hand.each_ref())?,
            autograd: numbers(autograd.each_ref())?,
            numeric: numeric(data, weights)?,
        })
    }
}

/// [L(w + 1) - L(w - 1)] / 2 for each weight, in f64. The loss is quadratic in a weight, so that this is
/// its derivative, whatever the step.
fn numeric(data: &Data, weights: [f64; 4]) -> Result<[f64; 4]> {
    let (x, y) = (data.x.to_dtype(DType::F64)?, data.y.to_dtype(DType::F64)?);
    let loss = |i: usize, step: f64| {
        let mut weights = weights;
        weights[i] += step;
        let weights = tensors(weights, DType::F64)?;
        number(&sum(&(cubic(&x, weights.each_ref())? - &y)?.powf(2.)?)?)
    };
    let slope = |i| -> Result<f64> { Ok((loss(i, 1.)? - loss(i, -1.)?) / 2.) };
    Ok([slope(0)?, slope(1)?, slope(2)?, slope(3)?])
}

/// Where the descent is heading, and how fast it may go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// The best cubic,
    pub weights: [f64; 4],
    /// its loss,
    pub loss: f64,
    /// the loss of y = 0,
    pub flat: f64,
    /// and the learning rate from which on the loss grows: 2 over the largest eigenvalue of 2 XᵀX.
    pub limit: f64,
}

impl Aim {
    pub fn new(data: &Data) -> Result<Self> {
        let (big_x, big_y) = matrices(data)?;
        let xtx = big_x.t()?.matmul(&big_x)?.to_vec2::<f64>()?;
        let xty = column(&big_x.t()?.matmul(&big_y)?)?;
        let weights = solve(&xtx, xty);
        let w = Tensor::new(&weights, &Device::Cpu)?.unsqueeze(1)?;
        let squares = |t: &Tensor| t.sqr()?.sum_all()?.to_scalar::<f64>();
        Ok(Self {
            weights,
            loss: squares(&(big_x.matmul(&w)? - &big_y)?)?,
            flat: squares(&big_y)?,
            limit: 1. / largest_eigenvalue(&xtx),
        })
    }
}

/// Gauss and Jordan; the matrix is positive definite, so no row needs another's place.
pub fn solve(matrix: &[Vec<f64>], right: [f64; 4]) -> [f64; 4] {
    let mut rows = [[0.; 5]; 4];
    for (i, row) in rows.iter_mut().enumerate() {
        row[..4].copy_from_slice(&matrix[i]);
        row[4] = right[i];
    }
    for i in 0..4 {
        let pivot = rows[i].map(|v| v / rows[i][i]);
        for row in &mut rows {
            let factor = row[i];
            for (v, p) in row.iter_mut().zip(pivot) {
                *v -= factor * p;
            }
        }
        rows[i] = pivot;
    }
    rows.map(|row| row[4])
}

/// By powers of the matrix.
fn largest_eigenvalue(matrix: &[Vec<f64>]) -> f64 {
    let (mut v, mut length) = ([1.; 4], 1.);
    for _ in 0..200 {
        let product: [f64; 4] =
            std::array::from_fn(|i| matrix[i].iter().zip(v).map(|(m, v)| m * v).sum());
        length = product.iter().map(|p| p * p).sum::<f64>().sqrt();
        v = product.map(|p| p / length);
    }
    length
}
