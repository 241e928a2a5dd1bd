//! The key to be registered: made on the card, or brought along by it.

use countersign_protocol::binary::Binary;
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::ids::{AccountName, Fingerprint};
use countersign_protocol::ipc::{NoteKind, ProblemKind};

use openpgp::types::PublicKeyAlgorithm;
use sequoia_openpgp as openpgp;

use crate::agent::Agent;
use crate::card::{Adopted, Algorithm, Asker, CardState, Generate, Personal, Pin, PinKind};
use crate::card_pins;
use crate::instance_key::BACKDATE;
use crate::person::Person;
use crate::session::Choice;
use crate::trouble::{Trouble, sentence};

/// A key in a card.
pub(crate) struct CardKey {
    pub(super) certificate: Cert,
    pub(crate) signing_key: Fingerprint,
    /// Opens logins through SSH.
    pub(super) authentication_key: Option<Fingerprint>,
    /// Typed a moment ago as the card's new PIN.
    pub(super) pin: Option<Pin>,
}

impl CardKey {
    /// The one that the card holds, with the certificate that goes with it.
    pub(crate) fn adopt(
        agent: &Agent,
        asker: &Asker,
        card: &Choice,
        bytes: &[u8],
        person: &mut Person,
    ) -> Result<Self, Trouble> {
        adopt(agent, asker, card, bytes, person)
    }

    /// Of the primary key.
    pub(crate) fn fingerprint(&self) -> Result<Fingerprint, Trouble> {
        Ok(certificate::fingerprint(&self.certificate)?)
    }

    /// RSA with 4096 bits or more.
    pub(super) fn is_slow(&self) -> bool {
        let is_ours = |name: &openpgp::Fingerprint| name.as_bytes() == self.signing_key.as_bytes();
        let mut keys = self.certificate.keys().filter(|key| is_ours(&key.key().fingerprint()));
        keys.any(|key| {
            let key = key.key();
            let bits = key.mpis().bits().unwrap_or(0);
            key.pk_algo() == PublicKeyAlgorithm::RSAEncryptSign && bits >= 4096
        })
    }
}

/// Makes keys on the card and replaces both PINs – or goes on with the keys made here for this account before.
pub(super) fn generate(
    agent: &Agent,
    asker: &Asker,
    account: &AccountName,
    card: &Choice,
    algorithm: &str,
    person: &mut Person,
) -> Result<CardKey, Trouble> {
    let algorithm: Algorithm = algorithm.parse().map_err(|_| {
        Trouble::new(
            ProblemKind::Usage,
            format!("{algorithm:?} is none of curve25519, nist-p256, nist-p384, rsa2048, rsa3072, rsa4096."),
        )
    })?;
    let details = agent.cards.turn(card.card, asker, person)?.cards().details(card.card)?;
    let again = agent.made_keys.broke_off(&details);
    if details.keys.iter().any(|key| key.fingerprint.is_some()) && !again {
        return made_before(agent, asker, account, card, person);
    }
    if again {
        let text = format!("Going on with {}, on which making keys broke off before.", card.name);
        person.note(NoteKind::Info, &text);
    }
    if let Some(warning) = algorithm.warning() {
        person.note(NoteKind::Info, warning);
    }
    let pins = agent.cards.turn(card.card, asker, person)?.cards().pins(card.card)?;
    let current = card_pins::ask_current(person, card.card, &card.name, pins)?;
    let new_user_pin = card_pins::ask_new(person, PinKind::User, pins)?;
    let new_admin_pin = card_pins::ask_new(person, PinKind::Admin, pins)?;
    let now = agent.wire.time.now().plus(-BACKDATE);
    let plan = Generate {
        algorithm,
        user_pin: current.user,
        admin_pin: current.admin,
        new_pins: Some([new_user_pin.clone(), new_admin_pin]),
        same_pins: again,
        personal: Personal::default(),
        user_id: account.as_str().to_owned(),
        now,
        replace: false,
    };
    let mut turn = agent.cards.turn(card.card, asker, person)?;
    let (cards, waiting) = turn.split();
    // While PINs were typed, somebody else may have finished what broke off.
    let replace = again && agent.made_keys.broke_off(&cards.details(card.card)?);
    let plan = Generate { replace, ..plan };
    agent.made_keys.begin(card.card, Some(account), now)?;
    let made = cards.generate(card.card, plan, &mut |step| waiting.note(&sentence(&step.to_string())));
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            if error.state == CardState::Unchanged {
                agent.made_keys.never_began(card.card, now)?;
            }
            return Err(Trouble::new(ProblemKind::Card, sentence(&error.to_string())));
        }
    };
    // As everybody else will read it: the commitment is over exactly these bytes.
    let bytes = Binary(certificate::to_bytes(&made)?);
    agent.made_keys.finish(card.card, Some(account), now, bytes.clone())?;
    drop(turn);
    let mut key = adopt(agent, asker, card, &bytes.0, person)?;
    key.pin = Some(new_user_pin);
    Ok(key)
}

/// Goes on with keys that were made here before, for this account or for nobody in particular.
fn made_before(
    agent: &Agent,
    asker: &Asker,
    account: &AccountName,
    card: &Choice,
    person: &mut Person,
) -> Result<CardKey, Trouble> {
    let kept = agent.made_keys.certificate(card.card, account);
    let adopted = kept.and_then(|certificate| adopt(agent, asker, card, &certificate.0, person).ok());
    if let Some(key) = adopted {
        person.note(NoteKind::Info, "Going on with the keys that were made on this card before.");
        return Ok(key);
    }
    Err(Trouble::new(
        ProblemKind::Card,
        format!(
            "{} ({}) holds keys already; they are not overwritten. To register them: countersign register {account} --adopt CERTIFICATE. To replace them: countersign card generate. To erase the card: countersign card factory-reset.",
            card.name, card.card
        ),
    ))
}

/// Takes the card's own key, with the certificate that goes with it.
pub(super) fn adopt(
    agent: &Agent,
    asker: &Asker,
    card: &Choice,
    bytes: &[u8],
    person: &mut Person,
) -> Result<CardKey, Trouble> {
    let certificate = certificate::parse(bytes)
        .map_err(|error| Trouble::new(ProblemKind::Usage, sentence(&error.to_string())))?;
    let now = agent.wire.time.now();
    let turn = agent.cards.turn(card.card, asker, person)?;
    let Adopted { signing, authentication } = turn.cards().check_adoptable(card.card, &certificate, now)?;
    Ok(CardKey { certificate, signing_key: signing, authentication_key: authentication, pin: None })
}
