//! The post, one file per section.
//!
//! | the post | here |
//! |---|---|
//! | `x = torch.linspace(...)`, `y = torch.sin(x)` | [`data`] |
//! | `a = torch.randn(())` and so on | [`weights`] |
//! | `a * x**3 + b * x**2 + c * x + d` | [`cubic`] |
//! | `grad_y_pred`, `grad_a`, ... | [`gradient`] |
//! | `for epoch in range(1000)` | [`train`] |
//!
//! [`post`] holds the post's numbers, and [`least_squares`] what it leaves unsaid: where its gradient
//! descent is heading, and how fast it may go.

pub mod cubic;
pub mod data;
pub mod gradient;
pub mod least_squares;
mod pass;
pub mod post;
pub mod train;
pub mod weights;

pub use data::Data;
pub use weights::Weights;
