//! An emergency code in place of a card.

use countersign_protocol::binary::Binary;
use countersign_protocol::emergency::{EmergencyCode, NotACode};
use countersign_protocol::ids::AccountName;
use countersign_protocol::message::EmergencyUse;
use secrecy::ExposeSecret as _;

use super::Drive;
use crate::card_pins;
use crate::person::Person;
use crate::session::Event;
use crate::wire::LinkError;

impl Drive<'_> {
    /// The same request that a card would sign, with the code in place of a signature.
    pub(super) fn coded(
        &self,
        account: &AccountName,
        code: EmergencyCode,
    ) -> Result<EmergencyUse, LinkError> {
        self.ask_the_time();
        let bytes = self.statement(account)?.to_bytes();
        let bytes = bytes.map_err(|error| LinkError::Internal(error.to_string()))?;
        Ok(EmergencyUse { statement: Binary(bytes), code })
    }

    /// Enter alone is how people say that their card is in.
    pub(super) fn ask_code(&self, text: &str, person: &mut Person) -> Event {
        let typed = match person.ask_hidden_or_enter(text) {
            Ok(typed) => typed,
            Err(gone) => return Event::Gone(gone),
        };
        let Some(typed) = typed else {
            self.look_closer(1, person);
            return Event::Cards(self.choices());
        };
        let code = card_pins::secret(&typed).map(|text| EmergencyCode::typed(text.expose_secret()));
        match code {
            Ok(Ok(code)) => Event::Code(code),
            Ok(Err(NotACode)) => Event::NotACode,
            Err(gone) => Event::Gone(gone),
        }
    }
}
