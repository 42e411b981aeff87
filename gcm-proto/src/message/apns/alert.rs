//! An alert on Apple's devices: one text, or an object of texts.

use crate::message::check::{self, Checked};
use crate::message::part::part;
use crate::message::reading::Names;
use serde::{Deserialize, Serialize};

/// What is shown: one text, or an object of texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged, expecting = "an alert must be a text or an object of texts")]
#[non_exhaustive]
pub enum Alert {
    /// The text alone.
    Text(String),
    /// Title, text and more.
    Object(Box<ApsAlert>),
}

impl From<&str> for Alert {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Alert {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<ApsAlert> for Alert {
    fn from(alert: ApsAlert) -> Self {
        Self::Object(Box::new(alert))
    }
}

part! {
    /// The texts of an alert, as Apple names them. In place of the message's own title and text.
    #[serde(rename_all = "kebab-case")]
    pub struct ApsAlert (Names::Standard(&Self::STANDARD)) {
        text {
            /// The title.
            title,
            /// A second title.
            subtitle,
            /// The text.
            body,
            /// The key of a text in the app's own strings, in place of a title.
            title_loc_key,
            /// The key of a text in the app's own strings, in place of a subtitle.
            subtitle_loc_key,
            /// The key of a text in the app's own strings, in place of a body.
            loc_key,
            /// The key of the text on the button that opens the app.
            action_loc_key,
            /// The file of the picture that is shown while the app starts.
            launch_image,
        }
        list {
            /// What is put into the text of [`title_loc_key`](Self::title_loc_key), in order.
            title_loc_args,
            /// What is put into the text of [`subtitle_loc_key`](Self::subtitle_loc_key), in order.
            subtitle_loc_args,
            /// What is put into the text of [`loc_key`](Self::loc_key), in order.
            loc_args,
        }
        free {
            /// Adds any other key, with its JSON value.
            custom,
        }
    }
}

impl ApsAlert {
    pub(crate) const STANDARD: [&'static str; 11] = [
        "action-loc-key",
        "body",
        "launch-image",
        "loc-args",
        "loc-key",
        "subtitle",
        "subtitle-loc-args",
        "subtitle-loc-key",
        "title",
        "title-loc-args",
        "title-loc-key",
    ];

    pub(super) fn check(&self) -> Checked {
        check::custom("", &self.custom, &Self::STANDARD)?;
        check::arguments(
            ("title-loc-args", &self.title_loc_args),
            ("title-loc-key", self.title_loc_key.as_ref()),
        )?;
        check::arguments(
            ("subtitle-loc-args", &self.subtitle_loc_args),
            ("subtitle-loc-key", self.subtitle_loc_key.as_ref()),
        )?;
        check::arguments(("loc-args", &self.loc_args), ("loc-key", self.loc_key.as_ref()))
    }
}
