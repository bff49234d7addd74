//! Names folded: `blocks.0.ln.weight`, `blocks.0.ln.bias`, `blocks.1.ln.weight`, ... are
//! `blocks.{0,1}.ln.{weight,bias}`.

/// The names in the order in which a person counts: `blocks.2` before `blocks.10`.
pub(crate) fn natural_order(a: &str, b: &str) -> std::cmp::Ordering {
    fn part(part: &str) -> (u64, &str) {
        (part.parse().unwrap_or(u64::MAX), part)
    }
    a.split('.').map(part).cmp(b.split('.').map(part))
}

/// A name's parts, and at each place the alternatives.
type Pattern<'a> = Vec<Vec<&'a str>>;

/// The names as few patterns, in the order of the first name of each.
pub(crate) fn fold<S: AsRef<str>>(names: &[S]) -> Vec<String> {
    let parts = names.iter().map(|name| name.as_ref().split('.'));
    let mut patterns: Vec<Pattern> = parts.map(|p| p.map(|part| vec![part]).collect()).collect();
    let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
    for at in (0..longest).rev() {
        patterns = merge(patterns, at);
    }
    let written = |pattern: &Pattern| {
        let parts: Vec<String> = pattern.iter().map(|part| written(part)).collect();
        parts.join(".")
    };
    patterns.iter().map(written).collect()
}

/// Merges the patterns that differ at one place alone.
fn merge(patterns: Vec<Pattern>, at: usize) -> Vec<Pattern> {
    let mut merged: Vec<Pattern> = Vec::new();
    for pattern in patterns {
        let same = |other: &&mut Pattern| {
            let mut places = 0..pattern.len();
            other.len() == pattern.len()
                && at < pattern.len()
                && places.all(|k| k == at || other[k] == pattern[k])
        };
        match merged.iter_mut().find(same) {
            Some(other) => {
                let new = pattern[at].iter().filter(|part| !other[at].contains(part));
                let new: Vec<&str> = new.copied().collect();
                other[at].extend(new);
            }
            None => merged.push(pattern),
        }
    }
    merged
}

/// `{a,b}`; `0,1,2,3` as `{0..=3}`, but no run of fewer than four numbers.
fn written(alternatives: &[&str]) -> String {
    let numbers: Option<Vec<u64>> = alternatives.iter().map(|s| s.parse().ok()).collect();
    match (alternatives, numbers.as_deref()) {
        ([one], _) => one.to_string(),
        (_, Some(all @ [first, _, _, .., last])) if all.windows(2).all(|w| w[1] == w[0] + 1) => {
            format!("{{{first}..={last}}}")
        }
        _ => format!("{{{}}}", alternatives.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use super::{fold, natural_order};

    #[test]
    fn blocks_fold_and_what_differs_at_two_places_stays_apart() {
        let names = ["b.0.ln.bias", "b.0.ln.w", "b.1.ln.bias", "b.1.ln.w", "a.w"];
        assert_eq!(fold(&names), ["b.{0,1}.ln.{bias,w}", "a.w"]);
        let many: Vec<String> = (0..12).map(|k| format!("h.{k}.w")).collect();
        assert_eq!(fold(&many), ["h.{0..=11}.w"]);
    }

    #[test]
    fn ten_comes_after_two() {
        let mut names = ["b.10.w", "b.2.w", "a.w", "b.2"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["a.w", "b.2", "b.2.w", "b.10.w"]);
    }
}
