//! Functions of two tensors, element by element: methods, broadcasting ones, operators, bounds.

use candle_core::{DType, Result, Tensor};

use crate::audit::case::{Case, Values, at, mask, pos, u, v, w};

type Binary = fn(&Tensor, &Tensor) -> Result<Tensor>;

const SAME_SHAPE: [(&str, Binary, &str); 6] = [
    method!(add, "self + rhs"),
    method!(sub, "self - rhs"),
    method!(mul, "self * rhs"),
    method!(div, "self / rhs"),
    method!(|a, b| maximum(b), "torch.maximum(self, rhs)"),
    method!(|a, b| minimum(b), "torch.minimum(self, rhs)"),
];

const BROADCAST: [(&str, Binary, &str); 6] = [
    method!(broadcast_add, "self + rhs"),
    method!(broadcast_sub, "self - rhs"),
    method!(broadcast_mul, "self * rhs"),
    method!(broadcast_div, "self / rhs"),
    method!(broadcast_maximum, "torch.maximum(self, rhs)"),
    method!(broadcast_minimum, "torch.minimum(self, rhs)"),
];

const OPERATORS: [(&str, Binary, Binary, Unary, Unary, &str); 4] = [
    (
        "<candle_core::Tensor as std::ops::Add>::add",
        |a, b| a + b,
        |a, b| Ok(a.clone()) + b,
        |a| a + 2.5,
        |a| 2.5 + a,
        "+",
    ),
    (
        "<candle_core::Tensor as std::ops::Sub>::sub",
        |a, b| a - b,
        |a, b| Ok(a.clone()) - b,
        |a| a - 2.5,
        |a| 2.5 - a,
        "-",
    ),
    (
        "<candle_core::Tensor as std::ops::Mul>::mul",
        |a, b| a * b,
        |a, b| Ok(a.clone()) * b,
        |a| a * 2.5,
        |a| 2.5 * a,
        "*",
    ),
    (
        "<candle_core::Tensor as std::ops::Div>::div",
        |a, b| a / b,
        |a, b| Ok(a.clone()) / b,
        |a| a / 2.5,
        |a| 2.5 / a,
        "/",
    ),
];

const OPERATORS_OF_A_NUMBER: [&str; 4] = [
    "<f64 as std::ops::Add<candle_core::Tensor>>::add",
    "<f64 as std::ops::Sub<candle_core::Tensor>>::sub",
    "<f64 as std::ops::Mul<candle_core::Tensor>>::mul",
    "<f64 as std::ops::Div<candle_core::Tensor>>::div",
];

type Unary = fn(&Tensor) -> Result<Tensor>;

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, f, torch) in SAME_SHAPE {
        let of = |name: &str| {
            Case::new(path, name)
                .run(move |a| f(&a[0], &a[1]))
                .torch(torch)
        };
        cases.push(
            of("same shape")
                .arg("self", v(&[2, 3]))
                .arg("rhs", w(&[2, 3])),
        );
        cases.push(of("rank 0").arg("self", v(&[])).arg("rhs", w(&[])));
        cases.push(
            of("zero-size")
                .arg("self", v(&[0, 2]))
                .arg("rhs", w(&[0, 2])),
        );
    }
    for (path, f, torch) in BROADCAST {
        let of = |name: &str| {
            Case::new(path, name)
                .run(move |a| f(&a[0], &a[1]))
                .torch(torch)
        };
        cases.push(of("rhs wider").arg("self", v(&[3])).arg("rhs", w(&[2, 3])));
        cases.push(of("both").arg("self", v(&[2, 1, 3])).arg("rhs", w(&[4, 1])));
        cases.push(of("scalar").arg("self", v(&[2, 3])).arg("rhs", w(&[])));
        cases.push(
            of("same shape")
                .arg("self", v(&[2, 3]))
                .arg("rhs", w(&[2, 3])),
        );
    }
    cases.extend(operators());
    cases.extend(bounds());
    cases.extend(powers());
    cases.extend(far_from_one());
    cases.extend(choices());
    cases
}

fn operators() -> Vec<Case> {
    let mut cases = Vec::new();
    for ((path, tensors, results, right, left, sign), of_number) in
        OPERATORS.into_iter().zip(OPERATORS_OF_A_NUMBER)
    {
        let two = |name: &str, f: Binary| {
            Case::new(path, name)
                .arg("self", v(&[2, 3]))
                .arg("rhs", w(&[2, 3]))
                .run(move |a| f(&a[0], &a[1]))
                .torch(format!("self {sign} rhs"))
        };
        cases.push(two("two tensors", tensors));
        cases.push(two("a result and a tensor", results));
        cases.push(
            Case::new(path, "a number on the right")
                .arg("self", v(&[2, 3]))
                .run(move |a| right(&a[0]))
                .torch(format!("self {sign} 2.5")),
        );
        cases.push(
            Case::new(of_number, "a number on the left")
                .arg("rhs", v(&[2, 3]))
                .run(move |a| left(&a[0]))
                .torch(format!("2.5 {sign} rhs")),
        );
    }
    cases
}

fn bounds() -> Vec<Case> {
    let maximum = |name: &str| {
        Case::new("candle_core::Tensor::maximum", name)
            .run(|a| a[0].maximum(0.5))
            .torch("torch.maximum(self, torch.full_like(self, 0.5))")
    };
    let minimum = |name: &str| {
        Case::new("candle_core::Tensor::minimum", name)
            .run(|a| a[0].minimum(0.5))
            .torch("torch.minimum(self, torch.full_like(self, 0.5))")
    };
    let clamp = |name: &str| {
        Case::new("candle_core::Tensor::clamp", name)
            .run(|a| a[0].clamp(-0.5, 0.5))
            .torch("torch.clamp(self, -0.5, 0.5)")
    };
    let tensors = Case::new("candle_core::Tensor::clamp", "bounds are tensors")
        .arg("self", v(&[2, 3]))
        .arg(
            "min",
            at(&[-1., -1., -0.25, -1., -0.5, -1.]).reshaped(&[2, 3]),
        )
        .arg("max", at(&[0.125, 2., 0.25, 1., 0.5, 1.]).reshaped(&[2, 3]))
        .run(|a| a[0].clamp(&a[1], &a[2]))
        .torch("torch.minimum(torch.maximum(self, min), max)");
    let tie = |path, f: Binary, torch: &str| {
        Case::new(path, "tie")
            .arg("self", at(&[1.25]))
            .arg("rhs", at(&[1.25]))
            .run(move |a| f(&a[0], &a[1]))
            .torch(torch)
            .kink()
    };
    let (max, min) = (SAME_SHAPE[4], SAME_SHAPE[5]);
    vec![
        maximum("a number").arg("self", v(&[2, 3])),
        minimum("a number").arg("self", v(&[2, 3])),
        tie(max.0, max.1, max.2),
        tie(min.0, min.1, min.2),
        clamp("inside and outside").arg("self", v(&[3, 4])),
        clamp("at the lower bound").arg("self", at(&[-0.5])).kink(),
        clamp("at the upper bound").arg("self", at(&[0.5])).kink(),
        tensors,
    ]
}

fn powers() -> Vec<Case> {
    let positive = |path, f: Binary, rhs: &[usize]| {
        Case::new(path, "positive base")
            .arg("self", pos(&[2, 3]))
            .arg("rhs", w(rhs))
            .run(move |a| f(&a[0], &a[1]))
            .torch("torch.pow(self, rhs)")
    };
    // The exponent is a constant: with respect to it the power of a negative base has no derivative.
    let squared = |path, name: &str, f: Binary| {
        Case::grid(
            path,
            "{call}, exponent {exponent}",
            &[("call", &name), ("exponent", &2)],
        )
        .run(move |a| f(&a[0], &a[0].ones_like()?.affine(2., 0.)?))
        .twin("sqr", |a| a[0].sqr())
        .torch("torch.pow(self, torch.full_like(self, 2.))")
        .plain()
    };
    let (pow, broadcast) = (
        "candle_core::Tensor::pow",
        "candle_core::Tensor::broadcast_pow",
    );
    let negative = || at(&[-2., -1.5, -0.5]);
    vec![
        positive(pow, Tensor::pow, &[2, 3]),
        positive(broadcast, Tensor::broadcast_pow, &[3]),
        squared(pow, "negative base", Tensor::pow).arg("self", negative()),
        squared(broadcast, "negative base", Tensor::broadcast_pow).arg("self", negative()),
        squared(pow, "base 0", Tensor::pow).arg("self", at(&[0.])),
        squared(broadcast, "base 0", Tensor::broadcast_pow).arg("self", at(&[0.])),
    ]
}

/// Quotients that every type represents, with denominators whose square f16 does not.
fn far_from_one() -> Vec<Case> {
    let div = |name: &str, values: Values| {
        Case::new("candle_core::Tensor::div", name)
            .arg("self", values.clone())
            .arg("rhs", values)
            .run(|a| &a[0] / &a[1])
            .torch("self / rhs")
            .plain()
    };
    vec![
        div("both near 300", at(&[304., 320., 384.])).only(&[DType::F64, DType::F32, DType::F16]),
        div("both near 1e-4", at(&[1.0 / 8192., 1.0 / 16384.])).only(&[
            DType::F64,
            DType::F32,
            DType::F16,
        ]),
    ]
}

fn choices() -> Vec<Case> {
    let path = "candle_core::Tensor::where_cond";
    let condition = mask(&[2, 3], &[1, 0, 0, 1, 1, 0]);
    vec![
        Case::new(path, "u8 condition")
            .arg("self", condition)
            .arg("on_true", v(&[2, 3]))
            .arg("on_false", w(&[2, 3]))
            .run(|a| a[0].where_cond(&a[1], &a[2]))
            .torch("torch.where(self.bool(), on_true, on_false)"),
        Case::new(path, "the condition is computed from on_true")
            .arg("on_true", u(&[2, 3]))
            .arg("on_false", w(&[2, 3]))
            .run(|a| a[0].gt(0.)?.where_cond(&a[0], &a[1]))
            .torch("torch.where(on_true > 0, on_true, on_false)"),
    ]
}
