//! `countersign ledger evidence`: what a person signed, in files that gpg can check.

use std::collections::BTreeMap;
use std::fmt;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueHint};
use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::ids::Fingerprint;
use countersign_protocol::ledger::{Entry, ExportLine, Trust};
use countersign_protocol::message::result::ExportedEntry;
use countersign_protocol::statement::SignedStatement;
use sequoia_openpgp::serialize::SerializeInto as _;
use serde::Serialize;

use super::{ExportFile, changed};
use crate::failure::Failure;
use crate::files::Reserved;
use crate::output::Report;

/// Take what a person signed out of an export, so that `gpg --verify` can check it without this program.
#[derive(Debug, Args)]
pub(crate) struct TakeEvidence {
    /// The export.
    #[arg(value_hint = ValueHint::FilePath)]
    file: PathBuf,

    /// Which entry, by the number that `ledger show` lists it under.
    #[arg(long, value_name = "INDEX")]
    entry: u64,

    /// A folder for statement.json, statement.json.sig and certificate.asc; made if it is not there.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    out: PathBuf,
}

/// An entry's statement and the certificate that signed it.
struct Found {
    signed: SignedStatement,
    signer: Cert,
}

impl TakeEvidence {
    pub(crate) fn run(&self) -> Result<Report, Failure> {
        let mut file = ExportFile::open(&self.file)?;
        let report = file.verify(&Trust::default())?;
        if self.entry >= report.size {
            return Err(Failure::usage(format!(
                "there is no entry {}: the export has {}, counted from 0",
                self.entry, report.size
            ))
            .then(format!("`countersign ledger show {}` lists them.", self.file.display())));
        }
        let found = self.find(&mut file)?;
        self.write(&found)
    }

    fn find(&self, file: &mut ExportFile<'_>) -> Result<Found, Failure> {
        let mut certificates: BTreeMap<Fingerprint, Cert> = BTreeMap::new();
        let mut index = 0;
        let mut wanted = None;
        file.each_line(|line, content| {
            match content {
                ExportLine::Certificate(bytes) => {
                    let read = certificate::parse(&bytes.0)
                        .and_then(|cert| Ok((certificate::fingerprint(&cert)?, cert)))
                        .map_err(|error| changed(&self.file, line, &error.to_string()))?;
                    certificates.insert(read.0, read.1);
                }
                ExportLine::Entry(exported) => {
                    if index == self.entry {
                        wanted = Some((line, exported));
                    }
                    index += 1;
                }
                ExportLine::Header(_) => {}
            }
            Ok(())
        })?;
        let (line, exported) = wanted.ok_or_else(|| changed(&self.file, 0, "an entry is gone"))?;
        self.evidence_of(line, exported, certificates)
    }

    fn evidence_of(
        &self,
        line: u64,
        exported: ExportedEntry,
        mut certificates: BTreeMap<Fingerprint, Cert>,
    ) -> Result<Found, Failure> {
        let entry = Entry::from_bytes(&exported.entry.0)
            .map_err(|error| changed(&self.file, line, &error.to_string()))?;
        let none = |why: &str| {
            Failure::usage(format!("entry {} {why}", self.entry))
                .then("Entries whose line in `countersign ledger show` says `signed` have a statement.")
        };
        let evidence = match (entry.evidence, exported.evidence) {
            (_, Some(evidence)) => evidence,
            (Some(_), None) => return Err(none("had a statement; it was erased")),
            (None, None) => return Err(none("has no statement: nobody signed for it with a card")),
        };
        let key = entry.key.ok_or_else(|| none("has a statement that no key was accepted for"))?;
        let signer = certificates.remove(&key).ok_or_else(|| none("names a certificate that is not here"))?;
        Ok(Found { signed: evidence.signed, signer })
    }

    fn write(&self, found: &Found) -> Result<Report, Failure> {
        let Found { signed, signer } = found;
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.out).map_err(|error| {
            Failure::file(format!("the folder {} cannot be made: {error}", self.out.display()))
                .then("Name a folder that you may write.")
        })?;
        let armored = signer.armored().to_vec().map_err(|error| {
            Failure::file(format!("the certificate cannot be written: {error}"))
                .then("Export the ledger again.")
        })?;
        let shown = Shown {
            entry: self.entry,
            signer: certificate::fingerprint(signer).map_err(|error| Failure::file(error.to_string()))?,
            statement: self.out.join("statement.json"),
            signature: self.out.join("statement.json.sig"),
            certificate: self.out.join("certificate.asc"),
        };
        put(&shown.statement, "the statement", &signed.statement.0)?;
        put(&shown.signature, "the signature", &signed.signature.0)?;
        put(&shown.certificate, "the certificate", &armored)?;
        Report::of(&shown)
    }
}

fn put(path: &Path, what: &'static str, bytes: &[u8]) -> Result<(), Failure> {
    Reserved::public(path, what)?.fill(bytes)
}

#[derive(Serialize)]
struct Shown {
    entry: u64,
    signer: Fingerprint,
    statement: PathBuf,
    signature: PathBuf,
    certificate: PathBuf,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "What was signed for entry {} is in {}.", self.entry, self.statement.display())?;
        writeln!(f, "  signed by   {}", self.signer.spaced())?;
        writeln!(f, "Next: check it without this program:")?;
        writeln!(f, "  gpg --import {}", self.certificate.display())?;
        writeln!(f, "  gpg --verify {} {}", self.signature.display(), self.statement.display())
    }
}
