//! authselect's templates, as far as our profile uses them (`authselect-profiles(5)`).

/// A file of a profile with these features chosen.
#[must_use]
pub fn render(template: &str, features: &[&str]) -> String {
    let mut text = String::new();
    for line in template.lines() {
        if let Some(line) = rendered(line, features) {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    text
}

/// `None` for a line that is left out.
fn rendered(line: &str, features: &[&str]) -> Option<String> {
    let Some((before, rest)) = line.split_once('{') else { return Some(line.to_owned()) };
    let (inside, after) = rest.split_once('}')?;
    let after = rendered(after, features)?;
    let (word, condition) = inside.split_once(' ')?;
    match word {
        "include" => holds(condition.strip_prefix("if ")?, features).then(|| format!("{before}{after}")),
        "exclude" => (!holds(condition.strip_prefix("if ")?, features)).then(|| format!("{before}{after}")),
        "if" => {
            let (condition, texts) = condition.split_once(':')?;
            let (yes, no) = texts.split_once('|').unwrap_or((texts, ""));
            let chosen = if holds(condition, features) { yes } else { no };
            Some(format!("{before}{chosen}{after}"))
        }
        _ => None,
    }
}

/// `"a" and not "b"`
fn holds(condition: &str, features: &[&str]) -> bool {
    condition.split(" and ").all(|term| {
        let (wanted, name) = match term.trim().strip_prefix("not ") {
            Some(name) => (false, name),
            None => (true, term),
        };
        features.contains(&name.trim().trim_matches('"')) == wanted
    })
}
