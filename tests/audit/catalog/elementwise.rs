//! Functions of one tensor and of two, element by element.

use candle_core::{DType, Result, Tensor};

use crate::case::{Case, Values, at, mask, pos, u, v, w, wide};

type Unary = fn(&Tensor) -> Result<Tensor>;
type Binary = fn(&Tensor, &Tensor) -> Result<Tensor>;

/// Path and call of methods of `Tensor`.
macro_rules! methods {
    ($f:ty; $($name:ident),*) => { [$((concat!("candle_core::Tensor::", stringify!($name)), Tensor::$name as $f)),*] };
}

pub fn cases() -> Vec<Case> {
    let mut cases = unary();
    with_a_number(&mut cases);
    binary(&mut cases);
    operators(&mut cases);
    bounds(&mut cases);
    powers(&mut cases);
    choices(&mut cases);
    cases
}

fn one(path: &'static str, f: Unary, name: &str, x: Values) -> Case {
    case!(path, name, ["self" x], |a| f(&a[0]))
}

fn unary() -> Vec<Case> {
    let mut cases = vec![];
    let smooth = methods!(Unary; exp, sin, cos, tanh, abs, neg, recip, sqr, erf, relu, silu, ceil, floor, round,
        sign, contiguous, gelu, gelu_erf);
    for (path, f) in smooth {
        let (digits, tail) = match path.rsplit("::").next() {
            Some("gelu") => (Some("gelu-constants: f64"), None),
            Some("gelu_erf") => (Some("gelu-erf-constants: f64"), Some("gelu-erf-tail: f16")),
            _ => (None, None),
        };
        let of = |name, x, known: &[Option<&'static str>]| {
            known
                .iter()
                .flatten()
                .fold(one(path, f, name, x), |case, defect| case.fails(defect))
        };
        cases.push(of("moderate", v(&[3, 4]), &[digits, tail]));
        cases.push(of("rank 0", at(&[0.75]).of(&[]), &[digits]));
        cases.push(of("zero-size", v(&[0, 3]), &[]));
        if ["tanh", "gelu", "gelu_erf", "erf", "relu", "silu"]
            .iter()
            .any(|f| path.ends_with(&format!("::{f}")))
        {
            let overflow = path.ends_with("::gelu").then_some("gelu-overflow: f16");
            cases.push(of("-100 to 100", wide(), &[digits, overflow]));
        }
    }
    for (path, f) in methods!(Unary; log, sqrt) {
        cases.push(one(path, f, "moderate", pos(&[3, 4])));
        cases.push(one(path, f, "near 0", at(&[0.0078125, 0.03125, 0.25])));
    }
    cases.push(one("candle_core::Tensor::abs", Tensor::abs, "at 0", at(&[0.])).kink("abs-at-0"));
    cases.push(one("candle_core::Tensor::relu", Tensor::relu, "at 0", at(&[0.])).kink("relu-at-0"));
    cases
}

fn with_a_number(cases: &mut Vec<Case>) {
    for (mul, add) in [(2.5, -1.), (0., 1.), (-1., 0.)] {
        samples! { cases, "candle_core::Tensor::affine";
            format!("{mul} x + {add}"), ["self" v(&[2, 3])], |a| a[0].affine(mul, add);
        }
    }
    let powf = |name: String, e: f64, x: Values| case!("candle_core::Tensor::powf", name, ["self" x], |a| a[0].powf(e));
    for e in [-1.5, 0., 0.5, 1., 2., 3.] {
        cases.push(powf(format!("exponent {e}"), e, pos(&[2, 3])));
    }
    for e in [2., 3.] {
        cases.push(powf(format!("exponent {e}, negative base"), e, v(&[2, 3])));
    }
    for e in [0., 1., 2.] {
        let case = powf(format!("exponent {e} at 0"), e, at(&[0.])).plain();
        cases.push(case.fails_if(e == 0., "powf-zero"));
    }
    for alpha in [1., 0.5] {
        let elu = |name: &str, x: Values| {
            let name = format!("alpha {alpha}, {name}");
            case!("candle_core::Tensor::elu", name, ["self" x], |a| a[0].elu(alpha))
        };
        let at_0 = elu("at 0", at(&[0.]));
        cases.push(elu("moderate", v(&[3, 4])));
        cases.push(elu("-100 to 100", wide()));
        cases.push(if alpha == 1. {
            at_0.plain()
        } else {
            at_0.kink("elu-at-0")
        });
    }
    for decimals in [1, -1] {
        samples! { cases, "candle_core::Tensor::round_to";
            format!("{decimals} decimals"), ["self" v(&[2, 3])], |a| a[0].round_to(decimals);
        }
    }
}

fn two(path: &'static str, f: Binary, name: &str, x: Values, y: Values) -> Case {
    case!(path, name, ["self" x, "rhs" y], |a| f(&a[0], &a[1]))
}

fn binary(cases: &mut Vec<Case>) {
    let extremes: [(&str, Binary); 2] = [
        ("candle_core::Tensor::maximum", |a, b| a.maximum(b)),
        ("candle_core::Tensor::minimum", |a, b| a.minimum(b)),
    ];
    for (path, f) in methods!(Binary; add, sub, mul, div)
        .into_iter()
        .chain(extremes)
    {
        cases.push(two(path, f, "same shape", v(&[2, 3]), w(&[2, 3])));
        cases.push(two(path, f, "rank 0", v(&[]), w(&[])));
        cases.push(two(path, f, "zero-size", v(&[0, 2]), w(&[0, 2])));
    }
    for (path, f) in extremes {
        cases.push(two(path, f, "tie", at(&[1.25]), at(&[1.25])).kink("maximum-tied"));
    }
    let broadcast = methods!(Binary; broadcast_add, broadcast_sub, broadcast_mul, broadcast_div, broadcast_maximum,
        broadcast_minimum);
    for (path, f) in broadcast {
        cases.push(two(path, f, "rhs wider", v(&[3]), w(&[2, 3])));
        cases.push(two(path, f, "both", v(&[2, 1, 3]), w(&[4, 1])));
        cases.push(two(path, f, "scalar", v(&[2, 3]), w(&[])));
        cases.push(two(path, f, "same shape", v(&[2, 3]), w(&[2, 3])));
    }
    // Quotients that every type represents, with denominators whose square f16 does not.
    for (name, x) in [
        ("both near 300", at(&[304., 320., 384.])),
        ("both near 1e-4", at(&[1. / 8192., 1. / 16384.])),
    ] {
        let case = two("candle_core::Tensor::div", Tensor::div, name, x.clone(), x).plain();
        cases.push(
            case.only(&[DType::F64, DType::F32, DType::F16])
                .fails("div-square: rhs, f16"),
        );
    }
}

/// An operator: of two tensors, of a result and a tensor, with a number on the right and on the left.
macro_rules! operator {
    ($cases:ident, $trait:literal, $op:tt) => {
        let path = concat!("<candle_core::Tensor as std::ops::", $trait);
        samples! { $cases, path;
            "two tensors", ["self" v(&[2, 3]), "rhs" w(&[2, 3])], |a| &a[0] $op &a[1];
            "a result and a tensor", ["self" v(&[2, 3]), "rhs" w(&[2, 3])], |a| Ok(a[0].clone()) $op &a[1];
            "a number on the right", ["self" v(&[2, 3])], |a| &a[0] $op 2.5;
        }
    };
    ($cases:ident, $path:literal, 2.5 $op:tt) => {
        samples! { $cases, $path; "a number on the left", ["rhs" v(&[2, 3])], |a| 2.5 $op &a[0]; }
    };
}

fn operators(cases: &mut Vec<Case>) {
    operator!(cases, "Add>::add", +);
    operator!(cases, "Sub>::sub", -);
    operator!(cases, "Mul>::mul", *);
    operator!(cases, "Div>::div", /);
    operator!(cases, "<f64 as std::ops::Add<candle_core::Tensor>>::add", 2.5 +);
    operator!(cases, "<f64 as std::ops::Sub<candle_core::Tensor>>::sub", 2.5 -);
    operator!(cases, "<f64 as std::ops::Mul<candle_core::Tensor>>::mul", 2.5 *);
    operator!(cases, "<f64 as std::ops::Div<candle_core::Tensor>>::div", 2.5 /);
}

fn bounds(cases: &mut Vec<Case>) {
    let least = at(&[-1., -1., -0.25, -1., -0.5, -1.]).of(&[2, 3]);
    let most = at(&[0.125, 2., 0.25, 1., 0.5, 1.]).of(&[2, 3]);
    samples! { cases, "candle_core::Tensor::maximum";
        "a number", ["self" v(&[2, 3])], |a| a[0].maximum(0.5);
    }
    samples! { cases, "candle_core::Tensor::minimum";
        "a number", ["self" v(&[2, 3])], |a| a[0].minimum(0.5);
    }
    samples! { cases, "candle_core::Tensor::clamp";
        "inside and outside", ["self" v(&[3, 4])], |a| a[0].clamp(-0.5, 0.5);
        "at the lower bound", ["self" at(&[-0.5])], |a| a[0].clamp(-0.5, 0.5), kink("clamp-at-bound");
        "at the upper bound", ["self" at(&[0.5])], |a| a[0].clamp(-0.5, 0.5), kink("clamp-at-bound");
        "bounds are tensors", ["self" v(&[2, 3]), "min" least, "max" most], |a| a[0].clamp(&a[1], &a[2]);
    }
}

fn powers(cases: &mut Vec<Case>) {
    for (path, f) in methods!(Binary; pow, broadcast_pow) {
        let rhs: &[usize] = if path.ends_with("::pow") {
            &[2, 3]
        } else {
            &[3]
        };
        cases.push(two(path, f, "positive base", pos(&[2, 3]), w(rhs)));
        // The exponent is a constant: with respect to it the power of a negative base has no derivative.
        for (name, x) in [
            ("negative base", at(&[-2., -1.5, -0.5])),
            ("base 0", at(&[0.])),
        ] {
            samples! { cases, path;
                format!("{name}, exponent 2"), ["self" x], |a| f(&a[0], &a[0].ones_like()?.affine(2., 0.)?),
                    twin("sqr", |a| a[0].sqr()), plain(), fails("pow-by-logarithm");
            }
        }
    }
}

fn choices(cases: &mut Vec<Case>) {
    let chosen = mask(&[2, 3], &[1, 0, 0, 1, 1, 0]);
    samples! { cases, "candle_core::Tensor::where_cond";
        "u8 condition", ["self" chosen, "on_true" v(&[2, 3]), "on_false" w(&[2, 3])], |a| a[0].where_cond(&a[1], &a[2]);
        "the condition is computed from on_true", ["on_true" u(&[2, 3]), "on_false" w(&[2, 3])],
            |a| a[0].gt(0.)?.where_cond(&a[0], &a[1]);
    }
}
