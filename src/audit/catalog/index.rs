//! Gathers and scatters: with repeated indices, on each dim, with fewer indices than the source.

use candle_core::{Result, Tensor};

use crate::audit::case::{Case, at, ids, u, v, w};

pub fn cases() -> Vec<Case> {
    let mut cases = selects();
    cases.extend(gathers());
    cases.extend(scatters());
    cases.extend(adds());
    cases.extend(slices());
    cases.extend(sorts());
    cases
}

fn selects() -> Vec<Case> {
    let mut cases = Vec::new();
    for dim in 0..3 {
        cases.push(
            Case::grid(
                "candle_core::Tensor::index_select",
                "dim {dim}, repeated",
                &[("dim", &dim)],
            )
            .arg("self", v(&[3, 3, 3]))
            .arg("indexes", ids(&[4], &[2, 0, 2, 1]))
            .run(move |a| a[0].index_select(&a[1], dim))
            .torch(format!("self.index_select({dim}, indexes)")),
        );
    }
    cases.push(
        Case::new("candle_core::Tensor::index_select", "a row never taken")
            .arg("self", v(&[3, 2]))
            .arg("indexes", ids(&[2], &[2, 2]))
            .run(|a| a[0].index_select(&a[1], 0))
            .torch("self.index_select(0, indexes)"),
    );
    cases.push(
        Case::new("candle_core::Tensor::embedding", "repeated")
            .arg("self", v(&[4, 3]))
            .arg("ids", ids(&[5], &[3, 0, 3, 1, 3]))
            .run(|a| a[0].embedding(&a[1]))
            .torch("F.embedding(ids, self)"),
    );
    cases
}

fn gathers() -> Vec<Case> {
    let gather = |name: String, dim: usize| {
        Case::new("candle_core::Tensor::gather", name)
            .run(move |a| a[0].gather(&a[1], dim))
            .torch(format!("self.gather({dim}, indexes)"))
    };
    vec![
        gather("dim 0, repeated".into(), 0)
            .arg("self", v(&[3, 2]))
            .arg("indexes", ids(&[4, 2], &[2, 0, 2, 1, 0, 1, 2, 2])),
        gather("dim 1, repeated".into(), 1)
            .arg("self", v(&[2, 3]))
            .arg("indexes", ids(&[2, 2], &[2, 2, 0, 1])),
        gather("dim 1 of 3".into(), 1)
            .arg("self", v(&[2, 3, 2]))
            .arg("indexes", ids(&[2, 1, 2], &[2, 0, 1, 1])),
        gather("fewer rows than the source".into(), 1)
            .arg("self", v(&[3, 3]))
            .arg("indexes", ids(&[2, 2], &[2, 0, 1, 1])),
    ]
}

type Scatter = fn(&Tensor, &Tensor, &Tensor, usize) -> Result<Tensor>;

fn scatters() -> Vec<Case> {
    let both: [(&'static str, Scatter, &str); 2] = [
        method!(
            |x, i, s, d| scatter(i, s, d),
            "self.scatter(DIM, indexes, source)"
        ),
        method!(
            |x, i, s, d| scatter_add(i, s, d),
            "self.scatter_add(DIM, indexes, source)"
        ),
    ];
    let mut cases = Vec::new();
    for (path, f, torch) in both {
        let of = |name: &str, dim: usize| {
            Case::new(path, name)
                .run(move |a| f(&a[0], &a[1], &a[2], dim))
                .torch(torch.replace("DIM", &dim.to_string()))
        };
        cases.push(
            of("dim 0", 0)
                .arg("self", v(&[3, 2]))
                .arg("indexes", ids(&[2, 2], &[2, 0, 0, 1]))
                .arg("source", w(&[2, 2])),
        );
        cases.push(
            of("dim 1", 1)
                .arg("self", v(&[2, 4]))
                .arg("indexes", ids(&[2, 2], &[3, 1, 0, 2]))
                .arg("source", w(&[2, 2])),
        );
        cases.push(
            of("everywhere", 1)
                .arg("self", v(&[2, 2]))
                .arg("indexes", ids(&[2, 2], &[1, 0, 0, 1]))
                .arg("source", w(&[2, 2])),
        );
    }
    cases.push(
        Case::new("candle_core::Tensor::scatter_add", "dim 1, repeated")
            .arg("self", v(&[2, 3]))
            .arg("indexes", ids(&[2, 3], &[1, 1, 0, 2, 2, 2]))
            .arg("source", w(&[2, 3]))
            .run(|a| a[0].scatter_add(&a[1], &a[2], 1))
            .torch("self.scatter_add(1, indexes, source)"),
    );
    cases.push(
        Case::new("candle_core::Tensor::scatter", "dim 1, repeated")
            .arg("self", v(&[2, 3]))
            .arg("indexes", ids(&[2, 2], &[1, 1, 2, 2]))
            .arg("source", w(&[2, 2]))
            .run(|a| a[0].scatter(&a[1], &a[2], 1))
            .no_torch("PyTorch documents the backward of scatter for distinct indices only"),
    );
    cases
}

fn adds() -> Vec<Case> {
    (0..3)
        .map(|dim| {
            let mut source = vec![3, 3, 3];
            source[dim] = 4;
            Case::grid(
                "candle_core::Tensor::index_add",
                "dim {dim}, repeated",
                &[("dim", &dim)],
            )
            .arg("self", v(&[3, 3, 3]))
            .arg("indexes", ids(&[4], &[2, 0, 2, 1]))
            .arg("source", w(&source))
            .run(move |a| a[0].index_add(&a[1], &a[2], dim))
            .torch(format!("self.index_add({dim}, indexes, source)"))
        })
        .collect()
}

fn slices() -> Vec<Case> {
    let mut cases = Vec::new();
    for dim in 0..3 {
        let mut src = vec![3, 3, 3];
        src[dim] = 2;
        let of = |path, label: &str| {
            Case::grid(path, label, &[("dim", &dim)])
                .arg("self", v(&[3, 3, 3]))
                .arg("src", w(&src))
        };
        cases.push(
            of("candle_core::Tensor::slice_scatter", "dim {dim}")
                .run(move |a| a[0].slice_scatter(&a[1], dim, 1))
                .torch(format!("torch.slice_scatter(self, src, {dim}, 1, 3)")),
        );
    }
    cases.push(
        Case::new("candle_core::Tensor::slice_scatter0", "from 1")
            .arg("self", v(&[3, 2]))
            .arg("src", w(&[2, 2]))
            .run(|a| a[0].slice_scatter0(&a[1], 1))
            .torch("torch.slice_scatter(self, src, 0, 1, 3)"),
    );
    cases.push(
        Case::new("candle_core::Tensor::slice_assign", "a block")
            .arg("self", v(&[3, 4]))
            .arg("src", u(&[2, 2]))
            .run(|a| a[0].slice_assign(&[1..3, 0..2], &a[1]))
            .torch(
                "torch.slice_scatter(self, torch.slice_scatter(self[1:3], src, 1, 0, 2), 0, 1, 3)",
            ),
    );
    cases
}

fn sorts() -> Vec<Case> {
    let sort = |name: &str, asc: bool| {
        Case::new("candle_core::Tensor::sort_last_dim", name)
            .run(move |a| Ok(a[0].sort_last_dim(asc)?.0))
            .torch(format!(
                "self.sort(-1, descending={}).values",
                if asc { "False" } else { "True" }
            ))
    };
    vec![
        sort("ascending", true).arg("self", v(&[2, 4])),
        sort("descending", false).arg("self", w(&[2, 4])),
        sort("a vector", true).arg("self", at(&[0.5, -1., 0.25])),
    ]
}
