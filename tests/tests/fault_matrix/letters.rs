//! What the letters of the tables mean.

use countersign_tests::matrix::{Denied, Expected, PamCode, spoken};

/// For whoever reads the printed matrix.
pub(crate) const LEGEND: &str = "\
  served:  s at once   r after the card was put in again   o from the roster, without the server
  denied:  p card pulled   f, F card refused a command   w wrong PIN   b blocked   t no touch   k no key
           x answer makes no sense   v signature is none   z reader failed   m no answer   n no card
           g no OpenPGP card   T an erased one   j PIN neither taken nor counted   l PIN forgotten
           e disk full   h use not counted
           c no card service   d agent gone   u server unreachable   y not the server's answer   q server refused
  S, D, H: served, denied, or hanging where it must not; the cells with ! are listed with what came of them.
  Denials are PAM_AUTH_ERR, but b PAM_MAXTRIES; each names its reason to Ana, with a reference that the log has too.
";

/// What a letter stands for at a command, where the card answers with this status word (or any).
pub(crate) fn expected(letter: char, command: &str, status: Option<u16>) -> Expected {
    let denied =
        |code, reason, says: &str| Expected::Denied(Denied { letter, code, reason, says: says.to_owned() });
    let auth_err = |reason, says: &str| denied(PamCode::AuthErr, Some(reason), says);
    match letter {
        's' | 'r' | 'o' => Expected::Served(letter),
        'p' => auth_err("CardGone", "The card was pulled out; put it in and try again."),
        'f' => auth_err("CardFailed", &refusal(command, status)),
        'F' => auth_err("CardFailed", &refusal("SELECT", status)),
        'w' => {
            let tries = status.map_or(0, |status| status & 0xF);
            let left = if tries == 1 { "1 try left".to_owned() } else { format!("{tries} tries left") };
            auth_err("WrongPin", &format!("Wrong PIN. {left}."))
        }
        'b' => denied(PamCode::MaxTries, Some("CardBlocked"), "The card is blocked: no tries are left."),
        't' => auth_err("TouchTimeout", "The card was not touched in time"),
        'j' => auth_err("CardFailed", "The card did not take the PIN, and did not count it"),
        'l' => auth_err("CardFailed", "The card forgot the PIN between accepting and using it"),
        'k' => auth_err("CardFailed", "The card holds no signature key"),
        'x' => auth_err("CardFailed", "makes no sense"),
        'v' => auth_err("CardFailed", "a signature that does not verify"),
        'z' => auth_err("CardFailed", "The card reader failed"),
        'g' => auth_err("CardFailed", "This is not an OpenPGP card"),
        'T' => auth_err("CardFailed", "The card was being erased"),
        'm' => auth_err("CardFailed", "The card did not answer in time"),
        'n' => auth_err("NoCard", "No card of ana was put in"),
        'c' => auth_err("CardFailed", "The card service does not answer"),
        'd' => denied(PamCode::AuthErr, None, "Countersign could not check this login"),
        'u' => auth_err("ServerUnavailable", "The server cannot be reached"),
        'y' => auth_err("ServerUnavailable", "The answer is not"),
        'e' => auth_err("Internal", "and try again."),
        'h' => auth_err("ServerUnavailable", "journal"),
        'q' => auth_err("ServerUnavailable", "The server refused the message"),
        other => panic!("{other:?} is no letter of the matrix"),
    }
}

fn refusal(command: &str, status: Option<u16>) -> String {
    let status = status.map_or_else(String::new, |status| format!(" with {status:04X}"));
    format!("The card refused {}{status}", spoken(command))
}
