//! What servers say of letters, without whose they are: they repeat the address, in their own spelling.

use countersign_protocol::contact::Address;

/// In place of what was cut.
const CUT: &str = "(the receiver)";

/// Fewest digits at its end by which a number is known, whatever stands before them: with and without its country.
const KNOWN_BY: usize = 6;

/// The text without the address: whatever has an `@` in it, and the part before that as a word, in large letters and small;
/// or whatever ends like the number, however it is written.
pub(super) fn without(text: &str, to: &Address) -> String {
    match to {
        Address::Email(address) => {
            let local = address.as_str().split('@').next().unwrap_or_default();
            let plain = local.split('+').next().filter(|plain| !plain.is_empty()).unwrap_or(local);
            let is_name = |word: &str| {
                let word = word.trim_matches(['.', '-', '+', '_']);
                [local, plain].iter().any(|name| word.eq_ignore_ascii_case(name))
            };
            cut(
                text,
                |c| c.is_alphanumeric() || "._+-@".contains(c),
                |word| word.contains('@') || is_name(word),
            )
        }
        Address::Sms(number) => {
            let end = |text: &str| -> Option<Vec<char>> {
                let digits: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
                Some(digits.get(digits.len().checked_sub(KNOWN_BY)?..)?.to_vec())
            };
            let ours = end(number.as_str());
            cut(
                text,
                |c| c.is_ascii_digit() || "+-./() ".contains(c),
                |run| ours.is_some() && end(run) == ours,
            )
        }
    }
}

/// Cuts the runs of characters that `belongs` takes and `is_theirs` knows.
fn cut(text: &str, belongs: impl Fn(char) -> bool, is_theirs: impl Fn(&str) -> bool) -> String {
    let (mut kept, mut run) = (String::new(), String::new());
    let end = |kept: &mut String, run: &mut String| {
        if is_theirs(run) {
            let spaces = |side: &str| " ".repeat(run.len() - side.len());
            kept.push_str(&[spaces(run.trim_start()).as_str(), CUT, &spaces(run.trim_end())].concat());
        } else {
            kept.push_str(run);
        }
        run.clear();
    };
    for c in text.chars() {
        if belongs(c) {
            run.push(c);
        } else {
            end(&mut kept, &mut run);
            kept.push(c);
        }
    }
    end(&mut kept, &mut run);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_cut_in_every_spelling_and_the_rest_stays() {
        let cut = |to: &str, text: &str| without(text, &Address::typed(to).unwrap());
        for (text, left) in [
            ("550 5.1.1 <ana+news@example.org>: nobody", "550 5.1.1 <(the receiver)>: nobody"),
            ("550 5.1.1 <ANA+News@Example.ORG>: nobody", "550 5.1.1 <(the receiver)>: nobody"),
            ("no mailbox Ana here; ana+NEWS.", "no mailbox (the receiver) here; (the receiver)"),
            ("rcpt=ana@mx.example.net", "rcpt=(the receiver)"),
            ("Ananas is not banana", "Ananas is not banana"),
        ] {
            assert_eq!(cut("ana+news@example.org", text), left);
        }
        for (text, left) in [
            ("to +491512345678: no", "to (the receiver): no"),
            ("0151/234 56-78 is no number", "(the receiver) is no number"),
            ("error 550 5.1.1", "error 550 5.1.1"),
        ] {
            assert_eq!(cut("+49 151 2345678", text), left);
        }
    }
}
