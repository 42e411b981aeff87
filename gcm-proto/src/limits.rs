//! The limits of a gateway: data, since gateways differ.

/// What one gateway takes. Start from a preset and change what differs.
///
/// ```
/// use gcm_proto::Limits;
///
/// let mut limits = Limits::LEGACY;
/// limits.ids_per_request = 100;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of payload to a token or group. Over FCM HTTP v1 it is advice: see
    /// [`Message::payload_room`](crate::Message::payload_room).
    pub payload_to_tokens: usize,
    /// Bytes of payload to a topic or condition; advice over FCM HTTP v1.
    pub payload_to_topics: usize,
    /// Registration tokens in one multicast request.
    pub ids_per_request: usize,
    /// Tokens in a device group.
    pub members_per_group: usize,
    /// Topics in a condition.
    pub topics_per_condition: usize,
    /// Whether a time to live needs a collapse key, as the first GCM asked (`MissingCollapseKey`).
    pub ttl_needs_collapse_key: bool,
}

impl Limits {
    /// GCM from 2015 and the FCM legacy API: 4096 bytes to tokens, 2048 to topics, 1000 ids, groups of 20, five topics.
    /// Google's "HTTP protocol (legacy)" reference and its topic and device-group guides.
    pub const LEGACY: Self = Self {
        payload_to_tokens: 4096,
        payload_to_topics: 2048,
        ids_per_request: 1000,
        members_per_group: 20,
        topics_per_condition: 5,
        ttl_needs_collapse_key: false,
    };

    /// FCM HTTP v1: 4096 bytes to tokens, one target a request, groups of 20, five topics. 4096 bytes to topics too: Google's
    /// page of error codes still says 2048, but one entry of 4505 bytes was accepted and 4506 were not (davideast/pyric, its
    /// observations of July 2026). What the service counts is not published: a payload within these may still be refused.
    pub const V1: Self = Self {
        payload_to_topics: 4096,
        ids_per_request: 1,
        ..Self::LEGACY
    };

    /// The first GCM (2012): as [`LEGACY`](Self::LEGACY), and a time to live needs a collapse key. Android SDK docs, 2012.
    pub const GCM_2012: Self = Self {
        ttl_needs_collapse_key: true,
        ..Self::LEGACY
    };
}
