//! What our module can answer: the frozen table, read where it is frozen.

use countersign_tests::pam_stack::Code;

/// A row of the table.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The situation.
    pub(crate) name: String,
    pub(crate) authenticate: Code,
    pub(crate) account: Code,
    pub(crate) setcred: Code,
    pub(crate) session: Code,
    pub(crate) password: Code,
}

impl Row {
    fn codes(&self) -> [Code; 5] {
        [self.authenticate, self.account, self.setcred, self.session, self.password]
    }
}

/// `FROZEN` of `pam-module/src/outcome.rs`: whatever the module's own test holds it to.
pub(crate) fn table() -> Vec<Row> {
    let source = include_str!("../../../pam-module/src/outcome.rs");
    let table = source.split_once("const FROZEN: &str = \"\\\n").expect("a frozen table").1;
    let table = table.split_once("\";").expect("its end").0;
    let rows: Vec<Row> = table.lines().filter(|line| line.contains("PAM_")).map(row).collect();
    assert!(rows.len() >= 21, "the table was understood: {} rows", rows.len());
    let says = |code| rows.iter().any(|row| row.codes().contains(&code));
    assert!(!says(Code::NEW_AUTHTOK_REQD), "programs take this for a yes");
    rows
}

/// One row for each set of codes.
pub(crate) fn distinct() -> Vec<Row> {
    let mut rows = table();
    rows.sort_by_key(Row::codes);
    rows.dedup_by_key(|row| row.codes());
    rows
}

fn row(line: &str) -> Row {
    let (name, codes) = line.split_at(line.find("PAM_").expect("a code"));
    let mut codes = codes.split_whitespace().map(|word| Code::named(word).expect(word));
    let mut next = || codes.next().expect("five codes");
    Row {
        name: name.trim().to_owned(),
        authenticate: next(),
        account: next(),
        setcred: next(),
        session: next(),
        password: next(),
    }
}
