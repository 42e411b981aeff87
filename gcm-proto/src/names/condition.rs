//! The grammar of a topic condition, and the form it is sent in.
//!
//! ```text
//! expr    := unary { ( "&&" | "||" ) unary }            evaluated left to right
//! unary   := [ "!" ] primary
//! primary := "(" expr ")" | "'" NAME "'" "in topics"    blanks between tokens
//! ```

use super::{NameRule, topic_name};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// An expression over topics, as `'news' in topics && !('sport' in topics)`.
///
/// Names may be given in double quotes; they are sent in single ones, with one blank between tokens. Google documents
/// parentheses first and then left to right: put parentheses where `&&` meets `||`.
///
/// At most five topics, a repeated one counted each time (firebase.google.com, "Send messages to topics"); a gateway that takes another number
/// gets its conditions from [`Condition::with_topic_limit`].
///
/// ```
/// use gcm_proto::Condition;
///
/// let condition: Condition = r#""A" in topics&&"B" in topics"#.parse()?;
/// assert_eq!(condition.as_str(), "'A' in topics && 'B' in topics");
/// assert_eq!(condition.topics(), 2);
/// # Ok::<(), gcm_proto::ConditionError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Condition {
    text: Box<str>,
    topics: usize,
}

/// Why a condition was refused. Indices are bytes from its start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// Something else stands where the grammar wants this.
    #[error("a condition wants {expected} at index {index}")]
    Expected {
        /// What the grammar wants.
        expected: &'static str,
        /// Where.
        index: usize,
    },
    /// A topic's name is not one.
    #[error("a condition has a topic at index {index} whose name {rule}")]
    Topic {
        /// Where the name starts.
        index: usize,
        /// The rule that broke.
        rule: NameRule,
    },
    /// More topics than may be combined.
    #[error("a condition combines {given} topics, {limit} at most are allowed")]
    TooManyTopics {
        /// Topics in the condition.
        given: usize,
        /// Topics allowed.
        limit: usize,
    },
}

impl Condition {
    /// Topics in one condition, by Google's topic guide; six were refused.
    pub const TOPICS: usize = 5;

    /// Reads a condition for a gateway that combines up to `limit` topics.
    ///
    /// # Errors
    ///
    /// Where the grammar breaks, a topic's name is none, or there are more topics than `limit`.
    pub fn with_topic_limit(text: &str, limit: usize) -> Result<Self, ConditionError> {
        let mut parser = ConditionParser {
            text,
            index: 0,
            out: String::with_capacity(text.len() + 8),
        };
        let topics = parser.expression()?;
        if topics > limit {
            return Err(ConditionError::TooManyTopics { given: topics, limit });
        }
        Ok(Self {
            text: parser.out.into(),
            topics,
        })
    }

    /// The expression as it is sent.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// How many topics it names, repeated ones counted each time.
    pub fn topics(&self) -> usize {
        self.topics
    }
}

impl AsRef<str> for Condition {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        Self::with_topic_limit(text, Self::TOPICS)
    }
}

impl TryFrom<&str> for Condition {
    type Error = ConditionError;

    fn try_from(text: &str) -> Result<Self, ConditionError> {
        text.parse()
    }
}

impl TryFrom<String> for Condition {
    type Error = ConditionError;

    fn try_from(text: String) -> Result<Self, ConditionError> {
        text.parse()
    }
}

impl From<Condition> for String {
    fn from(condition: Condition) -> Self {
        condition.text.into()
    }
}

/// Reads left to right and writes the canonical form. Parentheses are counted, not recursed into: depth costs nothing.
struct ConditionParser<'a> {
    text: &'a str,
    index: usize,
    out: String,
}

impl<'a> ConditionParser<'a> {
    fn expression(&mut self) -> Result<usize, ConditionError> {
        let mut topics = 0;
        let mut depth = 0_usize;
        loop {
            // An operand: any number of `!` and `(`, then a topic.
            loop {
                if self.take("!") {
                    if self.peek("!") {
                        return self.expected("a topic or '('");
                    }
                    self.out.push('!');
                } else if self.take("(") {
                    depth += 1;
                    self.out.push('(');
                } else {
                    break;
                }
            }
            self.topic()?;
            topics += 1;
            while depth > 0 && self.take(")") {
                depth -= 1;
                self.out.push(')');
            }
            if self.take("&&") {
                self.out.push_str(" && ");
            } else if self.take("||") {
                self.out.push_str(" || ");
            } else if depth > 0 {
                return self.expected("')', '&&' or '||'");
            } else if self.rest().is_empty() {
                return Ok(topics);
            } else {
                return self.expected("'&&', '||' or the end");
            }
        }
    }

    fn topic(&mut self) -> Result<(), ConditionError> {
        let Some(quote @ ('\'' | '"')) = self.rest().chars().next() else {
            return self.expected("a topic in quotes");
        };
        self.index += 1;
        let start = self.index;
        let Some((name, _)) = self.rest().split_once(quote) else {
            self.index = self.text.len();
            return self.expected("a closing quote");
        };
        topic_name(name).map_err(|rule| ConditionError::Topic { index: start, rule })?;
        self.out.push('\'');
        self.out.push_str(name);
        self.out.push_str("' in topics");
        self.index = start + name.len() + 1;
        self.word("in")?;
        self.word("topics")
    }

    /// In upper or lower case, as Google's legacy reference has it.
    fn word(&mut self, word: &'static str) -> Result<(), ConditionError> {
        self.peek(word);
        let rest = self.rest();
        if let Some((found, after)) = rest.split_at_checked(word.len()) {
            if found.eq_ignore_ascii_case(word) {
                self.index += word.len();
                if !after.starts_with(char::is_alphanumeric) {
                    return Ok(());
                }
            }
        }
        self.expected("\"in topics\"")
    }

    /// Skips blanks; takes `token` when it comes next.
    fn take(&mut self, token: &str) -> bool {
        let found = self.peek(token);
        if found {
            self.index += token.len();
        }
        found
    }

    fn peek(&mut self, token: &str) -> bool {
        let rest = self.text.get(self.index..).unwrap_or_default();
        self.index += rest.len() - rest.trim_start().len();
        self.rest().starts_with(token)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.index..).unwrap_or_default()
    }

    fn expected<T>(&self, expected: &'static str) -> Result<T, ConditionError> {
        Err(ConditionError::Expected {
            expected,
            index: self.index,
        })
    }
}
