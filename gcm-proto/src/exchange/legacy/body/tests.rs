use super::{Shape, quick};
use proptest::prelude::*;

/// The full reader alone.
fn full(text: &str, most: usize) -> String {
    format!("{:?}", Shape::read_json(text, most).ok())
}

fn part() -> impl Strategy<Value = String> {
    let parts = [
        "{\"message_id\":\"1:08\"}",
        "{\"message_id\":\"1:2342\",\"registration_id\":\"32\"}",
        "{\"error\":\"Unavailable\"}",
        "{\"error\":\"D'OH!\"}",
        "{\"message_id\":\"\"}",
        "{\"message_id\":\"a\\n\"}",
        "{\"message_id\":\"\u{1}\"}",
        "{\"message_id\":\"\u{e9}\"}",
        "{\"registration_id\":\"32\"}",
        "{\"message_id\":5}",
        "{}",
        "null",
        "[",
        "]",
        "{",
        "}",
        ",",
        " ",
    ];
    prop::sample::select(parts.to_vec()).prop_map(String::from)
}

proptest! {
    #[test]
    fn the_quick_reader_agrees_with_the_full_one(
        head in prop::sample::select(vec!["7", "-1", "0", "007", "6087232423423780029729", "1.5", "\"7\"", ""]),
        items in prop::collection::vec(part(), 0..5),
        tail in prop::sample::select(vec!["]}", "]", "]}\u{0}", "],\"x\":1}", ",]}"]),
        most in 0_usize..6,
    ) {
        let text = format!(
            "{{\"multicast_id\":{head},\"success\":1,\"failure\":0,\"canonical_ids\":0,\"results\":[{}{tail}",
            items.join(",")
        );
        if let Some(results) = quick::read(&text, most) {
            prop_assert_eq!(format!("{:?}", Some(Shape::Results(results))), full(&text, most));
        }
    }
}

#[test]
fn the_quick_reader_takes_what_the_service_prints() {
    let text = "{\"multicast_id\":216,\"success\":3,\"failure\":3,\"canonical_ids\":1,\"results\":[{\"message_id\":\"1:0408\"},\
        {\"error\":\"Unavailable\"},{\"message_id\":\"1:2342\",\"registration_id\":\"32\"}]}";
    assert_eq!(quick::read(text, 3).map(|results| results.length), Some(3));
    assert!(quick::read(text, 2).is_none());
    assert!(quick::read(&text.replace("}]}", "},]}"), 3).is_none());
}
