//! `cargo xtask soak`: what takes too long for every change, for whoever wants to know before a release.

use crate::step::{Stop, run as run_program, step};
use crate::workspace::cargo;
use crate::{module, packages};

/// Installs, builds, and plays `matrix`, which may be followed by the name of one family.
pub(crate) fn run(words: &[&str]) -> Result<(), Stop> {
    match words {
        ["matrix"] => matrix(None),
        ["matrix", family] => matrix(Some(family)),
        [] => Err(Stop::Usage("which soak: matrix?".to_owned())),
        [other, ..] => Err(Stop::Usage(format!("there is no soak `{other}`"))),
    }
}

/// Every fault at every moment of a login: `tests/tests/fault_matrix`.
fn matrix(family: Option<&str>) -> Result<(), Stop> {
    prepare()?;
    step("fault matrix", || {
        let words = [
            "test",
            "--package",
            "countersign-tests",
            "--test",
            "fault_matrix",
            "--",
            "--ignored",
            "--nocapture",
        ];
        let mut test = cargo(&words);
        if let Some(family) = family {
            test.env("COUNTERSIGN_SOAK_FAMILY", family);
        }
        run_program(&mut test)
    })
}

fn prepare() -> Result<(), Stop> {
    packages::demand_root("soak")?;
    packages::ensure()?;
    step("build", || run_program(&mut cargo(&["build", "--workspace"])))?;
    module::check()
}
