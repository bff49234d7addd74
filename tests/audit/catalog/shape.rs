//! Views, copies, joins and pieces: every element goes somewhere, or nowhere.

use candle_core::{D, DType, IndexOp, Result, Tensor};

use crate::case::{Case, ids, u, v, w};

/// `name, shape, method(arguments)` of a method of `Tensor`.
macro_rules! views {
    ($cases:ident; $($name:literal, $dims:expr, $f:ident($($arg:expr),*);)*) => {
        $($cases.push(case!(concat!("candle_core::Tensor::", stringify!($f)), $name, ["self" v(&$dims)],
            |a| a[0].$f($($arg),*)));)*
    };
}

pub fn cases() -> Vec<Case> {
    let mut cases = vec![];
    views! { cases;
        "to two dims", [2, 3, 2], reshape((3, 4));
        "with a hole", [2, 3, 2], reshape(((), 2));
        "to rank 0", [1], reshape(());
        "zero-size", [0, 3], reshape((3, 0));
        "dims 1 to 2", [2, 3, 2], flatten(1, 2);
        "dim 1", [2, 3, 2], flatten_to(1);
        "dim 1", [2, 3, 2], flatten_from(1);
        "three dims", [2, 3, 2], flatten_all();
        "rank 0", [], flatten_all();
        "a dim of size 1", [2, 1, 3], squeeze(1);
        "a dim of size 3", [2, 1, 3], squeeze(2);
        "dim 1", [2, 3], unsqueeze(1);
        "last", [2, 3], unsqueeze(D::Minus1);
        "a matrix", [2, 3], t();
        "a batch", [2, 3, 2], t();
        "dims 0 and 2", [2, 3, 4], transpose(0, 2);
        "a dim with itself", [2, 3], transpose(1, 1);
        "a cycle", [2, 3, 4], permute((2, 0, 1));
        "a new dim and a wider one", [3, 1], broadcast_as((2, 3, 4));
        "rank 0", [], broadcast_as((2, 3));
        "two dims", [3], broadcast_left((2, 2));
        "a wider dim", [2, 1], expand((2, 3));
        "dim 0", [4, 3], narrow(0, 1, 2);
        "dim 1, from 0", [2, 4], narrow(1, 0, 3);
        "dim 1, to the end", [2, 4], narrow(1, 2, 2);
        "nothing", [2, 4], narrow(1, 2, 0);
        "a row", [3, 2], get(1);
        "a column", [3, 4], get_on_dim(1, 2);
        "a matrix", [2, 3], copy();
        "a matrix", [2, 3], force_contiguous();
        "the same device", [2, 3], to_device(&candle_core::Device::Cpu);
        "a new dim and two", [2, 3], repeat((2, 1, 2));
        "zero times", [2, 3], repeat((0, 1));
        "forward, dim 0", [3, 2], roll(1, 0);
        "backward, dim 1", [2, 4], roll(-3, 1);
        "two dims", [2, 3], flip(&[0, 1]);
        "dim 1 of 3", [2, 3, 2], flip(&[1]);
        "both sides, dim 1", [2, 3], pad_with_zeros(1, 1, 2);
        "left, dim 0", [2, 3], pad_with_zeros(0, 2, 0);
        "right, dim 1", [2, 3], pad_with_zeros(1, 0, 1);
        "nothing", [2, 3], pad_with_zeros(1, 0, 0);
        "both sides, dim 1", [2, 3], pad_with_same(1, 1, 2);
        "left, dim 0", [2, 3], pad_with_same(0, 2, 0);
        "right, dim 1", [2, 3], pad_with_same(1, 0, 2);
        "nothing", [2, 3], pad_with_same(1, 0, 0);
    }
    samples! { cases, "candle_core::Tensor::contiguous";
        "of a transpose", ["self" v(&[2, 3])], |a| a[0].t()?.contiguous();
    }
    samples! { cases, "candle_core::Tensor::to_dtype";
        "to f64", ["self" v(&[2, 3])], |a| a[0].to_dtype(DType::F64), plain();
        "to f32", ["self" v(&[2, 3])], |a| a[0].to_dtype(DType::F32), plain(), only(&crate::case::NARROW);
    }
    unfolds(&mut cases);
    pieces(&mut cases);
    joins(&mut cases);
    indexing(&mut cases);
    cases
}

/// Every way `unfold` can meet a size: with and without overlap, with gaps, on each dim.
fn unfolds(cases: &mut Vec<Case>) {
    let (right, count, order) = ("", "unfold-count", "unfold-reshape");
    let all: [(usize, usize, usize, &[usize], &str); 11] = [
        (0, 2, 1, &[4], count),
        (0, 2, 2, &[4], right),
        (0, 3, 2, &[6], order),
        (0, 2, 3, &[6], count),
        (0, 2, 2, &[5], count),
        (0, 2, 2, &[4, 3], order),
        (0, 2, 1, &[4, 3], count),
        (1, 2, 2, &[3, 4], right),
        (1, 2, 1, &[3, 4], count),
        (1, 2, 2, &[2, 4, 3], order),
        (2, 2, 2, &[2, 3, 4], right),
    ];
    for (dim, size, step, dims, defect) in all {
        samples! { cases, "candle_core::Tensor::unfold";
            format!("dim {dim} of {dims:?}, size {size}, step {step}"), ["self" v(dims)],
                |a| a[0].unfold(dim, size, step), fails_if(defect != right, defect);
        }
    }
}

fn pieces(cases: &mut Vec<Case>) {
    for (chunks, dim, piece) in [(2, 0, 0), (2, 1, 1), (3, 1, 2), (7, 1, 3)] {
        samples! { cases, "candle_core::Tensor::chunk";
            format!("{chunks} along {dim}, piece {piece}"), ["self" v(&[4, 5])],
                |a| piece_of(a[0].chunk(chunks, dim)?, piece);
        }
    }
    for (indexing, xy, piece) in [
        ("xy", true, 0),
        ("xy", true, 1),
        ("ij", false, 0),
        ("ij", false, 1),
    ] {
        samples! { cases, "candle_core::Tensor::meshgrid";
            format!("{indexing}, grid {piece}"), ["first" v(&[3]), "second" w(&[2])],
                |a| piece_of(Tensor::meshgrid(&[&a[0], &a[1]], xy)?, piece);
        }
    }
}

fn piece_of(pieces: Vec<Tensor>, i: usize) -> Result<Tensor> {
    match pieces.into_iter().nth(i) {
        Some(piece) => Ok(piece),
        None => candle_core::bail!("there is no piece {i}"),
    }
}

fn joins(cases: &mut Vec<Case>) {
    for dim in 0..3 {
        let mut wider = vec![2, 2, 2];
        wider[dim] = 3;
        samples! { cases, "candle_core::Tensor::cat";
            format!("dim {dim}, two"), ["first" v(&[2, 2, 2]), "second" w(&wider)], |a| Tensor::cat(&[&a[0], &a[1]], dim);
            format!("dim {dim}, one twice, another between"), ["first" v(&[2, 2, 2]), "second" w(&wider)],
                |a| Tensor::cat(&[&a[0], &a[1], &a[0]], dim);
        }
        samples! { cases, "candle_core::Tensor::stack";
            format!("dim {dim}, two"), ["first" v(&[2, 2, 2]), "second" w(&[2, 2, 2])],
                |a| Tensor::stack(&[&a[0], &a[1]], dim);
        }
    }
    samples! { cases, "candle_core::Tensor::cat";
        "with an empty one", ["first" v(&[2, 3]), "second" w(&[0, 3]), "third" u(&[1, 3])], |a| Tensor::cat(&a[..3], 0);
        "of one", ["first" v(&[2, 3])], |a| Tensor::cat(&a[..1], 1);
    }
}

fn indexing(cases: &mut Vec<Case>) {
    samples! { cases, "candle_core::IndexOp::i";
        "a number", ["self" v(&[3, 2])], |a| a[0].i(1);
        "a range", ["self" v(&[4, 2])], |a| a[0].i(1..3);
        "a number and a range", ["self" v(&[3, 4])], |a| a[0].i((2, 1..));
        "a range and a number", ["self" v(&[3, 4])], |a| a[0].i((..2, 3));
        "three", ["self" v(&[2, 3, 4])], |a| a[0].i((.., 1, ..=2));
        "a list", ["self" v(&[3, 2])], |a| a[0].i(vec![2u32, 0, 2]);
        "a tensor of indices", ["self" v(&[3, 2]), "ids" ids(&[3], &[2, 0, 2])], |a| a[0].i(&a[1]);
    }
}
