//! The secrets of a request.

/// What a request held that no text may show: the target's token or key, a Live Activity's, the access token. Empty ones
/// are none.
pub(in crate::exchange::v1) type Secrets<'a> = [&'a str; 3];
