//! The device that the cargo features choose, and devices by name: `auto`, `cpu`, `cuda[:N]`,
//! `metal[:N]`.

use candle_core::{Device, Result, bail, utils};
use std::fmt;
use std::str::FromStr;

/// The name of a device, checked for its form alone: [`open`](Self::open) finds out whether it is
/// there.
///
/// ```
/// use candle_sine::device::DeviceName;
///
/// let name: DeviceName = "cpu".parse()?;
/// assert!(name.open()?.is_cpu());
/// assert_eq!("cuda:1".parse::<DeviceName>()?, DeviceName::Cuda(1));
/// assert!("tpu".parse::<DeviceName>().is_err());
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceName {
    /// The first GPU where the build has the feature `cuda` or `metal`, else the CPU.
    Auto,
    /// The CPU.
    Cpu,
    /// The N-th CUDA device, from 0; needs the feature `cuda`.
    Cuda(usize),
    /// The N-th Metal device, from 0; needs the feature `metal`.
    Metal(usize),
}

impl FromStr for DeviceName {
    type Err = candle_core::Error;

    fn from_str(name: &str) -> Result<Self> {
        let (kind, ordinal) = name.split_once(':').unwrap_or((name, "0"));
        match (kind, ordinal.parse()) {
            ("auto", Ok(_)) if name == "auto" => Ok(Self::Auto),
            ("cpu", Ok(_)) if name == "cpu" => Ok(Self::Cpu),
            ("cuda", Ok(n)) => Ok(Self::Cuda(n)),
            ("metal", Ok(n)) => Ok(Self::Metal(n)),
            _ => bail!("unknown device: expected auto, cpu, cuda[:N] or metal[:N]"),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
            Self::Metal(n) => write!(f, "metal:{n}"),
        }
    }
}

impl DeviceName {
    /// Opens the device.
    ///
    /// # Errors
    /// A build without the feature, or a device that is not there; the message says what to do.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Auto if utils::cuda_is_available() => Self::Cuda(0).open(),
            Self::Auto if utils::metal_is_available() => Self::Metal(0).open(),
            Self::Auto | Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !utils::cuda_is_available() => bail!(
                "this build has no CUDA: rebuild with `cargo build --release --features cuda`"
            ),
            Self::Metal(_) if !utils::metal_is_available() => bail!(
                "this build has no Metal: rebuild on macOS with `cargo build --release --features metal`"
            ),
            Self::Cuda(n) => Device::new_cuda(n).map_err(|e| self.missing(e)),
            Self::Metal(n) => Device::new_metal(n).map_err(|e| self.missing(e)),
        }
    }

    fn missing(self, why: candle_core::Error) -> candle_core::Error {
        candle_core::Error::msg(format!("no {self}: {why}; `--device cpu` uses the CPU"))
    }
}

/// The device of a program whose only argument is `--device NAME`, as the tutorial's are; without it
/// [`Auto`](DeviceName::Auto). `args` begin with the program's name.
///
/// ```
/// use candle_sine::device;
///
/// let device = device::from_args(std::env::args())?;
/// # let args = ["program", "--device", "cpu"].map(str::to_owned);
/// # assert!(device::from_args(args)?.is_cpu());
/// # let args = ["program", "--cpu"].map(str::to_owned);
/// # assert!(device::from_args(args).is_err());
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Another argument, a name of no device, or what [`open`](DeviceName::open) says.
pub fn from_args(args: impl IntoIterator<Item = String>) -> Result<Device> {
    let args: Vec<_> = args.into_iter().skip(1).collect();
    let words: Vec<_> = args.iter().map(String::as_str).collect();
    match words[..] {
        [] => DeviceName::Auto.open(),
        ["--device", name] => name.parse::<DeviceName>()?.open(),
        _ => bail!("expected no argument, or --device and cpu, cuda[:N] or metal[:N]"),
    }
}

/// The name under which [`DeviceName`] finds `device`: `cpu`, `cuda:0`, `metal:0`.
///
/// ```
/// assert_eq!(candle_sine::device::name(&candle_core::Device::Cpu), "cpu");
/// ```
pub fn name(device: &Device) -> String {
    match device.location() {
        candle_core::DeviceLocation::Cpu => "cpu".to_owned(),
        candle_core::DeviceLocation::Cuda { gpu_id } => format!("cuda:{gpu_id}"),
        candle_core::DeviceLocation::Metal { gpu_id } => format!("metal:{gpu_id}"),
    }
}
