//! The names of topics, and the topics that a condition names.
//!
//! ```text
//! expr    := unary { ( "&&" | "||" ) unary }
//! unary   := [ "!" ] primary
//! primary := "(" expr ")" | "'" NAME "'" "in topics"
//! ```

/// Parentheses within parentheses that are still read.
const MAX_DEPTH: u8 = 32;

/// The topics a condition names, in order; the rule it breaks otherwise.
pub(super) fn topics(condition: &str, most: usize) -> Result<Vec<String>, String> {
    let mut reader = TopicReader {
        rest: condition,
        topics: Vec::new(),
    };
    let complete = reader.expression(0).is_some() && reader.rest.is_empty();
    if !complete {
        return Err("must be made of 'name' in topics, &&, ||, ! and parentheses".to_owned());
    }
    if reader.topics.len() > most {
        return Err(format!("must not name more than {most} topics"));
    }
    Ok(reader.topics)
}

/// Bytes of a topic's name at most (Firebase, "Topic messaging").
const MAX_NAME: usize = 900;

/// Whether this can be the name of a topic, without its prefix (REST reference of `projects.messages`, `topic`).
pub(super) fn is_topic_name(name: &str) -> bool {
    (1..=MAX_NAME).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte))
}

struct TopicReader<'a> {
    rest: &'a str,
    topics: Vec<String>,
}

impl TopicReader<'_> {
    fn expression(&mut self, depth: u8) -> Option<()> {
        self.unary(depth)?;
        while self.eat("&&").or_else(|| self.eat("||")).is_some() {
            self.unary(depth)?;
        }
        Some(())
    }

    fn unary(&mut self, depth: u8) -> Option<()> {
        self.blank();
        let _negated = self.eat("!");
        if self.eat("(").is_none() {
            return self.topic();
        }
        if depth == MAX_DEPTH {
            return None;
        }
        self.expression(depth + 1)?;
        self.eat(")")
    }

    fn topic(&mut self) -> Option<()> {
        let (name, rest) = self.rest.strip_prefix('\'')?.split_once('\'')?;
        if !is_topic_name(name) {
            return None;
        }
        self.topics.push(name.to_owned());
        self.rest = rest;
        self.blank();
        self.word("in")?;
        if !self.rest.starts_with([' ', '\t']) {
            return None;
        }
        self.blank();
        self.word("topics")?;
        self.blank();
        Some(())
    }

    /// Takes a sign, and the blanks after it.
    fn eat(&mut self, sign: &str) -> Option<()> {
        self.rest = self.rest.strip_prefix(sign)?;
        self.blank();
        Some(())
    }

    /// Takes a word in upper or lower case.
    fn word(&mut self, word: &str) -> Option<()> {
        let (found, rest) = self.rest.split_at_checked(word.len())?;
        if !found.eq_ignore_ascii_case(word) {
            return None;
        }
        self.rest = rest;
        Some(())
    }

    fn blank(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t']);
    }
}
