#![allow(clippy::unwrap_used, clippy::panic)]

use proptest::prelude::*;

use super::{JsonError, object};

fn fault(body: &str) -> String {
    object(body.as_bytes()).unwrap_err().to_string()
}

#[test]
fn a_stray_character_is_named_with_its_place() {
    assert_eq!(fault("not json"), "Unexpected character (n) at position 0.");
    assert_eq!(fault(r#"{"to": "é", x}"#), "Unexpected character (x) at position 12.");
    assert_eq!(fault(r#"{"to": "a\qb"}"#), r"Unexpected character (\) at position 9.");
    assert_eq!(fault(r#"{"to": 1.}"#), "Unexpected character (}) at position 9.");
    assert_eq!(fault("\u{feff}{}"), "Unexpected character (\u{feff}) at position 0.");
}

#[test]
fn a_token_out_of_place_is_named_with_its_place() {
    assert_eq!(
        fault(r#"{"to": "4",}"#),
        "Unexpected token RIGHT BRACE(}) at position 11."
    );
    assert_eq!(
        fault(r#"{"to": "4"} {"#),
        "Unexpected token LEFT BRACE({) at position 12."
    );
    assert_eq!(fault(r#"{"to" "4"}"#), "Unexpected token VALUE(4) at position 6.");
    assert_eq!(fault("[]"), "Unexpected token LEFT SQUARE([) at position 0.");
    assert_eq!(fault("108"), "Unexpected token VALUE(108) at position 0.");
}

#[test]
fn the_end_comes_after_the_last_utf16_unit() {
    assert_eq!(fault(""), "Unexpected token END OF FILE at position 0.");
    assert_eq!(fault(r#"{"to": "𝄞"#), "Unexpected token END OF FILE at position 10.");
}

#[test]
fn a_byte_that_is_not_utf8_is_a_stray_character() {
    let fault = object(b"{\"to\": \"\xff\"}").unwrap_err();
    assert_eq!(fault, JsonError::Character('\u{fffd}', 8));
}

#[test]
fn a_repeated_name_is_refused_at_every_level() {
    assert_eq!(fault(r#"{"a": 1, "b": 2, "\u0061": 3}"#), "Duplicate key \"a\".");
    assert_eq!(fault(r#"{"data": {"a": 1, "a": 1}}"#), "Duplicate key \"a\".");
}

#[test]
fn nesting_has_an_end() {
    let body = format!("{{\"a\": {}", "[".repeat(100_000));
    assert!(fault(&body).starts_with("Unexpected token LEFT SQUARE([) at position "));
}

#[test]
fn escapes_and_digits_survive() {
    let members = object(br#"{"\ud834\udd1e\n\/": 6782339717028231855000}"#).unwrap();
    let [(name, value)] = members.as_slice() else {
        panic!("one member")
    };
    assert_eq!(name, "\u{1d11e}\n/");
    assert_eq!(value.to_string(), "6782339717028231855000");
    assert_eq!(fault(r#"{"\ud834": 1}"#), r"Unexpected character (\) at position 2.");
}

proptest! {
    #[test]
    fn it_agrees_with_another_parser_about_what_is_json(
        text in r#"\{("[abcd]"|[\[\]{}:,\- ]|[0-9]{1,2}|\.|e1|true|null|"\\(u[0-9a-f]{4}|[nx/])"){0,12}\}?"#,
    ) {
        let ours = object(text.as_bytes());
        let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text);
        match (&ours, &theirs) {
            (Ok(_) | Err(JsonError::Duplicate(_)), Ok(_)) | (Err(_), Err(_)) => {}
            _ => prop_assert!(false, "{text}: {ours:?}, {theirs:?}"),
        }
    }

    #[test]
    fn what_it_read_it_writes_as_the_same_json(
        entries in proptest::collection::btree_map(".{0,6}", proptest::collection::vec(".{0,6}", 0..3), 0..5),
    ) {
        let sent = serde_json::to_value(&entries).unwrap();
        let members = object(sent.to_string().as_bytes()).unwrap();
        let written = super::Value::Object(members).to_string();
        prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), sent);
    }
}
