//! A multicast's response exactly as the service prints it, read in one pass over its bytes.
//!
//! It refuses whatever is unusual (white space, escapes, other fields, another order) and leaves that to the full reader,
//! which it must agree with: a test and a fuzz target compare the two. It takes a third of the full reader's time, and
//! that is half of what a recipient costs.

use super::Results;
use crate::names::{Token, is_plain_json};
use crate::outcome::{Accepted, Code, Failure, Outcome, Sent};
use std::borrow::Cow;

/// `{"multicast_id":…,"success":…,"failure":…,"canonical_ids":…,"results":[…]}` with up to `most` results.
pub(super) fn read(text: &str, most: usize) -> Option<Results<'_>> {
    let mut rest = Rest(text);
    let multicast_id = rest.number("{\"multicast_id\":")?;
    let mut counters = [0; 3];
    for (field, counter) in [",\"success\":", ",\"failure\":", ",\"canonical_ids\":"]
        .into_iter()
        .zip(&mut counters)
    {
        *counter = rest.number(field)?.parse().ok()?;
    }
    rest.skip(",\"results\":[")?;
    let mut outcomes = Vec::with_capacity(most.min(text.len() / SHORTEST + 1));
    if rest.skip("]").is_none() {
        loop {
            if outcomes.len() == most {
                return None;
            }
            outcomes.push(rest.outcome()?);
            if rest.skip(",").is_none() {
                break;
            }
        }
        rest.skip("]")?;
    }
    rest.skip("}")?;
    rest.0.is_empty().then_some(Results {
        multicast_id: Some(Cow::Borrowed(multicast_id)),
        counters: Some(counters),
        length: outcomes.len(),
        outcomes,
    })
}

/// Bytes of the shortest result: `{"error":"x"},`.
const SHORTEST: usize = 14;

/// What is left of the text.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    fn skip(&mut self, token: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(token)?;
        Some(())
    }

    /// A field with a whole number, as JSON writes it.
    fn number(&mut self, field: &str) -> Option<&'a str> {
        self.skip(field)?;
        let text = self.0;
        let digits = text.strip_prefix('-').unwrap_or(text);
        let count = digits.bytes().take_while(u8::is_ascii_digit).count();
        if count == 0 || (count > 1 && digits.starts_with('0')) {
            return None;
        }
        let (number, rest) = text.split_at_checked(text.len() - digits.len() + count)?;
        self.0 = rest;
        Some(number)
    }

    /// A string without escapes and control characters, after its opening quote; not empty.
    fn string(&mut self) -> Option<&'a str> {
        let (string, rest) = self.0.split_at_checked(quote(self.0.as_bytes())?)?;
        self.0 = rest.strip_prefix('"')?;
        (!string.is_empty() && is_plain_json(string.as_bytes())).then_some(string)
    }

    fn outcome(&mut self) -> Option<Outcome> {
        if self.skip("{\"message_id\":\"").is_some() {
            let accepted = Accepted::new(Some(self.string()?));
            if self.skip("}").is_some() {
                return Some(Outcome::Accepted(accepted));
            }
            self.skip(",\"registration_id\":\"")?;
            let token = Token::try_from(self.string()?).ok()?;
            self.skip("}")?;
            return Some(Outcome::Accepted(accepted.with_canonical(token)));
        }
        self.skip("{\"error\":\"")?;
        let code = Code::from_wire(self.string()?);
        self.skip("}")?;
        Some(Outcome::Failed(Failure::new(code, Sent::Responded)))
    }
}

/// Where the first quote is. Whole blocks are looked at as one, which for the ids of a response takes half the time of `str::find`.
fn quote(text: &[u8]) -> Option<usize> {
    let is_quote = |c: &u8| *c == b'"';
    let mut rest = text;
    while let Some((block, more)) = rest.split_first_chunk::<16>() {
        if block.iter().fold(0, |any, c| any | u8::from(is_quote(c))) != 0 {
            break;
        }
        rest = more;
    }
    let at = rest.iter().position(is_quote)?;
    Some(text.len() - rest.len() + at)
}
