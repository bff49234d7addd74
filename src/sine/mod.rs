//! The engine of the commands: the post's descent on any device and any number of points, as fast as
//! the hardware. To follow the post, read `src/tutorial/post.rs` instead.
//!
//! [`Data`] (x and y) and [`Weights`] (a, b, c, d) go into a [`gradient::Method`], a way to the loss and
//! its gradient; [`train::train`] lets it descend and returns a history. [`least_squares`] holds what
//! the post leaves unsaid: where its descent is heading, and how fast it may go. [`post`] holds the
//! post's numbers, which are the defaults of everything here.

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
