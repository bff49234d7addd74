//! The five programs of `src/tutorial`, as a learner runs and edits them: each is compiled as it stands
//! or with some of its lines changed, and run in an empty folder.

#![cfg(all(feature = "nn", feature = "plot"))]

mod common;

use candle_sine::sine::post;
use common::program::Program;

fn tutorial(name: &str) -> Program {
    Program::read(&format!("src/tutorial/{name}.rs"))
}

fn close(ours: &[f64], theirs: &[f64], within: f64) -> bool {
    let mut pairs = ours.iter().zip(theirs);
    ours.len() == theirs.len() && pairs.all(|(a, b)| (a / b - 1.).abs() <= within)
}

fn posts_losses() -> Vec<f64> {
    post::TABLE.map(|(_, loss)| loss).to_vec()
}

/// The lines that say how a gradient by hand compares: "a the same", "b NOT the same", ...
fn verdicts(stdout: &str) -> Vec<String> {
    let lines = stdout.lines().filter(|l| l.contains(" by autograd: "));
    lines
        .map(|l| format!("{} {}", &l[5..6], l.rsplit(": ").next().unwrap()))
        .collect()
}

const ALL_THE_SAME: [&str; 4] = ["a the same", "b the same", "c the same", "d the same"];

#[test]
fn post_prints_the_posts_ten_lines_and_draws_its_figure() {
    let run = tutorial("post").run("post");
    let lines: String = post::TABLE
        .iter()
        .map(|(epoch, loss)| format!("epoch : {epoch}, loss : {loss}\n"))
        .collect();
    assert!(run.stdout.starts_with(&lines), "{}", run.stdout);
    assert_eq!(verdicts(&run.stdout), ALL_THE_SAME);
    assert!(run.file("out/post.png").starts_with(b"\x89PNG"));
}

#[test]
fn every_rung_prints_the_posts_table() {
    for name in ["autograd", "optimizer", "custom_op", "normal"] {
        let run = tutorial(name).run(name);
        let losses = run.losses();
        // What each of them says at its end.
        assert!(run.stdout.contains("within 2e-6"), "{name}");
        assert!(close(&losses, &posts_losses(), 2e-6), "{name}: {losses:?}");
        let picture = run.file(&format!("out/{name}.png"));
        assert!(picture.starts_with(b"\x89PNG"));
        if name == "custom_op" {
            assert!(
                run.stdout.contains("square, gradcheck: OK"),
                "{}",
                run.stdout
            );
        }
    }
}

/// Rust up to chapter 9 of the Book.
#[test]
fn post_is_one_short_file_of_plain_rust() {
    let post = tutorial("post");
    let code = post.code();
    assert!(code.len() <= 80, "{} lines", code.len());
    for word in [
        "trait", "struct", "impl", "dyn", "unwrap", "expect", "where", "fn ",
    ] {
        let uses = code.iter().filter(|line| line.contains(word)).count();
        assert_eq!(uses, usize::from(word == "fn "), "{word}");
    }
}

/// Neighbours have most of their lines in common.
#[test]
fn neighbouring_rungs_differ_in_their_idea_only() {
    let order = ["post", "autograd", "optimizer", "custom_op", "normal"];
    for pair in order.windows(2) {
        let [one, next] = [pair[0], pair[1]].map(tutorial);
        let shared = next
            .code()
            .iter()
            .filter(|l| one.code().contains(l))
            .count();
        let new = next.code().len() - shared;
        assert!(
            shared >= 25 && new <= 40,
            "{pair:?}: {shared} shared, {new} new"
        );
    }
}

#[test]
fn a_larger_learning_rate_comes_further() {
    let run = tutorial("post").edit("= 1e-6;", "= 5e-6;").run("rate_5e-6");
    let losses = run.losses();
    assert_eq!(losses[0], post::TABLE[0].1);
    assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
    assert!(losses[9] < 20., "{losses:?}");
    assert_eq!(verdicts(&run.stdout), ALL_THE_SAME);
}

#[test]
fn above_the_limit_it_diverges() {
    let run = tutorial("post")
        .edit("= 1e-6;", "= 7.2e-6;")
        .run("rate_7.2e-6");
    let losses = run.losses();
    assert!(losses[9] > 100. * losses[0], "{losses:?}");
}

#[test]
fn another_function_is_fitted() {
    let run = tutorial("post").edit("x.sin()", "x.cos()").run("cos");
    assert!(!close(&run.losses(), &posts_losses(), 1e-2));
    assert!(run.losses()[9] < run.losses()[0]);
    assert_eq!(verdicts(&run.stdout), ALL_THE_SAME);
}

/// With a term e x⁵: ten lines more or changed.
fn quintic() -> Program {
    let post = tutorial("post")
        .after("let mut d =", "    let mut e = torch.randn(())?;")
        .after(
            "let y_rand = (y_rand",
            "    let y_rand = (y_rand + x.powf(5.)?.broadcast_mul(&e)?)?;",
        )
        .after(
            "        y_pred = (y_pred",
            "        y_pred = (y_pred + x.powf(5.)?.broadcast_mul(&e)?)?;",
        )
        .after(
            "let grad_d =",
            "        let grad_e = sum(&(&grad_y_pred * x.powf(5.)?)?)?;",
        )
        .edit("c.clone(), d.clone()]", "c.clone(), d.clone(), e.clone()]")
        .edit("grad_c, grad_d]", "grad_c, grad_d, grad_e]");
    post.after("d = (d -", "        e = (e - learning_rate * &grad_e)?;")
        .after("let d = Var", "    let e = Var::from_tensor(&weights[4])?;")
        .after(
            "let y_pred = (y_pred",
            "    let y_pred = (y_pred + x.powf(5.)?.broadcast_mul(&e)?)?;",
        )
        .edit("(\"d\", d)]", "(\"d\", d), (\"e\", e)]")
}

#[test]
fn a_quintic_needs_a_smaller_rate() {
    let at_1e_6 = quintic().run("quintic_1e-6");
    assert!(at_1e_6.losses()[9].is_nan(), "{}", at_1e_6.stdout);
    assert_eq!(verdicts(&at_1e_6.stdout)[4], "e NOT the same");

    let at_1e_7 = quintic().edit("= 1e-6;", "= 1e-7;").run("quintic_1e-7");
    let losses = at_1e_7.losses();
    assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
    let same = [&ALL_THE_SAME[..], &["e the same"]].concat();
    assert_eq!(verdicts(&at_1e_7.stdout), same);
}

#[test]
fn a_gradient_can_be_printed_every_epoch() {
    let print = "        println!(\"grad_a : {}\", grad_a.to_scalar::<f32>()?);";
    let run = tutorial("post").after("let grad_d =", print).run("grad_a");
    let shown = run.stdout.lines().filter(|l| l.starts_with("grad_a : "));
    let shown: Vec<_> = shown.collect();
    assert_eq!(shown.len(), 1000 + 1);
    // The last of them is the one that is compared at the end.
    assert!(shown[1000].starts_with(&format!("{} by hand", shown[999])));
}

#[test]
fn a_curve_on_the_way_can_be_drawn() {
    let draw = "        if epoch == 200 {
            plt.subplot(3, 1, 2);
            plt.plot(&x, &y_pred)?.label(\"epoch 200\");
            plt.legend();
        }";
    let svg = |name: &str, program: Program| {
        let run = program.edit("out/post.png", "out/post.svg").run(name);
        String::from_utf8(run.file("out/post.svg")).unwrap()
    };
    let without = svg("svg", tutorial("post"));
    let with = svg("epoch_200", tutorial("post").after("let grad_d =", draw));
    let curves = |svg: &str| svg.matches("stroke-width=\"20\"").count();
    assert_eq!(curves(&without), 3);
    // The curve, and its sample in the legend.
    assert_eq!(curves(&with), 5);
    assert!(with.contains("epoch 200") && !without.contains("epoch 200"));
}

#[test]
fn a_missing_factor_2_is_seen() {
    let run = tutorial("post")
        .edit("(2. * (&y_pred - &y)?)?", "(&y_pred - &y)?")
        .run("no_factor_2");
    let wrong = [
        "a NOT the same",
        "b NOT the same",
        "c NOT the same",
        "d NOT the same",
    ];
    assert_eq!(verdicts(&run.stdout), wrong);
    // It trains all the same, at half the rate.
    assert!(run.losses().is_sorted_by(|a, b| a > b));
}

#[test]
fn a_mean_for_the_sum_is_seen() {
    let run = tutorial("post")
        .edit(
            "let loss = sum(&(&y_pred - &y)?.powf(2.)?)?;",
            "let loss = (&y_pred - &y)?.powf(2.)?.mean_all()?;",
        )
        .run("mean");
    assert!((run.losses()[0] - 7.93768505859375).abs() < 1e-5);
}

#[test]
fn a_wrong_sign_is_seen_and_named() {
    let run = tutorial("post")
        .edit(
            "let grad_b = sum(&(&grad_y_pred * x.powf(2.)?)?)?;",
            "let grad_b = sum(&(&grad_y_pred * x.powf(2.)?)?)?.neg()?;",
        )
        .run("sign");
    let mut expected = ALL_THE_SAME;
    expected[1] = "b NOT the same";
    assert_eq!(verdicts(&run.stdout), expected, "{}", run.stdout);
}
