//! What a worker thread knows about the card in its reader.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use countersign_protocol::ids::CardIdent;

use super::error::CardError;
use super::link::{Begin, Exclusive, Link};
use super::public::{self, PinStatus, PublicData};
use super::sign::Aftermath;

/// One reader, from the inside of its worker thread.
pub(super) struct Slot {
    reader: CString,
    given_up: Arc<AtomicBool>,
    context: Option<pcsc::Context>,
    /// Connected, OpenPGP selected, and the card is the one in `public`.
    link: Option<Link>,
    public: Option<Arc<PublicData>>,
}

impl Slot {
    pub(super) fn new(reader: CString, given_up: Arc<AtomicBool>) -> Self {
        Self { reader, given_up, context: None, link: None, public: None }
    }

    /// Reads everything public from whatever card is in.
    pub(super) fn look(&mut self) -> Result<Arc<PublicData>, CardError> {
        (self.link, self.public) = (None, None);
        let mut link = self.connect()?;
        let mut card = begin(&mut link)?;
        public::select(&mut card)?;
        let public = Arc::new(public::read(&mut card)?);
        drop(card);
        self.link = Some(link);
        Ok(Arc::clone(self.public.insert(public)))
    }

    /// Does a job on this very card, in one exclusive transaction that begins with a fresh PIN status:
    /// one command if the connection is warm, three (or reading everything) if not.
    ///
    /// # Errors
    /// [`CardError::Swapped`] if another card is there: it is asked nothing but its number.
    pub(super) fn with_card<T>(
        &mut self,
        wanted: CardIdent,
        job: impl FnOnce(Exclusive<'_>, &PublicData, PinStatus) -> (Result<T, CardError>, Aftermath),
    ) -> Result<T, CardError> {
        let warm = self.link.take().zip(self.public.clone());
        let job = match warm.filter(|(_, public)| public.ident == wanted) {
            Some((link, public)) => match self.warm(link, &public, job) {
                Attempt::Done(result) => return result,
                Attempt::Stale(job) => job,
            },
            None => job,
        };
        self.cold(wanted, job)
    }

    fn warm<T, J>(&mut self, mut link: Link, public: &PublicData, job: J) -> Attempt<T, J>
    where
        J: FnOnce(Exclusive<'_>, &PublicData, PinStatus) -> (Result<T, CardError>, Aftermath),
    {
        let mut card = match link.exclusive() {
            Ok(card) => card,
            Err(Begin::Reset) => return Attempt::Stale(job),
            Err(Begin::Failed(CardError::NoService)) => {
                self.context = None;
                return Attempt::Stale(job);
            }
            Err(Begin::Failed(error)) => return Attempt::Done(Err(error)),
        };
        match public::read_pin_status(&mut card) {
            Ok(status) => {
                let (result, aftermath) = job(card, public, status);
                self.keep(link, aftermath);
                Attempt::Done(result)
            }
            // Another program selected another application on the card.
            Err(CardError::Failed { .. } | CardError::Malformed { .. }) => Attempt::Stale(job),
            Err(error) => Attempt::Done(Err(error)),
        }
    }

    fn cold<T>(
        &mut self,
        wanted: CardIdent,
        job: impl FnOnce(Exclusive<'_>, &PublicData, PinStatus) -> (Result<T, CardError>, Aftermath),
    ) -> Result<T, CardError> {
        let mut link = self.connect()?;
        let mut card = begin(&mut link)?;
        public::select(&mut card)?;
        let (public, status) = match self.public.clone().filter(|public| public.ident == wanted) {
            Some(public) => {
                check(wanted, public::read_ident(&mut card)?)?;
                (public, public::read_pin_status(&mut card)?)
            }
            None => {
                let public = public::read(&mut card)?;
                check(wanted, public.ident)?;
                let status = public.status;
                (Arc::new(public), status)
            }
        };
        self.public = Some(Arc::clone(&public));
        let (result, aftermath) = job(card, &public, status);
        self.keep(link, aftermath);
        result
    }

    fn keep(&mut self, link: Link, aftermath: Aftermath) {
        match aftermath {
            Aftermath::Closed => self.link = Some(link),
            Aftermath::Reset => drop(link),
        }
    }

    /// Lets other programs have the card for themselves.
    pub(super) fn cool_down(&mut self) {
        if let Some(link) = self.link.take() {
            link.leave();
        }
    }

    /// Forgets what was read, because keys or PINs were changed.
    pub(super) fn forget(&mut self) {
        (self.link, self.public) = (None, None);
    }

    /// A new connection; with a new context if pcscd is not the one we knew.
    fn connect(&mut self) -> Result<Link, CardError> {
        if let Some(context) = self.context.take() {
            match Link::connect(&context, &self.reader, &self.given_up) {
                Err(CardError::NoService) => {}
                other => {
                    self.context = Some(context);
                    return other;
                }
            }
        }
        let context = pcsc::Context::establish(pcsc::Scope::System)?;
        let link = Link::connect(&context, &self.reader, &self.given_up);
        self.context = Some(context);
        link
    }
}

enum Attempt<T, J> {
    Done(Result<T, CardError>),
    Stale(J),
}

fn begin(link: &mut Link) -> Result<Exclusive<'_>, CardError> {
    link.exclusive().map_err(|begin| match begin {
        // Reset between connecting and now: pulled, or another program's doing.
        Begin::Reset => CardError::Gone,
        Begin::Failed(error) => error,
    })
}

fn check(wanted: CardIdent, found: CardIdent) -> Result<(), CardError> {
    if wanted == found { Ok(()) } else { Err(CardError::Swapped { expected: wanted, found }) }
}
