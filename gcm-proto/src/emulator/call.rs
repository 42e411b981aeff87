//! A request as it comes in, and the refusals of one that is turned away.

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use serde::Serialize;

pub(super) const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=UTF-8");
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");
pub(super) const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=UTF-8");

/// A request with the type of its body out of the way.
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    pub(super) path: &'a str,
    /// The host and port that were asked, from the URI or the `Host` header.
    pub(super) authority: Option<&'a str>,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

impl Call<'_> {
    /// Checks what a legacy endpoint asks of a request: POST, its length, not too much of it.
    pub(super) fn check(&self, max_body: usize) -> Result<(), Refusal> {
        if self.method != Method::POST {
            return Err(Refusal::Page(
                StatusCode::METHOD_NOT_ALLOWED,
                "Method Not Allowed",
                "Only POST is allowed here",
            ));
        }
        if !self.headers.contains_key(CONTENT_LENGTH) {
            return Err(Refusal::Page(
                StatusCode::LENGTH_REQUIRED,
                "Length Required",
                "POST requires a Content-length header",
            ));
        }
        self.check_length(max_body)
    }

    /// Checks what today's endpoints ask of a request: POST, no wrong length, not too much of it.
    pub(super) fn check_modern(&self, max_body: usize) -> Result<(), Refusal> {
        if self.method != Method::POST {
            return Err(Refusal::lost());
        }
        self.check_length(max_body)
    }

    /// The type of the body, without its parameters.
    pub(super) fn content_type(&self) -> &str {
        let value = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().split(';').next().unwrap_or_default().trim()
    }

    fn check_length(&self, max_body: usize) -> Result<(), Refusal> {
        let mut lengths = self.headers.get_all(CONTENT_LENGTH).iter();
        let actual = self.body.len().to_string();
        if lengths.any(|length| length.as_bytes() != actual.as_bytes()) {
            return Err(Refusal::Page(
                StatusCode::BAD_REQUEST,
                "Bad Request",
                "The Content-length header is not the length of the body",
            ));
        }
        if self.body.len() > max_body {
            return Err(Refusal::Page(
                StatusCode::PAYLOAD_TOO_LARGE,
                "Request Entity Too Large",
                "The body is too large",
            ));
        }
        Ok(())
    }
}

/// Why a whole request is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A page of HTML with this title and explanation.
    Page(StatusCode, &'static str, &'static str),
    /// This text and nothing else.
    Text(StatusCode, String),
    /// A body of JSON.
    Json {
        status: StatusCode,
        body: Vec<u8>,
        /// How to authenticate, where that is what is wrong.
        challenge: Option<HeaderValue>,
        complaint: String,
    },
}

impl Refusal {
    pub(super) fn not_found() -> Self {
        Self::Page(StatusCode::NOT_FOUND, "Not Found", "No such endpoint")
    }

    /// What today's front end says of an unknown path, and of a wrong method too.
    pub(super) fn lost() -> Self {
        Self::Page(
            StatusCode::NOT_FOUND,
            "Error 404 (Not Found)!!1",
            "The requested URL was not found on this server.",
        )
    }

    /// The reason in words, for the log.
    pub(super) fn complaint(self) -> String {
        match self {
            Self::Page(_, title, detail) => format!("{title}: {detail}"),
            Self::Text(_, text) => text.trim_end().to_owned(),
            Self::Json { complaint, .. } => complaint,
        }
    }

    pub(super) fn response(&self) -> Response<Vec<u8>> {
        match self {
            Self::Page(status, title, detail) => respond(*status, HTML, page(*status, title, detail)),
            Self::Text(status, text) => respond(*status, TEXT, text.clone().into_bytes()),
            Self::Json {
                status,
                body,
                challenge,
                ..
            } => {
                let mut response = respond(*status, JSON, body.clone());
                if let Some(challenge) = challenge {
                    response.headers_mut().insert(WWW_AUTHENTICATE, challenge.clone());
                }
                response
            }
        }
    }
}

/// Puts a response together.
pub(super) fn respond(status: StatusCode, content_type: HeaderValue, body: Vec<u8>) -> Response<Vec<u8>> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// JSON with its lines broken and indented, as Google's services print it.
pub(super) fn print(value: &impl Serialize) -> Vec<u8> {
    // Structs of texts and numbers always serialise.
    serde_json::to_vec_pretty(value).unwrap_or_default()
}

/// The page of the service's front end, whose first lines clients have been seen to quote.
fn page(status: StatusCode, title: &str, detail: &str) -> Vec<u8> {
    let code = status.as_u16();
    format!(
        "<HTML>\n<HEAD>\n<TITLE>{title}</TITLE>\n</HEAD>\n<BODY BGCOLOR=\"#FFFFFF\" TEXT=\"#000000\">\n\
         <H1>{title}</H1>\n<H2>Error {code}</H2>\n<P>{detail}</P>\n</BODY>\n</HTML>\n"
    )
    .into_bytes()
}
