//! libFuzzer over the target that `COUNTERSIGN_FUZZ_TARGET` names.
#![no_main]

use std::sync::LazyLock;

use countersign_fuzz::{Play, target};

static PLAY: LazyLock<Play> = LazyLock::new(|| {
    let name = std::env::var("COUNTERSIGN_FUZZ_TARGET").unwrap_or_default();
    target(&name).unwrap_or_else(|| {
        // Nothing can be fuzzed without it.
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("fuzz-parsers: COUNTERSIGN_FUZZ_TARGET is {name:?}, which is no target\n"),
        );
        std::process::exit(1)
    })
});

libfuzzer_sys::fuzz_target!(init: { LazyLock::force(&PLAY); }, |bytes: &[u8]| {
    // Everything that must hold is asserted inside.
    let _ = PLAY(bytes);
});
