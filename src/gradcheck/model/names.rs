//! Names folded: `blocks.0.ln.weight`, `blocks.0.ln.bias`, `blocks.1.ln.weight`, ... are
//! `blocks.{0,1}.ln.{weight,bias}`.

/// The names in the order in which a person counts: `blocks.2` before `blocks.10`.
pub(crate) fn natural_order(a: &str, b: &str) -> std::cmp::Ordering {
    let parts = |s: &str| -> Vec<(Option<u64>, String)> {
        s.split('.')
            .map(|p| (p.parse().ok(), p.to_string()))
            .collect()
    };
    let (a, b) = (parts(a), parts(b));
    for (x, y) in a.iter().zip(&b) {
        let order = match (x.0, y.0) {
            (Some(x), Some(y)) => x.cmp(&y),
            _ => x.1.cmp(&y.1),
        };
        if order.is_ne() {
            return order;
        }
    }
    a.len().cmp(&b.len())
}

/// The names as few patterns, in the order of the first name of each.
pub(crate) fn fold(names: &[&str]) -> Vec<String> {
    let mut patterns: Vec<Vec<Vec<String>>> = names
        .iter()
        .map(|name| name.split('.').map(|part| vec![part.to_string()]).collect())
        .collect();
    let longest = patterns.iter().map(Vec::len).max().unwrap_or(0);
    for at in (0..longest).rev() {
        patterns = merge(patterns, at);
    }
    patterns.iter().map(|p| written(p)).collect()
}

/// Merges the patterns that differ at one place alone.
fn merge(patterns: Vec<Vec<Vec<String>>>, at: usize) -> Vec<Vec<Vec<String>>> {
    let mut merged: Vec<Vec<Vec<String>>> = Vec::new();
    for pattern in patterns {
        let same = |other: &Vec<Vec<String>>| {
            other.len() == pattern.len()
                && at < pattern.len()
                && (0..pattern.len()).all(|k| k == at || other[k] == pattern[k])
        };
        match merged.iter_mut().find(|other| same(other)) {
            Some(other) => {
                let new = pattern[at].iter().filter(|part| !other[at].contains(part));
                let new: Vec<String> = new.cloned().collect();
                other[at].extend(new);
            }
            None => merged.push(pattern),
        }
    }
    merged
}

fn written(pattern: &[Vec<String>]) -> String {
    let parts = pattern.iter().map(|alternatives| match &alternatives[..] {
        [one] => one.clone(),
        many => format!("{{{}}}", ranges(many)),
    });
    parts.collect::<Vec<_>>().join(".")
}

/// `0,1,2,3` as `0..=3`; whatever is not a run of four or more numbers as it is.
fn ranges(alternatives: &[String]) -> String {
    let numbers: Option<Vec<u64>> = alternatives.iter().map(|s| s.parse().ok()).collect();
    if let Some(numbers) = numbers
        && let [first, .., last] = numbers[..]
        && numbers.len() > 3
        && numbers.windows(2).all(|w| w[1] == w[0] + 1)
    {
        return format!("{first}..={last}");
    }
    alternatives.join(",")
}

#[cfg(test)]
mod tests {
    use super::{fold, natural_order};

    #[test]
    fn blocks_fold() {
        let names = [
            "blocks.0.ln_1.bias",
            "blocks.0.ln_1.weight",
            "blocks.1.ln_1.bias",
            "blocks.1.ln_1.weight",
            "head.weight",
        ];
        let folded = ["blocks.{0,1}.ln_1.{bias,weight}", "head.weight"];
        assert_eq!(fold(&names), folded);
        let many: Vec<String> = (0..12).map(|k| format!("h.{k}.w")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(fold(&many), ["h.{0..=11}.w"]);
        // What does not differ at one place alone stays apart.
        assert_eq!(fold(&["a.x", "b.y"]), ["a.x", "b.y"]);
    }

    #[test]
    fn ten_comes_after_two() {
        let mut names = ["b.10.w", "b.2.w", "a.w", "b.2"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["a.w", "b.2", "b.2.w", "b.10.w"]);
    }
}
