//! The whole URLs of pages and pictures, as devices load them.

/// Whether this names a host by one of these schemes, which are written in lower case here.
pub(super) fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else {
        return false;
    };
    let lower = scheme.to_ascii_lowercase();
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    schemes.contains(&lower.as_str()) && !host.is_empty() && !rest.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// A link of a web push, whose scheme is in lower case: `^https://` in Google's own SDKs.
pub(super) fn is_link(text: &str) -> bool {
    text.starts_with("https://") && is_url(text, &["https"])
}

/// A picture, from wherever.
pub(super) fn is_picture(text: &str) -> bool {
    is_url(text, &["http", "https"])
}
