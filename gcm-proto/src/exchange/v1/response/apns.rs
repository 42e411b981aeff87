//! The meaning of APNs' reasons, by Apple's table ("Handling notification responses from APNs"). Only `Unregistered`,
//! `InvalidProviderToken` and `BadEnvironmentKeyInToken` were seen in responses of FCM.

use crate::exchange::Scope;
use crate::outcome::Code;

/// What to do about a key that APNs does not take.
pub(super) const KEY: &str = "the app's APNs or web push key in the Firebase console is missing or wrong";

/// Whether the device's token is dead. All others leave the registration alone: an app built for the sandbox, a wrong bundle id
/// or a key of another environment are faults of the set-up, and hit every device.
pub(super) fn is_dead(reason: &str) -> bool {
    matches!(reason, "Unregistered" | "ExpiredToken")
}

/// What a reason comes to that is not about the registration.
pub(super) fn verdict(reason: &str) -> (Code, Scope) {
    match reason {
        "PayloadTooLarge" => (Code::MessageTooBig, Scope::Message),
        // Of a Live Activity: its token is in the message.
        "Unregistered" | "ExpiredToken" => (Code::InvalidParameters, Scope::Message),
        "BadCollapseId" | "BadExpirationDate" | "BadMessageId" | "BadPriority" | "InvalidPushType" | "PayloadEmpty" => {
            (Code::InvalidParameters, Scope::Message)
        }
        "TooManyRequests" => (Code::DeviceMessageRateExceeded, Scope::Recipient),
        "IdleTimeout" | "InternalServerError" | "ServiceUnavailable" | "Shutdown" => {
            (Code::Unavailable, Scope::Recipient)
        }
        _ => (Code::InvalidApnsCredential, Scope::Recipient),
    }
}

/// What to do about it.
pub(super) fn hint(reason: &str) -> &'static str {
    match reason {
        "BadDeviceToken" => {
            "the app was built for the other environment of APNs (sandbox or production) than its key is for"
        }
        "DeviceTokenNotForTopic" | "BadTopic" | "MissingTopic" | "TopicDisallowed" => {
            "the bundle id in the Firebase console, or the apns-topic header, is not this app's"
        }
        _ => KEY,
    }
}
