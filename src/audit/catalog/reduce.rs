//! Sums, means, extremes, norms and running sums.

use candle_core::{D, Result, Tensor};

use crate::audit::case::{Case, at, at_dims, v, w};

type AlongDim = fn(&Tensor, usize) -> Result<Tensor>;
type Whole = fn(&Tensor) -> Result<Tensor>;

const ALONG_ONE: [(&str, AlongDim, &str); 12] = [
    method!(|x, d| sum(d), "self.sum(DIM)"),
    method!(|x, d| sum_keepdim(d), "self.sum(DIM, keepdim=True)"),
    method!(|x, d| mean(d), "self.mean(DIM)"),
    method!(|x, d| mean_keepdim(d), "self.mean(DIM, keepdim=True)"),
    method!(|x, d| var(d), "self.var(DIM)"),
    method!(|x, d| var_keepdim(d), "self.var(DIM, keepdim=True)"),
    method!(|x, d| max(d), "self.amax(DIM)"),
    method!(|x, d| max_keepdim(d), "self.amax(DIM, keepdim=True)"),
    method!(|x, d| min(d), "self.amin(DIM)"),
    method!(|x, d| min_keepdim(d), "self.amin(DIM, keepdim=True)"),
    method!(|x, d| log_sum_exp(d), "torch.logsumexp(self, DIM)"),
    method!(|x, d| cumsum(d), "torch.cumsum(self, DIM)"),
];

const ALONG_SEVERAL: [(&str, Several, &str); 5] = [
    method!(|x, d| sum(d), "self.sum(DIM)"),
    method!(|x, d| sum_keepdim(d), "self.sum(DIM, keepdim=True)"),
    method!(|x, d| mean(d), "self.mean(DIM)"),
    method!(|x, d| mean_keepdim(d), "self.mean(DIM, keepdim=True)"),
    method!(|x, d| log_sum_exp(d), "torch.logsumexp(self, DIM)"),
];

type Several = fn(&Tensor, Vec<usize>) -> Result<Tensor>;

const WHOLE: [(&str, Whole, &str); 5] = [
    method!(sum_all, "self.sum()"),
    method!(mean_all, "self.mean()"),
    method!(max_all, "self.amax()"),
    method!(min_all, "self.amin()"),
    method!(norm, "torch.linalg.vector_norm(self)"),
];

const EXTREMES: [(&str, Whole, &str); 6] = [
    method!(|x| max(0), "self.amax(0)"),
    method!(|x| max_keepdim(D::Minus1), "self.amax(0, keepdim=True)"),
    method!(max_all, "self.amax()"),
    method!(|x| min(0), "self.amin(0)"),
    method!(|x| min_keepdim(D::Minus1), "self.amin(0, keepdim=True)"),
    method!(min_all, "self.amin()"),
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
