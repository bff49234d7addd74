//! Sums, means, extremes, norms and running sums.

use candle_core::{D, Result, Tensor};

use crate::audit::case::{Case, at, at_dims, v, w};

type AlongDim = fn(&Tensor, usize) -> Result<Tensor>;
type Whole = fn(&Tensor) -> Result<Tensor>;

const ALONG_ONE: [(&str, AlongDim, &str); 12] = [
    ("candle_core::Tensor::sum", |x, d| x.sum(d), "self.sum(DIM)"),
    (
        "candle_core::Tensor::sum_keepdim",
        |x, d| x.sum_keepdim(d),
        "self.sum(DIM, keepdim=True)",
    ),
    (
        "candle_core::Tensor::mean",
        |x, d| x.mean(d),
        "self.mean(DIM)",
    ),
    (
        "candle_core::Tensor::mean_keepdim",
        |x, d| x.mean_keepdim(d),
        "self.mean(DIM, keepdim=True)",
    ),
    ("candle_core::Tensor::var", |x, d| x.var(d), "self.var(DIM)"),
    (
        "candle_core::Tensor::var_keepdim",
        |x, d| x.var_keepdim(d),
        "self.var(DIM, keepdim=True)",
    ),
    (
        "candle_core::Tensor::max",
        |x, d| x.max(d),
        "self.amax(DIM)",
    ),
    (
        "candle_core::Tensor::max_keepdim",
        |x, d| x.max_keepdim(d),
        "self.amax(DIM, keepdim=True)",
    ),
    (
        "candle_core::Tensor::min",
        |x, d| x.min(d),
        "self.amin(DIM)",
    ),
    (
        "candle_core::Tensor::min_keepdim",
        |x, d| x.min_keepdim(d),
        "self.amin(DIM, keepdim=True)",
    ),
    (
        "candle_core::Tensor::log_sum_exp",
        |x, d| x.log_sum_exp(d),
        "torch.logsumexp(self, DIM)",
    ),
    (
        "candle_core::Tensor::cumsum",
        |x, d| x.cumsum(d),
        "torch.cumsum(self, DIM)",
    ),
];

const ALONG_SEVERAL: [(&str, Several, &str); 5] = [
    ("candle_core::Tensor::sum", |x, d| x.sum(d), "self.sum(DIM)"),
    (
        "candle_core::Tensor::sum_keepdim",
        |x, d| x.sum_keepdim(d),
        "self.sum(DIM, keepdim=True)",
    ),
    (
        "candle_core::Tensor::mean",
        |x, d| x.mean(d),
        "self.mean(DIM)",
    ),
    (
        "candle_core::Tensor::mean_keepdim",
        |x, d| x.mean_keepdim(d),
        "self.mean(DIM, keepdim=True)",
    ),
    (
        "candle_core::Tensor::log_sum_exp",
        |x, d| x.log_sum_exp(d),
        "torch.logsumexp(self, DIM)",
    ),
];

type Several = fn(&Tensor, Vec<usize>) -> Result<Tensor>;

const WHOLE: [(&str, Whole, &str); 5] = [
    (
        "candle_core::Tensor::sum_all",
        Tensor::sum_all,
        "self.sum()",
    ),
    (
        "candle_core::Tensor::mean_all",
        Tensor::mean_all,
        "self.mean()",
    ),
    (
        "candle_core::Tensor::max_all",
        Tensor::max_all,
        "self.amax()",
    ),
    (
        "candle_core::Tensor::min_all",
        Tensor::min_all,
        "self.amin()",
    ),
    (
        "candle_core::Tensor::norm",
        Tensor::norm,
        "torch.linalg.vector_norm(self)",
    ),
];

const EXTREMES: [(&str, Whole, &str); 6] = [
    ("candle_core::Tensor::max", |x| x.max(0), "self.amax(0)"),
    (
        "candle_core::Tensor::max_keepdim",
        |x| x.max_keepdim(D::Minus1),
        "self.amax(0, keepdim=True)",
    ),
    (
        "candle_core::Tensor::max_all",
        Tensor::max_all,
        "self.amax()",
    ),
    ("candle_core::Tensor::min", |x| x.min(0), "self.amin(0)"),
    (
        "candle_core::Tensor::min_keepdim",
        |x| x.min_keepdim(D::Minus1),
        "self.amin(0, keepdim=True)",
    ),
    (
        "candle_core::Tensor::min_all",
        Tensor::min_all,
        "self.amin()",
    ),
];

pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (path, f, torch) in ALONG_ONE {
        for dim in 0..3 {
            cases.push(
                Case::grid(path, "dim {dim} of 3", &[("dim", &dim)])
                    .arg("self", v(&[2, 3, 4]))
                    .run(move |a| f(&a[0], dim))
                    .torch(torch.replace("DIM", &dim.to_string())),
            );
        }
        cases.push(
            Case::new(path, "a vector")
                .arg("self", w(&[5]))
                .run(move |a| f(&a[0], 0))
                .torch(torch.replace("DIM", "0")),
        );
    }
    for (path, f, torch) in ALONG_SEVERAL {
        for dims in [vec![0, 1], vec![2, 0], vec![0, 1, 2]] {
            cases.push(
                Case::grid(path, "dims {dims}", &[("dims", &format!("{dims:?}"))])
                    .arg("self", v(&[2, 3, 2]))
                    .torch(torch.replace("DIM", &format!("{dims:?}")))
                    .run(move |a| f(&a[0], dims.clone())),
            );
        }
    }
    for (path, f, torch) in WHOLE {
        let of = |name: &str| Case::new(path, name).run(move |a| f(&a[0])).torch(torch);
        cases.push(of("a matrix").arg("self", v(&[2, 3])));
        cases.push(of("rank 0").arg("self", w(&[])));
    }
    cases.extend(extremes());
    cases.extend(special());
    cases
}

fn extremes() -> Vec<Case> {
    let tied = |path: &'static str, f: Whole, torch: &str| {
        Case::new(path, "two equal")
            .arg("self", at(&[1.5, 1.5]))
            .run(move |a| f(&a[0]))
            .torch(torch)
            .kink()
    };
    EXTREMES
        .into_iter()
        .map(|(path, f, torch)| tied(path, f, torch))
        .collect()
}

fn special() -> Vec<Case> {
    let along = |path, name: &str, f: Whole, torch: &str| {
        Case::new(path, name).run(move |a| f(&a[0])).torch(torch)
    };
    let norm = (WHOLE[4].0, WHOLE[4].1, WHOLE[4].2);
    let lse = "candle_core::Tensor::log_sum_exp";
    vec![
        along(norm.0, "the zero vector", norm.1, norm.2)
            .arg("self", at(&[0., 0.]))
            .plain(),
        along(WHOLE[0].0, "zero-size", WHOLE[0].1, WHOLE[0].2).arg("self", v(&[0, 3])),
        along(
            "candle_core::Tensor::sum",
            "over an empty dim",
            |x| x.sum(0),
            "self.sum(0)",
        )
        .arg("self", v(&[0, 3])),
        along(
            "candle_core::Tensor::sum",
            "expanded, dim -1",
            |x| x.sum(D::Minus1),
            "self.sum(-1)",
        )
        .arg("self", v(&[1, 3])),
        along(
            lse,
            "far apart",
            |x| x.log_sum_exp(1),
            "torch.logsumexp(self, 1)",
        )
        .arg("self", at_dims(&[2, 3], &[-100., 0., 100., 60., 59., 30.])),
        along(
            lse,
            "two equal",
            |x| x.log_sum_exp(0),
            "torch.logsumexp(self, 0)",
        )
        .arg("self", at(&[1.5, 1.5, 0.25])),
        along(
            "candle_core::Tensor::var",
            "all equal",
            |x| x.var(0),
            "self.var(0)",
        )
        .arg("self", at(&[1.5, 1.5, 1.5])),
        Case::new("candle_core::Tensor::dot", "vectors")
            .arg("self", v(&[4]))
            .arg("rhs", w(&[4]))
            .run(|a| a[0].dot(&a[1]))
            .torch("torch.dot(self, rhs)"),
    ]
}
