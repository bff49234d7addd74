//! Panics inside a backward pass, caught and kept silent.
//!
//! A hook is installed once, in front of whatever hook the program has. It stays silent on a thread
//! that is inside [`catch`] and hands every other panic on. With `panic = "abort"` nothing can be
//! caught, and a panic ends the program as it would without gradcheck.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
}

static HOOK: Once = Once::new();

/// Runs `job`; a panic in it comes back as its message.
pub(crate) fn catch<T>(job: impl FnOnce() -> T) -> Result<T, String> {
    install();
    let outer = CATCHING.replace(true);
    // The tensors a panic leaves behind are dropped by the caller, never read.
    let result = catch_unwind(AssertUnwindSafe(job));
    CATCHING.set(outer);
    result.map_err(|payload| message(payload.as_ref()))
}

fn install() {
    // `take_hook` itself panics on a panicking thread (a check run from a destructor).
    if std::thread::panicking() {
        return;
    }
    HOOK.call_once(|| {
        let previous = take_hook();
        set_hook(Box::new(move |info| {
            if !CATCHING.get() {
                previous(info);
            }
        }));
    });
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message");
    text.lines().next().unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::catch;

    #[test]
    fn a_panic_becomes_its_first_line() {
        assert_eq!(catch(|| 1), Ok(1));
        let caught = catch(|| -> () { panic!("first {}\nsecond", 1) });
        assert_eq!(caught, Err("first 1".to_string()));
    }
}
