//! How many threads: as many as are asked for, as make sense, and as the system lets start.

use anyhow::{Result, bail};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

/// For each of these candle and rayon read its number, when they first start threads.
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"];

/// Threads for each core, at most: more would only wait for each other.
const MOST: usize = 4;

/// Starts rayon's threads, unless the user asks for another number.
pub fn start() -> Result<()> {
    let cores = thread::available_parallelism().map_or(1, |n| n.get());
    let of_rayon = asked(VARIABLES[0]);
    let wanted = of_rayon.unwrap_or(cores);
    let sensible = wanted.min(MOST * cores);
    // rayon's own, as many of candle's, and some to spare.
    let threads = sensible.min(startable(2 * sensible + 2) / 2).max(1);
    let fewer = threads < cores.min(wanted);
    if fewer || of_rayon.is_some_and(|asked| asked != threads) {
        set(VARIABLES[0], threads);
    }
    if fewer || asked(VARIABLES[1]).is_some_and(|asked| asked > threads) {
        set(VARIABLES[1], threads);
    }
    pool(threads)
}

/// One thread is the one that asks: where no other can be started, the work is done all the same.
fn pool(threads: usize) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = match threads {
        1 => pool.use_current_thread(),
        _ => pool,
    };
    match pool.build_global() {
        Ok(()) => Ok(()),
        Err(error) => bail!("{threads} threads cannot be started: {error}"),
    }
}

fn asked(variable: &str) -> Option<usize> {
    let number = std::env::var(variable).ok()?.parse().ok()?;
    (number > 0).then_some(number)
}

fn set(variable: &str, threads: usize) {
    // SAFETY: no other thread runs yet that could read the environment.
    #[allow(unsafe_code)]
    unsafe {
        std::env::set_var(variable, threads.to_string());
    }
}

/// How many of `most` threads can run beside each other. They are joined one by one: a scope's end
/// would not wait until the system has them back.
fn startable(most: usize) -> usize {
    let (keep, wait) = mpsc::channel::<()>();
    let wait = Arc::new(Mutex::new(wait));
    let start = |_| {
        let wait = Arc::clone(&wait);
        let waits = move || {
            if let Ok(wait) = wait.lock() {
                _ = wait.recv();
            }
        };
        thread::Builder::new().spawn(waits).ok()
    };
    let started: Vec<_> = (0..most).map_while(start).collect();
    drop(keep);
    let joined = started.into_iter().map(|thread| thread.join());
    joined.count()
}
