//! `countersign card init`: a new card made ready.

use clap::Args;
use countersign_protocol::ipc::{CardInit, Request};

use super::made::{CertificateOut, make};
use super::set_touch::Policy;
use crate::args::{CardChoice, Global, UserId};
use crate::commands::algorithm::Algorithm;
use crate::failure::Failure;
use crate::output::Report;

/// Make a new card ready: keys, PINs of your own, one PIN for each signature.
///
/// It needs no account and no server. A card that holds keys, or bears a name, is refused. If it breaks off, run it
/// again.
#[derive(Debug, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    card: CardChoice,

    /// What kind of keys to make.
    #[arg(long, value_enum, default_value_t = Algorithm::Curve25519)]
    algorithm: Algorithm,

    /// The cardholder's name, to be written to the card; its last word is the surname.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,

    /// Where the certificate will be found (https), to be written to the card.
    #[arg(long, value_name = "URL")]
    url: Option<String>,

    /// When the signature key wants a touch.
    #[arg(long, value_enum)]
    touch: Option<Policy>,

    #[command(flatten)]
    user_id: UserId,

    #[command(flatten)]
    out: CertificateOut,
}

impl Init {
    pub(crate) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let request = Request::CardInit(CardInit {
            card: self.card.card,
            algorithm: self.algorithm.word().to_owned(),
            user_id: self.user_id.or(self.name.as_deref())?,
            cardholder: self.name.clone(),
            url: self.url.clone(),
            touch: self.touch.map(Into::into),
        });
        make(global, &request, &self.out)
    }
}
