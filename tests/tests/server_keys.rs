//! A host over TLS, whose server exchanges its own keys.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on says where")]

use countersign_protocol::clock::{Clock as _, SystemClock};
use countersign_tests::site::{HostKey, SOON, Scene, Site, talk};
use countersign_tests::{Machine, target_bin, wait_until};
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::extension::{BasicConstraints, SubjectAlternativeName};
use openssl::x509::{X509, X509NameBuilder};
use serde_json::Value;

const CA: &str = "/etc/countersign/ca.pem";

/// A certificate for this machine that vouches for itself, and its key, in PEM.
fn pair() -> (Vec<u8>, Vec<u8>) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "127.0.0.1").unwrap();
    let name = name.build();
    let now = SystemClock.now();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(now.plus(-3600).seconds()).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(now.plus(86_400).seconds()).unwrap()).unwrap();
    builder.append_extension(BasicConstraints::new().build().unwrap()).unwrap();
    let names = SubjectAlternativeName::new().ip("127.0.0.1").build(&builder.x509v3_context(None, None));
    builder.append_extension(names.unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (builder.build().to_pem().unwrap(), key.private_key_to_pem_pkcs8().unwrap())
}

fn status(machine: &Machine) -> Value {
    let mut command = machine.command(target_bin("countersign").unwrap());
    command.args(["status", "--json"]);
    let shown = talk(&command, &[], SOON).unwrap().shown;
    serde_json::from_str(shown.trim()).unwrap_or_else(|error| panic!("{error}: {shown}"))
}

/// A host that trusts this TLS certificate alone, not enrolled yet.
fn site<'m>(machine: &'m Machine, readers: usize) -> Site<'m> {
    let mut site = Site::new(machine, readers, HostKey::Sealed).unwrap();
    let (certificate, key) = pair();
    site.server.speak_tls(machine, &certificate, &key).unwrap();
    machine.write(CA, &String::from_utf8(certificate).unwrap(), 0o644).unwrap();
    let config = std::fs::read_to_string(machine.path("/etc/countersign/agent.toml")).unwrap();
    machine.write("/etc/countersign/agent.toml", &format!("server_ca = \"{CA}\"\n{config}"), 0o644).unwrap();
    site
}

#[test]
fn a_host_over_tls_goes_on_by_itself_when_the_servers_keys_are_others_at_once() {
    let machine = Machine::start().unwrap();
    let mut site = site(&machine, 2);
    site.put_to_work().unwrap();
    let scene = Scene::at(site).unwrap();
    scene.ana_logs_in().unwrap();

    // The pair that the bundle and the host know is revoked, and its secrets are gone.
    scene.site.server.key(&machine, &["rotate", "--at-once"]).unwrap();
    let kept = machine.path("/var/lib/countersign/server.json");
    let held = || std::fs::read(&kept).unwrap_or_default();
    let before = held();
    wait_until("the host to take up the server's new certificate", 2 * SOON, || {
        Ok((held() != before).then_some(()))
    })
    .unwrap();
    scene.ana_logs_in().unwrap();
    assert!(!status(&machine).to_string().contains("untrusted"), "{}", status(&machine));

    // Also after a restart of both, by what was kept.
    let mut scene = scene;
    scene.site.server.stop().unwrap();
    scene.site.stop_agent().unwrap();
    scene.site.server.start(&machine).unwrap();
    scene.site.start_agent().unwrap();
    scene.ana_logs_in().unwrap();
}

#[test]
fn a_host_enrols_with_a_bundle_that_lay_for_longer_than_its_keys_live() {
    let machine = Machine::start().unwrap();
    let mut site = site(&machine, 0);
    site.server.start(&machine).unwrap();
    site.server.key(&machine, &["rotate", "--at-once"]).unwrap();
    // The server looks for it every few seconds.
    wait_until("the server to take up its new keys", SOON, || {
        Ok(site.server.log().contains("exchanged elsewhere").then_some(()))
    })
    .unwrap();
    site.start_agent().unwrap();
    site.enroll().unwrap();
    assert_eq!(status(&machine).get("state").unwrap(), "active");
}
