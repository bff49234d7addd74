//! Gathers and scatters: with repeated indices, on each dim, with fewer indices than the source.

use crate::case::{Case, at, ids, u, v, w};

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    gathers(&mut cases);
    scatters(&mut cases);
    slices(&mut cases);
    samples! { cases, "candle_core::Tensor::sort_last_dim";
        "ascending", ["self" v(&[2, 4])], |a| Ok(a[0].sort_last_dim(true)?.0);
        "descending", ["self" w(&[2, 4])], |a| Ok(a[0].sort_last_dim(false)?.0);
        "a vector", ["self" at(&[0.5, -1., 0.25])], |a| Ok(a[0].sort_last_dim(true)?.0);
    }
    cases
}

fn gathers(cases: &mut Vec<Case>) {
    for dim in 0..3 {
        let mut source = vec![3, 3, 3];
        source[dim] = 4;
        let i = ids(&[4], &[2, 0, 2, 1]);
        let name = format!("dim {dim}, repeated");
        samples! { cases, "candle_core::Tensor::index_select";
            name.as_str(), ["self" v(&[3, 3, 3]), "indexes" i.clone()], |a| a[0].index_select(&a[1], dim);
        }
        samples! { cases, "candle_core::Tensor::index_add";
            name, ["self" v(&[3, 3, 3]), "indexes" i, "source" w(&source)], |a| a[0].index_add(&a[1], &a[2], dim);
        }
    }
    samples! { cases, "candle_core::Tensor::index_select";
        "a row never taken", ["self" v(&[3, 2]), "indexes" ids(&[2], &[2, 2])], |a| a[0].index_select(&a[1], 0);
    }
    samples! { cases, "candle_core::Tensor::embedding";
        "repeated", ["self" v(&[4, 3]), "ids" ids(&[5], &[3, 0, 3, 1, 3])], |a| a[0].embedding(&a[1]);
    }
    samples! { cases, "candle_core::Tensor::gather";
        "dim 0, repeated", ["self" v(&[3, 2]), "indexes" ids(&[4, 2], &[2, 0, 2, 1, 0, 1, 2, 2])],
            |a| a[0].gather(&a[1], 0);
        "dim 1, repeated", ["self" v(&[2, 3]), "indexes" ids(&[2, 2], &[2, 2, 0, 1])], |a| a[0].gather(&a[1], 1);
        "dim 1 of 3", ["self" v(&[2, 3, 2]), "indexes" ids(&[2, 1, 2], &[2, 0, 1, 1])], |a| a[0].gather(&a[1], 1);
        "fewer rows than the source", ["self" v(&[3, 3]), "indexes" ids(&[2, 2], &[2, 0, 1, 1])],
            |a| a[0].gather(&a[1], 1), fails("gather-fewer-rows");
    }
}

fn scatters(cases: &mut Vec<Case>) {
    let [first, second] = [ids(&[2, 2], &[2, 0, 0, 1]), ids(&[2, 2], &[3, 1, 0, 2])];
    let everywhere = ids(&[2, 2], &[1, 0, 0, 1]);
    samples! { cases, "candle_core::Tensor::scatter";
        "dim 0", ["self" v(&[3, 2]), "indexes" first.clone(), "source" w(&[2, 2])],
            |a| a[0].scatter(&a[1], &a[2], 0), fails("scatter-self: self");
        "dim 1", ["self" v(&[2, 4]), "indexes" second.clone(), "source" w(&[2, 2])],
            |a| a[0].scatter(&a[1], &a[2], 1), fails("scatter-self: self");
        "everywhere", ["self" v(&[2, 2]), "indexes" everywhere.clone(), "source" w(&[2, 2])],
            |a| a[0].scatter(&a[1], &a[2], 1), fails("scatter-self: self");
        "dim 1, repeated", ["self" v(&[2, 3]), "indexes" ids(&[2, 2], &[1, 1, 2, 2]), "source" w(&[2, 2])],
            |a| a[0].scatter(&a[1], &a[2], 1), fails("scatter-self: self"), fails("scatter-repeated: source");
    }
    samples! { cases, "candle_core::Tensor::scatter_add";
        "dim 0", ["self" v(&[3, 2]), "indexes" first, "source" w(&[2, 2])],
            |a| a[0].scatter_add(&a[1], &a[2], 0), fails("scatter-add-smaller");
        "dim 1", ["self" v(&[2, 4]), "indexes" second, "source" w(&[2, 2])],
            |a| a[0].scatter_add(&a[1], &a[2], 1), fails("scatter-add-smaller");
        "everywhere", ["self" v(&[2, 2]), "indexes" everywhere, "source" w(&[2, 2])],
            |a| a[0].scatter_add(&a[1], &a[2], 1), fails("scatter-add-self: self");
        "dim 1, repeated", ["self" v(&[2, 3]), "indexes" ids(&[2, 3], &[1, 1, 0, 2, 2, 2]), "source" w(&[2, 3])],
            |a| a[0].scatter_add(&a[1], &a[2], 1), fails("scatter-add-self: self");
    }
}

fn slices(cases: &mut Vec<Case>) {
    for dim in 0..3 {
        let mut src = vec![3, 3, 3];
        src[dim] = 2;
        samples! { cases, "candle_core::Tensor::slice_scatter";
            format!("dim {dim}"), ["self" v(&[3, 3, 3]), "src" w(&src)], |a| a[0].slice_scatter(&a[1], dim, 1);
        }
    }
    samples! { cases, "candle_core::Tensor::slice_scatter0";
        "from 1", ["self" v(&[3, 2]), "src" w(&[2, 2])], |a| a[0].slice_scatter0(&a[1], 1);
    }
    samples! { cases, "candle_core::Tensor::slice_assign";
        "a block", ["self" v(&[3, 4]), "src" u(&[2, 2])], |a| a[0].slice_assign(&[1..3, 0..2], &a[1]);
    }
}
