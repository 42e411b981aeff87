//! Secrets as they may be shown.

/// At most the first six characters of a secret, at most half of it, and a mark that there is more.
pub(super) fn shortened(secret: &str) -> String {
    let shown = (secret.chars().count() / 2).min(6);
    secret.chars().take(shown).chain(['…']).collect()
}
