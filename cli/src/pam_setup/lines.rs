//! Our lines in PAM's files. `docs/pam.md` says what each word does; `tests/pam_stacks` proves them.

use crate::failure::Failure;

/// In every line of ours.
pub(crate) const MODULE: &str = "pam_countersign.so";

/// Behind `auth`; what follows `success=` is a number of lines or `done`.
const AUTH_REST: &str = "ignore=ignore authinfo_unavail=ignore default=die]";

/// Behind `account`.
pub(crate) const ACCOUNT: &str = "[success=ok ignore=ignore default=die] pam_countersign.so";

/// Behind `password`, in the file of `passwd`.
pub(crate) const PASSWORD: &str = "[success=done ignore=ignore default=die] pam_countersign.so";

/// Behind `auth`, in a file that is written by hand.
pub(crate) fn by_hand_auth() -> String {
    format!("[success=done {AUTH_REST} {MODULE}")
}

/// Before ours in `auth` and `account`: root at the console is let past it, so that a missing module, too, leaves a way in.
const CONSOLE: &str = "[success=1 default=ignore] pam_succeed_if.so quiet user = root service = login";

/// Holds what `pam-auth-update` wrote to what was proven: our lines are first, and the jump lands on `pam_permit`.
pub(crate) fn check_auth(text: &str) -> Result<(), Failure> {
    let lines = behind_console(text, "auth");
    let wrong = |what: &str| Failure::file(format!("pam-auth-update wrote a common-auth that {what}"));
    let first = lines.first().ok_or_else(|| wrong("has no line"))?;
    let rest =
        first.strip_prefix("[success=").ok_or_else(|| wrong("does not begin with Countersign's line"))?;
    let (jump, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    if rest != format!("{AUTH_REST} {MODULE}") {
        return Err(wrong("does not begin with Countersign's line").then(
            "Another profile of pam-auth-update stands above it, or its line was edited. See: pam-auth-update",
        ));
    }
    let landed = jump.parse::<usize>().ok().and_then(|jump| lines.get(jump.checked_add(1)?));
    if landed.is_none_or(|line| line != "required pam_permit.so") {
        return Err(wrong("does not lead a card to where a password leads"));
    }
    // pam-auth-update gives such words to whoever is not first, and ours asks for no password.
    let waits = |line: &String| line.split(' ').any(|word| word == "use_first_pass");
    match lines.get(1).filter(|line| waits(line)) {
        Some(line) => Err(wrong("asks nobody for a password").then(format!(
            "Who needs no card could not log in: `{line}` takes a password that an earlier line asked for, and none \
             does. Enable a profile that asks, such as unix, with a priority above that one's. See: pam-auth-update"
        ))),
        None => Ok(()),
    }
}

/// The same for the account check: before everything that could end it.
pub(crate) fn check_account(text: &str) -> Result<(), Failure> {
    if behind_console(text, "account").first().is_some_and(|line| line == ACCOUNT) {
        return Ok(());
    }
    Err(Failure::file("pam-auth-update wrote a common-account that does not begin with Countersign's line")
        .then("Another profile of pam-auth-update stands above it. See: pam-auth-update"))
}

/// Whether a file of authselect's has our lines where nothing that could decide stands above them.
pub(crate) fn check_selected(text: &str) -> bool {
    const HARMLESS: [&str; 2] = ["required pam_env.so", "required pam_faildelay.so delay=2000000"];
    let auth = of_kind(text, "auth");
    let first = auth.iter().find(|line| !HARMLESS.contains(&line.as_str()));
    let account = of_kind(text, "account");
    first.is_some_and(|line| *line == by_hand_auth()) && account.first().is_some_and(|line| line == ACCOUNT)
}

/// Whether a file has a line of ours.
pub(crate) fn has_ours(text: &str) -> bool {
    text.lines().any(|line| line.split('#').next().unwrap_or_default().contains(MODULE))
}

/// Whether a line goes with ours: what lets root past ours is nothing without it.
fn goes(line: &str) -> bool {
    let words = || line.split('#').next().unwrap_or_default().split_whitespace().skip(1);
    has_ours(line) || words().collect::<Vec<_>>().join(" ") == CONSOLE
}

/// The file of `passwd` with our line first; `None` if it has one.
pub(crate) fn with_password_line(text: &str) -> Option<String> {
    if has_ours(text) {
        return None;
    }
    let is_first = |line: &&str| {
        let word = line.split_whitespace().next().unwrap_or_default().trim_start_matches('-');
        word == "password" || word == "@include"
    };
    let at = text.lines().position(|line| is_first(&line)).unwrap_or_else(|| text.lines().count());
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.insert(at, format!("password\t{PASSWORD}"));
    Some(lines.join("\n") + "\n")
}

/// The file without any line of ours, and with the jumps over them shortened. `None` where that cannot be told.
pub(crate) fn without_ours(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    if lines.iter().any(|line| line.trim_end().ends_with('\\')) {
        return None;
    }
    let mut kept = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| !goes(line)) {
        kept.push(with_shorter_jumps(line, lines.get(at.checked_add(1)?..)?)? + "\n");
    }
    Some(kept.concat())
}

/// A line whose jumps, counted in lines of its kind, pass over no line of ours any more.
fn with_shorter_jumps(line: &str, below: &[&str]) -> Option<String> {
    let below_of_kind = || below.iter().filter(|below| kind_of(below) == kind_of(line)).copied();
    let open = line.find('[').filter(|open| {
        let ahead = line.get(..*open).unwrap_or_default();
        !ahead.contains('#') && ahead.split_whitespace().count() == 1
    });
    let Some(open) = open.filter(|_| below_of_kind().any(goes)) else { return Some(line.to_owned()) };
    let close = open.checked_add(line.get(open..)?.find(']')?)?;
    let mut words = Vec::new();
    for word in line.get(open.checked_add(1)?..close)?.split_whitespace() {
        let jump = word.split_once('=').and_then(|(code, jump)| Some((code, jump.parse::<usize>().ok()?)));
        let Some((code, jump)) = jump else {
            words.push(word.to_owned());
            continue;
        };
        let passed = || below_of_kind().take(jump);
        let ours = passed().filter(|line| goes(line)).count();
        // How many lines another file brings along is not to be seen here.
        let brings = |line: &str| line.split_whitespace().nth(1) == Some("include");
        let is_plain = !passed().any(brings) && !below.iter().any(|line| line.trim_start().starts_with('@'));
        match jump.checked_sub(ours)? {
            _ if ours == 0 => words.push(word.to_owned()),
            // It passed over ours alone: now it goes on with the next line.
            0 => words.push(format!("{code}=ignore")),
            shorter if is_plain => words.push(format!("{code}={shorter}")),
            _ => return None,
        }
    }
    Some(format!("{}[{}{}", line.get(..open)?, words.join(" "), line.get(close..)?))
}

/// `auth`, `account`, `password` or `session`.
fn kind_of(line: &str) -> Option<&str> {
    Some(line.split('#').next()?.split_whitespace().next()?.trim_start_matches('-'))
}

/// The lines of a kind behind the one for root at the console; none where that is not the first.
fn behind_console(text: &str, kind: &str) -> Vec<String> {
    let mut lines = of_kind(text, kind).into_iter();
    if lines.next().as_deref() == Some(CONSOLE) { lines.collect() } else { Vec::new() }
}

/// The lines of a kind in their order, spaces made one, without the kind.
fn of_kind(text: &str, kind: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let words = line.split('#').next()?.split_whitespace().skip(1);
            (kind_of(line)? == kind).then(|| words.collect::<Vec<_>>().join(" "))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "# here are the per-package modules\n\
        auth\t[success=1 default=ignore]\tpam_succeed_if.so quiet user = root service = login\n\
        auth\t[success=2 ignore=ignore authinfo_unavail=ignore default=die]\tpam_countersign.so \n\
        auth\t[success=1 default=ignore]\tpam_unix.so nullok try_first_pass\n\
        auth\trequisite\t\t\tpam_deny.so\nauth\trequired\t\t\tpam_permit.so\nauth\toptional pam_cap.so\n";

    #[test]
    fn what_pam_auth_update_writes_is_taken_only_in_the_form_that_was_proven() {
        assert!(check_auth(GOOD).is_ok());
        for (from, to) in [
            ("success=2", "success=3"),
            ("success=2", "success=1"),
            ("success=2", "success=done"),
            ("default=die", "default=ignore"),
            ("[success=2 ignore=ignore", "[success=2 ignore=2"),
            ("auth\t[success=2", "auth required pam_x.so\nauth\t[success=2"),
            ("pam_countersign.so", "pam_countersign.so debug"),
            ("user = root service = login", "user = root"),
            ("quiet user", "quiet use_uid user"),
        ] {
            assert!(check_auth(&GOOD.replacen(from, to, 1)).is_err(), "{from} {to}");
        }
        assert!(check_auth("").is_err());
        // One that is not pam_unix, and was written to be never the first.
        let mute = GOOD.replacen("pam_unix.so nullok try_first_pass", "pam_sss.so use_first_pass", 1);
        assert!(check_auth(&mute).is_err());
        let behind = GOOD.replacen("success=2", "success=3", 1).replacen(
            "auth\trequisite",
            "auth\t[success=1 default=ignore] pam_sss.so use_first_pass\nauth\trequisite",
            1,
        );
        assert!(check_auth(&behind).is_ok(), "behind one that asks");
        let account = "account [success=1 default=ignore] pam_succeed_if.so quiet user = root service = login\n\
            account [success=ok  ignore=ignore default=die]\tpam_countersign.so \naccount required pam_unix.so\n";
        assert!(check_account(account).is_ok());
        assert!(check_account(&account.replace("default=die", "default=ignore")).is_err());
        assert!(check_account(&format!("account required pam_unix.so\n{account}")).is_err());
    }

    #[test]
    fn what_authselect_writes_is_taken_only_in_the_form_that_was_proven() {
        for profile in [
            include_str!("../../../packaging/authselect/countersign/system-auth"),
            include_str!("../../../packaging/authselect/countersign/password-auth"),
        ] {
            assert!(check_selected(profile));
            for (from, to) in [
                ("success=done", "success=1"),
                ("default=die", "default=ignore"),
                ("auth        required", "auth sufficient pam_x.so\nauth        required"),
                ("account     [success=ok", "account sufficient pam_x.so\naccount     [success=ok"),
            ] {
                assert!(!check_selected(&profile.replacen(from, to, 1)), "{from} {to}");
            }
        }
        assert!(!check_selected(""));
    }

    #[test]
    fn passwd_gets_our_line_first_and_once() {
        let text = "#\n# The PAM configuration file for `passwd`\n\n@include common-password\n\n";
        let with = with_password_line(text).unwrap();
        let ours = with.find(MODULE).unwrap();
        assert!(ours < with.find("@include").unwrap(), "{with}");
        assert!(with_password_line(&with).is_none());
        assert_eq!(without_ours(&with).unwrap(), text);
    }

    #[test]
    fn jumps_over_a_line_of_ours_are_shortened_when_it_goes() {
        let text = "# common-auth\nauth\t[success=3 new_authtok_reqd=1 default=ignore]\tpam_first.so\n\
            account required pam_unix.so\nauth [success=2 default=die] pam_countersign.so\n\
            auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n";
        let root = without_ours(text).unwrap();
        assert!(
            root.contains("auth\t[success=2 new_authtok_reqd=ignore default=ignore]\tpam_first.so"),
            "{root}"
        );
        let without = without_ours(&text.replace(" new_authtok_reqd=1", "")).unwrap();
        assert_eq!(
            without,
            "# common-auth\nauth\t[success=2 default=ignore]\tpam_first.so\naccount required pam_unix.so\n\
             auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\nauth required pam_permit.so\n"
        );
        assert_eq!(
            without_ours(GOOD).unwrap(),
            GOOD.lines()
                .filter(|line| !line.contains(MODULE) && !line.contains("service = login"))
                .map(|line| format!("{line}\n"))
                .collect::<String>()
        );
        for unclear in
            ["auth [success=3] pam_x.so\nauth include more\n", "auth [success=3] pam_x.so\n@include more\n"]
        {
            assert!(
                without_ours(&format!("{unclear}auth required pam_countersign.so\nauth required pam_y.so\n"))
                    .is_none()
            );
        }
        assert!(without_ours("auth required \\\n pam_countersign.so\n").is_none());
    }
}
