//! TLS by the server itself, and how its files are renewed.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use countersign_protocol::clock::{Clock as _, SystemClock};
use nix::sys::signal::Signal;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslConnector, SslMethod, SslStream, SslVersion};
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};

use crate::program::{Made, Program, fails, init, run};

/// A certificate that vouches for itself, and its key.
struct Pair {
    certificate: X509,
    key: PKey<Private>,
}

impl Pair {
    fn new(from: i64, until: i64) -> Self {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", "127.0.0.1").unwrap();
        let name = name.build();
        let now = SystemClock.now();
        let at = |offset: i64| Asn1Time::from_unix(now.plus(offset).seconds()).unwrap();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let mut serial = BigNum::new().unwrap();
        serial.rand(64, openssl::bn::MsbOption::MAYBE_ZERO, false).unwrap();
        builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&at(from)).unwrap();
        builder.set_not_after(&at(until)).unwrap();
        builder.append_extension(BasicConstraints::new().ca().build().unwrap()).unwrap();
        let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None));
        builder.append_extension(names.unwrap()).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Self { certificate: builder.build(), key }
    }

    fn good() -> Self {
        Self::new(-60, 40 * 86_400)
    }

    fn write(&self, folder: &Path) {
        write(&folder.join("tls.pem"), &self.certificate.to_pem().unwrap());
        write(&folder.join("tls.key"), &self.key.private_key_to_pem_pkcs8().unwrap());
    }
}

/// As a renewing program does it: never half a file.
fn write(path: &Path, content: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    let new = path.with_extension("new");
    std::fs::write(&new, content).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(new, path).unwrap();
}

fn configured(pair: &Pair) -> Made {
    let made = init();
    pair.write(&made.data);
    let path = |name: &str| made.data.join(name).display().to_string();
    made.configure(&format!("[tls]\ncertificate = {:?}\nkey = {:?}\n", path("tls.pem"), path("tls.key")));
    made
}

fn connect(port: u16, trusted: &Pair, version: SslVersion) -> Option<SslStream<TcpStream>> {
    let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
    connector.cert_store_mut().add_cert(trusted.certificate.clone()).unwrap();
    connector.set_security_level(0);
    connector.set_min_proto_version(Some(version)).unwrap();
    connector.set_max_proto_version(Some(version)).unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    connector.build().connect("127.0.0.1", stream).ok()
}

/// One request on a connection that stays open.
fn ask(stream: &mut SslStream<TcpStream>) -> bool {
    if stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: l\r\n\r\n").is_err() {
        return false;
    }
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"ok\n") {
        match stream.read(&mut byte) {
            Ok(1) => answer.push(byte[0]),
            _ => return false,
        }
    }
    answer.starts_with(b"HTTP/1.1 200")
}

fn trusts(port: u16, pair: &Pair) -> bool {
    connect(port, pair, SslVersion::TLS1_3).is_some_and(|mut stream| ask(&mut stream))
}

fn within(seconds: u64, mut done: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < until {
        if done() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

#[test]
fn the_server_speaks_tls_of_two_versions_and_none_before() {
    let pair = Pair::good();
    let made = configured(&pair);
    let program = Program::start(&made.config, &[]);
    for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        assert!(ask(&mut connect(program.port, &pair, version).unwrap()));
    }
    assert!(connect(program.port, &pair, SslVersion::TLS1_1).is_none());
    assert!(connect(program.port, &Pair::good(), SslVersion::TLS1_3).is_none(), "another certificate");
    // Whoever speaks no TLS gets no HTTP.
    let mut plain = TcpStream::connect(("127.0.0.1", program.port)).unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nHost: l\r\n\r\n").unwrap();
    let mut said = Vec::new();
    let _closed = plain.read_to_end(&mut said);
    assert!(!said.starts_with(b"HTTP"), "{said:?}");
}

#[test]
fn new_tls_files_are_taken_up_and_old_connections_go_on_and_bad_ones_change_nothing() {
    let (first, second, third) = (Pair::good(), Pair::good(), Pair::good());
    let made = configured(&first);
    let log = made.data.join("log");
    let program = Program::start_logged(&made.config, &log);
    let mut old = connect(program.port, &first, SslVersion::TLS1_3).unwrap();
    assert!(ask(&mut old));

    // When asked.
    second.write(&made.data);
    program.signal(Signal::SIGHUP);
    assert!(within(4, || trusts(program.port, &second)), "{}", std::fs::read_to_string(&log).unwrap());
    assert!(!trusts(program.port, &first));
    assert!(ask(&mut old), "what was open goes on");

    // A key that does not fit, and one that is none.
    write(&made.data.join("tls.key"), &first.key.private_key_to_pem_pkcs8().unwrap());
    program.signal(Signal::SIGHUP);
    let said =
        |times: usize| std::fs::read_to_string(&log).unwrap().matches("the old ones stay").count() >= times;
    assert!(within(10, || said(1)));
    write(&made.data.join("tls.key"), b"nonsense");
    program.signal(Signal::SIGHUP);
    assert!(within(10, || said(2)));
    assert!(trusts(program.port, &second));

    // By themselves.
    third.write(&made.data);
    assert!(within(15, || trusts(program.port, &third)));
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(!log.contains("PRIVATE KEY"), "{log}");
}

#[test]
fn a_tls_pair_is_checked_with_the_configuration() {
    let pair = Pair::good();
    let made = configured(&pair);
    let config = made.config.to_str().unwrap();
    let output = run(&["config", "check", "--config", config]);
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && told.contains("TLS certificate:    until 20"), "{told}");
    assert!(told.contains("url begins with http:"), "{told}");

    // What stands behind it may be over: only whoever goes by it minds.
    let old = Pair::new(-7200, -3600).certificate.to_pem().unwrap();
    write(&made.data.join("tls.pem"), &[pair.certificate.to_pem().unwrap(), old].concat());
    assert!(run(&["config", "check", "--config", config]).status.success());
    let log = made.data.join("log");
    let program = Program::start_logged(&made.config, &log);
    assert!(trusts(program.port, &pair));
    let warned = || std::fs::read_to_string(&log).unwrap().contains("behind it in the TLS file ended at");
    assert!(within(5, warned));
    drop(program);

    for command in [["config", "check", "--config", config].as_slice(), &["serve", "--config", config]] {
        pair.write(&made.data);
        write(&made.data.join("tls.key"), &Pair::good().key.private_key_to_pem_pkcs8().unwrap());
        fails(command, 3, &["tls.pem", "tls.key", "cannot be used together"]);
        Pair::new(-7200, -3600).write(&made.data);
        fails(command, 3, &["tls.pem", "ended at", "renew it"]);
        std::fs::remove_file(made.data.join("tls.pem")).unwrap();
        fails(command, 3, &["tls.pem", "No such file"]);
        pair.write(&made.data);
        use std::os::unix::fs::PermissionsExt as _;
        let key = made.data.join("tls.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        fails(command, 3, &["tls.key", "chmod o="]);
        std::fs::remove_file(key).unwrap();
    }
}
