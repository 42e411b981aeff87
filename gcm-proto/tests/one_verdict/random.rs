//! Random JSON: each value from a list of what is right and, now and then, from one of what is wrong.

use serde_json::{Map, Value, json};

/// Makes the value of a field.
type Make = fn(&mut Random) -> Value;

/// A small generator (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014: `SplitMix64`). The same number
/// gives the same message.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below this number.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        let limit = u64::try_from(limit).unwrap();
        usize::try_from(self.next() % limit).unwrap()
    }

    pub(crate) fn one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, list: &[&'a T]) -> &'a T {
        list[self.below(list.len())]
    }

    /// One of these values; one time in forty one of the wrong ones.
    pub(crate) fn value(&mut self, right: &Value, wrong: &Value) -> Value {
        let list = if self.one_in(40) { wrong } else { right };
        let list = list.as_array().unwrap();
        list[self.below(list.len())].clone()
    }

    pub(crate) fn text(&mut self) -> Value {
        if self.one_in(60) {
            // About the limits of 2048 and 4096 bytes.
            let length = [2000, 2040, 2048, 4000, 4090, 4096, 5000][self.below(7)] + self.below(9);
            return "x".repeat(length).into();
        }
        if self.one_in(150) {
            return Value::Null;
        }
        self.value(
            &json!(["t", "", "é☃", "\"q\"\n\u{1}", "a longer text of some words", "\u{7f}"]),
            &json!([1, true, ["t"], {"t": "t"}]),
        )
    }

    pub(crate) fn switch(&mut self) -> Value {
        self.value(&json!([true, false]), &json!(["true", 1, 0, {}]))
    }

    pub(crate) fn texts(&mut self) -> Value {
        if self.one_in(30) {
            return self.value(&json!(["a", [1], {}]), &json!([[null], true]));
        }
        let count = self.below(3);
        (0..count)
            .map(|_| self.value(&json!(["a", "é", ""]), &json!([1])))
            .collect()
    }

    pub(crate) fn picture(&mut self) -> Value {
        self.value(
            &json!([
                "https://example.org/i.png",
                "http://example.org",
                "HTTPS://example.org/a?b#c",
                "https://h"
            ]),
            &json!([
                "i.png",
                "",
                "ftp://example.org/i",
                "https://",
                "https:///i",
                "https://a b",
                "//example.org/i",
                "https://:80",
                1
            ]),
        )
    }

    pub(crate) fn label(&mut self) -> Value {
        let long = "x".repeat(50);
        self.value(
            &json!(["a", "aZ09-_.~%", long]),
            &json!(["", "a b", "é", "a/b", format!("{long}x"), 1]),
        )
    }

    pub(crate) fn color(&mut self) -> Value {
        self.value(
            &json!(["#112233", "#aAbBcC"]),
            &json!(["112233", "#11223", "#1122334", "red", "#11223g", "", 1]),
        )
    }

    pub(crate) fn filled(&mut self) -> Value {
        self.value(&json!(["ck", "a b", "é", "org.example.app"]), &json!(["", 1, []]))
    }

    /// Pairs of data; `wrong` are keys that the wire keeps for itself.
    pub(crate) fn data(&mut self, wrong: &[&str]) -> Value {
        if self.one_in(60) {
            return self.value(&json!([[], "data", ["k", "v"]]), &json!([1]));
        }
        let mut pairs = Map::new();
        for _ in 0..self.below(4) {
            let key = if self.one_in(20) {
                self.pick(wrong)
            } else {
                self.pick(&[
                    "k",
                    "",
                    "é",
                    "key2",
                    "collapse_key",
                    "From",
                    "fromage",
                    "a.google.b",
                    "goo",
                    "data.k",
                ])
            };
            pairs.insert(key.to_owned(), self.text());
        }
        pairs.into()
    }

    /// An object with each of these fields one time in so many.
    pub(crate) fn object(&mut self, one_in: usize, fields: &[(&str, Make)]) -> Value {
        let mut object = Map::new();
        for (name, make) in fields {
            if self.one_in(one_in) {
                object.insert((*name).to_owned(), make(self));
            }
        }
        object.into()
    }
}
