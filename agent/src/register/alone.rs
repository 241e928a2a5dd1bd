//! Registering without an administrator: what the person sees, and what they type.

use countersign_protocol::ipc::{NoteKind, ProblemKind};
use countersign_protocol::key_words::{commitment_words, key_words};
use countersign_protocol::limits;
use countersign_protocol::message::{
    RegistrationMethod, RegistrationReply, RegistrationRequest, Unavailable,
};
use secrecy::{ExposeSecret as _, SecretString};

use super::Registration;
use crate::card_pins;
use crate::person::Person;
use crate::trouble::Trouble;
use crate::wire::LinkError;

impl Registration<'_> {
    /// Tells the person by what they know the message again, or what their authenticator program wants.
    pub(super) fn begun_alone(
        &self,
        method: &RegistrationMethod,
        request: &RegistrationRequest,
        reply: &RegistrationReply,
        person: &mut Person,
    ) -> Result<(), Trouble> {
        if let Some(why) = reply.unavailable {
            return Err(Trouble::new(ProblemKind::Refused, not_here(why, method)));
        }
        match (method, &reply.totp) {
            (RegistrationMethod::Message(address), None) => {
                let host = key_words(&self.link.instance.fingerprint);
                let key = commitment_words(&request.commitment);
                person.note(
                    NoteKind::Info,
                    &format!(
                        "A message to {address} will bring a code, good until {}. It names these words; if it names others, do not type its code:\n  this host     {host}\n  your new key  {key}\nIf no message comes: mail may take a quarter of an hour, and an address gets few messages a day.",
                        reply.expires
                    ),
                );
                Ok(())
            }
            (RegistrationMethod::Recovery, None) => Ok(()),
            (RegistrationMethod::Totp, Some(secret)) => {
                let address = secret.address(self.issuer(), self.account.as_str());
                person.note(
                    NoteKind::Info,
                    "Let your authenticator program read this picture, or type its secret into it:",
                );
                person.note(NoteKind::Authenticator, address.expose_secret());
                Ok(())
            }
            _ => Err(LinkError::Untrusted("it begins another kind of registration".to_owned()).into()),
        }
    }

    /// The code, and what the authenticator program shows where a code is not enough.
    pub(super) fn typed_code(&self, person: &mut Person) -> Result<(String, Option<String>), Trouble> {
        let question = match self.method {
            None => "One-time code from your administrator: ".to_owned(),
            Some(RegistrationMethod::Message(address)) => format!("Code from the message to {address}: "),
            Some(RegistrationMethod::Totp) => SIX_DIGITS.to_owned(),
            Some(RegistrationMethod::Recovery) => "Recovery code from your paper: ".to_owned(),
        };
        let code = typed(person, &question)?;
        let plain = countersign_protocol::crockford::typed(code.expose_secret());
        let code = code.expose_secret().trim().to_owned();
        let needs_both = self.method.is_none()
            && countersign_protocol::crockford::is_code(&plain, limits::CODE_GROUPS_WITH_TOTP);
        if !needs_both {
            return Ok((code, None));
        }
        let shown = typed(person, SIX_DIGITS)?;
        Ok((code, Some(shown.expose_secret().trim().to_owned())))
    }

    /// Whose codes the authenticator program says that they are.
    fn issuer(&self) -> &str {
        let url = self.link.instance.server_url.as_str();
        url.split_once("://").map_or(url, |(_, host)| host)
    }
}

const SIX_DIGITS: &str = "Six digits that your authenticator program shows: ";

fn typed(person: &mut Person, question: &str) -> Result<SecretString, Trouble> {
    let typed = person.ask_hidden(question)?;
    Ok(card_pins::secret(&typed)?)
}

fn not_here(why: Unavailable, method: &RegistrationMethod) -> String {
    match (why, method) {
        (Unavailable::Domain, _) => {
            "This server makes no account with an address of that mail domain. Use one of your organisation's, or ask your administrator."
        }
        (Unavailable::Now, RegistrationMethod::Message(_)) => {
            "Too many accounts were asked for at this host today, or at all hosts. Try again tomorrow, or ask your administrator for an account and its code."
        }
        (Unavailable::Now, _) => {
            "Too many accounts were asked for by authenticator program at this host. Try again in some minutes, or tomorrow."
        }
        (Unavailable::Method, RegistrationMethod::Totp) => {
            "This server makes no account by authenticator program alone. Ask your administrator for an account and its code."
        }
        (Unavailable::Method, RegistrationMethod::Recovery) => {
            "This server gives no account another card by a recovery code. Ask your administrator."
        }
        (Unavailable::Method, RegistrationMethod::Message(_)) => {
            "This server makes no account like this. Try --email, or --totp, or ask your administrator for an account and its code."
        }
    }
    .to_owned()
}
