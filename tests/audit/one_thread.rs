//! Faster tests.

/// Keeps candle from spreading each small product over the cores, and from counting them anew for
/// it.
pub fn one_thread_an_op() {
    if std::env::var_os("RAYON_NUM_THREADS").is_none() {
        // SAFETY: nothing in these tests reads the environment but through Rust's std, which locks.
        unsafe {
            std::env::set_var("RAYON_NUM_THREADS", "1");
        }
    }
}
