//! Functions of one tensor, element by element.

use candle_core::{Result, Tensor};
use std::fmt::Display;

use crate::audit::case::{Case, at, pos, v, wide};

type Unary = fn(&Tensor) -> Result<Tensor>;

/// Path, call, PyTorch; smooth wherever these are evaluated.
const EVERYWHERE: [(&str, Unary, &str); 18] = [
    method!(exp, "torch.exp(self)"),
    method!(sin, "torch.sin(self)"),
    method!(cos, "torch.cos(self)"),
    method!(tanh, "torch.tanh(self)"),
    method!(abs, "torch.abs(self)"),
    method!(neg, "torch.neg(self)"),
    method!(recip, "torch.reciprocal(self)"),
    method!(sqr, "torch.square(self)"),
    method!(gelu, "F.gelu(self, approximate='tanh')"),
    method!(gelu_erf, "F.gelu(self)"),
    method!(erf, "torch.erf(self)"),
    method!(relu, "F.relu(self)"),
    method!(silu, "F.silu(self)"),
    method!(ceil, "torch.ceil(self)"),
    method!(floor, "torch.floor(self)"),
    method!(round, "torch.round(self)"),
    method!(sign, "torch.sign(self)"),
    method!(contiguous, "self.contiguous()"),
];

const POSITIVE: [(&str, Unary, &str); 2] = [
    method!(log, "torch.log(self)"),
    method!(sqrt, "torch.sqrt(self)"),
];

/// Activations: from -100 to 100.
const SATURATING: [(&str, Unary, &str); 6] = [
    method!(tanh, "torch.tanh(self)"),
    method!(gelu, "F.gelu(self, approximate='tanh')"),
    method!(gelu_erf, "F.gelu(self)"),
    method!(erf, "torch.erf(self)"),
    method!(relu, "F.relu(self)"),
    method!(silu, "F.silu(self)"),
];

/// Where the function has no derivative.
const KINKS: [(&str, Unary, &str); 2] = [
    method!(abs, "torch.abs(self)"),
    method!(relu, "F.relu(self)"),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, f, torch) in EVERYWHERE {
        let of = |name: &str| Case::new(path, name).run(move |a| f(&a[0])).torch(torch);
        cases.push(of("moderate").arg("self", v(&[3, 4])));
        cases.push(of("rank 0").arg("self", at(&[0.75]).reshaped(&[])));
        cases.push(of("zero-size").arg("self", v(&[0, 3])));
    }
    for (path, f, torch) in POSITIVE {
        let of = |name: &str| Case::new(path, name).run(move |a| f(&a[0])).torch(torch);
        cases.push(of("moderate").arg("self", pos(&[3, 4])));
        cases.push(of("near 0").arg("self", at(&[0.0078125, 0.03125, 0.25])));
    }
    for (path, f, torch) in SATURATING {
        let of = |name: &str| Case::new(path, name).run(move |a| f(&a[0])).torch(torch);
        cases.push(of("-100 to 100").arg("self", wide()));
    }
    for (path, f, torch) in KINKS {
        let of = |name: &str| Case::new(path, name).run(move |a| f(&a[0])).torch(torch);
        cases.push(of("at 0").arg("self", at(&[0.])).kink());
    }
    cases.extend(with_a_number());
    cases
}

fn with_a_number() -> Vec<Case> {
    let mut cases = Vec::new();
    for (mul, add) in [(2.5, -1.), (0., 1.), (-1., 0.)] {
        cases.push(
            Case::grid(
                "candle_core::Tensor::affine",
                "{mul} x + {add}",
                &[("mul", &mul), ("add", &add)],
            )
            .arg("self", v(&[2, 3]))
            .run(move |a| a[0].affine(mul, add))
            .torch(format!("self * {mul} + {add}")),
        );
    }
    for e in [-1.5, 0., 0.5, 1., 2., 3.] {
        cases.push(power("exponent {exponent}", "positive", e).arg("self", pos(&[2, 3])));
    }
    for e in [2., 3.] {
        cases.push(
            power("exponent {exponent}, negative base", "negative", e).arg("self", v(&[2, 3])),
        );
    }
    for e in [0., 1., 2.] {
        cases.push(
            power("exponent {exponent} at 0", "0", e)
                .arg("self", at(&[0.]))
                .plain(),
        );
    }
    for alpha in [1., 0.5] {
        let of = |name: &str| {
            Case::grid(
                "candle_core::Tensor::elu",
                "alpha {alpha}, {values}",
                &[("alpha", &alpha), ("values", &name)],
            )
            .run(move |a| a[0].elu(alpha))
            .torch(format!("F.elu(self, {alpha})"))
        };
        cases.push(of("moderate").arg("self", v(&[3, 4])));
        cases.push(of("-100 to 100").arg("self", wide()));
        let at_0 = of("at 0").arg("self", at(&[0.]));
        cases.push(if alpha == 1. {
            at_0.plain()
        } else {
            at_0.kink()
        });
    }
    for decimals in [1, -1] {
        cases.push(
            Case::grid(
                "candle_core::Tensor::round_to",
                "{decimals} decimals",
                &[("decimals", &decimals)],
            )
            .arg("self", v(&[2, 3]))
            .run(move |a| a[0].round_to(decimals))
            .torch(format!(
                "torch.round(self * 10.**{decimals}) / 10.**{decimals}"
            )),
        );
    }
    cases
}

fn power(label: &str, base: &str, e: f64) -> Case {
    let at: [(_, &dyn Display); 2] = [("exponent", &e), ("base", &base)];
    Case::grid("candle_core::Tensor::powf", label, &at)
        .run(move |a| a[0].powf(e))
        .torch(format!("torch.pow(self, {e})"))
}
