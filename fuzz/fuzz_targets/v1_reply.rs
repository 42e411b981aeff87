//! Hands the fuzzer's bytes to `gcm_fuzz::v1_reply`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| gcm_fuzz::v1_reply(data));

#[cfg(not(fuzzing))]
fn main() {}
