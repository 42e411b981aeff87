//! Hands the fuzzer's bytes to `gcm_fuzz::removal`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| gcm_fuzz::removal(data));

#[cfg(not(fuzzing))]
fn main() {}
