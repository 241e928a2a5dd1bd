//! What the fuzzers of `fuzz/` begin with: messages and a ledger as a real server has them.

use std::path::{Path, PathBuf};

use countersign_protocol::ledger::{Entry, ExportWriter};
use countersign_protocol::message::result::LedgerPage;
use countersign_protocol::message::{JobReply, JobRequest};

use crate::fixture::Server;
use crate::malformed;

fn write(path: &str, bytes: &[u8]) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
#[ignore = "writes the seeds of the fuzzers anew; run it when a message, the ledger or the bundle changes its form"]
fn write_the_seeds_of_the_fuzzers() {
    let server = Server::new();
    let stage = malformed::stage(&server);
    for (kind, text) in malformed::honest(&stage) {
        write(&format!("message/taken.{kind}"), &text);
    }
    let (host, ana, admin) = (&stage.host, &stage.ana, &stage.admin);
    let sealed =
        host.seal(&host.message(&JobRequest { signed: ana.sign(&host.session(ana, "ana")), body: None }));
    let answered = host.open(&sealed, &host.send(&sealed));
    write("message/taken.job-reply", answered.literal());
    let reply: JobReply = answered.body().unwrap();
    write("receipt/taken.login", &serde_json::to_vec(&reply.receipt).unwrap());
    let body = countersign_protocol::message::CheckIn {
        server_certificate: None,
        counter: 1,
        ledger_size: 2,
        logins: vec!["ana".parse().unwrap()],
        services: vec!["login".parse().unwrap()],
        version: None,
    };
    write("message/taken.check-in-reply", host.ask(&body).literal());

    let asked = serde_json::to_vec(&serde_json::json!({"from": 0})).unwrap();
    let page = host.job(admin, "read", "ledger/entries", Some(&asked));
    let page: LedgerPage = serde_json::from_value(page.result.unwrap()).unwrap();
    let export = ExportWriter::begin(Vec::new(), &page).unwrap().finish().unwrap();
    write("export/taken.whole", &export);
    let cut = export.len() - 40;
    write("export/refused.cut", &export[..cut]);
    write("ledger.key", host.ledger_key.as_str().as_bytes());
    for exported in &page.entries {
        let kind = Entry::from_bytes(&exported.entry.0).unwrap().kind;
        write(&format!("entry/taken.{}", kind.as_str()), &exported.entry.0);
    }
    write("entry/taken.filter", br#"{"account":"ana","kind":"job"}"#);
    write("bundle/taken.first", &std::fs::read(&server.made.bundle).unwrap());
}
