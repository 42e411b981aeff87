//! Sans-IO core for sending push messages over Google's protocols.
#[cfg(feature = "emulator")]
pub mod emulator;
