//! What it costs to write what the record says instead: measured, in `cost.toml`.

use candle_core::Result;
use serde::Deserialize;

use super::Known;

/// The time of what is written instead over that of the function, both measured side by side.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// The entry.
    pub id: String,
    /// The inputs and their shapes, their type; absent where the function fails on them.
    pub inputs: Option<String>,
    /// Their type.
    pub dtype: Option<String>,
    /// Of the forward pass.
    pub forward: Option<f64>,
    /// Of the backward pass; absent where the function has none.
    pub backward: Option<f64>,
    /// Of the machine.
    #[serde(skip)]
    pub cores: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cores: usize,
    cost: Vec<Cost>,
}

impl Cost {
    /// "forward 2.1x and backward 1.3x the function's time (x [4096, 1, 4, 4] in f32, 1 core)"
    pub fn text(&self) -> String {
        let (Some(inputs), Some(dtype), Some(forward)) = (&self.inputs, &self.dtype, self.forward)
        else {
            return "nothing to compare with: the function fails there".into();
        };
        let cores = match self.cores {
            1 => "1 core".to_owned(),
            n => format!("{n} cores"),
        };
        let both = match self.backward {
            Some(backward) => {
                format!("forward {forward}x and backward {backward}x the function's time")
            }
            None => {
                format!("forward {forward}x the function's time, which has no backward pass here")
            }
        };
        format!("{both} ({inputs} in {dtype}, {cores})")
    }
}

/// Gives each entry its cost.
pub fn attach(entries: &mut [Known], text: &str) -> Result<()> {
    let file = match toml::from_str::<File>(text) {
        Ok(file) => file,
        Err(error) => candle_core::bail!("src/audit/known/cost.toml: {error}"),
    };
    for mut cost in file.cost {
        let Some(known) = entries.iter_mut().find(|k| k.id == cost.id) else {
            candle_core::bail!(
                "src/audit/known/cost.toml: no entry is called {:?}",
                cost.id
            );
        };
        cost.cores = file.cores;
        known.cost = Some(cost);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{Cost, attach};
    use crate::audit::known::record;

    /// The cost in a file of one, of the entry with this name.
    fn read(id: &str, rest: &str) -> Result<Cost, String> {
        let mut entries = record().unwrap().to_vec();
        let text = format!("cores = 3\n[[cost]]\nid = '{id}'\n{rest}");
        attach(&mut entries, &text).map_err(|e| e.to_string())?;
        let known = entries.into_iter().find(|k| k.id == id);
        Ok(known.and_then(|k| k.cost).unwrap())
    }

    #[test]
    fn a_cost_says_what_was_measured() {
        let measured = "inputs = 'x [2, 3]'\ndtype = 'f32'\nforward = 2.1\n";
        let none = read("max-pool", "").unwrap().text();
        let forward = read("max-pool", measured).unwrap().text();
        let both = read("max-pool", &format!("{measured}backward = 13\n"));
        assert_eq!(none, "nothing to compare with: the function fails there");
        assert_eq!(
            forward,
            "forward 2.1x the function's time, which has no backward pass here \
             (x [2, 3] in f32, 3 cores)"
        );
        assert!(
            both.unwrap()
                .text()
                .contains("2.1x and backward 13x the function's time (x")
        );
    }

    #[test]
    fn a_cost_of_no_entry_is_refused() {
        let error = read("no-such-entry", "").unwrap_err();
        assert!(
            error.contains("cost.toml: no entry is called \"no-such-entry\""),
            "{error}"
        );
        let error = read("max-pool", "forwards = 1\n").unwrap_err();
        assert!(error.contains("unknown field `forwards`"), "{error}");
    }
}
