//! The other side of the wire, for tests.
