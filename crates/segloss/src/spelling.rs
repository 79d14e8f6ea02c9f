//! Parsers' words made plain: what was meant, in the language of specifications and not in Rust's.

/// Rewrites a message of serde: an unknown key or name gets the known one that is nearest, a wrong type is told
/// in plain words. Any other message stays as it is, on one line.
///
/// ```
/// let text = "unknown field `gama`, expected one of `kind`, `gamma`";
/// assert_eq!(segloss::spelling::explain(text), "unknown key `gama`; did you mean `gamma`?");
/// ```
pub fn explain(message: &str) -> String {
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ");
    for (prefix, what) in [("unknown field ", "key"), ("unknown variant ", "name")] {
        if let Some(rest) = message.strip_prefix(prefix) {
            let mut quoted = rest.split('`').skip(1).step_by(2);
            let name = quoted.next().unwrap_or_default();
            let known: Vec<&str> = quoted.collect();
            return format!("unknown {what} `{name}`{}", suggestion(name, &known));
        }
    }
    if let Some((found, expected)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.split_once(", expected "))
    {
        return format!("expected {}, found {}", plainly(expected), plainly(found));
    }
    message
}

/// "; did you mean …?" with the known name that is nearest, or with all of a few.
pub fn suggestion(name: &str, known: &[&str]) -> String {
    match nearest(name, known) {
        Some(nearest) => format!("; did you mean `{nearest}`?"),
        None if known.is_empty() => String::new(),
        None => format!("; expected {}", list(known)),
    }
}

fn list(known: &[&str]) -> String {
    let quoted: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.join(", "),
    }
}

/// The known name that begins like this one; else that which needs the fewest changes, unless half of it must
/// change.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    if let Some(longer) = known.iter().find(|known| name.len() > 2 && known.starts_with(name)) {
        return Some(longer);
    }
    let (distance, found) = known.iter().map(|&known| (edit_distance(name, known), known)).min()?;
    (2 * distance <= name.chars().count().max(found.chars().count())).then_some(found)
}

/// Levenshtein's distance: the fewest insertions, deletions and replacements of a character.
pub fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// A type of serde or Rust in plain words.
fn plainly(words: &str) -> String {
    let (words, rest) = words
        .split_once(" for key ")
        .map_or((words, String::new()), |(words, key)| (words, format!(" for {key}")));
    let plain = match words {
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number ≥ 0",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a sequence" | "sequence" => "a list",
        "a map" | "map" => "a table",
        "unit" | "unit value" | "null" => "nothing",
        "string or map" => "a name, or a table",
        _ if words.starts_with("struct ") => "a table",
        _ if words.starts_with("enum ") || words.contains("variant") => "a name, or a table",
        _ if words.starts_with("string ") => return format!("the text {}{rest}", &words["string ".len()..]),
        _ if words.starts_with("integer ") => {
            return format!("the number {}{rest}", words["integer ".len()..].trim_matches('`'));
        }
        _ if words.starts_with("floating point ") => {
            return format!("the number {}{rest}", words["floating point ".len()..].trim_matches('`'));
        }
        _ if words.starts_with("boolean ") => {
            return format!("{}{rest}", words["boolean ".len()..].trim_matches('`'));
        }
        other => other,
    };
    format!("{plain}{rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_suggested_where_one_is_near() {
        let known = "expected one of `kind`, `layout`, `gamma`";
        assert_eq!(
            explain(&format!("unknown field `gama`, {known}")),
            "unknown key `gama`; did you mean `gamma`?"
        );
        assert_eq!(
            explain(&format!("unknown variant `zzzzzz`, {known}")),
            "unknown name `zzzzzz`; expected `kind`, `layout` or `gamma`"
        );
        assert_eq!(explain("unknown field `x`, there are no fields"), "unknown key `x`");
        assert_eq!(nearest("ignore", &["class", "ignore_index"]), Some("ignore_index"));
    }

    #[test]
    fn types_are_told_in_plain_words() {
        for (text, plain) in [
            (
                "invalid type: string \"many\", expected usize",
                "expected a whole number ≥ 0, found the text \"many\"",
            ),
            ("invalid type: integer `3`, expected struct LossSpec", "expected a table, found the number 3"),
            (
                "invalid type: floating point `0.5`, expected a sequence",
                "expected a list, found the number 0.5",
            ),
            ("invalid type: sequence, expected f64", "expected a number, found a list"),
            (
                "invalid type: boolean `true`, expected string or map",
                "expected a name, or a table, found true",
            ),
            ("something else", "something else"),
        ] {
            assert_eq!(explain(text), plain);
        }
    }

    #[test]
    fn distances() {
        assert_eq!(edit_distance("kitten", "sitting"), 3);
        assert_eq!(edit_distance("", "abc"), 3);
        assert_eq!(edit_distance("same", "same"), 0);
    }
}
