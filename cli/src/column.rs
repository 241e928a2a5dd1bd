//! Labelled lines that fit a terminal of 80 columns.

use std::fmt::{self, Write as _};

/// As wide as the narrowest terminal that people use.
const WIDTH: usize = 80;

/// Two spaces, a label, and what it labels; continued below it where the line is full.
pub(crate) fn row(f: &mut fmt::Formatter<'_>, label: &str, text: &str) -> fmt::Result {
    for (at, line) in folded(text, WIDTH - 14).into_iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        writeln!(f, "  {label:<10}  {line}")?;
    }
    Ok(())
}

/// Text behind `mark`, continued below its own beginning.
pub(crate) fn item(f: &mut fmt::Formatter<'_>, mark: &str, text: &str) -> fmt::Result {
    let indent = mark.chars().count();
    for (at, line) in folded(text, WIDTH - indent).into_iter().enumerate() {
        let mark = if at == 0 { mark } else { "" };
        writeln!(f, "{mark:<indent$}{line}")?;
    }
    Ok(())
}

/// How long, in the largest unit that says enough.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.unsigned_abs();
    let count = |number: u64, unit: &str| {
        let plural = if number == 1 { "" } else { "s" };
        format!("{number} {unit}{plural}")
    };
    match seconds {
        0..120 => count(seconds, "second"),
        120..7200 => count(seconds / 60, "minute"),
        7200..172_800 => count(seconds / 3600, "hour"),
        _ => count(seconds / 86_400, "day"),
    }
}

/// Broken between words; a word longer than a line has one of its own.
fn folded(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        let used = line.chars().count();
        if line.is_empty() {
            line.push_str(word);
        } else if used + 1 + word.chars().count() <= width {
            let _ = write!(line, " {word}");
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_broken_between_words_and_loses_none() {
        let text = "one two three fourteen-and-more five";
        assert_eq!(folded(text, 10), ["one two", "three", "fourteen-and-more", "five"]);
        assert_eq!(folded(text, 10).join(" "), text);
        assert_eq!(folded("", 10), [""]);
    }

    #[test]
    fn a_span_is_told_in_one_unit() {
        let told = [0, 1, 119, 120, 7199, 7200, 172_799, 172_800, -60].map(span);
        assert_eq!(
            told,
            [
                "0 seconds",
                "1 second",
                "119 seconds",
                "2 minutes",
                "119 minutes",
                "2 hours",
                "47 hours",
                "2 days",
                "60 seconds"
            ]
        );
    }
}
