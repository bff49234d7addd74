//! What the shell or `nohup` wants of signals, which ctrlc does not ask.

// `sigaction` and `signal` are C's. They are called with signals that there are, no handler of our own,
// and memory that outlives the call.
#![allow(unsafe_code)]

use libc::{SIG_DFL, SIG_IGN, SIGHUP, SIGINT, SIGTERM, SIGXFSZ, c_int};

/// Those that ctrlc listens to.
const ENDING: [c_int; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Those of them that this program was started to ignore.
pub fn ignored() -> Vec<c_int> {
    let mut ignored = ENDING.to_vec();
    ignored.retain(|&signal| {
        // SAFETY: as above; nothing is changed.
        let mut now: libc::sigaction = unsafe { std::mem::zeroed() };
        let asked = unsafe { libc::sigaction(signal, std::ptr::null(), &mut now) };
        asked == 0 && now.sa_sigaction == SIG_IGN
    });
    ignored
}

/// Leaves them ignored, and the others to the system where nobody is `listening`. A limit on the size
/// of files becomes an error of the write that reaches it.
pub fn leave(ignored: &[c_int], listening: bool) {
    let set = |signal, action| {
        // SAFETY: as above.
        unsafe { libc::signal(signal, action) };
    };
    if !listening {
        ENDING.iter().for_each(|&signal| set(signal, SIG_DFL));
    }
    ignored.iter().for_each(|&signal| set(signal, SIG_IGN));
    set(SIGXFSZ, SIG_IGN);
}
