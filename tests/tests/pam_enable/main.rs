//! `countersign pam`: enabled, tried, confirmed, put back – and nobody locked out at any moment of it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod killed;
mod lobby;
mod put_back;
mod real_module;
mod refused;

use countersign_tests::Machine;
use countersign_tests::site::{Person, SOON, talk};

use lobby::Lobby;

const PIN: (&str, &str) = ("PIN for", Person::PIN);

#[test]
fn a_change_that_was_tried_and_confirmed_stays_until_it_is_disabled_and_leaves_no_trace() {
    let machine = Machine::start().unwrap();
    let lobby = Lobby::on(&machine);
    let before = lobby.files();
    lobby.people_without_a_card_get_in("before");

    let ending = lobby.pam(&["enable", "--user", "ana", "--other-auth", "su"], &[PIN], 0);
    assert!(ending.contains("Trial login of ana through login"), "{ending}");
    assert!(ending.contains("unless you confirm") && ending.contains("countersign pam confirm"), "{ending}");
    lobby.people_without_a_card_get_in("waiting");
    lobby.a_wrong_password_does_not_do("waiting");
    lobby.ana_gets_in_by_card_alone();
    assert!(lobby.pam(&["status"], &[], 10).contains("unless somebody confirms"));
    let managed = machine.text("/etc/countersign/managed");
    assert!(
        managed.contains("\nuser ana card\n") && managed.contains("\nservice su other-auth\n"),
        "{managed}"
    );
    assert!(machine.text("/etc/sudoers.d/countersign").contains("Defaults:ana timestamp_timeout=0"));
    let again = lobby.pam(&["enable", "--user", "olga"], &[], 1);
    assert!(again.contains("waits to be confirmed"), "{again}");

    assert!(lobby.pam(&["confirm"], &[], 0).contains("Confirmed"));
    let status = lobby.pam(&["status"], &[], 0);
    assert!(status.contains("PAM asks for cards, since") && status.contains("ana needs a card"), "{status}");
    assert!(
        lobby.pam(&["enable", "--user", "ana", "--other-auth", "su"], &[], 0).contains("nothing to change")
    );
    lobby.people_without_a_card_get_in("confirmed");
    lobby.ana_gets_in_by_card_alone();
    passwd_is_for_the_card_and_for_passwords(&lobby);

    // Somebody more, later: the way back is still to where it all began.
    lobby.pam(&["enable", "--user", "olga", "--password-fallback", "--test-as", "ana"], &[PIN], 0);
    lobby.pam(&["confirm"], &[], 0);
    assert!(machine.text("/etc/countersign/managed").contains("user olga card-or-password"));

    let ending = lobby.pam(&["disable"], &[], 0);
    assert!(
        ending.contains("PAM asks for no cards any more") && ending.contains("managed stays"),
        "{ending}"
    );
    machine.does("rm", &["/etc/countersign/managed"]).unwrap();
    lobby.are_as(&before, "disabled");
    lobby.people_without_a_card_get_in("disabled");
    let nothing = lobby.pam(&["disable"], &[], 1);
    assert!(nothing.contains("was not used on this host"), "{nothing}");
}

/// The line in passwd's own file: who has a card is asked for the card's PIN, the others for their password.
fn passwd_is_for_the_card_and_for_passwords(lobby: &Lobby<'_>) {
    let mut bob = lobby.machine().command("pamtester");
    bob.args(["passwd", "bob", "chauthtok"]);
    let answers = [("New password:", "Moss-Rose-4711"), ("Retype new password:", "Moss-Rose-4711")];
    talk(&bob, &answers, SOON).unwrap().success().unwrap();
    lobby.set_password("bob");
}
