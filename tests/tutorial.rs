//! The five programs of `src/tutorial`, as a learner runs and edits them: each is compiled as it stands
//! or with some of its lines changed, and run in an empty folder.

#![cfg(all(feature = "nn", feature = "plot"))]

mod common;

use candle_sine::sine::post;
use common::program::Program;

/// In the order in which they are read.
const RUNGS: [&str; 5] = ["post", "autograd", "optimizer", "custom_op", "normal"];

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
    let lines = stdout
        .lines()
        .filter_map(|l| l.split_once(" by autograd: "));
    lines
        .map(|(l, verdict)| format!("{} {verdict}", &l[5..6]))
        .collect()
}

const ALL_THE_SAME: [&str; 4] = ["a the same", "b the same", "c the same", "d the same"];

const NONE_THE_SAME: [&str; 4] = [
    "a NOT the same",
    "b NOT the same",
    "c NOT the same",
    "d NOT the same",
];

const DIVERGED: &str = "diverged: try a smaller learning rate";

#[test]
fn post_prints_the_posts_ten_lines_and_draws_its_figure() {
    let run = tutorial("post").run("post");
    let lines: String = post::TABLE
        .iter()
        .map(|(epoch, loss)| format!("epoch : {epoch}, loss : {loss}\n"))
        .collect();
    assert!(run.stdout.starts_with(&lines), "{}", run.stdout);
    let rest: Vec<_> = run.stdout[lines.len()..].lines().collect();
    // The gradients of the last epoch, by hand, as they are with the two written down apart from each other.
    let by_hand = [
        "grad_a : 145.16214 by",
        "grad_b : -53.716843 by",
        "grad_c : -1021.56335 by",
        "grad_d : 311.69736 by",
    ];
    assert_eq!(rest.len(), 5, "{rest:?}");
    assert!((0..4).all(|i| rest[i].starts_with(by_hand[i])), "{rest:?}");
    assert_eq!(rest[4], "wrote out/post.png, computed on cpu");
    assert_eq!(verdicts(&run.stdout), ALL_THE_SAME);
    assert!(run.file("out/post.png").starts_with(b"\x89PNG"));
}

#[test]
fn every_rung_prints_the_posts_table() {
    for name in &RUNGS[1..] {
        let run = tutorial(name).run(name);
        let losses = run.losses();
        assert!(close(&losses, &posts_losses(), 2e-6), "{name}: {losses:?}");
        let picture = run.file(&format!("out/{name}.png"));
        assert!(picture.starts_with(b"\x89PNG"));
        let wrote = format!("wrote out/{name}.png, computed on cpu\n");
        assert!(run.stdout.ends_with(&wrote), "{}", run.stdout);
        assert!(!run.stdout.contains(DIVERGED), "{name}");
        if *name == "custom_op" {
            assert!(
                run.stdout.contains("square, gradcheck: OK"),
                "{}",
                run.stdout
            );
        }
    }
}

#[test]
fn every_rung_says_that_it_diverged() {
    for name in &RUNGS[1..] {
        let run = tutorial(name).edit("= 1e-6;", "= 2e-5;");
        let run = run.run(&format!("{name}_2e-5"));
        assert!(run.stdout.contains(DIVERGED), "{name}: {}", run.stdout);
    }
}

/// Rust up to chapter 9 of the Book.
#[test]
fn post_is_one_short_file_of_plain_rust() {
    let post = tutorial("post");
    let code = post.code();
    assert!(code.len() <= 80, "{} lines", code.len());
    for word in [
        "trait", "struct", "impl", "dyn", "unwrap", "expect", "where", "|",
    ] {
        let uses = code.iter().filter(|line| line.contains(word)).count();
        assert_eq!(uses, 0, "{word}");
    }
}

/// Neighbours have most of their lines in common.
#[test]
fn neighbouring_rungs_differ_in_their_idea_only() {
    for pair in RUNGS.windows(2) {
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

/// With a term e x⁵ in the loop: five lines, nothing else.
fn quintic() -> Program {
    let post = tutorial("post").after(
        "let d = Var",
        "    let e = Var::from_tensor(&torch.randn(())?)?;",
    );
    post.after(
        "        y_pred = (y_pred",
        "        y_pred = (y_pred + x.powf(5.)?.broadcast_mul(&e)?)?;",
    )
    .after(
        "let grad_d =",
        "        let grad_e = sum(&(&grad_y_pred * x.powf(5.)?)?)?;",
    )
    .after(
        "d.set(",
        "        e.set(&(e.as_tensor() - learning_rate * &grad_e)?)?;",
    )
}

#[test]
fn a_quintic_needs_a_smaller_rate() {
    let at_1e_6 = quintic().run("quintic_1e-6");
    assert!(at_1e_6.losses()[9].is_nan(), "{}", at_1e_6.stdout);
    let said = ["a", "b", "c", "d"].map(|name| format!("{name} {DIVERGED}"));
    assert_eq!(verdicts(&at_1e_6.stdout), said);

    let at_1e_7 = quintic().edit("= 1e-6;", "= 1e-7;").run("quintic_1e-7");
    let losses = at_1e_7.losses();
    assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");
    assert_eq!(verdicts(&at_1e_7.stdout), ALL_THE_SAME);
}

#[test]
fn a_fifth_gradient_is_compared_too() {
    let print = "            println!(\"grad_e : {}\", compare(&grad_e, grads.get(&e), &size)?);";
    let quintic = quintic().edit("= 1e-6;", "= 1e-7;");
    let run = quintic.after("\"grad_d : ", print).run("grad_e");
    let same = [&ALL_THE_SAME[..], &["e the same"]].concat();
    assert_eq!(verdicts(&run.stdout), same, "{}", run.stdout);
}

#[test]
fn ten_times_the_points_need_a_tenth_of_the_rate() {
    let post = || tutorial("post").edit("PI, 1000,", "PI, 10000,");
    let at_1e_6 = post().run("points_1e-6");
    let said = ["a", "b", "c", "d"].map(|name| format!("{name} {DIVERGED}"));
    assert_eq!(verdicts(&at_1e_6.stdout), said);

    let at_1e_7 = post().edit("= 1e-6;", "= 1e-7;").run("points_1e-7");
    assert!(at_1e_7.losses().is_sorted_by(|a, b| a > b));
    assert_eq!(verdicts(&at_1e_7.stdout), ALL_THE_SAME);
}

/// Near the minimum a gradient's terms cancel, and what is left is rounding.
#[test]
fn at_the_minimum_the_gradients_are_still_the_same() {
    let run = tutorial("post")
        .edit("= 1e-6;", "= 6e-6;")
        .edit("epochs = 1000;", "epochs = 30000;")
        .run("minimum");
    assert!(run.losses()[299] < 4.428, "{:?}", run.losses().last());
    assert_eq!(verdicts(&run.stdout), ALL_THE_SAME, "{}", run.stdout);
}

#[test]
fn weights_can_be_drawn_by_candle() {
    let mut post = tutorial("post");
    for name in ["a", "b", "c", "d"] {
        post = post.edit(
            &format!("let {name} = Var::from_tensor(&torch.randn(())?)?;"),
            &format!("let {name} = Var::from_tensor(&Tensor::randn(0f32, 1., (), &device)?)?;"),
        );
    }
    let run = post.run("randn");
    assert!(!close(&run.losses(), &posts_losses(), 1e-2));
    assert_eq!(verdicts(&run.stdout), ALL_THE_SAME, "{}", run.stdout);
}

#[test]
fn the_losses_can_be_drawn() {
    let draw = "    let mut plt = Figure::new();
    plt.plot(&Tensor::arange(0., 1000f32, &device)?, &Tensor::stack(&losses, 0)?)?;
    plt.savefig(\"out/loss.png\")?;";
    let run = tutorial("post")
        .after("let epochs", "    let mut losses = vec![];")
        .after("let loss = sum", "        losses.push(loss.clone());")
        .after("plt.savefig", draw)
        .run("loss");
    assert!(run.file("out/loss.png").starts_with(b"\x89PNG"));
    assert_eq!(run.losses(), posts_losses());
    assert_eq!(verdicts(&run.stdout), ALL_THE_SAME);
}

#[test]
fn momentum_can_be_added_by_hand() {
    let mut post = tutorial("post");
    for name in ["a", "b", "c", "d"] {
        let zero = format!("    let mut v_{name} = Tensor::zeros((), DType::F32, &device)?;");
        let gather = format!("        v_{name} = (0.9 * v_{name} + &grad_{name})?;");
        post = post
            .after("let epochs", &zero)
            .after("// One step downhill", &gather)
            .edit(
                &format!("learning_rate * &grad_{name})"),
                &format!("learning_rate * &v_{name})"),
            );
    }
    let run = post.run("momentum");
    assert!(run.losses()[9] < 10., "{:?}", run.losses());
    assert_eq!(verdicts(&run.stdout), ALL_THE_SAME);
}

/// They are read again, and the training goes on where it was.
#[test]
fn weights_can_be_saved() {
    let save = "    for (name, weight) in [(\"a\", &a), (\"b\", &b), (\"c\", &c), (\"d\", &d)] {
        weight.save_safetensors(name, format!(\"out/{name}.safetensors\"))?;
        let saved = candle_core::safetensors::load(format!(\"out/{name}.safetensors\"), &device)?;
        assert_eq!(saved[name].to_scalar::<f32>()?, weight.to_scalar::<f32>()?);
    }";
    let run = tutorial("post").after("plt.savefig", save).run("saved");
    assert!(run.file("out/d.safetensors").len() > 4);
}

#[test]
fn a_gradient_can_be_printed_every_epoch() {
    let print = "        println!(\"grad_a : {}\", grad_a.to_scalar::<f32>()?);";
    let run = tutorial("post").after("let grad_d =", print).run("grad_a");
    let shown = run.stdout.lines().filter(|l| l.starts_with("grad_a : "));
    let shown: Vec<_> = shown.collect();
    assert_eq!(shown.len(), 1000 + 1);
    // The last of them is the one that is compared.
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
        .edit("(2. * (y_pred.detach() - &y)?)?", "(y_pred.detach() - &y)?")
        .run("no_factor_2");
    assert_eq!(verdicts(&run.stdout), NONE_THE_SAME);
    // It trains all the same, at half the rate.
    assert!(run.losses().is_sorted_by(|a, b| a > b));
}

/// As where one divides by n - 1 for n.
#[test]
fn a_thousandth_too_much_is_seen() {
    let run = tutorial("post")
        .edit(
            "(2. * (y_pred.detach()",
            "(2. * 1000. / 999. * (y_pred.detach()",
        )
        .run("thousandth");
    assert_eq!(verdicts(&run.stdout), NONE_THE_SAME);
}

fn mean() -> Program {
    tutorial("post").edit(
        "let loss = sum(&(&y_pred - &y)?.powf(2.)?)?;",
        "let loss = (&y_pred - &y)?.powf(2.)?.mean_all()?;",
    )
}

#[test]
fn a_mean_for_the_sum_is_seen() {
    let run = mean().run("mean");
    assert!((run.losses()[0] - 7.93768505859375).abs() < 1e-5);
    assert_eq!(verdicts(&run.stdout), NONE_THE_SAME);
}

#[test]
fn a_mean_with_its_gradient_is_the_same() {
    let by = |factor: &str| {
        let from = "(2. * (y_pred.detach()";
        mean().edit(from, &format!("({factor} / 1000. * (y_pred.detach()"))
    };
    let run = by("2.").run("mean_gradient");
    assert!(run.losses().is_sorted_by(|a, b| a > b));
    assert_eq!(verdicts(&run.stdout), ALL_THE_SAME);
    // The gradients are a thousand times smaller, and so is what may be missing.
    let run = by("1.").run("mean_no_factor_2");
    assert_eq!(verdicts(&run.stdout), NONE_THE_SAME);
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
