//! The secrets that are put in, every text a value shows of itself, and the search for the one in the other.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::{Debug, Display};

/// A server key. Any eight characters of it are found again.
pub(crate) const KEY: &str = "AAAAmN0pQ2s:APA91bKq7ZxW-serverkey-V3uY_tR8eD5fG1hJ4kL6mB9nC0vX2zS7aP";

/// A device token as long as real ones, and one that nothing but being known gives away.
pub(crate) const LONG: &str =
    "dEvIcE0oNe:APA91bFoPQ-longtoken-WERTYUIOP_asdfghjkl-ZXCVBNM1234567890qwertyuiop-ASDFGHJKLzxcvbnm";
pub(crate) const MIDDLE: &str = "mid-tok+4711";

/// What of the secrets stands in a text.
pub(crate) fn leak(text: &str) -> Option<&'static str> {
    // `{:?}` of bytes is a list of numbers, on one line or on many.
    let listed = if text.contains('[') {
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    } else {
        String::new()
    };
    let as_bytes = |secret: &str| {
        let list = format!("{:?}", secret.as_bytes());
        !listed.is_empty() && listed.contains(list.trim_matches(['[', ']']))
    };
    if text.contains(KEY) || as_bytes(KEY) {
        Some("the key")
    } else if (0..=KEY.len() - 8).any(|start| text.contains(&KEY[start..start + 8])) {
        Some("a part of the key")
    } else if text.contains(LONG) {
        Some("the long token")
    } else if text.contains(MIDDLE) {
        Some("the middle token")
    } else if as_bytes(LONG) {
        Some("the long token as bytes")
    } else if as_bytes(MIDDLE) {
        Some("the middle token as bytes")
    } else {
        None
    }
}

/// One type, by the file it stands in, and all texts its values show.
pub(crate) struct Shown {
    pub(crate) name: String,
    pub(crate) texts: BTreeSet<String>,
}

/// Finds what a value can show: `Display` and sources of errors are used where its type has them, without being told.
pub(crate) struct Probe<'a, T>(pub(crate) &'a T);

pub(crate) trait Displayed {
    fn display(&self) -> Vec<String>;
}

impl<T: Display> Displayed for Probe<'_, T> {
    fn display(&self) -> Vec<String> {
        vec![self.0.to_string(), format!("{:#}", self.0)]
    }
}

pub(crate) trait Undisplayed {
    fn display(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<T> Undisplayed for &Probe<'_, T> {}

pub(crate) trait Chained {
    fn chain(&self) -> Vec<String>;
}

impl<T: Error + 'static> Chained for Probe<'_, T> {
    fn chain(&self) -> Vec<String> {
        let mut texts = Vec::new();
        let mut next: Option<&(dyn Error + 'static)> = Some(self.0);
        while let Some(error) = next {
            texts.extend([error.to_string(), format!("{error:?}"), format!("{error:#?}")]);
            next = error.source();
        }
        texts
    }
}

pub(crate) trait Unchained {
    fn chain(&self) -> Vec<String> {
        Vec::new()
    }
}

impl<T> Unchained for &Probe<'_, T> {}

pub(crate) fn debug<T: Debug>(value: &T) -> Vec<String> {
    vec![format!("{value:?}"), format!("{value:#?}")]
}

/// What is asked of every public type beside its texts.
pub(crate) fn crosses_threads<T: Send + Sync + 'static>() {}

/// All texts of these values, as an entry of the list.
#[macro_export]
macro_rules! shown {
    ($file:literal $name:ident, $type:ty, $values:expr) => {{
        #[allow(unused_imports)] // which of the traits are used depends on the type
        use $crate::probe::{Chained, Displayed, Probe, Shown, Unchained, Undisplayed, crosses_threads, debug};

        crosses_threads::<$type>();
        let values: Vec<$type> = Vec::from($values);
        let mut texts = std::collections::BTreeSet::new();
        for value in &values {
            texts.extend(debug(value));
            texts.extend((&Probe(value)).display());
            texts.extend((&Probe(value)).chain());
        }
        Shown {
            name: format!("{} {}", $file, stringify!($name)),
            texts,
        }
    }};
}
