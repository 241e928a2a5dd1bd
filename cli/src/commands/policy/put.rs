//! `countersign policy put`: a new document, or a new version of one.

use clap::{Args, ValueHint};
use countersign_protocol::ids::PolicyName;
use countersign_protocol::limits;
use countersign_protocol::message::result::{PolicyChanged, PolicyText};
use countersign_server_core::policy::Document;

use super::loaded;
use crate::args::{CardChoice, Global};
use crate::commands::admin::change::{self, Words};
use crate::failure::Failure;
use crate::given::Given;
use crate::job::Job;
use crate::output::Report;

/// Put a policy document into force: on all hosts, from the next request on.
///
/// The file is called like the document, with .cedar behind it, or --name says what the document is called. Syntax and
/// schema are checked here first; the server checks it together with its other documents, and refuses what nobody could
/// change back. With --dry-run it does only that.
#[derive(Debug, Args)]
pub(crate) struct Put {
    /// The document; - is standard input, and then --name says what it is called.
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Given,

    /// What the document is called, where its file is not called so.
    #[arg(long)]
    name: Option<PolicyName>,

    /// It is new.
    #[arg(long, conflicts_with = "over", required_unless_present = "over")]
    new: bool,

    /// The version that it replaces, as `countersign policy list` shows it: if somebody changed it meanwhile, nothing happens.
    #[arg(long, value_name = "VERSION")]
    over: Option<u64>,

    /// Leave the check to the server: it is of another release.
    #[arg(long)]
    no_check: bool,

    #[command(flatten)]
    card: CardChoice,
}

impl Put {
    pub(super) fn run(&self, global: &Global) -> Result<Report, Failure> {
        let document = self.document(global)?;
        if !self.no_check {
            loaded(std::slice::from_ref(&document))?;
        }
        let operation = if self.over.is_some() { "update" } else { "create" };
        let body = PolicyText { over: self.over, text: document.text };
        let job = Job::new(operation, "policy", document.name.as_str(), &self.card)?.with(&body)?;
        change::report(job.run(global)?, told)
    }

    fn document(&self, global: &Global) -> Result<Document, Failure> {
        let text = || self.file.text(global, "the document", limits::JOB_BODY);
        match (&self.name, &self.file) {
            (Some(name), _) => Ok(Document { name: name.clone(), text: text()? }),
            (None, Given::File(path)) => Document::of_file(path, text()?).map_err(Failure::usage),
            (None, Given::StandardInput) => Err(Failure::usage("a document on standard input has no name")
                .then("Say what it is called, with --name NAME.")),
        }
    }
}

fn told(put: &PolicyChanged) -> Words {
    let (name, version) = (&put.document.name, put.document.version);
    let said = if put.changed {
        format!("The policy document {name} is in force, as version {version}.")
    } else {
        format!("The policy document {name} has this text already, as version {version}.")
    };
    let more = Some(("in force   ", format!("{} policies, epoch {}", put.policies, put.epoch)));
    let before = version.saturating_sub(1);
    let next = (put.changed && before > 0).then(|| {
        format!(
            "To go back: countersign policy show {name} --version {before} > {name}.cedar && countersign policy put \
             {name}.cedar --over {version}"
        )
    });
    Words { said, more, next }
}
