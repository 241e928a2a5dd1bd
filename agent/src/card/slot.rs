//! What a worker thread knows about the card in its reader.

use std::ffi::CString;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use countersign_protocol::ids::CardIdent;
use pcsc::{ReaderState, State};

use super::Timing;
use super::error::CardError;
use super::link::{Begin, Company, Exclusive, Link};
use super::public::{self, PinStatus, PublicData};
use super::unlock::Aftermath;

/// pcscd cuts a card's power when it has looked at an unused reader twice, which it does every 400 ms at most.
const PULSE: Duration = Duration::from_millis(250);

/// As good as never.
const IDLE: Duration = Duration::from_secs(3600);

/// One reader, from the inside of its worker thread.
///
/// There is a connection only while somebody has a turn: a program that wants the card for itself, as GnuPG
/// does, gets it at any other moment. For a while after that the card is kept powered by connections of a
/// fraction of a millisecond, so that it still knows its application at the next turn.
pub(super) struct Slot {
    reader: CString,
    given_up: Arc<AtomicBool>,
    warm: Duration,
    /// During a turn.
    company: Company,
    context: Option<pcsc::Context>,
    link: Option<Link>,
    public: Option<Arc<PublicData>>,
    /// What was read in this job.
    news: Option<Arc<PublicData>>,
    left: Option<Left>,
}

/// How the card in `public` was left: OpenPGP selected, in this insertion, and used by nobody else since.
#[derive(Clone, Copy)]
struct Left {
    at: Instant,
    insertion: u32,
}

impl Slot {
    /// `timing.warm`: how long a card is kept powered after its last use.
    pub(super) fn new(reader: CString, given_up: Arc<AtomicBool>, timing: Timing) -> Self {
        let company = if timing.alone { Company::Nobody } else { Company::Anybody };
        let warm = timing.warm;
        Self {
            reader,
            given_up,
            warm,
            company,
            context: None,
            link: None,
            public: None,
            news: None,
            left: None,
        }
    }

    /// Reads everything public from whatever card is in.
    pub(super) fn look(&mut self) -> Result<Arc<PublicData>, CardError> {
        self.forget();
        let mut link = self.connect(Company::Anybody)?;
        let insertion = self.insertion();
        let mut card = begin(&mut link)?;
        public::select(&mut card)?;
        let public = Arc::new(public::read(&mut card, None)?);
        drop(card);
        self.keep(link, insertion, Aftermath::Closed);
        self.close();
        Ok(Arc::clone(self.public.insert(public)))
    }

    /// The same for a card that was read before, in case another program changed it since. A turn that is under way
    /// reads it by itself.
    ///
    /// # Errors
    /// [`CardError::InUse`] if another program has it.
    pub(super) fn look_again(&mut self) -> Result<(), CardError> {
        if self.link.is_none() {
            self.news = Some(self.look()?);
        }
        Ok(())
    }

    /// What was read from the card since this was asked last.
    pub(super) fn take_news(&mut self) -> Option<Arc<PublicData>> {
        self.news.take()
    }

    /// Connects, for a turn that begins. Sends nothing to the card.
    ///
    /// # Errors
    /// [`CardError::InUse`] if another program has the card.
    pub(super) fn open(&mut self) -> Result<(), CardError> {
        if self.link.is_none() {
            self.link = Some(self.connect(self.company)?);
        }
        Ok(())
    }

    /// Does a job on this very card, in one exclusive transaction that begins with a fresh PIN status:
    /// one command if the card is as it was left, three if not, which read everything.
    ///
    /// # Errors
    /// [`CardError::Swapped`] if another card is there: it is asked for its application data and nothing more.
    pub(super) fn with_card<T>(
        &mut self,
        wanted: CardIdent,
        job: impl FnOnce(Exclusive<'_>, &PublicData, PinStatus) -> (Result<T, CardError>, Aftermath),
    ) -> Result<T, CardError> {
        self.open()?;
        let known = self.known(wanted);
        let job = match (self.as_left(), known) {
            (Some(insertion), Some(public)) => match self.warm(insertion, &public, job) {
                Attempt::Done(result) => return result,
                Attempt::Stale(job) => job,
            },
            _ => job,
        };
        self.cold(wanted, job)
    }

    /// The same where a command more does not count: everything is read anew.
    ///
    /// # Errors
    /// As [`Self::with_card`].
    pub(super) fn with_card_anew<T>(
        &mut self,
        wanted: CardIdent,
        job: impl FnOnce(Exclusive<'_>, &PublicData, PinStatus) -> (Result<T, CardError>, Aftermath),
    ) -> Result<T, CardError> {
        self.open()?;
        self.cold(wanted, job)
    }

    /// Does a job on whatever card is in, nothing being known of it: no application is selected.
    pub(super) fn with_any<T>(
        &mut self,
        job: impl FnOnce(Exclusive<'_>) -> Result<T, CardError>,
    ) -> Result<T, CardError> {
        self.forget();
        let mut link = self.connect(self.company)?;
        job(begin(&mut link)?)
    }

    /// What was read of this card. What was not understood is read again: the reader may have garbled it.
    fn known(&self, wanted: CardIdent) -> Option<Arc<PublicData>> {
        self.public.clone().filter(|public| public.ident == wanted && public.kdf.is_ok())
    }

    fn warm<T, J>(&mut self, insertion: u32, public: &PublicData, job: J) -> Attempt<T, J>
    where
        J: FnOnce(Exclusive<'_>, &PublicData, PinStatus) -> (Result<T, CardError>, Aftermath),
    {
        let Some(mut link) = self.link.take() else { return Attempt::Stale(job) };
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
                self.keep(link, Some(insertion), aftermath);
                Attempt::Done(result)
            }
            // Another program selected another application on the card, or reset it.
            Err(CardError::Failed { .. } | CardError::Malformed { .. }) => Attempt::Stale(job),
            Err(error) => Attempt::Done(Err(error)),
        }
    }

    fn cold<T>(
        &mut self,
        wanted: CardIdent,
        job: impl FnOnce(Exclusive<'_>, &PublicData, PinStatus) -> (Result<T, CardError>, Aftermath),
    ) -> Result<T, CardError> {
        // Reset by another program since, or left behind by a card or a pcscd that is gone: good for nothing. It ends
        // before there is another, which it would keep out.
        let good = self.link.take().and_then(|mut link| match link.exclusive().map(drop) {
            Err(Begin::Reset | Begin::Failed(CardError::NoService)) => None,
            _ => Some(link),
        });
        let mut link = match good {
            Some(link) => link,
            None => self.connect(self.company)?,
        };
        let insertion = self.insertion();
        let mut card = begin(&mut link)?;
        public::select(&mut card)?;
        // Another program may have changed its keys, its touch policy or the form of its PINs, and nobody tells.
        let public = Arc::new(public::read(&mut card, Some(wanted))?);
        self.public = Some(Arc::clone(&public));
        self.news = Some(Arc::clone(&public));
        let (result, aftermath) = job(card, &public, public.status);
        self.keep(link, insertion, aftermath);
        result
    }

    /// `insertion` was counted after `link` was connected, which the card's removal would have ended.
    fn keep(&mut self, link: Link, insertion: Option<u32>, aftermath: Aftermath) {
        self.left = None;
        match aftermath {
            Aftermath::Closed => {
                self.left = insertion.map(|insertion| Left { at: Instant::now(), insertion });
                self.link = Some(link);
            }
            Aftermath::Reset => drop(link),
        }
    }

    /// The turn is over: other programs may have the card for themselves.
    pub(super) fn close(&mut self) {
        if let Some(link) = self.link.take() {
            link.leave();
        }
    }

    /// How long until there is something to do.
    pub(super) fn pause(&self) -> Duration {
        match &self.link {
            Some(_) => self.warm,
            None if self.is_warm() => PULSE,
            None => IDLE,
        }
    }

    /// Keeps the card powered, if it was used a moment ago and nobody else has it. A connection that nobody used
    /// for as long belongs to no turn any more.
    pub(super) fn pulse(&mut self) {
        if self.link.is_some() {
            return self.close();
        }
        if !self.is_warm() {
            return;
        }
        // Somebody else is at the card, and may change what was read from it.
        if self.presence().is_none_or(|(state, _)| state.intersects(State::INUSE | State::EXCLUSIVE)) {
            self.left = None;
            return;
        }
        match self.connect(Company::Anybody) {
            Ok(link) => link.leave(),
            Err(_) => self.left = None,
        }
    }

    fn is_warm(&self) -> bool {
        self.left.is_some_and(|left| left.at.elapsed() < self.warm)
    }

    /// The insertion in which the card was left, if that is still so. A connection made before keeps it so.
    fn as_left(&self) -> Option<u32> {
        let left = self.left.filter(|_| self.is_warm())?;
        (self.insertion() == Some(left.insertion)).then_some(left.insertion)
    }

    /// pcscd's count of insertions and removals in this reader, while a card is in.
    fn insertion(&self) -> Option<u32> {
        self.presence().map(|(_, count)| count)
    }

    /// The same, and what else pcscd says of the card.
    fn presence(&self) -> Option<(State, u32)> {
        let mut state = [ReaderState::new(self.reader.clone(), State::UNAWARE)];
        self.context.as_ref()?.get_status_change(Duration::ZERO, &mut state).ok()?;
        let [state] = state;
        let now = state.event_state();
        now.contains(State::PRESENT).then(|| (now, state.event_count()))
    }

    /// Forgets what was read, because keys or PINs were changed.
    pub(super) fn forget(&mut self) {
        (self.link, self.public, self.news, self.left) = (None, None, None, None);
    }

    /// A new connection; with a new context if pcscd is not the one we knew.
    fn connect(&mut self, company: Company) -> Result<Link, CardError> {
        if let Some(context) = self.context.take() {
            match Link::connect(&context, &self.reader, company, &self.given_up) {
                Err(CardError::NoService) => {}
                other => {
                    self.context = Some(context);
                    return other;
                }
            }
        }
        // Another pcscd counts insertions anew: its numbers say nothing of how the card was left.
        self.left = None;
        let context = pcsc::Context::establish(pcsc::Scope::System)?;
        let link = Link::connect(&context, &self.reader, company, &self.given_up);
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
