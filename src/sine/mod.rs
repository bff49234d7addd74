//! The post, one file per section.
//!
//! | the post | here |
//! |---|---|
//! | `x = torch.linspace(...)`, `y = torch.sin(x)` | [`data`] |
//! | `a = torch.randn(())` and so on | [`weights`] |
//! | `a * x**3 + b * x**2 + c * x + d` | [`cubic`] |
//! | `grad_y_pred`, `grad_a`, ... | [`gradient`] |
//! | `for epoch in range(1000)` | [`train`] |
//! | `plt.subplot(3, 1, ...)` | `figure` (feature `cli`) |
//!
//! [`sum`] holds the order in which `.sum()` adds, and [`least_squares`] what the post leaves
//! unsaid: where its gradient descent is heading, and how fast it may go.

pub mod cubic;
pub mod data;
#[cfg(feature = "cli")]
pub mod figure;
pub mod gradient;
pub mod least_squares;
mod mt19937;
mod pass;
pub mod sum;
pub mod train;
pub mod weights;

pub use data::Data;
pub use weights::Weights;
