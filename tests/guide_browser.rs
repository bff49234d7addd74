//! The guide in a real browser: tests/guide/browser.mjs, with the numbers of the native program.
//!
//!     tests/guide/browser.sh
//!
//! It needs Chromium and Node.js, so a plain `cargo test` leaves it out.

// What the page calls, here compiled for this machine.
#[path = "../scripts/guide/wasm.rs"]
mod wasm;

use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;

/// There is one run at a time.
static TURN: Mutex<()> = Mutex::new(());

/// The first is the post's, whose third four numbers it took.
const SEEDS: [u32; 10] = [4034316668, 0, 1, 2, 3, 7, 42, 123, 2024, 4294967295];

/// Numbers of a run of 1000 epochs: the ten losses, and the last weights and gradients.
fn native(seed: u32, draw: u32, rung: usize, double: u32, function: u32, rate: f64) -> Value {
    assert_eq!(wasm::draw(seed.into(), draw), 4);
    let [a, b, c, d] = [0, 1, 2, 3].map(|i| wasm::drawn(i));
    assert_eq!(
        wasm::begin(1000, function, double, rung, rate, a, b, c, d),
        0
    );
    assert_eq!(wasm::advance(1000), 1000);
    let losses: Vec<_> = (0..1000).step_by(100).map(|i| wasm::loss(i)).collect();
    assert_eq!(wasm::predict(499), 1000);
    let curve: Vec<_> = (0..1000).step_by(111).map(|i| wasm::curve(i)).collect();
    assert_eq!(wasm::check(499), 4);
    let at = |epoch: usize| [0, 1, 2, 3].map(|i| wasm::weight(epoch, i));
    let checked = [0, 1, 2].map(|way| [0, 1, 2, 3].map(|i| wasm::checked(way, i)));
    let gradients = [0, 1, 2, 3].map(|i| wasm::gradient(0, i));
    json!({
        "seed": seed, "draw": draw, "rung": rung, "double": double, "function": function, "rate": rate,
        "drawn": [a, b, c, d],
        "losses": losses,
        "weights": at(999),
        "gradients": gradients,
        // At epoch 500.
        "curve": curve,
        "at": at(499),
        "checked": checked,
    })
}

/// sin(x), x³ and x² at the thousand points: what another mathematical library may round otherwise.
fn library(double: u32) -> Value {
    let curve = |a: f64, b: f64| {
        assert_eq!(wasm::begin(1000, 0, double, 0, 0., a, b, 0., 0.), 0);
        assert_eq!((wasm::advance(1), wasm::predict(0)), (1, 1000));
        (0..1000).map(|i| wasm::curve(i)).collect::<Vec<_>>()
    };
    let (cubes, squares) = (curve(1., 0.), curve(0., 1.));
    let sines: Vec<_> = (0..1000).map(|i| wasm::y(i)).collect();
    json!({ "double": double, "sin": sines, "cube": cubes, "square": squares })
}

#[test]
#[ignore = "needs Chromium and Node.js: tests/guide/browser.sh"]
fn the_guide_in_a_browser() {
    let _turn = TURN.lock();
    let mut runs = vec![];
    for (i, seed) in SEEDS.into_iter().enumerate() {
        for rung in 0..5 {
            for double in [0, 1] {
                runs.push(native(
                    seed,
                    if i == 0 { 3 } else { 1 },
                    rung,
                    double,
                    0,
                    1e-6,
                ));
            }
        }
    }
    for function in [1, 2] {
        runs.push(native(42, 1, 0, 0, function, 6e-6));
    }
    let expected = json!({
        "library": [library(0), library(1)],
        "runs": runs,
        "post": native(SEEDS[0], 3, 0, 0, 0, 1e-6),
        "quick": native(SEEDS[0], 3, 0, 0, 0, 6e-6),
    });
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guide.json");
    std::fs::write(&file, expected.to_string()).unwrap();
    let mut node = Command::new("node");
    node.arg(root.join("tests/guide/browser.mjs")).arg(&file);
    let status = node.current_dir(root).status().unwrap();
    assert!(status.success(), "browser.mjs: {status}");
}

#[test]
fn a_mistake_is_a_message() {
    let _turn = TURN.lock();
    assert_eq!(wasm::begin(1000, 0, 0, 0, 1e-6, 0., 0., 0., 0.), 0);
    assert_eq!(wasm::predict(7), -1);
    let bytes = (0..).map(|i| wasm::message(i)).take_while(|b| *b != 0);
    let text: Vec<u8> = bytes.map(|b| b as u8).collect();
    let text = String::from_utf8(text).unwrap();
    // candle adds a backtrace where one is asked for.
    assert!(text.starts_with("there is no epoch 7 yet"), "{text}");
    assert!(wasm::loss(0).is_nan());
    assert_eq!(
        (wasm::x(0), wasm::y(999)),
        (f64::from(-std::f32::consts::PI), wasm::y(999))
    );
    assert_eq!(
        (wasm::predict_best(), wasm::curve(1000).is_nan()),
        (1000, true)
    );
    assert!((wasm::aim(2) - 7.09e-6).abs() < 1e-8);
}
