use super::*;

struct Listener {
    deadline: Instant,
    notes: Vec<String>,
}

impl Waiting for Listener {
    fn deadline(&self) -> Instant {
        self.deadline
    }

    fn is_cancelled(&self) -> bool {
        false
    }

    fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }
}

const WANTED: Wanted<'static> = Wanted { card: None, name: "YubiKey …1234" };

fn listener(patience: Duration) -> Listener {
    Listener { deadline: Instant::now() + patience, notes: Vec::new() }
}

fn candidate(name: Option<&str>, login: &str) -> Candidate {
    let program = name.map(|name| Program { name: name.to_owned(), pid: 77 });
    Candidate { program, login: login.to_owned() }
}

#[test]
fn a_holder_is_named_as_far_as_it_is_known_with_the_way_out() {
    let error = |candidates| CardError::InUse(Holder { candidates }).to_string();
    let gnupg = || candidate(Some("scdaemon"), "ana");
    let (program, somebody) = (|| candidate(Some("opensc-tool"), "bob"), || candidate(None, "gdm"));
    let table = [
        (
            vec![gnupg()],
            "GnuPG (scdaemon, process 77) of ana has the card and does not let go; let it go, as ana, with: gpgconf --kill scdaemon",
        ),
        (
            vec![program()],
            "the program opensc-tool (process 77) of bob has the card and does not let go; end it, or wait until it is done",
        ),
        (
            vec![somebody()],
            "a program of gdm has the card and does not let go; if it is GnuPG, let it go with: gpgconf --kill scdaemon",
        ),
        (
            vec![],
            "another program has the card and does not let go; if it is GnuPG, let it go with: gpgconf --kill scdaemon",
        ),
        (
            vec![program(), somebody()],
            "the program opensc-tool (process 77) of bob or a program of gdm has the card and does not let go; if it is GnuPG, let it go with: gpgconf --kill scdaemon",
        ),
    ];
    for (candidates, text) in table {
        assert_eq!(error(candidates), text);
    }
    let crowd = error(vec![program(), program(), program(), program()]);
    assert_eq!(crowd.matches("opensc-tool").count(), NAMED, "{crowd}");
}

#[test]
fn a_card_that_comes_free_at_once_costs_no_word() {
    let mut listener = listener(Duration::from_secs(60));
    let mut tries = 0;
    let got = Holders::new(None).make_way(WANTED, &mut listener, &mut || {
        tries += 1;
        if tries < 3 { Err(CardError::InUse(Holder::default())) } else { Ok(tries) }
    });
    assert_eq!(got, Ok(3));
    assert_eq!(listener.notes, [""; 0]);
}

#[test]
fn another_failure_than_being_held_is_told_at_once() {
    let mut listener = listener(Duration::from_secs(60));
    let begun = Instant::now();
    let got = Holders::new(None).make_way::<()>(WANTED, &mut listener, &mut || Err(CardError::Gone));
    assert_eq!(got, Err(CardError::Gone));
    assert!(begun.elapsed() < limits::CARD_LET_GO);
}

#[test]
fn a_card_that_is_never_let_go_is_waited_for_in_vain_and_in_time() {
    let mut listener = listener(Duration::from_millis(900));
    let begun = Instant::now();
    let got = Holders::new(None)
        .make_way::<()>(WANTED, &mut listener, &mut || Err(CardError::InUse(Holder::default())));
    assert!(matches!(got, Err(CardError::InUse(_))), "{got:?}");
    assert!(begun.elapsed() < limits::CARD_LET_GO, "the person's deadline counts");
    let [note] = listener.notes.as_slice() else { panic!("{:?}", listener.notes) };
    assert!(note.contains("has YubiKey …1234. Waiting until it lets go."), "{note}");
}
