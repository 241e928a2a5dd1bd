//! Registering without an administrator.

use clap::Args;
use countersign_protocol::contact::{Address, MailAddress, PhoneNumber};
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::RegistrationMethod;

/// By what the person shows that they can be reached; at most one.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false, conflicts_with = "second")]
pub(super) struct Alone {
    /// Make the account with a code that is sent to this mail address.
    #[arg(long, value_name = "ADDRESS")]
    email: Option<MailAddress>,

    /// Make the account with a code that is sent to this telephone number.
    #[arg(long, value_name = "NUMBER", value_parser = number)]
    sms: Option<PhoneNumber>,

    /// Make the account with an authenticator program.
    #[arg(long)]
    totp: bool,
}

fn number(text: &str) -> Result<PhoneNumber, String> {
    PhoneNumber::typed(text).map_err(|error| error.to_string())
}

impl Alone {
    /// For the request.
    pub(super) fn method(&self) -> Option<RegistrationMethod> {
        let email = self.email.clone().map(|address| RegistrationMethod::Message(Address::Email(address)));
        let sms = || self.sms.clone().map(|number| RegistrationMethod::Message(Address::Sms(number)));
        email.or_else(sms).or_else(|| self.totp.then_some(RegistrationMethod::Totp))
    }

    /// What whoever came alone has to do next; none for who was invited.
    pub(super) fn next(&self, account: &AccountName) -> Option<String> {
        let (may, more) = match self.method()? {
            RegistrationMethod::Message(_) => ("It opens no login yet", ""),
            RegistrationMethod::Totp => (
                "It may do nothing yet, and opens no login",
                "\nWhat your authenticator program keeps for it is of no more use.",
            ),
            RegistrationMethod::Recovery => return None,
        };
        Some(format!(
            "{may}. Tell an administrator its name and these key words; who knows you by them runs\n  countersign admin user \
             update {account} --role user --login LOGIN{more}"
        ))
    }
}
