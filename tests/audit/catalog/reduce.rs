//! Sums, means, extremes, norms and running sums.

use candle_core::{D, Result, Tensor};

use crate::case::{Case, at, far, v, w};

type AlongDim = fn(&Tensor, usize) -> Result<Tensor>;
type AlongSeveral = fn(&Tensor, Vec<usize>) -> Result<Tensor>;
type Whole = fn(&Tensor) -> Result<Tensor>;

/// Path and call of a method of `Tensor`, both made of one name.
macro_rules! method {
    (|$x:ident $(, $p:ident)*| $f:ident($($arg:expr),*)) => {
        (concat!("candle_core::Tensor::", stringify!($f)), |$x $(, $p)*| $x.$f($($arg),*))
    };
}

const ALONG_ONE: [(&str, AlongDim); 12] = [
    method!(|x, d| sum(d)),
    method!(|x, d| sum_keepdim(d)),
    method!(|x, d| mean(d)),
    method!(|x, d| mean_keepdim(d)),
    method!(|x, d| var(d)),
    method!(|x, d| var_keepdim(d)),
    method!(|x, d| max(d)),
    method!(|x, d| max_keepdim(d)),
    method!(|x, d| min(d)),
    method!(|x, d| min_keepdim(d)),
    method!(|x, d| log_sum_exp(d)),
    method!(|x, d| cumsum(d)),
];

const ALONG_SEVERAL: [(&str, AlongSeveral); 5] = [
    method!(|x, d| sum(d)),
    method!(|x, d| sum_keepdim(d)),
    method!(|x, d| mean(d)),
    method!(|x, d| mean_keepdim(d)),
    method!(|x, d| log_sum_exp(d)),
];

const WHOLE: [(&str, Whole); 5] = [
    method!(|x| sum_all()),
    method!(|x| mean_all()),
    method!(|x| max_all()),
    method!(|x| min_all()),
    method!(|x| norm()),
];

const EXTREMES: [(&str, Whole); 6] = [
    method!(|x| max(0)),
    method!(|x| max_keepdim(D::Minus1)),
    method!(|x| max_all()),
    method!(|x| min(0)),
    method!(|x| min_keepdim(D::Minus1)),
    method!(|x| min_all()),
];

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    for (path, f) in ALONG_ONE {
        for dim in 0..3 {
            samples! { cases, path; format!("dim {dim} of 3"), ["self" v(&[2, 3, 4])], |a| f(&a[0], dim); }
        }
        samples! { cases, path; "a vector", ["self" w(&[5])], |a| f(&a[0], 0); }
    }
    for (path, f) in ALONG_SEVERAL {
        for dims in [vec![0, 1], vec![2, 0], vec![0, 1, 2]] {
            samples! { cases, path; format!("dims {dims:?}"), ["self" v(&[2, 3, 2])], |a| f(&a[0], dims.clone()); }
        }
    }
    for (path, f) in WHOLE {
        samples! { cases, path;
            "a matrix", ["self" v(&[2, 3])], |a| f(&a[0]);
            "rank 0", ["self" w(&[])], |a| f(&a[0]);
        }
    }
    for (path, f) in EXTREMES {
        samples! { cases, path; "two equal", ["self" at(&[1.5, 1.5])], |a| f(&a[0]), kink("extremes-tied"); }
    }
    samples! { cases, "candle_core::Tensor::norm";
        "the zero vector", ["self" at(&[0., 0.])], |a| a[0].norm(), plain(), fails("norm-zero");
    }
    samples! { cases, "candle_core::Tensor::sum_all";
        "zero-size", ["self" v(&[0, 3])], |a| a[0].sum_all();
    }
    samples! { cases, "candle_core::Tensor::sum";
        "over an empty dim", ["self" v(&[0, 3])], |a| a[0].sum(0);
        "expanded, dim -1", ["self" v(&[1, 3])], |a| a[0].sum(D::Minus1);
    }
    samples! { cases, "candle_core::Tensor::log_sum_exp";
        "far apart", ["self" far()], |a| a[0].log_sum_exp(1);
        "two equal", ["self" at(&[1.5, 1.5, 0.25])], |a| a[0].log_sum_exp(0);
    }
    samples! { cases, "candle_core::Tensor::var";
        "all equal", ["self" at(&[1.5, 1.5, 1.5])], |a| a[0].var(0);
    }
    samples! { cases, "candle_core::Tensor::dot";
        "vectors", ["self" v(&[4]), "rhs" w(&[4])], |a| a[0].dot(&a[1]);
    }
    cases
}
