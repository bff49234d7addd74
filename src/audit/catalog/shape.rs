//! Views, copies, joins and pieces: every element goes somewhere, or nowhere.

use candle_core::{D, DType, IndexOp, Result, Tensor};
use std::fmt::Display;

use crate::audit::case::{Case, Values, ids, u, v, w};

type Whole = fn(&Tensor) -> Result<Tensor>;

/// Path, call, case, shape of the input, PyTorch.
type Row = (
    &'static str,
    Whole,
    &'static str,
    &'static [usize],
    &'static str,
);

const VIEWS: [Row; 38] = [
    method!(
        |x| reshape((3, 4)),
        "to two dims",
        &[2, 3, 2],
        "self.reshape(3, 4)"
    ),
    method!(
        |x| reshape(((), 2)),
        "with a hole",
        &[2, 3, 2],
        "self.reshape(-1, 2)"
    ),
    method!(|x| reshape(()), "to rank 0", &[1], "self.reshape(())"),
    method!(
        |x| reshape((3, 0)),
        "zero-size",
        &[0, 3],
        "self.reshape(3, 0)"
    ),
    method!(
        |x| flatten(1, 2),
        "dims 1 to 2",
        &[2, 3, 2],
        "self.flatten(1, 2)"
    ),
    method!(|x| flatten_to(1), "dim 1", &[2, 3, 2], "self.flatten(0, 1)"),
    method!(|x| flatten_from(1), "dim 1", &[2, 3, 2], "self.flatten(1)"),
    method!(flatten_all, "three dims", &[2, 3, 2], "self.flatten()"),
    method!(flatten_all, "rank 0", &[], "self.flatten()"),
    method!(
        |x| squeeze(1),
        "a dim of size 1",
        &[2, 1, 3],
        "self.squeeze(1)"
    ),
    method!(
        |x| squeeze(2),
        "a dim of size 3",
        &[2, 1, 3],
        "self.squeeze(2)"
    ),
    method!(|x| unsqueeze(1), "dim 1", &[2, 3], "self.unsqueeze(1)"),
    method!(
        |x| unsqueeze(D::Minus1),
        "last",
        &[2, 3],
        "self.unsqueeze(-1)"
    ),
    method!(t, "a matrix", &[2, 3], "self.mT"),
    method!(t, "a batch", &[2, 3, 2], "self.mT"),
    method!(
        |x| transpose(0, 2),
        "dims 0 and 2",
        &[2, 3, 4],
        "self.transpose(0, 2)"
    ),
    method!(
        |x| transpose(1, 1),
        "a dim with itself",
        &[2, 3],
        "self.transpose(1, 1)"
    ),
    method!(
        |x| permute((2, 0, 1)),
        "a cycle",
        &[2, 3, 4],
        "self.permute(2, 0, 1)"
    ),
    method!(
        |x| broadcast_as((2, 3, 4)),
        "a new dim and a wider one",
        &[3, 1],
        "self.broadcast_to(2, 3, 4)"
    ),
    method!(
        |x| broadcast_as((2, 3)),
        "rank 0",
        &[],
        "self.broadcast_to(2, 3)"
    ),
    method!(
        |x| broadcast_left((2, 2)),
        "two dims",
        &[3],
        "self.broadcast_to(2, 2, 3)"
    ),
    method!(
        |x| expand((2, 3)),
        "a wider dim",
        &[2, 1],
        "self.expand(2, 3)"
    ),
    method!(
        |x| narrow(0, 1, 2),
        "dim 0",
        &[4, 3],
        "self.narrow(0, 1, 2)"
    ),
    method!(
        |x| narrow(1, 0, 3),
        "dim 1, from 0",
        &[2, 4],
        "self.narrow(1, 0, 3)"
    ),
    method!(
        |x| narrow(1, 2, 2),
        "dim 1, to the end",
        &[2, 4],
        "self.narrow(1, 2, 2)"
    ),
    method!(
        |x| narrow(1, 2, 0),
        "nothing",
        &[2, 4],
        "self.narrow(1, 2, 0)"
    ),
    method!(|x| get(1), "a row", &[3, 2], "self[1]"),
    method!(|x| get_on_dim(1, 2), "a column", &[3, 4], "self[:, 2]"),
    method!(copy, "a matrix", &[2, 3], "self.clone()"),
    method!(force_contiguous, "a matrix", &[2, 3], "self.clone()"),
    method!(
        |x| (x.t()?).contiguous(),
        "of a transpose",
        &[2, 3],
        "self.mT.contiguous()"
    ),
    method!(
        |x| to_device(x.device()),
        "the same device",
        &[2, 3],
        "self.clone()"
    ),
    method!(
        |x| repeat((2, 1, 2)),
        "a new dim and two",
        &[2, 3],
        "self.repeat(2, 1, 2)"
    ),
    method!(
        |x| repeat((0, 1)),
        "zero times",
        &[2, 3],
        "self.repeat(0, 1)"
    ),
    method!(|x| roll(1, 0), "forward, dim 0", &[3, 2], "self.roll(1, 0)"),
    method!(
        |x| roll(-3, 1),
        "backward, dim 1",
        &[2, 4],
        "self.roll(-3, 1)"
    ),
    method!(|x| flip(&[0, 1]), "two dims", &[2, 3], "self.flip(0, 1)"),
    method!(|x| flip(&[1]), "dim 1 of 3", &[2, 3, 2], "self.flip(1)"),
];

const PADS: [Row; 8] = [
    method!(
        |x| pad_with_zeros(1, 1, 2),
        "both sides, dim 1",
        &[2, 3],
        "F.pad(self, (1, 2))"
    ),
    method!(
        |x| pad_with_zeros(0, 2, 0),
        "left, dim 0",
        &[2, 3],
        "F.pad(self, (0, 0, 2, 0))"
    ),
    method!(
        |x| pad_with_zeros(1, 0, 1),
        "right, dim 1",
        &[2, 3],
        "F.pad(self, (0, 1))"
    ),
    method!(
        |x| pad_with_zeros(1, 0, 0),
        "nothing",
        &[2, 3],
        "self.clone()"
    ),
    method!(
        |x| pad_with_same(1, 1, 2),
        "both sides, dim 1",
        &[2, 3],
        "F.pad(self, (1, 2), mode='replicate')"
    ),
    method!(
        |x| pad_with_same(0, 2, 0),
        "left, dim 0",
        &[2, 3],
        "torch.cat([self[:1], self[:1], self])"
    ),
    method!(
        |x| pad_with_same(1, 0, 2),
        "right, dim 1",
        &[2, 3],
        "F.pad(self, (0, 2), mode='replicate')"
    ),
    method!(
        |x| pad_with_same(1, 0, 0),
        "nothing",
        &[2, 3],
        "self.clone()"
    ),
];

/// Every way `unfold` can meet a size: with and without overlap, with gaps, on each dim.
const UNFOLDS: [(usize, usize, usize, &[usize]); 11] = [
    (0, 2, 1, &[4]),
    (0, 2, 2, &[4]),
    (0, 3, 2, &[6]),
    (0, 2, 3, &[6]),
    (0, 2, 2, &[5]),
    (0, 2, 2, &[4, 3]),
    (0, 2, 1, &[4, 3]),
    (1, 2, 2, &[3, 4]),
    (1, 2, 1, &[3, 4]),
    (1, 2, 2, &[2, 4, 3]),
    (2, 2, 2, &[2, 3, 4]),
];

pub fn cases() -> Vec<Case> {
    let mut cases: Vec<_> = VIEWS.iter().chain(&PADS).map(row).collect();
    cases.extend(types());
    cases.extend(pieces());
    cases.extend(joins());
    cases.extend(indexing());
    cases.extend(UNFOLDS.iter().map(|&(dim, size, step, dims)| {
        let shape = format!("{dims:?}");
        let at: [(_, &dyn Display); 4] = [
            ("dim", &dim),
            ("shape", &shape),
            ("size", &size),
            ("step", &step),
        ];
        let label = "dim {dim} of {shape}, size {size}, step {step}";
        Case::grid("candle_core::Tensor::unfold", label, &at)
            .arg("self", v(dims))
            .run(move |a| a[0].unfold(dim, size, step))
            .torch(format!("self.unfold({dim}, {size}, {step})"))
    }));
    cases
}

fn row(&(path, f, name, dims, torch): &Row) -> Case {
    Case::new(path, name)
        .arg("self", v(dims))
        .run(move |a| f(&a[0]))
        .torch(torch)
}

fn types() -> Vec<Case> {
    let to = |name: &str, dtype: DType| {
        Case::new("candle_core::Tensor::to_dtype", name)
            .arg("self", v(&[2, 3]))
            .run(move |a| a[0].to_dtype(dtype))
            .plain()
    };
    vec![
        to("to f64", DType::F64).torch("self.to(torch.float64)"),
        to("to f32", DType::F32)
            .torch("self.to(torch.float32)")
            .only(&[DType::F32, DType::BF16, DType::F16]),
    ]
}

fn pieces() -> Vec<Case> {
    let mut cases = Vec::new();
    for (chunks, dim, piece) in [(2, 0, 0), (2, 1, 1), (3, 1, 2), (7, 1, 3)] {
        cases.push(
            Case::grid(
                "candle_core::Tensor::chunk",
                "{chunks} along {dim}, piece {piece}",
                &[("chunks", &chunks), ("dim", &dim), ("piece", &piece)],
            )
            .arg("self", v(&[4, 5]))
            .run(move |a| piece_of(a[0].chunk(chunks, dim)?, piece))
            .torch(format!(
                "self.tensor_split(min({chunks}, self.shape[{dim}]), {dim})[{piece}]"
            )),
        );
    }
    for xy in [true, false] {
        let indexing = if xy { "xy" } else { "ij" };
        for piece in 0..2 {
            cases.push(
                Case::grid(
                    "candle_core::Tensor::meshgrid",
                    "{indexing}, grid {piece}",
                    &[("indexing", &indexing), ("piece", &piece)],
                )
                .arg("first", v(&[3]))
                .arg("second", w(&[2]))
                .run(move |a| piece_of(Tensor::meshgrid(&[&a[0], &a[1]], xy)?, piece))
                .torch(format!(
                    "torch.meshgrid(first, second, indexing='{indexing}')[{piece}]"
                )),
            );
        }
    }
    cases
}

fn piece_of(pieces: Vec<Tensor>, i: usize) -> Result<Tensor> {
    match pieces.into_iter().nth(i) {
        Some(piece) => Ok(piece),
        None => candle_core::bail!("there is no piece {i}"),
    }
}

fn joins() -> Vec<Case> {
    let mut cases = Vec::new();
    for dim in 0..3 {
        let mut second = vec![2, 2, 2];
        second[dim] = 3;
        let of = |path, name: &str| {
            Case::grid(
                path,
                "dim {dim}, {tensors}",
                &[("dim", &dim), ("tensors", &name)],
            )
            .arg("first", v(&[2, 2, 2]))
        };
        cases.push(
            of("candle_core::Tensor::cat", "two")
                .arg("second", w(&second))
                .run(move |a| Tensor::cat(&[&a[0], &a[1]], dim))
                .torch(format!("torch.cat([first, second], {dim})")),
        );
        cases.push(
            of("candle_core::Tensor::cat", "one twice, another between")
                .arg("second", w(&second))
                .run(move |a| Tensor::cat(&[&a[0], &a[1], &a[0]], dim))
                .torch(format!("torch.cat([first, second, first], {dim})")),
        );
        cases.push(
            of("candle_core::Tensor::stack", "two")
                .arg("second", w(&[2, 2, 2]))
                .run(move |a| Tensor::stack(&[&a[0], &a[1]], dim))
                .torch(format!("torch.stack([first, second], {dim})")),
        );
    }
    cases.push(
        Case::new("candle_core::Tensor::cat", "with an empty one")
            .arg("first", v(&[2, 3]))
            .arg("second", w(&[0, 3]))
            .arg("third", u(&[1, 3]))
            .run(|a| Tensor::cat(&a[..3], 0))
            .torch("torch.cat([first, second, third])"),
    );
    cases.push(
        Case::new("candle_core::Tensor::cat", "of one")
            .arg("first", v(&[2, 3]))
            .run(|a| Tensor::cat(&a[..1], 1))
            .torch("torch.cat([first], 1)"),
    );
    cases
}

fn indexing() -> Vec<Case> {
    let of = |name: &str, dims: &[usize], f: Whole, torch: &str| {
        Case::new("candle_core::IndexOp::i", name)
            .arg("self", v(dims))
            .run(move |a| f(&a[0]))
            .torch(torch)
    };
    let with_ids = |i: Values| {
        Case::new("candle_core::IndexOp::i", "a tensor of indices")
            .arg("self", v(&[3, 2]))
            .arg("ids", i)
            .run(|a| a[0].i(&a[1]))
            .torch("self[ids]")
    };
    vec![
        of("a number", &[3, 2], |x| x.i(1), "self[1]"),
        of("a range", &[4, 2], |x| x.i(1..3), "self[1:3]"),
        of(
            "a number and a range",
            &[3, 4],
            |x| x.i((2, 1..)),
            "self[2, 1:]",
        ),
        of(
            "a range and a number",
            &[3, 4],
            |x| x.i((..2, 3)),
            "self[:2, 3]",
        ),
        of(
            "three",
            &[2, 3, 4],
            |x| x.i((.., 1, ..=2)),
            "self[:, 1, :3]",
        ),
        of(
            "a list",
            &[3, 2],
            |x| x.i(vec![2u32, 0, 2]),
            "self[[2, 0, 2]]",
        ),
        with_ids(ids(&[3], &[2, 0, 2])),
    ]
}
