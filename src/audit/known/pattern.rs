//! Which rows an entry of the record covers: functions, coordinates of the case, input, type, probe,
//! each with alternatives.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::audit::case::Coordinates;
use crate::audit::run::Row;
use crate::audit::verdict::Verdict;

/// Rows of one verdict. What it leaves out may be anything; but without `probe` it covers plain rows.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pattern {
    /// The verdict of every row it covers.
    pub verdict: Verdict,
    /// Full paths.
    pub function: Several<String>,
    /// Only these cases.
    #[serde(default)]
    pub case: Option<Several<Place>>,
    /// Only these inputs.
    #[serde(default)]
    pub input: Option<Several<String>>,
    /// Only these types.
    #[serde(default)]
    pub dtype: Option<Several<Float>>,
    /// These probes instead of the plain check.
    #[serde(default)]
    pub probe: Option<Several<String>>,
    /// Why its numbers differ from run to run, where they do: they are not shown then.
    #[serde(default)]
    pub varies: Option<String>,
}

/// One, or a list of alternatives.
#[derive(Clone, Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "one value that is allowed here, or a list of such values"
)]
pub enum Several<T> {
    /// Only this.
    One(T),
    /// Any of these.
    Any(Vec<T>),
}

impl<T> Several<T> {
    /// The alternatives.
    pub fn all(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Any(any) => any,
        }
    }
}

/// Where a case lies: by its name where it is on no grid, else by some of its coordinates.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a case's name, or a table of its coordinates")]
pub enum Place {
    /// The coordinate `call`.
    Call(String),
    /// Coordinates and their values; the others are free.
    At(BTreeMap<String, Several<Value>>),
}

/// The value of a coordinate, as the label shows it.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a whole number or a string")]
pub enum Value {
    /// A size, a stride.
    Number(i64),
    /// Anything else: "(2, 2)", "0.5".
    Text(String),
}

impl Value {
    fn is(&self, text: &str) -> bool {
        match self {
            Self::Number(n) => text.parse() == Ok(*n),
            Self::Text(t) => t == text,
        }
    }
}

impl Place {
    /// Whether a case lies there.
    pub fn holds(&self, at: &Coordinates) -> bool {
        let value = |name: &str| at.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str());
        match self {
            Self::Call(call) => value("call") == Some(call),
            Self::At(places) => places.iter().all(|(name, any)| {
                value(name).is_some_and(|text| any.all().iter().any(|v| v.is(text)))
            }),
        }
    }

    /// One for each combination of its alternatives.
    fn apart(&self) -> Vec<Self> {
        let Self::At(places) = self else {
            return vec![self.clone()];
        };
        let mut apart = vec![BTreeMap::new()];
        for (name, any) in places {
            let with = |place: &BTreeMap<_, _>, value: &Value| {
                let mut place = place.clone();
                place.insert(name.clone(), Several::One(value.clone()));
                place
            };
            let each = |place| any.all().iter().map(move |value| with(place, value));
            apart = apart.iter().flat_map(each).collect();
        }
        apart.into_iter().map(Self::At).collect()
    }
}

/// A float type, by candle's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Float {
    /// `f64`
    F64,
    /// `f32`
    F32,
    /// `bf16`
    Bf16,
    /// `f16`
    F16,
}

impl Float {
    /// As candle has it.
    pub const fn dtype(self) -> candle_core::DType {
        match self {
            Self::F64 => candle_core::DType::F64,
            Self::F32 => candle_core::DType::F32,
            Self::Bf16 => candle_core::DType::BF16,
            Self::F16 => candle_core::DType::F16,
        }
    }
}

fn any<T>(allowed: &Option<Several<T>>, is: impl Fn(&T) -> bool) -> bool {
    allowed.as_ref().is_none_or(|s| s.all().iter().any(is))
}

impl Pattern {
    /// Every plain row of a function with this verdict.
    pub fn on(function: &str, verdict: Verdict) -> Self {
        Self {
            verdict,
            function: Several::One(function.into()),
            case: None,
            input: None,
            dtype: None,
            probe: None,
            varies: None,
        }
    }

    /// Whether it covers a row.
    pub fn covers(&self, row: &Row) -> bool {
        let probe = match &self.probe {
            None => row.probe == "plain",
            Some(probes) => probes.all().contains(&row.probe),
        };
        probe
            && self.concerns(row.path)
            && any(&self.case, |place| place.holds(&row.at))
            && any(&self.input, |input| input == row.input)
            && any(&self.dtype, |d| d.dtype().as_str() == row.dtype)
    }

    /// Whether it could cover a row of this function.
    pub fn concerns(&self, path: &str) -> bool {
        self.function.all().iter().any(|f| f == path)
    }

    /// One pattern for each combination of its alternatives: each must be borne out by a row.
    pub fn apart(&self) -> Vec<Self> {
        let mut apart = vec![self.clone()];
        let each = |f: &dyn Fn(&Self) -> Vec<Self>, all: Vec<Self>| -> Vec<Self> {
            all.iter().flat_map(f).collect()
        };
        apart = each(
            &|p| p.split(&Some(p.function.clone()), |p, f| p.function = f),
            apart,
        );
        apart = each(&|p| p.split(&p.places(), |p, c| p.case = Some(c)), apart);
        apart = each(&|p| p.split(&p.input, |p, i| p.input = Some(i)), apart);
        apart = each(&|p| p.split(&p.dtype, |p, d| p.dtype = Some(d)), apart);
        each(&|p| p.split(&p.probe, |p, q| p.probe = Some(q)), apart)
    }

    fn places(&self) -> Option<Several<Place>> {
        let places = self.case.as_ref()?.all().iter();
        Some(Several::Any(places.flat_map(Place::apart).collect()))
    }

    /// Copies of it, each with one of the alternatives; itself where there are none.
    fn split<T: Clone>(
        &self,
        alternatives: &Option<Several<T>>,
        set: impl Fn(&mut Self, Several<T>),
    ) -> Vec<Self> {
        let Some(alternatives) = alternatives else {
            return vec![self.clone()];
        };
        let one = |value: &T| {
            let mut one = self.clone();
            set(&mut one, Several::One(value.clone()));
            one
        };
        alternatives.all().iter().map(one).collect()
    }
}

impl std::fmt::Display for Pattern {
    /// `max_pool2d, kernel (2, 2), f16`: for a message about one that stands apart.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let functions: Vec<_> = self.function.all().iter().map(String::as_str).collect();
        write!(f, "{}: {}", functions.join(", "), self.verdict)?;
        for place in self.case.iter().flat_map(|c| c.all()) {
            match place {
                Place::Call(call) => write!(f, ", {call}")?,
                Place::At(at) => at.iter().try_for_each(|(name, value)| {
                    let values: Vec<_> = value.all().iter().map(Value::to_string).collect();
                    write!(f, ", {name} {}", values.join(" or "))
                })?,
            }
        }
        let words = |s: &Option<Several<String>>| s.iter().flat_map(|s| s.all().to_vec()).collect();
        let dtypes = self.dtype.iter().flat_map(|d| d.all());
        let dtypes: Vec<_> = dtypes.map(|d| d.dtype().as_str().to_owned()).collect();
        let rest: [Vec<String>; 3] = [words(&self.input), dtypes, words(&self.probe)];
        rest.concat()
            .iter()
            .try_for_each(|word| write!(f, ", {word}"))
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(n) => write!(f, "{n}"),
            Self::Text(t) => f.write_str(t),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use crate::audit::case::Case;

    fn place(text: &str) -> Option<Place> {
        let table: toml::Table = toml::from_str(text).ok()?;
        table["case"].clone().try_into().ok()
    }

    #[test]
    fn a_case_is_found_by_its_coordinates_whatever_its_label_says() {
        let at: [(_, &dyn std::fmt::Display); 2] = [("from", &3), ("to", &"6x9")];
        for label in ["{from} to {to}", "from {from}"] {
            let at = Case::grid("f", label, &at).at;
            let holds = |text| place(text).map(|p| p.holds(&at));
            assert_eq!(holds("case = { from = 3 }"), Some(true));
            assert_eq!(holds("case = { from = [2, 3], to = '6x9' }"), Some(true));
            assert_eq!(holds("case = { from = 3, to = '6x8' }"), Some(false));
            assert_eq!(holds("case = { from = 3, stride = 1 }"), Some(false));
            assert_eq!(holds("case = '3 to 6x9'"), Some(false));
        }
    }

    #[test]
    fn alternatives_stand_apart() {
        let apart = |text| place(text).map(|p| p.apart().len());
        assert_eq!(
            apart("case = { a = [1, 2, 3], b = ['x', 'y'], c = 1 }"),
            Some(6)
        );
        assert_eq!(apart("case = 'a call'"), Some(1));
    }
}
