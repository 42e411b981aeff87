//! Hands the fuzzer's bytes to `gcm_fuzz::delivery_ops`.

#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|data: &[u8]| gcm_fuzz::delivery_ops(data));

#[cfg(not(fuzzing))]
fn main() {}
