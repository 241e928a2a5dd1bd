//! Somebody who registers without an administrator, one message at a time.

use countersign_protocol::certificate;
use countersign_protocol::ids::MessageId;
use countersign_protocol::message::{
    RegistrationCode, RegistrationCodeReply, RegistrationMethod, RegistrationReply, RegistrationRequest,
    Transcript,
};

use super::carrier::Answer;
use super::host::{Accepted, Host};
use super::person::Person;

/// After the request was answered.
pub(crate) struct Asked {
    pub(crate) reply: RegistrationReply,
    pub(crate) chain: Transcript,
    pub(crate) answer: Answer,
}

impl Asked {
    pub(crate) fn id(&self) -> MessageId {
        self.reply.registration
    }
}

/// By mail.
pub(crate) fn email(address: &str) -> RegistrationMethod {
    RegistrationMethod::Message(countersign_protocol::contact::Address::typed(address).unwrap())
}

impl Host {
    /// Asks for an account for this key.
    pub(crate) fn asks_alone(&self, person: &Person, method: RegistrationMethod) -> Asked {
        let commitment = certificate::commitment(&person.cert).unwrap();
        let body = RegistrationRequest { account: person.account.clone(), commitment, method: Some(method) };
        let request = self.seal(&self.message(&body));
        let answer = self.send(&request);
        let verified = self.open(&request, &answer);
        let heard = Transcript::registration().then(request.literal());
        assert_eq!(verified.message().transcript, Some(heard.digest()));
        Asked { reply: verified.body().unwrap(), chain: heard.then(verified.literal()), answer }
    }

    /// Types a code; what the server accepted, if it did.
    pub(crate) fn types(&self, asked: &Asked, code: &str) -> Option<Accepted> {
        let body = RegistrationCode { registration: asked.id(), code: code.into(), totp: None };
        let sealed = self.seal(&self.message(&body).with_transcript(asked.chain.digest()));
        let verified = self.open(&sealed, &self.send(&sealed));
        let heard = asked.chain.then(sealed.literal());
        assert_eq!(verified.message().transcript, Some(heard.digest()));
        match verified.body().unwrap() {
            RegistrationCodeReply::Accepted { server_nonce } => Some(Accepted {
                registration: asked.id(),
                transcript: heard.then(verified.literal()).digest(),
                server_nonce,
            }),
            RegistrationCodeReply::Rejected => None,
        }
    }
}
