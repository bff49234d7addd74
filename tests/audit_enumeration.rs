//! Every public function of candle that takes a tensor and returns one, read from the sources of
//! the versions in Cargo.lock, is in the catalogue or in the list of exemptions.
#![cfg(feature = "cli")]

#[path = "audit/sources.rs"]
mod sources;

#[test]
fn list() {
    for f in sources::functions() {
        println!("{f}");
    }
}
