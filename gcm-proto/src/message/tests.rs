//! What a message may hold, by table, and its JSON form.

mod parts;

use super::{
    Android, AndroidNotification, Color, LightSettings, Message, MessageBuilder, MessageError, Notification, Priority,
};
use serde_json::json;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

fn refused(builder: MessageBuilder) -> MessageError {
    builder.build().unwrap_err()
}

fn field_of(error: MessageError) -> String {
    match error {
        MessageError::Field { field, .. } => field,
        other => panic!("{other}"),
    }
}

#[test]
fn every_field_survives_its_json_form() {
    let message = Message::builder()
        .notification(
            Notification::new()
                .title("t")
                .body("b")
                .subtitle("s")
                .image("https://example.org/i.png")
                .icon("i")
                .android_channel_id("c")
                .sound("default")
                .badge(0)
                .tag("tag")
                .color("#a1B2c3")
                .click_action("go")
                .body_loc_key("bk")
                .body_loc_args(["b1", ""])
                .title_loc_key("tk")
                .title_loc_args(["t1"]),
        )
        .data("k", "v")
        .data("", "empty key")
        .data_json("n", &4711)
        .collapse_key("ck")
        .priority(Priority::Normal)
        .time_to_live(Duration::from_millis(1500))
        .restricted_package_name("com.example")
        .content_available(true)
        .mutable_content(true)
        .delay_while_idle(true)
        .direct_boot_ok(true)
        .dry_run(true)
        .analytics_label("label")
        .raw_data("AAEC")
        .build()
        .unwrap();
    let stored = json!({
        "notification": {
            "title": "t", "body": "b", "subtitle": "s", "image": "https://example.org/i.png", "icon": "i",
            "android_channel_id": "c", "sound": "default", "badge": 0, "tag": "tag", "color": "#a1B2c3",
            "click_action": "go", "body_loc_key": "bk", "body_loc_args": ["b1", ""], "title_loc_key": "tk",
            "title_loc_args": ["t1"],
        },
        "data": {"k": "v", "": "empty key", "n": "4711"},
        "collapse_key": "ck",
        "priority": "normal",
        "time_to_live": "1.500000000s",
        "restricted_package_name": "com.example",
        "content_available": true,
        "mutable_content": true,
        "delay_while_idle": true,
        "direct_boot_ok": true,
        "dry_run": true,
        "analytics_label": "label",
        "raw_data": "AAEC",
    });
    assert_eq!(serde_json::to_value(&message).unwrap(), stored);
    assert_eq!(serde_json::from_value::<Message>(stored).unwrap(), message);
    assert!(message.is_dry_run());
    assert_eq!(
        (message.priority(), message.collapse_key()),
        (Some(Priority::Normal), Some("ck"))
    );
}

#[test]
fn a_field_that_is_not_set_is_not_stored() {
    assert_eq!(serde_json::to_string(&Message::default()).unwrap(), "{}");
    assert_eq!(serde_json::from_str::<Message>("{}").unwrap(), Message::default());
    let empty = Message::builder().notification(Notification::new()).build().unwrap();
    assert_eq!(serde_json::to_string(&empty).unwrap(), r#"{"notification":{}}"#);
    let false_flags = r#"{"dry_run": false, "delay_while_idle": false, "data": {}}"#;
    assert_eq!(
        serde_json::from_str::<Message>(false_flags).unwrap(),
        Message::default()
    );
}

#[test]
fn reserved_keys_that_were_allowed_are_stored_as_allowed() {
    let message = Message::builder()
        .data("from", "x")
        .allow_reserved_keys()
        .build()
        .unwrap();
    let stored = serde_json::to_string(&message).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), message);
    assert!(serde_json::from_str::<Message>(r#"{"data": {"from": "x"}}"#).is_err());
}

#[test]
fn what_no_message_has_is_refused_in_its_json_form() {
    for text in [
        r#"{"colapse_key": "x"}"#,
        r#"{"to": "42"}"#,
        r#"{"registration_ids": ["42"]}"#,
        r#"{"notification": {"titel": "x"}}"#,
        r#"{"notification": {"badge": "3"}}"#,
        r#"{"notification": {"badge": -1}}"#,
        r#"{"notification": {"body_loc_key": "k", "body_loc_args": "[\"a\"]"}}"#,
        r#"{"data": {"k": 1}}"#,
        r#"{"data": {"k": null}}"#,
        r#"{"data": [["k", "v"]]}"#,
        r#"{"priority": "urgent"}"#,
        r#"{"priority": "HIGH"}"#,
        r#"{"priority": 10}"#,
        r#"{"dry_run": 1}"#,
        r#"{"dry_run": "true"}"#,
        r#"{"collapse_key": ""}"#,
        r#"{"collapse_key": "a", "collapse_key": "b"}"#,
        "{} {}",
        "null",
    ] {
        assert!(serde_json::from_str::<Message>(text).is_err(), "{text}");
    }
}

#[test]
fn a_time_to_live_has_two_forms() {
    for (text, expected) in [
        ("0", Duration::ZERO),
        ("3600", Duration::from_secs(3600)),
        ("2419200", Message::MAX_TIME_TO_LIVE),
        (r#""0s""#, Duration::ZERO),
        (r#""3s""#, Duration::from_secs(3)),
        (r#""1.5s""#, Duration::from_millis(1500)),
        (r#""0.000000001s""#, Duration::from_nanos(1)),
        (r#""2419200s""#, Message::MAX_TIME_TO_LIVE),
        // The service rounds down to whole seconds (FCM v1 reference, `AndroidConfig.ttl`).
        (
            r#""2419200.999s""#,
            Message::MAX_TIME_TO_LIVE + Duration::from_millis(999),
        ),
    ] {
        let stored = format!(r#"{{"time_to_live": {text}}}"#);
        let message: Message = serde_json::from_str(&stored).unwrap();
        assert_eq!(message.time_to_live(), Some(expected), "{text}");
        let again = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&again).unwrap(), message);
    }
    for text in [
        "-10",
        "-1",
        "0.5",
        "1e3",
        "2419201",
        "18446744073709551616",
        "true",
        "[]",
        r#""3600""#,
        r#""""#,
        r#""s""#,
        r#"".5s""#,
        r#""1.s""#,
        r#""-1s""#,
        r#""+1s""#,
        r#""1.5""#,
        r#""1 s""#,
        r#""1.0000000001s""#,
        r#""1e3s""#,
        r#""99999999999999999999s""#,
    ] {
        let stored = format!(r#"{{"time_to_live": {text}}}"#);
        assert!(serde_json::from_str::<Message>(&stored).is_err(), "{text}");
    }
}

#[test]
fn a_time_to_live_is_at_most_four_weeks() {
    for time in [Duration::ZERO, Duration::from_nanos(1), Message::MAX_TIME_TO_LIVE] {
        let message = Message::builder().time_to_live(time).build().unwrap();
        assert_eq!(message.time_to_live(), Some(time));
    }
    for given in [
        Duration::from_secs(2_419_201),
        Message::MAX_TIME_TO_LIVE + Duration::from_secs(1),
        Duration::MAX,
    ] {
        let error = refused(Message::builder().time_to_live(given));
        let field = "time_to_live".to_owned();
        assert_eq!(error, MessageError::TimeToLive { field, given });
    }
    let error = refused(Message::builder().time_to_live(Duration::from_secs(2_419_201)));
    assert_eq!(
        error.to_string(),
        "time_to_live is 2419201 seconds, 2419200 at most are allowed"
    );
}

#[test]
fn reserved_data_keys_are_refused_by_name() {
    for key in [
        "from",
        "message_type",
        "google.",
        "google.foo",
        "gcm",
        "gcm.notification.",
        "gcm.notification.title",
    ] {
        let error = refused(Message::builder().data("ok", "1").data(key, "x"));
        let expected = MessageError::ReservedKey {
            field: "data".to_owned(),
            key: key.to_owned(),
        };
        assert_eq!(error, expected);
        assert!(error.to_string().contains(&format!("data key {key:?}")));
        let allowed = Message::builder().data(key, "x").allow_reserved_keys().build().unwrap();
        assert_eq!(allowed.data()[key], "x");
    }
    for key in [
        "From",
        "from ",
        "fro",
        "collapse_key",
        "message_types",
        "a.google",
        "Google",
        "Google.x",
        "goo",
        "google",
        "googley",
        "googleId",
        "gcm_x",
        "gcm.bar",
        "gcm.notification",
        "gc",
        "data.from",
    ] {
        assert!(Message::builder().data(key, "x").build().is_ok(), "{key}");
    }
}

#[test]
fn a_value_of_data_is_text_or_its_json() {
    let message = Message::builder()
        .data("text", "true")
        .data_json("flag", &true)
        .data_json("number", &-1.5)
        .data_json("list", &[1, 2])
        .data_json("map", &BTreeMap::from([("x", "y")]))
        .data_json("quoted", "text")
        .data_json("some", &Some(1))
        .data("twice", "first")
        .data("twice", "second")
        .build()
        .unwrap();
    let expected = [
        ("flag", "true"),
        ("list", "[1,2]"),
        ("map", r#"{"x":"y"}"#),
        ("number", "-1.5"),
        ("quoted", r#""text""#),
        ("some", "1"),
        ("text", "true"),
        ("twice", "second"),
    ];
    let found: Vec<(&str, &str)> = message.data().iter().map(|(k, v)| (&**k, &**v)).collect();
    assert_eq!(found, expected);
}

#[test]
fn a_value_of_data_that_has_no_text_is_refused_by_its_key() {
    let no_text = |key: &str| MessageError::NoText { key: key.to_owned() };
    assert_eq!(refused(Message::builder().data_json("x", &())), no_text("x"));
    assert_eq!(refused(Message::builder().data_json("x", &None::<u8>)), no_text("x"));
    assert_eq!(
        refused(Message::builder().data_json("x", &serde_json::Value::Null)),
        no_text("x")
    );
    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(refused(Message::builder().data_json("x", &number)), no_text("x"));
    }
    let keys = BTreeMap::from([(vec![1], 1)]);
    assert_eq!(refused(Message::builder().data_json("x", &keys)), no_text("x"));
    // The first one counts, and a good value after it mends nothing.
    let two = Message::builder()
        .data_json("a", &())
        .data_json("b", &())
        .data("a", "1");
    assert_eq!(refused(two), no_text("a"));
}

#[test]
fn fields_have_their_forms() {
    let longest = "x".repeat(50);
    for label in ["a", "aZ09-_.~%", &longest] {
        assert!(Message::builder().analytics_label(label).build().is_ok(), "{label}");
    }
    for label in ["", "a b", "é", "a/b", &format!("{longest}x")] {
        let error = refused(Message::builder().analytics_label(label));
        assert_eq!(field_of(error), "analytics_label", "{label}");
    }
    for data in ["", "AA==", "AAE=", "AAEC", "+/+/"] {
        assert!(Message::builder().raw_data(data).build().is_ok(), "{data}");
    }
    for data in ["A", "AA", "AAE", "A===", "====", "AA=A", "-_-_", "AAEC\n", "AA E"] {
        assert_eq!(
            field_of(refused(Message::builder().raw_data(data))),
            "raw_data",
            "{data}"
        );
    }
    assert_eq!(field_of(refused(Message::builder().collapse_key(""))), "collapse_key");
    let error = refused(Message::builder().restricted_package_name(""));
    assert_eq!(field_of(error), "restricted_package_name");
}

#[test]
fn a_notification_has_its_forms() {
    let with = |notification| Message::builder().notification(notification);
    for color in ["#000000", "#a1B2c3", "#FFFFFF"] {
        assert!(with(Notification::new().color(color)).build().is_ok(), "{color}");
    }
    for color in [
        "", "#", "red", "#fff", "#fffffff", "000000", "#00000g", "#ffffff ", "##fffff", "#ééé",
    ] {
        let error = refused(with(Notification::new().color(color)));
        assert_eq!(field_of(error), "notification.color", "{color}");
    }
    for (notification, arguments, key) in [
        (
            Notification::new().body_loc_args(["a"]).title_loc_key("t"),
            "notification.body_loc_args",
            "notification.body_loc_key",
        ),
        (
            Notification::new().title_loc_args(["a"]).body_loc_key("b"),
            "notification.title_loc_args",
            "notification.title_loc_key",
        ),
        // An empty key is none.
        (
            Notification::new().title_loc_args(["a"]).title_loc_key(""),
            "notification.title_loc_args",
            "notification.title_loc_key",
        ),
    ] {
        assert_eq!(
            refused(with(notification)),
            MessageError::ArgumentsWithoutKey {
                arguments: arguments.to_owned(),
                key: key.to_owned(),
            }
        );
    }
    assert!(with(Notification::new().body_loc_key("b")).build().is_ok());
}

#[test]
fn the_payload_is_counted_in_bytes_of_utf_8() {
    assert_eq!(Message::default().payload_len(), 0);
    let message = Message::builder().data("é", "☃").data("k", "").build().unwrap();
    assert_eq!(message.payload_len(), 2 + 3 + 1);
    let message = Message::builder()
        .data("k", "v")
        .collapse_key("not counted")
        .notification(
            Notification::new()
                .title("ab")
                .badge(10)
                .body_loc_key("cd")
                .body_loc_args(["e", "fg"]),
        )
        .build()
        .unwrap();
    // Apple's part has an alert of title, key and arguments, the badge, and is the largest.
    let alert = "title".len() + 2 + "loc-key".len() + 2 + "loc-args".len() + 3;
    let apple = "aps".len() + "alert".len() + alert + "badge".len() + 2;
    assert_eq!(message.payload_len(), apple);
    assert_eq!(message.payload_room(apple).unwrap(), 0);
    assert_eq!(message.payload_room(4096).unwrap(), 4096 - apple);
    let error = message.payload_room(10).unwrap_err();
    assert_eq!((error.length, error.limit), (apple, 10));
    let said = format!("the payload is {apple} bytes, {} over the limit of 10", apple - 10);
    assert_eq!(error.to_string(), said);
    // The legacy wires have data and notification together, the keys of both with them.
    let shown = "title".len() + 2 + "badge".len() + 2 + "body_loc_key".len() + 2 + "body_loc_args".len() + 3;
    assert_eq!(message.legacy_payload_len(), 2 + shown);
}

/// What was counted as nothing, or without its keys, and refused by the service.
#[test]
fn trial_v12_names_and_values_count_wherever_they_stand() {
    use crate::message::{Android, AndroidNotification, Apns, Aps, WebNotification, Webpush};
    let long = || "x".repeat(5000);
    let builder = Message::builder;
    for (message, expected) in [
        (
            builder().notification(Notification::new().title("t".repeat(4096))),
            4096 + 5,
        ),
        (
            builder().android(Android::new().notification(AndroidNotification::new().body(long()))),
            5000 + 4,
        ),
        (
            builder().android(
                Android::new().notification(AndroidNotification::new().title_loc_key("k").title_loc_args([long()])),
            ),
            13 + 1 + 14 + 5000,
        ),
        (builder().apns(Apns::new().aps(Aps::new().alert(long()))), 3 + 5 + 5000),
        (
            builder().apns(Apns::new().custom("k", json!({"a": [1, true, null, long()]}))),
            3 + "content-available".len() + 1 + 1 + 1 + 1 + 4 + 4 + 5000,
        ),
        (
            builder().webpush(Webpush::new().notification(WebNotification::new().body(long()).vibrate([100, 5]))),
            4 + 5000 + 7 + 4,
        ),
        (
            builder().webpush(
                Webpush::new()
                    .data("k", "v")
                    .notification(WebNotification::new().title("t")),
            ),
            1 + 1 + 5 + 1,
        ),
        (builder().data("k", "\"\n\u{1}é"), 1 + 1 + 1 + 1 + 2),
        // The larger of both.
        (
            builder().data("k", "v").android(Android::new().data("long", "value")),
            9,
        ),
        (
            builder().data("long", "value").android(Android::new().data("k", "v")),
            9,
        ),
        // What counts against no limit of the payload.
        (
            builder()
                .collapse_key("ck")
                .priority(Priority::High)
                .apns(Apns::new().analytics_label("l").live_activity_token("token"))
                .webpush(Webpush::new().header("Topic", "t").link("https://example.org")),
            0,
        ),
    ] {
        assert_eq!(message.clone().build().unwrap().payload_len(), expected, "{message:?}");
    }
}

#[test]
fn equal_messages_are_one_key_of_a_map() {
    let light = |red: f32| {
        let light = LightSettings::new(Color::new(red, 0.5, 1.0), Duration::from_secs(1), Duration::ZERO);
        let shown = AndroidNotification::new().light_settings(light);
        Message::builder()
            .android(Android::new().notification(shown))
            .build()
            .unwrap()
    };
    // A zero has no sign here: the two are equal, so they have to hash alike.
    let messages = HashSet::from([light(0.0), light(-0.0), light(0.5), light(0.5)]);
    assert_eq!(messages.len(), 2);
}

#[test]
fn a_priority_has_an_order_and_its_name_on_the_wires() {
    assert!(Priority::Normal < Priority::High);
    assert_eq!(Priority::High.to_string(), "high");
    assert_eq!(Priority::Normal.to_string(), "normal");
}
