//! What people read who asked for an account, or for whom somebody did (W9).

use countersign_protocol::contact::Address;
use countersign_protocol::ids::{AccountName, ApplicationName};
use countersign_protocol::limits;
use secrecy::ExposeSecret as _;

use crate::codes::Code;
use crate::outbox::Letter;

/// What was asked, and from where.
pub(super) struct Asked<'a> {
    pub(super) account: &'a AccountName,
    pub(super) server: &'a str,
    pub(super) application: &'a ApplicationName,
    pub(super) host: &'a str,
    pub(super) key: &'a str,
}

impl Asked<'_> {
    /// The code, and by what its reader knows that it is about their own request.
    pub(super) fn code(&self, to: &Address, code: &Code) -> Letter {
        let Self { account, server, application, host, key } = self;
        let code = code.spelled();
        let (code, minutes) = (code.expose_secret(), limits::SELF_REGISTRATION_LIFE / 60);
        let text = match to {
            Address::Email(_) => format!(
                "Somebody asks for the account {account} at {server}\nand gave this address.\n\n\
                 If it was you, type this code where you are asked for it:\n\n    {code}\n\n\
                 It is good once, for {minutes} minutes, and only if these words are the ones that you see there:\n\n    \
                 application   {application}\n    this host     {host}\n    your new key  {key}\n\n\
                 If the words differ, or it was not you: do nothing, and tell the code to nobody, whoever asks for it.\n\
                 Without it no account is made.\n"
            ),
            Address::Sms(_) => format!(
                "Code {code} for the account {account} at {server}, {minutes} min. Application {application}, host {host}, \
                 your key {key}. Other words there, or not you? Do nothing, tell nobody the code."
            ),
        };
        self.letter(to, text)
    }

    /// There is an account with this address.
    pub(super) fn known(&self, to: &Address) -> Letter {
        let Self { account, server, application, host, .. } = self;
        let text = match to {
            Address::Email(_) => format!(
                "Somebody asks for the account {account} at {server}\nand gave this address. An account with it is \
                 registered already, so that no code was made.\n\n\
                 If it was you: use the card of that account. For another card: countersign register ACCOUNT --second;\n\
                 if the card is lost, ask your administrator.\n\n\
                 If it was not you: there is nothing to do. It was asked for by the application {application}\non the host \
                 {host}.\n"
            ),
            Address::Sms(_) => format!(
                "Somebody asks for the account {account} at {server}. This number has an account already; no code was \
                 made. Not you? Nothing to do."
            ),
        };
        self.letter(to, text)
    }

    /// The name belongs to somebody else.
    pub(super) fn taken(&self, to: &Address) -> Letter {
        let Self { account, server, application, host, .. } = self;
        let text = match to {
            Address::Email(_) => format!(
                "Somebody asks for the account {account} at {server}\nand gave this address. The name is taken, so that no \
                 code was made.\n\n\
                 If it was you: choose another name, and run countersign register again. If an administrator made the\n\
                 account {account} for you, run it without the address, with the code that they gave you.\n\n\
                 If it was not you: there is nothing to do. It was asked for by the application {application}\non the host \
                 {host}.\n"
            ),
            Address::Sms(_) => format!(
                "Somebody asks for the account {account} at {server}. The name is taken; no code was made. You? Choose \
                 another. Not you? Nothing to do."
            ),
        };
        self.letter(to, text)
    }

    fn letter(&self, to: &Address, text: String) -> Letter {
        Letter { to: to.clone(), subject: format!("Registration of {}", self.account), text }
    }
}
