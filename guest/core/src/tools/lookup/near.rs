//! Names that a caller may have meant.

/// Most names that are suggested.
const SUGGESTED: usize = 5;
/// Most letters that may differ.
const DIFFERENT: usize = 2;
/// Names longer than this are compared only as a whole and by part.
const COMPARED: usize = 64;

/// Names close to `wanted`, nearest first: but for case, holding one another, or a typing error apart.
pub(super) fn near<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let wanted = wanted.to_lowercase();
    let mut ranked: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = distance(&wanted, &lower);
            let part = !lower.is_empty() && (lower.contains(&wanted) || wanted.contains(&lower));
            if distance <= DIFFERENT || part { Some((distance, name)) } else { None }
        })
        .collect();
    ranked.sort_unstable();
    ranked.dedup();
    ranked.into_iter().take(SUGGESTED).map(|(_, name)| name).collect()
}

/// How many letters have to be changed, added or left out (Levenshtein); more than enough for long names.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().take(COMPARED.saturating_add(1)).collect();
    let left: Vec<char> = left.chars().take(COMPARED.saturating_add(1)).collect();
    if left.len().max(right.len()) > COMPARED {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (at, from) in left.iter().enumerate() {
        let mut next = vec![at.saturating_add(1)];
        let pairs = row.iter().zip(row.iter().skip(1)).zip(&right);
        for ((diagonal, above), to) in pairs {
            let beside = next.last().copied().unwrap_or(usize::MAX);
            let changed = diagonal.saturating_add(usize::from(from != to));
            next.push(changed.min(above.saturating_add(1)).min(beside.saturating_add(1)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

/// "Did you mean ...?", or the first names there are.
pub(in crate::tools) fn hint<'n>(wanted: &str, names: impl Iterator<Item = &'n str> + Clone) -> String {
    let quoted =
        |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let close = near(wanted, names.clone());
    if !close.is_empty() {
        return format!("Did you mean {}?", quoted(close));
    }
    let some: Vec<&str> = names.take(10).collect();
    if some.is_empty() {
        "There are none.".to_owned()
    } else {
        format!("There are, for example, {}.", quoted(some))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_names_a_typing_error_apart_or_sharing_a_part() {
        let names = ["bug", "Bug report", "feature", "docs", "kind/bug"];
        assert_eq!(near("bgu", names.into_iter()), ["bug"]);
        assert_eq!(near("BUG", names.into_iter()), ["bug", "kind/bug", "Bug report"]);
        assert_eq!(near("doc", names.into_iter()), ["docs"]);
        assert!(near("unrelated", names.into_iter()).is_empty());
    }

    #[test]
    fn the_distance_is_that_of_levenshtein() {
        for (left, right, expected) in
            [("", "", 0), ("", "ab", 2), ("kitten", "sitting", 3), ("flaw", "lawn", 2), ("ä", "a", 1)]
        {
            assert_eq!(distance(left, right), expected, "{left} {right}");
            assert_eq!(distance(right, left), expected, "{right} {left}");
        }
    }

    #[test]
    fn long_names_do_not_cost_more_than_a_look() {
        assert_eq!(distance(&"a".repeat(100_000), "a"), usize::MAX);
    }
}
