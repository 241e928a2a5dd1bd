//! libFuzzer over the conversation's client.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // Everything that must hold is asserted inside.
    let _ = countersign_pam_fuzz::frames::play(bytes);
});
