//! libFuzzer over the module, which `COUNTERSIGN_FUZZ_MODULE` names, through libpam.
#![no_main]

use std::sync::LazyLock;

use countersign_pam_fuzz::module::Stage;

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let module = std::env::var_os("COUNTERSIGN_FUZZ_MODULE").unwrap_or_default();
    let stage = Stage::new(std::path::Path::new(&module));
    stage.unwrap_or_else(|error| {
        // Nothing can be fuzzed without it.
        let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("fuzz-module: {error}\n"));
        std::process::exit(1)
    })
});

libfuzzer_sys::fuzz_target!(init: { LazyLock::force(&STAGE); }, |bytes: &[u8]| {
    // Everything that must hold is asserted inside.
    let _ = STAGE.play(bytes);
});
