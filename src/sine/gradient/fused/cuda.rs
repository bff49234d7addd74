//! The op on a CUDA device: `squared_error.cu`, compiled when it is first needed.
//!
//! Nothing here waits for the device. The kernel leaves the gradient and the next weights where the
//! next launch finds them, so that a descent is a row of launches, one an epoch.

use super::super::{Descent, Gradient, check_dtype};
use super::Fused;
use crate::sine::Weights;
use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaSlice, CudaStream, CudaView, CudaViewMut, DeviceRepr, LaunchConfig,
    PushKernelArg, ValidAsZeroBits, sys::CUdevice_attribute,
};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDType, WrapErr};
use candle_core::op::BackpropOp;
use candle_core::{
    CudaDevice, CudaStorage, DType, Layout, Result, Shape, Storage, Tensor, WithDType, bail,
};
use std::sync::{Arc, OnceLock};

const SOURCE: &str = include_str!("squared_error.cu");

/// candle keeps modules by name alone.
const MODULE: &str = "candle_sine_squared_error";

/// Threads of a block.
const BLOCK: u32 = 256;

/// With the registers that the kernel takes, as many as a multiprocessor holds at once.
const BLOCKS_A_PROCESSOR: u32 = 3;

/// What a block sums.
const SUMS: usize = 5;

/// What the kernel leaves of an epoch beside its loss: the gradient, and the weights after a step.
const STEP: usize = 8;

/// An element of x, y and the weights.
trait Real: WithDType + CudaDType + DeviceRepr + ValidAsZeroBits {
    /// Elements that are fetched at once.
    const LANES: usize = 16 / size_of::<Self>();
}

impl Real for f32 {}
impl Real for f64 {}

/// What an op is given of a tensor.
pub(super) type Given<'a> = (&'a CudaStorage, &'a Layout);

/// The loss, of one element, and its gradient, of shape `(4,)`.
pub(super) fn loss_and_grad(
    weights: Given,
    x: Given,
    y: Given,
) -> Result<(CudaStorage, Shape, Tensor)> {
    match check(weights, x, y)? {
        DType::F32 => loss_and_grad_of::<f32>(weights, x, y),
        _ => loss_and_grad_of::<f64>(weights, x, y),
    }
}

fn loss_and_grad_of<T: Real>(
    weights: Given,
    x: Given,
    y: Given,
) -> Result<(CudaStorage, Shape, Tensor)> {
    let device = x.0.device();
    let mut pass = Pass::<T>::new(x, y)?;
    let mut loss = device.alloc_zeros::<T>(1)?;
    let mut step = device.alloc_zeros::<T>(STEP)?;
    pass.launch(
        &Strided::new(weights)?,
        T::zero(),
        &mut loss.slice_mut(..),
        &mut step.slice_mut(..),
    )?;
    let loss = CudaStorage::wrap_cuda_slice(loss, device.clone());
    let grad = tensor(step, STEP, device).narrow(0, 0, 4)?;
    Ok((loss, Shape::from(()), grad))
}

/// A descent with one launch an epoch, whose weights stay on the device.
pub(super) struct OnDevice {
    fused: Fused,
    weights: Weights,
    y_pred_weights: Weights,
}

impl OnDevice {
    /// # Errors
    /// Weights of another dtype than the data.
    pub(super) fn new(fused: Fused, weights: &Weights) -> Result<Self> {
        check_dtype(weights, fused.x.dtype())?;
        let (weights, y_pred_weights) = (weights.clone(), weights.clone());
        Ok(Self {
            fused,
            weights,
            y_pred_weights,
        })
    }
}

impl Descent for OnDevice {
    fn descend(&mut self, learning_rate: f64, epochs: usize) -> Result<Tensor> {
        let (x, y) = (&self.fused.x, &self.fused.y);
        let (losses, steps) = launch_all(x, y, &self.weights.stack()?, learning_rate, epochs)?;
        let after = |epoch: usize| Weights::unstack(&steps.get(epoch)?.narrow(0, 4, 4)?);
        self.y_pred_weights = match epochs {
            1 => self.weights.clone(),
            _ => after(epochs - 2)?,
        };
        self.weights = after(epochs - 1)?;
        Ok(losses)
    }

    fn loss(&mut self) -> Result<Tensor> {
        Ok(self.fused.loss_and_grad(&self.weights)?.loss)
    }

    fn weights(&self) -> Result<Weights> {
        Ok(self.weights.clone())
    }

    fn y_pred_weights(&self) -> Result<Weights> {
        Ok(self.y_pred_weights.clone())
    }
}

/// [`epochs_of`] of tensors.
fn launch_all(
    x: &Tensor,
    y: &Tensor,
    weights: &Tensor,
    rate: f64,
    epochs: usize,
) -> Result<(Tensor, Tensor)> {
    if !(x.device().same_device(weights.device()) && x.device().same_device(y.device())) {
        bail!("the weights, x and y must be on one device")
    }
    let guards = [weights, x, y].map(Tensor::storage_and_layout);
    let [(w, w_layout), (x, x_layout), (y, y_layout)] = &guards;
    let (Storage::Cuda(w), Storage::Cuda(x), Storage::Cuda(y)) = (&**w, &**x, &**y) else {
        bail!("the weights, x and y must be on one CUDA device")
    };
    let (w, x, y) = ((w, *w_layout), (x, *x_layout), (y, *y_layout));
    match check(w, x, y)? {
        DType::F32 => epochs_of::<f32>(w, x, y, rate, epochs),
        _ => epochs_of::<f64>(w, x, y, rate, epochs),
    }
}

/// The losses, of shape `(epochs,)`, and what else each epoch left, of shape `(epochs, STEP)`.
fn epochs_of<T: Real>(
    weights: Given,
    x: Given,
    y: Given,
    rate: f64,
    epochs: usize,
) -> Result<(Tensor, Tensor)> {
    if epochs == 0 {
        bail!("a descent is of one epoch or more")
    }
    let (device, rate) = (x.0.device(), T::from_f64(rate));
    let mut pass = Pass::<T>::new(x, y)?;
    let mut losses = device.alloc_zeros::<T>(epochs)?;
    let mut steps = device.alloc_zeros::<T>(epochs * STEP)?;
    for epoch in 0..epochs {
        let (before, mut step) = steps.split_at_mut(epoch * STEP);
        let weights = match epoch {
            0 => Strided::new(weights)?,
            _ => Strided::packed(before.slice((epoch - 1) * STEP + 4..)),
        };
        let loss = &mut losses.slice_mut(epoch..=epoch);
        pass.launch(&weights, rate, loss, &mut step.slice_mut(..STEP))?;
    }
    Ok((
        tensor(losses, epochs, device),
        tensor(steps, (epochs, STEP), device),
    ))
}

fn tensor<T: Real>(slice: CudaSlice<T>, shape: impl Into<Shape>, device: &CudaDevice) -> Tensor {
    let storage = CudaStorage::wrap_cuda_slice(slice, device.clone());
    Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false)
}

/// The dtype that all three have, where they are what the kernel is written for.
fn check(weights: Given, x: Given, y: Given) -> Result<DType> {
    let (ours, dtype) = (weights.0.dtype(), x.0.dtype());
    if ours != dtype || y.0.dtype() != dtype || !matches!(dtype, DType::F32 | DType::F64) {
        let [ours, x, y] = [ours, dtype, y.0.dtype()].map(|d| d.as_str());
        bail!("the weights, x and y must all be f32 or all f64, not {ours}, {x} and {y}")
    }
    if weights.1.dims() != [4] {
        let shape = weights.1.shape();
        bail!("the weights must have the shape (4,), not {shape:?}")
    }
    if x.1.dims().len() != 1 || x.1.dims() != y.1.dims() {
        let (x, y) = (x.1.shape(), y.1.shape());
        bail!("x and y must both have the shape (points,), not {x:?} and {y:?}")
    }
    Ok(dtype)
}

/// Every `stride`-th element, from the first of `view`.
struct Strided<'a, T> {
    view: CudaView<'a, T>,
    stride: u64,
    len: usize,
}

impl<'a, T: Real> Strided<'a, T> {
    /// # Errors
    /// A layout that leads out of the storage: what the kernel reads is checked here.
    fn new((storage, layout): (&'a CudaStorage, &Layout)) -> Result<Self> {
        let slice = storage.as_cuda_slice::<T>()?;
        let (len, stride) = (layout.dims()[0], layout.stride()[0]);
        let view = slice.try_slice(layout.start_offset()..);
        match view {
            Some(view) if len == 0 || (len - 1) * stride < view.len() => Ok(Self {
                view,
                stride: stride as u64,
                len,
            }),
            _ => bail!("{layout:?} leads out of a storage of {}", slice.len()),
        }
    }

    fn packed(view: CudaView<'a, T>) -> Self {
        let (stride, len) = (1, view.len());
        Self { view, stride, len }
    }
}

/// The kernel over fixed points.
struct Pass<'a, T> {
    kernel: CudaFunction,
    stream: Arc<CudaStream>,
    blocks: u32,
    x: Strided<'a, T>,
    y: Strided<'a, T>,
    /// How many blocks are done, and what each of them found.
    scratch: CudaSlice<f64>,
}

impl<'a, T: Real> Pass<'a, T> {
    fn new(x: Given<'a>, y: Given<'a>) -> Result<Self> {
        let device = x.0.device();
        let (x, y) = (Strided::new(x)?, Strided::new(y)?);
        let blocks = blocks(device, x.len.div_ceil(T::LANES))?;
        Ok(Self {
            kernel: kernel(device, T::DTYPE)?,
            stream: device.cuda_stream(),
            blocks,
            x,
            y,
            scratch: device.alloc_zeros::<f64>(1 + SUMS * blocks as usize)?,
        })
    }

    /// One epoch from the four `weights`: its loss, and the [`STEP`] numbers that it leaves.
    fn launch(
        &mut self,
        weights: &Strided<T>,
        rate: T,
        loss: &mut CudaViewMut<T>,
        step: &mut CudaViewMut<T>,
    ) -> Result<()> {
        let (x, y) = (&self.x, &self.y);
        let points = x.len as u64;
        if weights.len != 4 || loss.len() != 1 || step.len() != STEP {
            bail!("the kernel reads four weights and writes a loss and {STEP} numbers")
        }
        let mut launch = self.stream.launch_builder(&self.kernel);
        launch
            .arg(&x.view)
            .arg(&x.stride)
            .arg(&y.view)
            .arg(&y.stride);
        launch.arg(&points).arg(&weights.view).arg(&weights.stride);
        launch.arg(&rate).arg(&mut self.scratch).arg(loss).arg(step);
        let config = LaunchConfig {
            grid_dim: (self.blocks, 1, 1),
            block_dim: (BLOCK, 1, 1),
            shared_mem_bytes: 0,
        };
        // SAFETY: the arguments are those of the kernel, in its order; `Strided` holds the elements
        // that it reads, and `scratch`, `loss` and `step` have the lengths that it writes. The
        // borrows end with this call but the memory does not go before the kernel is done: it is
        // freed on the same stream, in order.
        #[allow(unsafe_code)]
        unsafe { launch.launch(config) }.w()?;
        Ok(())
    }
}

/// As many as are at work at once, or fewer where these have no vector each.
fn blocks(device: &CudaDevice, vectors: usize) -> Result<u32> {
    let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
    let processors = device.cuda_stream().context().attribute(attribute).w()?;
    let at_once = processors.unsigned_abs() * BLOCKS_A_PROCESSOR;
    let wanted = u32::try_from(vectors.div_ceil(BLOCK as usize)).unwrap_or(u32::MAX);
    Ok(wanted.clamp(1, at_once.max(1)))
}

/// The kernel for a dtype, on this device.
fn kernel(device: &CudaDevice, dtype: DType) -> Result<CudaFunction> {
    static PTX: OnceLock<String> = OnceLock::new();
    let ptx = match PTX.get() {
        Some(ptx) => ptx,
        None => {
            let ptx = compile()?;
            PTX.get_or_init(|| ptx)
        }
    };
    let name = match dtype {
        DType::F32 if f64_is_fast(device)? => "squared_error_f32_in_f64",
        DType::F32 => "squared_error_f32_in_f32",
        _ => "squared_error_f64_in_f64",
    };
    let function = device.get_or_load_custom_func(name, MODULE, ptx)?;
    Ok(function.into_cuda_function())
}

/// Whether a point's eleven operations in `f64` take less time than fetching it: so where `f64` has
/// half the speed of `f32`, and not where it has 1/32 or 1/64.
fn f64_is_fast(device: &CudaDevice) -> Result<bool> {
    let attribute = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_SINGLE_TO_DOUBLE_PRECISION_PERF_RATIO;
    let ratio = device.cuda_stream().context().attribute(attribute).w()?;
    Ok(ratio <= 4)
}

/// For the oldest card that NVRTC knows; the driver makes of it what its own card runs.
fn compile() -> Result<String> {
    let define = |name, value| format!("--define-macro={name}={value}");
    let options = CompileOptions {
        options: vec![
            define("BLOCK", BLOCK),
            define("BLOCKS_A_PROCESSOR", BLOCKS_A_PROCESSOR),
        ],
        name: Some("squared_error.cu".to_owned()),
        ..CompileOptions::default()
    };
    Ok(compile_ptx_with_opts(SOURCE, options).w()?.to_src())
}
