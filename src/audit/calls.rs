//! Which function of candle calls which: a defect of one shows in all that are built on it.
//!
//! `calls.txt` is what tests/audit_calls.rs reads from the sources of the locked versions, a line for
//! each function that calls others of the catalogue: `caller: callee, callee`. It goes by names, so it
//! can hold a call too many, and none through a trait object; for the order of a report that is enough.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

const TEXT: &str = include_str!("calls.txt");

fn calls() -> &'static BTreeMap<&'static str, Vec<&'static str>> {
    static CALLS: LazyLock<BTreeMap<&str, Vec<&str>>> = LazyLock::new(|| {
        let lines = TEXT.lines().filter_map(|line| line.split_once(": "));
        lines
            .map(|(caller, callees)| (caller, callees.split(", ").collect()))
            .collect()
    });
    &CALLS
}

/// All that a function calls, at any depth; itself only where it is in a circle.
pub fn built_on(path: &str) -> BTreeSet<&'static str> {
    let (mut found, mut left) = (BTreeSet::new(), vec![path]);
    while let Some(caller) = left.pop() {
        for &callee in calls().get(caller).into_iter().flatten() {
            if found.insert(callee) {
                left.push(callee);
            }
        }
    }
    found
}
