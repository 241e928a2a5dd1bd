//! The opening half. Whoever holds the key is asked once, and only for what is sealed to that very key: asking a card costs a PIN.

use std::fmt;
use std::io::Read as _;

use sequoia_openpgp as openpgp;

use openpgp::crypto::{Decryptor, SessionKey};
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::stream::{
    DecryptionHelper, DecryptorBuilder, MessageLayer, MessageStructure, VerificationHelper,
};
use openpgp::parse::{PacketParser, PacketParserResult, Parse as _};
use openpgp::types::{DataFormat, SymmetricAlgorithm};
use openpgp::{Cert, KeyHandle, Packet, anyhow};
use zeroize::Zeroizing;

use crate::certificate;
use crate::clock::Timestamp;
use crate::envelope::{encryption, session_key};
use crate::ids::Fingerprint;
use crate::limits;

/// The session key, the encryption, and in it one literal and perhaps the packet that ends it.
const PACKETS: usize = 4;

/// Why what is sealed to a card was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenFromCardError {
    /// Over [`limits::SEALED_FOR_CARD`].
    #[error("what is sealed has {0} bytes; at most {max} are opened. Ask for less at a time", max = limits::SEALED_FOR_CARD)]
    Oversize(usize),
    /// Packets that [`super::seal_to_card`] does not make.
    #[error("what is sealed is not as the server seals it: {0}. Ask for it once more")]
    Structure(String),
    /// The key was not asked.
    #[error(
        "it is sealed to {to}, and not to the key {key} of this card; put in the card that holds that key. If there is none any more, ask for it once more"
    )]
    OtherKey {
        /// Whom it was to be opened with.
        key: String,
        /// For whom it is.
        to: String,
    },
    /// The key was asked, and what came out is no session key, or not of these bytes.
    #[error("what is sealed is damaged, or not to this key: {0}. Ask for it once more")]
    NotDecrypted(String),
    /// A cipher outside the pinned suite.
    #[error("what is sealed is outside the pinned suite: {0}. Ask for it once more")]
    Suite(String),
}

/// The key that opens something.
#[derive(Debug, Clone)]
pub struct SealedTo(KeyHandle);

impl SealedTo {
    /// Whether it is this one.
    #[must_use]
    pub fn is(&self, key: &Fingerprint) -> bool {
        certificate::their_fingerprint(key).is_ok_and(|key| KeyHandle::from(key).aliases(&self.0))
    }
}

/// As its packet has it: the last half of the fingerprint, or all of it.
impl fmt::Display for SealedTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The key that it names as the one that opens it. Nothing is decrypted: a card can be chosen by it, before anyone is asked
/// for a PIN.
///
/// # Errors
/// [`OpenFromCardError::Oversize`], or [`OpenFromCardError::Structure`] if it names none.
pub fn sealed_to(bytes: &[u8]) -> Result<SealedTo, OpenFromCardError> {
    check_form(bytes)?;
    let nobody = || OpenFromCardError::Structure("it names no key".into());
    let parsed = PacketParser::from_bytes(bytes).map_err(|_| nobody())?;
    let PacketParserResult::Some(parser) = parsed else { return Err(nobody()) };
    match &parser.packet {
        Packet::PKESK(pkesk) => pkesk.recipient().map(SealedTo).ok_or_else(nobody),
        _ => Err(nobody()),
    }
}

/// Opens what [`super::seal_to_card`] sealed. `key` is asked at most once: when the packets before the encryption are in order
/// and name it. Nothing comes out before all of it is authenticated.
///
/// # Errors
/// [`OpenFromCardError`]. Why the key failed, if it did, only the one who holds it knows.
pub fn open_from_card(
    bytes: &[u8],
    key: &mut dyn Decryptor,
) -> Result<Zeroizing<Vec<u8>>, OpenFromCardError> {
    check_form(bytes)?;
    let helper = Helper { key, packets: 0, verdict: Err(OpenFromCardError::Structure("unfinished".into())) };
    // Nothing in it is judged by the time.
    let time = Timestamp::from_seconds(0).to_system_time();
    let build = || -> openpgp::Result<_> {
        DecryptorBuilder::from_bytes(bytes)?
            // Everything is authenticated before a byte comes out.
            .buffer_size(bytes.len())
            .with_policy(certificate::policy(), time, helper)
    };
    let mut decryptor = build().map_err(|error| cause(&error))?;
    // Reserved in full, so that growing leaves no copy behind.
    let mut opened = Zeroizing::new(Vec::with_capacity(bytes.len()));
    decryptor.read_to_end(&mut opened).map_err(|error| OpenFromCardError::NotDecrypted(error.to_string()))?;
    decryptor.into_helper().verdict.map(|()| opened)
}

fn check_form(bytes: &[u8]) -> Result<(), OpenFromCardError> {
    if bytes.len() > limits::SEALED_FOR_CARD {
        return Err(OpenFromCardError::Oversize(bytes.len()));
    }
    // The library would take off an armour by itself.
    if bytes.first().is_none_or(|first| first & 0x80 == 0) {
        return Err(OpenFromCardError::Structure("no packet".into()));
    }
    Ok(())
}

/// The library's callbacks.
struct Helper<'a> {
    key: &'a mut dyn Decryptor,
    packets: usize,
    verdict: Result<(), OpenFromCardError>,
}

impl VerificationHelper for Helper<'_> {
    fn inspect(&mut self, pp: &PacketParser<'_>) -> openpgp::Result<()> {
        let refuse = |what: String| Err(OpenFromCardError::Structure(what).into());
        self.packets += 1;
        if self.packets > PACKETS {
            return refuse(format!("more than {PACKETS} packets"));
        }
        if !encryption::is_long_enough(pp) {
            return refuse("it was cut short".into());
        }
        match (&pp.packet, pp.recursion_depth()) {
            (Packet::PKESK(_) | Packet::SEIP(_), 0) => Ok(()),
            // Nobody signs what a literal says of itself.
            (Packet::Literal(literal), 1)
                if literal.format() == DataFormat::Binary
                    && literal.filename().is_none()
                    && literal.date().is_none() =>
            {
                Ok(())
            }
            #[expect(deprecated, reason = "the packet that ends SEIPDv1")]
            (Packet::MDC(_), 1) => Ok(()),
            (other, depth) => refuse(format!("{} packet at depth {depth}", other.tag())),
        }
    }

    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        let layers: Vec<MessageLayer<'_>> = structure.into_iter().collect();
        self.verdict = match layers.as_slice() {
            [MessageLayer::Encryption { sym_algo: SymmetricAlgorithm::AES256, .. }] => Ok(()),
            [MessageLayer::Encryption { sym_algo, .. }] => {
                Err(OpenFromCardError::Suite(sym_algo.to_string()))
            }
            layers => Err(OpenFromCardError::Structure(format!("{} layers", layers.len()))),
        };
        self.verdict.clone().map_err(Into::into)
    }
}

impl DecryptionHelper for Helper<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        skesks: &[SKESK],
        sym_algo: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        let ([pkesk], []) = (pkesks, skesks) else {
            let found = format!("{} session keys, {} passwords", pkesks.len(), skesks.len());
            return Err(OpenFromCardError::Structure(found).into());
        };
        let key = self.key.public().key_handle();
        // One that names nobody could be for anybody: a PIN is not spent on finding out.
        let to = pkesk.recipient();
        if !to.as_ref().is_some_and(|name| key.aliases(name)) {
            let to = to.map_or_else(|| "a key without a name".to_owned(), |name| name.to_string());
            return Err(OpenFromCardError::OtherKey { key: key.to_string(), to }.into());
        }
        match session_key::open(pkesk, self.key, sym_algo) {
            Some((algorithm, key)) if decrypt(algorithm, &key) => Ok(None),
            Some(_) => {
                Err(OpenFromCardError::NotDecrypted("its session key is of something else".into()).into())
            }
            None => Err(OpenFromCardError::NotDecrypted("no session key came out".into()).into()),
        }
    }
}

/// Our own error out of the library's, where a callback of ours made it.
fn cause(error: &anyhow::Error) -> OpenFromCardError {
    error
        .downcast_ref::<OpenFromCardError>()
        .cloned()
        .unwrap_or_else(|| OpenFromCardError::NotDecrypted(certificate::chain(error)))
}
