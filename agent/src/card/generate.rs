//! New keys on a card, the certificate around them, and new PINs. One exclusive transaction.
//!
//! The order keeps the person in: both current PINs are proven before anything changes, and PINs change
//! after all but the touch policy, one command each. Wherever it breaks off, [`CardState`] says which PINs hold; only for the one PIN
//! whose change was under way two are possible, both known to the person.

mod algorithm;
mod certificate;
mod outcome;

use countersign_protocol::certificate::Cert;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::ids::{CardIdent, Fingerprint};
use sequoia_openpgp as openpgp;
use zeroize::Zeroizing;

use super::Cards;
use super::admin::{Personal, check_length};
use super::apdu::Command;
use super::error::CardError;
use super::kdf;
use super::link::Exclusive;
use super::pin::{Entered, HostPins, Pin, PinKind};
use super::public::{PinStatus, PublicData};
use super::unlock::{Purpose, spare, verify};
use super::worker::Steps;
use algorithm::Slot;

pub use algorithm::Algorithm;
pub(super) use algorithm::{bare, curve_of};
pub use outcome::{CardState, GenerateError, Progress};

/// Keys for a person's card.
#[derive(Debug)]
pub struct Generate {
    /// Of all three keys.
    pub algorithm: Algorithm,
    /// The user PIN that holds now.
    pub user_pin: Entered,
    /// The admin PIN that holds now.
    pub admin_pin: Entered,
    /// The PINs to be, user and admin; both stay where none is given.
    pub new_pins: Option<[Pin; 2]>,
    /// The PINs that hold now may be those to be: an earlier attempt may have set them.
    pub same_pins: bool,
    /// What is to be written to the card besides.
    pub personal: Personal,
    /// The certificate's user id: the account's name.
    pub user_id: String,
    /// The keys' creation time.
    pub now: Timestamp,
    /// Keys that are on the card may be overwritten.
    pub replace: bool,
}

/// The key of an instance, for the host's card: one signature key, no touch.
#[derive(Debug)]
pub struct GenerateHost {
    /// Of the key.
    pub algorithm: Algorithm,
    /// The user PIN that holds now.
    pub user_pin: Entered,
    /// The admin PIN that holds now.
    pub admin_pin: Entered,
    /// The PINs to be, which may be those that hold now. Store them first.
    pub new_pins: HostPins,
    /// For the certificate's user id.
    pub hostname: String,
    /// The key's creation time.
    pub now: Timestamp,
    /// Keys that are on the card may be overwritten.
    pub replace: bool,
    /// But not this one: the new key goes into another slot, and this one goes on signing.
    pub keep: Option<Fingerprint>,
}

impl Cards {
    /// Makes keys for a person: signature (certifies, too), decryption, authentication. PINs are replaced where
    /// new ones are given, and the card closes its PIN after every signature from now on.
    ///
    /// # Errors
    /// [`GenerateError`], which says how the card is now. A card with keys is refused unless told otherwise.
    pub fn generate(
        &self,
        card: CardIdent,
        plan: Generate,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Cert, GenerateError> {
        let plan = Plan {
            algorithm: plan.algorithm,
            slots: &[Slot::Signature, Slot::Decryption, Slot::Authentication],
            keep: None,
            pins: [plan.user_pin, plan.admin_pin],
            new_pins: plan.new_pins,
            same_pins: plan.same_pins,
            personal: plan.personal,
            user_id: plan.user_id,
            now: plan.now,
            replace: plan.replace,
            for_host: false,
        };
        self.run(card, plan, progress)
    }

    /// Makes the key of an instance: it certifies and signs, and wants no touch.
    ///
    /// # Errors
    /// As [`Cards::generate`].
    pub fn generate_host_key(
        &self,
        card: CardIdent,
        plan: GenerateHost,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Cert, GenerateError> {
        let unchanged = |cause| GenerateError { cause, state: CardState::Unchanged };
        let signing_key = self.seen(card).map_err(unchanged)?.signing_key;
        let in_the_way = plan.keep.is_some() && signing_key == plan.keep;
        let plan = Plan {
            algorithm: plan.algorithm,
            slots: if in_the_way { &[Slot::Authentication] } else { &[Slot::Signature] },
            keep: plan.keep,
            pins: [plan.user_pin, plan.admin_pin],
            new_pins: Some([plan.new_pins.user, plan.new_pins.admin]),
            same_pins: true,
            personal: Personal::default(),
            user_id: format!("countersign instance {}", plan.hostname),
            now: plan.now,
            replace: plan.replace,
            for_host: true,
        };
        self.run(card, plan, progress)
    }

    fn run(
        &self,
        card: CardIdent,
        plan: Plan,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Cert, GenerateError> {
        let mut last = CardState::Unchanged;
        let mut on_step = |(step, state): (Option<Progress>, CardState)| {
            last = state;
            if let Some(step) = step {
                progress(step);
            }
        };
        let limit = self.readers.timing.key_generation;
        let made = self.change(card, limit, &mut on_step, move |exclusive, public, status, steps| {
            plan.carry_out(exclusive, public, status, steps)
        });
        // The last word about the card's state was said before whatever failed began.
        made.map_err(|cause| GenerateError { cause, state: last })
    }
}

type Told<'a> = &'a Steps<(Option<Progress>, CardState)>;

struct Plan {
    algorithm: Algorithm,
    slots: &'static [Slot],
    /// Must be there afterwards.
    keep: Option<Fingerprint>,
    /// User, admin.
    pins: [Entered; 2],
    new_pins: Option<[Pin; 2]>,
    same_pins: bool,
    personal: Personal,
    user_id: String,
    now: Timestamp,
    replace: bool,
    /// No touch.
    for_host: bool,
}

impl Plan {
    fn carry_out(
        &self,
        card: &mut Exclusive<'_>,
        public: &PublicData,
        status: PinStatus,
        steps: Told<'_>,
    ) -> Result<Cert, CardError> {
        let [Entered { pin: user_pin, .. }, Entered { pin: admin_pin, .. }] = &self.pins;
        self.check(public, status)?;
        steps.begin((Some(Progress::Checking), CardState::Unchanged));
        let touch = self.personal.touch(card)?;
        // Nothing may be lost to a mistyped PIN, so both are proven first.
        let _proven = verify(card, public, Purpose::Signing, user_pin)?;
        let _proven = verify(card, public, Purpose::Admin, admin_pin)?;
        let mut keys = Vec::new();
        for slot in self.slots {
            steps.begin((Some(Progress::Key(slot.name())), CardState::OldPins));
            keys.push(slot.make_key(card, public, self.algorithm, self.now)?);
        }
        for (slot, touch, policy) in
            [(Slot::Signature, public.touch, 0xD6), (Slot::Authentication, public.authentication_touch, 0xD8)]
        {
            if self.for_host && touch && self.slots.contains(&slot) {
                card.ask(&Command::put_data(policy, vec![0x00, 0x20]))?;
            }
        }
        steps.begin((Some(Progress::Certificate), CardState::OldPins));
        let cert = certificate::build(card, public, user_pin, &self.user_id, self.now, keys)?;
        if !status.forced && public.forcing_changes {
            card.ask(&Command::put_data(0xC4, vec![0x00]))?;
        }
        self.personal.write(card)?;
        if let Some(new) = &self.new_pins {
            steps.begin((Some(Progress::Pins), CardState::OldPins));
            change_pins(card, public, [user_pin, admin_pin], new, steps)?;
        }
        // Some policies stay for ever: one that was there before the PINs were new would keep from trying again.
        if let Some(touch) = touch {
            let (admin, state) = match &self.new_pins {
                Some([_, admin]) => (admin, CardState::NewPins),
                None => (admin_pin, CardState::OldPins),
            };
            steps.begin((None, state));
            let _proven = verify(card, public, Purpose::Admin, admin)?;
            touch.write(card)?;
        }
        Ok(cert)
    }

    /// Everything that can be refused before the card is touched.
    fn check(&self, public: &PublicData, status: PinStatus) -> Result<(), CardError> {
        if !self.replace && public.keys.iter().any(Option::is_some) {
            return Err(CardError::HoldsKeys);
        }
        let places = [Slot::Signature, Slot::Decryption, Slot::Authentication];
        let lost = |(slot, key): (&Slot, &Option<Fingerprint>)| {
            key.is_some() && *key == self.keep && self.slots.contains(slot)
        };
        if places.iter().zip(&public.keys).any(lost) {
            return Err(CardError::HoldsKeys);
        }
        let [user, admin] = &self.pins;
        spare(PinKind::User, status, user)?;
        spare(PinKind::Admin, status, admin)?;
        let Some(new) = &self.new_pins else { return Ok(()) };
        for (which, (old, new)) in [PinKind::User, PinKind::Admin].into_iter().zip(self.pins.iter().zip(new))
        {
            if old.pin.expose() == new.expose() && !self.same_pins {
                return Err(CardError::NewPin { which, why: "it is the old one" });
            }
            check_length(which, public, status, new)?;
        }
        Ok(())
    }
}

fn change_pins(
    card: &mut Exclusive<'_>,
    public: &PublicData,
    [user, admin]: [&Pin; 2],
    [new_user, new_admin]: &[Pin; 2],
    steps: Told<'_>,
) -> Result<(), CardError> {
    let changes = [
        (Purpose::Signing, user, new_user, CardState::OldPins, CardState::UserPinUnsure),
        (Purpose::Admin, admin, new_admin, CardState::UserPinNew, CardState::AdminPinUnsure),
    ];
    for (purpose, old, new, before, during) in changes {
        if old.expose() == new.expose() {
            continue;
        }
        let [old, new] = [old, new].map(|pin| kdf::apply(&public.kdf, pin, purpose.kind()));
        let secrets = Zeroizing::new([old?.as_slice(), new?.as_slice()].concat());
        steps.begin((None, during));
        let command = Command::change_pin(purpose.reference(), secrets);
        let status = card.send(&command)?.status;
        if status != 0x9000 {
            // It answered no, so the old one holds.
            steps.begin((None, before));
            return Err(CardError::Failed { command: command.name, status });
        }
    }
    Ok(())
}

/// A key made on the card, with its slot.
struct Made {
    slot: Slot,
    key: openpgp::packet::key::Key4<openpgp::packet::key::PublicParts, openpgp::packet::key::UnspecifiedRole>,
}
