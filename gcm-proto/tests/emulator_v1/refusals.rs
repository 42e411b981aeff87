//! What FCM itself refuses in a body that fits the schema.

use super::*;

const INVALID: &str = "INVALID_ARGUMENT";

/// A message that FCM refuses, with the field it names.
fn refused(message: &Value, field: &str, text: &str) {
    let mut emulator = lenient();
    let reply = push(&mut emulator, &json!({"message": message}));
    assert_eq!(
        reply,
        error(400, INVALID, text, &[violation(field, text), fcm(INVALID)]),
        "{message}"
    );
    let counters = emulator.counters();
    assert_eq!((counters.refused, counters.recipients), (1, 0));
    assert_eq!(emulator.log()[0].complaint(), Some(text));
}

/// A message whose refusal is documented, but not its text: the field is enough.
fn refused_at(message: &Value, field: &str) {
    let (status, body) = push(&mut lenient(), &json!({"message": message}));
    assert_eq!(status, 400, "{message}");
    let details = &body["error"]["details"];
    assert_eq!(details[0]["fieldViolations"][0]["field"], field, "{message}: {body}");
    assert_eq!(details[1], fcm(INVALID), "{message}");
}

fn accepted(message: &Value) {
    let (status, body) = push(&mut lenient(), &json!({"message": message}));
    assert_eq!(status, 200, "{message}: {body}");
}

#[test]
fn r08_a_message_needs_a_target() {
    let text = "Recipient of the message is not set.";
    for message in [
        json!({}),
        json!({"notification": {"title": "t"}}),
        json!({"token": null}),
        json!({"token": ""}),
    ] {
        refused(&message, "message", text);
    }
    let expected = error(400, INVALID, text, &[violation("message", text), fcm(INVALID)]);
    assert_eq!(push(&mut lenient(), &json!({})), expected);
}

/// The text is the one of Google's front end about any choice of one; for FCM it is not known.
#[test]
fn a_second_target_is_refused() {
    for (message, second) in [
        (r#"{"token":"4","topic":"a"}"#, "topic"),
        (r#"{"topic":"a","data":{},"fid":"f"}"#, "fid"),
        (r#"{"condition":"'a' in topics","token":""}"#, "token"),
    ] {
        let text =
            format!("Invalid value at 'message' (oneof), oneof field 'target' is already set. Cannot set '{second}'");
        let response = send(&mut lenient(), &post("a", &format!(r#"{{"message":{message}}}"#)));
        assert_eq!(
            read(&response),
            error(400, INVALID, &text, &[violation("message", &text)])
        );
    }
}

#[test]
fn r11_a_topic_has_no_other_characters() {
    for topic in ["foo*bar", "/topics/news", "a b", "é", "private/a"] {
        refused(
            &json!({"topic": topic}),
            "message",
            "Topic name contains invalid characters.",
        );
    }
    refused_at(&json!({"topic": "a".repeat(901)}), "message");
    accepted(&json!({"topic": "a".repeat(900)}));
    accepted(&json!({"topic": "aZ09-_.~%"}));
}

#[test]
fn r12_a_malformed_condition_gets_no_details() {
    for condition in [
        "'a' in topics &&",
        "a in topics",
        "'a' in topics && 'b' in topics && 'c' in topics && 'd' in topics && 'e' in topics && 'f' in topics",
        " ",
    ] {
        assert_eq!(
            push(&mut lenient(), &json!({"message": {"condition": condition}})),
            error(400, INVALID, "Request contains an invalid argument.", &[]),
            "{condition}"
        );
    }
    accepted(&json!({"condition": "'a' in topics && ('b' in topics || !('c' in topics))"}));
}

#[test]
fn r14_the_ttl_of_a_web_push_is_a_number() {
    for value in ["abc", "-1", "", "1.5", " 1"] {
        refused(
            &json!({"token": "4", "webpush": {"headers": {"TTL": value}}}),
            "message.webpush.headers.TTL",
            "TTL must be a non-negative integer.",
        );
    }
    accepted(&json!({"token": "4", "webpush": {"headers": {"TTL": "0", "Urgency": "very-low", "Topic": "x"}}}));
}

#[test]
fn a_message_can_be_too_large() {
    let text = "Message is too large. The maximum is 4K (4096 bytes).";
    let nothing = json!({"@type": "type.googleapis.com/google.rpc.BadRequest"});
    let expected = error(400, INVALID, text, &[nothing, fcm(INVALID)]);
    let long = "x".repeat(4096);
    for message in [
        json!({"topic": "a", "data": {"k": long}}),
        json!({"token": "4", "notification": {"body": &long}}),
        json!({"token": "4", "android": {"data": {"k": &long}}}),
        json!({"token": "4", "android": {"notification": {"title_loc_key": "k", "title_loc_args": [&long]}}}),
        json!({"token": "4", "android_v2": {"remote_notification": {"notification": {"body": &long}}}}),
        json!({"token": "4", "webpush": {"notification": {"data": {"a": [1, true, null, &long]}}}}),
        json!({"token": "4", "apns": {"payload": {"aps": {"alert": &long}}}}),
    ] {
        assert_eq!(push(&mut lenient(), &json!({"message": message})), expected);
    }
    let whole = json!({"message": {"topic": "a", "data": {"k": "x".repeat(4095)}}});
    assert_eq!(push(&mut lenient(), &whole).0, 200, "4096 bytes with the key");
    assert_eq!(push(&mut scripted(r#"{"max_payload":4095}"#), &whole), expected);
    let behaviour = Script::new().device("4", [Behaviour::error("MessageTooBig")]);
    assert_eq!(
        push(&mut Emulator::new(behaviour), &json!({"message": {"token": "4"}})),
        expected
    );
}

/// The text was reported; that the details are those of other refusals is a guess.
#[test]
fn a_reserved_data_key_is_refused_in_every_part() {
    for key in ["from", "message_type", "gcm", "google.x", "gcm.notification.title"] {
        let text = format!("Invalid data payload key: {key}");
        let data = json!({"a": "b", key: "c"});
        refused(&json!({"token": "4", "data": data}), "message.data", &text);
        for part in ["android", "android_v2", "webpush"] {
            refused(
                &json!({"token": "4", part: {"data": data}}),
                &format!("message.{part}.data"),
                &text,
            );
        }
    }
    accepted(
        &json!({"token": "4", "data": {"collapse_key": "a", "message": "b", "fromage": "c", "": "d", "googleId": "e", "gcm_x": "f", "gcm.y": "g"}}),
    );
}

#[test]
fn what_the_documentation_rules_out_is_refused_by_its_field() {
    let with = |part: &str, value: Value| json!({"token": "4", part: value});
    let notification = |value: Value| with("android", json!({"notification": value}));
    let lights = |red: Value| {
        notification(
            json!({"light_settings": {"color": {"red": red, "green": 0.4, "blue": 1},
            "light_on_duration": "0.1s", "light_off_duration": "0s"}}),
        )
    };
    for (message, field) in [
        (json!({"token": "4", "android": {}, "android_v2": {}}), "message"),
        (
            with("android_v2", json!({"remote_notification": {}, "background_sync": {}})),
            "message.android_v2",
        ),
        (with("android", json!({"ttl": "-1s"})), "message.android.ttl"),
        (with("android", json!({"ttl": "2419201s"})), "message.android.ttl"),
        (with("android_v2", json!({"ttl": "2419201s"})), "message.android_v2.ttl"),
        (
            notification(json!({"color": "112233"})),
            "message.android.notification.color",
        ),
        (
            notification(json!({"color": "#11223X"})),
            "message.android.notification.color",
        ),
        (
            with(
                "android_v2",
                json!({"remote_notification": {"notification": {"color": "red"}}}),
            ),
            "message.android_v2.remote_notification.notification.color",
        ),
        (
            notification(json!({"vibrate_timings": ["0.1s", "-0.1s"]})),
            "message.android.notification.vibrate_timings",
        ),
        (
            notification(
                json!({"light_settings": {"color": {"red": 1, "green": 1, "blue": 1}, "light_on_duration": "1s"}}),
            ),
            "message.android.notification.light_settings",
        ),
        (
            notification(json!({"light_settings": {"light_on_duration": "1s", "light_off_duration": "1s"}})),
            "message.android.notification.light_settings",
        ),
        (lights(json!(1.5)), "message.android.notification.light_settings"),
        (lights(json!(-0.1)), "message.android.notification.light_settings"),
        (
            with("webpush", json!({"headers": {"Urgency": "soon"}})),
            "message.webpush.headers.Urgency",
        ),
        (
            with("webpush", json!({"fcm_options": {"link": "http://link.com"}})),
            "message.webpush.fcm_options.link",
        ),
        (
            with("fcm_options", json!({"analytics_label": "a b"})),
            "message.fcm_options.analytics_label",
        ),
        (
            with("apns", json!({"fcm_options": {"analytics_label": "a".repeat(51)}})),
            "message.apns.fcm_options.analytics_label",
        ),
        (
            json!({"topic": "a", "apns": {"live_activity_token": "t"}}),
            "message.apns.live_activity_token",
        ),
    ] {
        refused_at(&message, field);
    }
    accepted(&with("android", json!({"ttl": "2419200.999s"})));
    accepted(&lights(json!(0)));
}
