//! An application, and a request that changes where it stands.

use clap::Args;
use countersign_protocol::ids::ApplicationName;
use countersign_protocol::message::result::ApplicationChanged;

use crate::args::{CardChoice, Global};
use crate::commands::admin::change::{self, Words};
use crate::failure::Failure;
use crate::job::Job;
use crate::output::Report;

/// Which application, and with which card it is asked for.
#[derive(Debug, Args)]
pub(crate) struct Named {
    /// The application.
    name: ApplicationName,

    #[command(flatten)]
    card: CardChoice,
}

impl Named {
    /// Asks for `operation` on it.
    pub(crate) fn change(
        &self,
        global: &Global,
        operation: &str,
        words: fn(&ApplicationChanged) -> Words,
    ) -> Result<Report, Failure> {
        let job = Job::new(operation, "application", self.name.as_str(), &self.card)?;
        change::report(job.run(global)?, words)
    }
}

/// "is" or "was … before", and what goes on all the same.
pub(crate) fn words(changed: &ApplicationChanged, next: Option<String>) -> Words {
    let ApplicationChanged { application, state, changed } = changed;
    let said = if *changed {
        format!("Application {application} is {state} now.")
    } else {
        format!("Application {application} was {state} before.")
    };
    Words { said, more: None, next }
}
