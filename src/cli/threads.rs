//! How many threads: as many as are asked for, as make sense, and as the system lets start.

use anyhow::{Result, bail};
use std::sync::mpsc;
use std::thread;

/// For each of these candle and rayon read its number, when they first start threads.
const VARIABLES: [&str; 2] = ["RAYON_NUM_THREADS", "CANDLE_NUM_THREADS"];

/// Threads for each core, at most: more would only wait for each other.
const MOST: usize = 4;

/// Starts rayon's threads, `alone` one, unless the user asks for another number.
pub fn start(alone: bool) -> Result<()> {
    let cores = thread::available_parallelism().map_or(1, |n| n.get());
    let of_rayon = asked(VARIABLES[0]);
    let wanted = of_rayon.unwrap_or(if alone { 1 } else { cores });
    // rayon's own, as many of candle's, and some to spare.
    let free = startable(2 * wanted.min(MOST * cores) + 2);
    let threads = wanted.min(MOST * cores).min(free / 2).max(1);
    if free == 0 {
        bail!("no thread can be started: `ulimit -u` or the container allows no more processes")
    }
    if alone || of_rayon.is_some_and(|asked| asked != threads) || threads < cores.min(wanted) {
        set(VARIABLES[0], threads);
    }
    if asked(VARIABLES[1]).is_some_and(|asked| asked > threads) || threads < cores.min(wanted) {
        set(VARIABLES[1], threads);
    }
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global();
    match pool {
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

/// How many of `most` threads can run beside each other.
fn startable(most: usize) -> usize {
    let (keep, wait) = mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    thread::scope(|scope| {
        let waits = || {
            if let Ok(wait) = wait.lock() {
                _ = wait.recv();
            }
        };
        let start = |_| thread::Builder::new().spawn_scoped(scope, waits).ok();
        let started = (0..most).map_while(start).count();
        drop(keep);
        started
    })
}
