//! The server's own subkeys: made under its primary key, used for a while, destroyed (W7).
//!
//! The primary key names the server for ever and only certifies; it may lie elsewhere. A pair of subkeys signs replies and
//! opens envelopes. All pairs lie in one row of the store, sealed under the store key, so that several processes have the
//! same ones. What happens when:
//!
//! ```text
//! made ──▶ hosts that check in are told, and seal to it ──▶ after the overlap: it signs, and older secrets are destroyed
//!                                                        ──▶ next pair ──▶ … ──▶ after its life: rosters under it are worth nothing
//! ```

mod arrivals;
mod custody;
mod pair;

pub use custody::{Custody, ServerKeyRead, ServerKeyStore, StoredKeys};
pub use pair::Pair;

use countersign_protocol::certificate::{self, Cert, CertificateError};
use countersign_protocol::clock::Timestamp;
use countersign_protocol::curve25519::SoftwareKey;
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::limits;
use sequoia_openpgp as openpgp;

use openpgp::parse::Parse as _;
use openpgp::serialize::SerializeInto as _;
use openpgp::types::ReasonForRevocation;
use zeroize::Zeroizing;

use self::arrivals::Arrivals;

/// New keys claim to be made this much earlier, in seconds: a host whose clock is behind could not use them otherwise.
const BACKDATE: i64 = 3600;

/// All pairs that there were, the secrets of those in use, and never the primary key's.
pub struct ServerKeys {
    cert: Cert,
    arrivals: Arrivals,
}

impl ServerKeys {
    /// From a certificate with whatever secrets it has; the primary key's is left behind.
    ///
    /// # Errors
    /// The library fails.
    pub fn of(cert: &Cert) -> Result<Self, CertificateError> {
        let primary = cert.fingerprint();
        let bytes = cert.as_tsk().set_filter(move |key| key.fingerprint() != primary).to_vec();
        Self::from_bytes(&Zeroizing::new(bytes.map_err(library)?))
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// Not what was written.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CertificateError> {
        let (arrivals, cert) = Arrivals::read(bytes)?;
        Ok(Self { arrivals, ..Self::of_parsed(Cert::from_bytes(cert).map_err(library)?)? })
    }

    fn of_parsed(cert: Cert) -> Result<Self, CertificateError> {
        if cert.primary_key().key().has_secret() {
            return Err(CertificateError::HoldsSecret);
        }
        Ok(Self { cert, arrivals: Arrivals::default() })
    }

    /// From a file that somebody brings, armoured or not. The primary key's secret does not belong into it.
    ///
    /// # Errors
    /// Larger than a certificate may be, or none.
    pub fn from_file(bytes: &[u8]) -> Result<Self, CertificateError> {
        Self::of_parsed(certificate::parse_secret(bytes)?)
    }

    /// Everything, secrets included.
    ///
    /// # Errors
    /// The library fails.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
        let secret = self.to_file()?;
        Ok(Zeroizing::new([self.arrivals.to_bytes()?.as_slice(), &secret].concat()))
    }

    /// The certificate with the secrets, to be brought to a server; see [`Self::from_file`].
    ///
    /// # Errors
    /// The library fails.
    pub fn to_file(&self) -> Result<Zeroizing<Vec<u8>>, CertificateError> {
        self.cert.as_tsk().to_vec().map(Zeroizing::new).map_err(library)
    }

    /// The primary key's fingerprint.
    ///
    /// # Errors
    /// A key version that this program does not know.
    pub fn fingerprint(&self) -> Result<Fingerprint, CertificateError> {
        certificate::fingerprint(&self.cert)
    }

    /// All public parts: what was signed long ago is verified with them.
    #[must_use]
    pub fn archive(&self) -> Cert {
        self.cert.clone().strip_secret_key_material()
    }

    /// What hosts are told: the newest key to seal to, and every key under whose signature something may be alive.
    #[must_use]
    pub fn announced(&self, now: Timestamp) -> Cert {
        let alive: Vec<Pair> = self.pairs(now).into_iter().filter(|pair| pair.is_alive(now)).collect();
        let newest = alive.last().and_then(|pair| pair.decryption.clone());
        let told = |key: &openpgp::Fingerprint| {
            Some(key) == newest.as_ref() || alive.iter().any(|pair| pair.signing.as_ref() == Some(key))
        };
        self.archive().retain_subkeys(|key| told(&key.key().fingerprint()))
    }

    /// Public parts of all pairs that are worth something, or whose secrets are here still: what must be revoked if somebody
    /// else may have them.
    #[must_use]
    pub fn current(&self, now: Timestamp) -> Cert {
        let pairs = self.pairs(now);
        let current = |key: &openpgp::Fingerprint| {
            pairs.iter().any(|pair| {
                let held = pair.signs || pair.decrypts || pair.is_alive(now);
                held && [&pair.signing, &pair.decryption].into_iter().flatten().any(|of| of == key)
            })
        };
        self.archive().retain_subkeys(|key| current(&key.key().fingerprint()))
    }

    /// All pairs, the oldest first, as they are at `now`.
    #[must_use]
    pub fn pairs(&self, now: Timestamp) -> Vec<Pair> {
        let mut pairs = pair::all(&self.cert, now);
        for pair in &mut pairs {
            let arrived = pair.signing.as_ref().and_then(|signing| self.arrivals.of(signing));
            pair.told = arrived.map_or(pair.told, |arrived| arrived.max(pair.told));
        }
        pairs
    }

    /// Whether it gives older pairs up, because somebody may have them.
    #[must_use]
    pub fn gives_up(&self, now: Timestamp) -> bool {
        self.pairs(now).iter().any(|pair| pair.revoked)
    }

    /// The pair that signs: the newest of which every host that checks in has heard.
    #[must_use]
    pub fn signing_pair(&self, now: Timestamp) -> Option<Pair> {
        let usable = |pair: &Pair| pair.is_alive(now) && pair.signs;
        let mut usable: Vec<Pair> = self.pairs(now).into_iter().filter(usable).collect();
        let heard_of = usable.iter().rposition(|pair| pair.is_known(now)).unwrap_or(0);
        (heard_of < usable.len()).then(|| usable.swap_remove(heard_of))
    }

    /// Signs replies.
    ///
    /// # Errors
    /// There is no pair that can.
    pub fn signer(&self, now: Timestamp) -> Result<SoftwareKey, CertificateError> {
        let none = CertificateError::NoKey("signing");
        let key = self.signing_pair(now).and_then(|pair| pair.signing).ok_or(none)?;
        certificate::signer_of(&self.cert, &certificate::our_fingerprint(&key)?)
    }

    /// Open envelopes, the newest first: also those whose life is over, as long as they are there.
    #[must_use]
    pub fn decryptors(&self) -> Vec<SoftwareKey> {
        let mut keys: Vec<_> = self
            .cert
            .keys()
            .subkeys()
            .unencrypted_secret()
            .filter(|key| key.key().pk_algo().for_encryption())
            .map(|key| key.key().clone())
            .collect();
        keys.sort_by_key(|key| std::cmp::Reverse(key.creation_time()));
        keys.into_iter().filter_map(|key| key.into_keypair().ok().map(SoftwareKey::from)).collect()
    }

    /// When the newest pair was made.
    #[must_use]
    pub fn renewed_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.pairs(now).iter().rfind(|pair| pair.signs).map(Pair::made)
    }

    /// When nobody can be answered any more, unless a new pair is made; `None` for never.
    #[must_use]
    pub fn ends(&self, now: Timestamp) -> Option<Timestamp> {
        self.pairs(now).iter().rfind(|pair| pair.signs).and_then(|pair| pair.ends)
    }

    /// With a new pair that lives for `life` seconds. `at_once`: the older ones are revoked and their secrets gone, because
    /// somebody may have them; hosts that have not heard of the new one ask for it.
    ///
    /// # Errors
    /// `primary` is not the primary key with its secret, or the library fails.
    pub fn renewed(
        &self,
        primary: &Cert,
        now: Timestamp,
        life: i64,
        at_once: bool,
    ) -> Result<Self, CertificateError> {
        if primary.fingerprint() != self.cert.fingerprint() {
            return Err(CertificateError::Rejected("it is another server's primary key".into()));
        }
        let mut signer = certificate::signer_of(primary, &self.fingerprint()?)?;
        let mut old = self.cert.clone();
        if at_once {
            old = pair::revoked(old, &mut signer, ReasonForRevocation::KeyCompromised, now)?
                .strip_secret_key_material();
        }
        let born = Timestamp::from(self.cert.primary_key().key().creation_time());
        let newest = self.pairs(now).last().map_or(born, |pair| pair.created.plus(1));
        let created = now.plus(-BACKDATE).max(born).max(newest);
        let (fresh, _signing) = certificate::with_new_subkeys(&old, &mut signer, created, life + BACKDATE)?;
        // Secrets are kept where both have a key: the new ones here, the old ones there.
        let cert = old.merge_public_and_secret(fresh).map_err(library)?;
        Ok(Self { cert, arrivals: self.arrivals.clone() })
    }

    /// With the pairs of `other`, which were made elsewhere under the same primary key: hosts hear of them from now on. The
    /// secrets of those that `other` revokes are gone.
    ///
    /// # Errors
    /// Another primary key, or no pair in it can be used now.
    pub fn joined(&self, other: &Self, now: Timestamp) -> Result<Self, CertificateError> {
        if other.cert.fingerprint() != self.cert.fingerprint() {
            return Err(CertificateError::Rejected("they are another server's subkeys".into()));
        }
        let usable = |pair: &Pair| pair.is_alive(now) && pair.signs && pair.decrypts;
        let brought = other.pairs(now);
        if !brought.iter().any(usable) {
            return Err(CertificateError::NoKey("signing and decryption"));
        }
        let (held, mut arrivals) = (self.pairs(now), self.arrivals.clone());
        let new = |pair: &&Pair| pair.signs && !held.iter().any(|held| held.signing == pair.signing);
        let signing = brought.iter().filter(new).filter_map(|pair| pair.signing.as_ref());
        signing.for_each(|signing| arrivals.note(signing, now));
        let cert = self.cert.clone().merge_public_and_secret(other.cert.clone()).map_err(library)?;
        let joined = Self { cert, arrivals };
        let pairs = joined.pairs(now);
        let given_up: Vec<&Pair> = pairs.iter().filter(|pair| pair.revoked).collect();
        if given_up.is_empty() { Ok(joined) } else { joined.without(&given_up) }
    }

    /// Without the secrets that a newer pair has taken the place of for as long as the overlap; `None` if there are none.
    ///
    /// # Errors
    /// The library fails.
    pub fn outlived(&self, now: Timestamp) -> Result<Option<Self>, CertificateError> {
        let pairs = self.pairs(now);
        let whole = |pair: &Pair| pair.is_alive(now) && pair.signs && pair.decrypts && pair.is_known(now);
        let Some(settled) = pairs.iter().rposition(whole) else { return Ok(None) };
        let outlived: Vec<&Pair> =
            pairs.iter().take(settled).filter(|pair| pair.signs || pair.decrypts).collect();
        if outlived.is_empty() { Ok(None) } else { self.without(&outlived).map(Some) }
    }

    /// Without the secrets of `pairs`.
    fn without(&self, pairs: &[&Pair]) -> Result<Self, CertificateError> {
        let gone: Vec<openpgp::Fingerprint> =
            pairs.iter().flat_map(|pair| [pair.signing.clone(), pair.decryption.clone()]).flatten().collect();
        let bytes = self.cert.as_tsk().set_filter(move |key| !gone.contains(&key.fingerprint())).to_vec();
        let left = Self::from_bytes(&Zeroizing::new(bytes.map_err(library)?))?;
        Ok(Self { arrivals: self.arrivals.clone(), ..left })
    }
}

/// How long a pair lives that is exchanged after `days`, in seconds: what it signed last lives on for a while.
#[must_use]
pub const fn life(days: u32) -> i64 {
    days as i64 * 86_400 + limits::SERVER_KEY_OVERLAP + limits::ROSTER_LIFE + 86_400
}

fn library(error: openpgp::anyhow::Error) -> CertificateError {
    CertificateError::Library(error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": "))
}
