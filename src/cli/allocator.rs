//! Memory for the program: from mimalloc, and where it cannot be had, one line and the end.

// The two allocators' own methods are called, each block going back where it came from.
#![allow(unsafe_code)]

use super::memory::addresses_are_limited;
use super::temporary;
use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// A tensor operation allocates its result, and the system's allocator gives large blocks back and
/// fetches them anew each time, page by page; mimalloc keeps them. But of addresses it takes far more
/// than of memory: where `ulimit -v` limits those, the system's is the one that can be reckoned with.
pub struct Allocator;

const UNDECIDED: u8 = 0;
const KEEPING: u8 = 1;
const GIVING_BACK: u8 = 2;

/// Which of the two: decided at the first call, before there is a second thread.
static CHOICE: AtomicU8 = AtomicU8::new(UNDECIDED);

fn keeps() -> bool {
    match CHOICE.load(Relaxed) {
        UNDECIDED => {
            let keeping = !addresses_are_limited();
            if !keeping {
                give_back();
            }
            CHOICE.store(if keeping { KEEPING } else { GIVING_BACK }, Relaxed);
            keeping
        }
        choice => choice == KEEPING,
    }
}

// SAFETY: all that is asked of an allocator is asked of MiMalloc or of System, always the same one.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        had(
            layout.size(),
            match keeps() {
                true => unsafe { MiMalloc.alloc(layout) },
                false => unsafe { System.alloc(layout) },
            },
        )
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        had(
            layout.size(),
            match keeps() {
                true => unsafe { MiMalloc.alloc_zeroed(layout) },
                false => unsafe { System.alloc_zeroed(layout) },
            },
        )
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        had(
            size,
            match keeps() {
                true => unsafe { MiMalloc.realloc(at, layout, size) },
                false => unsafe { System.realloc(at, layout, size) },
            },
        )
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        match keeps() {
            true => unsafe { MiMalloc.dealloc(at, layout) },
            false => unsafe { System.dealloc(at, layout) },
        }
    }
}

fn had(size: usize, at: *mut u8) -> *mut u8 {
    if at.is_null() {
        out_of_memory(size);
    }
    at
}

/// What Rust does otherwise is to abort, with a signal for a status and temporary files left behind.
#[cold]
fn out_of_memory(size: usize) -> ! {
    // On the stack: there is no memory for a text.
    let mut line = [0; 96];
    let mut rest = line.as_mut_slice();
    _ = writeln!(
        rest,
        "error: out of memory: {size} bytes more are not to be had"
    );
    let left = rest.len();
    _ = std::io::stderr().write_all(&line[..line.len() - left]);
    temporary::remove_all_but_do_not_wait();
    std::process::exit(2)
}

/// Of glibc's own allocator, before its first block: that it maps and unmaps each large one by itself.
fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: two settings that there are.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 17);
    }
}
