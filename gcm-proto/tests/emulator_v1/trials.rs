//! What the service refuses and was taken here, and a device that a good message does not reach.

use super::*;

fn refused_at(message: &Value, field: &str) {
    let (status, body) = push(&mut lenient(), &json!({"message": message}));
    assert_eq!(status, 400, "{message}");
    let details = body["error"]["details"].as_array().unwrap();
    let found = details
        .iter()
        .find_map(|detail| detail.pointer("/fieldViolations/0/field"));
    assert_eq!(found, Some(&json!(field)), "{message}");
    assert!(details.contains(&fcm("INVALID_ARGUMENT")), "{message}");
}

fn accepted(message: &Value) {
    let (status, body) = push(&mut lenient(), &json!({"message": message}));
    assert_eq!(status, 200, "{message}: {body}");
}

/// A payload of the app's own keys alone was answered so for every device.
#[test]
fn trial_v02_a_payload_without_aps_is_refused() {
    for payload in [
        json!({}),
        json!({"k": 1}),
        json!({"aps": null}),
        json!({"aps": "a"}),
        json!({"aps": []}),
    ] {
        refused_at(
            &json!({"token": "4", "apns": {"payload": payload}}),
            "message.apns.payload",
        );
        let shown = json!({"topic": "a", "notification": {"title": "t"}, "apns": {"payload": payload}});
        refused_at(&shown, "message.apns.payload");
    }
    accepted(&json!({"token": "4", "apns": {"payload": {"aps": {}, "k": 1}}}));
    accepted(&json!({"token": "4", "apns": {"headers": {"apns-priority": "5"}}, "notification": {"title": "t"}}));
    accepted(&json!({"token": "4", "apns": {"live_activity_token": "t"}}));
}

/// It would look for such a token in vain, and call it invalid.
#[test]
fn trial_v06_what_no_service_hands_out_is_no_token() {
    for token in [
        " 4",
        "4 ",
        "4 8",
        "4\u{a0}",
        "\"4\"",
        "'4'",
        "`4`",
        "\u{201c}4\u{201d}",
        "\u{feff}4",
        "4\u{200b}",
        "4\u{3164}",
        "\u{2039}4\u{203a}",
        "4\u{2032}",
        "<nil>",
        "NaN",
        "null",
        "NULL",
        "None",
        "nil",
        "undefined",
        "(null)",
        "4\n",
    ] {
        refused_at(&json!({"token": token}), "message.token");
        refused_at(&json!({"fid": token}), "message.fid");
    }
    for token in ["4", "é", "back\\slash", "nullable", "a:b-c_d"] {
        accepted(&json!({"token": token}));
    }
}

#[test]
fn trial_v13_what_the_service_takes_is_taken() {
    accepted(&json!({"token": "4", "data": {"googleId": "1", "gcm_x": "2", "gcm.x": "3", "google": "4"}}));
    accepted(&json!({"token": "4", "apns": {"payload": {"aps": {"badge": 5_000_000_000_u64}}}}));
    accepted(&json!({"token": "4", "webpush": {"notification": {"vibrate": 100}}}));
    accepted(
        &json!({"token": "4", "fcmOptions": {"analyticsLabel": "a"}, "android": {"fcmOptions": {"analyticsLabel": "b"}}}),
    );
    let light = json!({"color": {"red": 1}, "light_on_duration": "1s", "light_off_duration": "1s"});
    accepted(&json!({"token": "4", "android": {"notification": {"light_settings": light}}}));
}

#[test]
fn trial_v14_a_value_that_its_reader_refuses_is_refused() {
    let web = |part: Value| json!({"token": "4", "webpush": part});
    let apple = |part: Value| json!({"token": "4", "apns": part});
    let alert = |alert: Value| apple(json!({"payload": {"aps": {"alert": alert}}}));
    let droid = |shown: Value| json!({"token": "4", "android": {"notification": shown}});
    for (message, field) in [
        (
            web(json!({"headers": {"Urgency": "urgent"}})),
            "webpush.headers.Urgency",
        ),
        (web(json!({"headers": {"ttl": "2419201"}})), "webpush.headers.TTL"),
        (web(json!({"headers": {"topic": "a b"}})), "webpush.headers.Topic"),
        (
            web(json!({"fcm_options": {"link": "HTTPS://example.org"}})),
            "webpush.fcm_options.link",
        ),
        (
            web(json!({"fcm_options": {"link": "https://"}})),
            "webpush.fcm_options.link",
        ),
        (
            web(json!({"notification": {"silent": "yes"}})),
            "webpush.notification.silent",
        ),
        (
            web(json!({"notification": {"vibrate": [-1]}})),
            "webpush.notification.vibrate",
        ),
        (web(json!({"notification": {"dir": "up"}})), "webpush.notification.dir"),
        (
            apple(json!({"headers": {"apns-priority": "ten"}})),
            "apns.headers.apns-priority",
        ),
        (
            apple(json!({"headers": {"APNS-Expiration": "tomorrow"}})),
            "apns.headers.apns-expiration",
        ),
        (
            apple(json!({"headers": {"apns-collapse-id": "x".repeat(65)}})),
            "apns.headers.apns-collapse-id",
        ),
        (
            apple(json!({"fcm_options": {"image": "i.png"}})),
            "apns.fcm_options.image",
        ),
        (apple(json!({"live_activity_token": "a b"})), "apns.live_activity_token"),
        (
            apple(json!({"payload": {"aps": {"badge": -1}}})),
            "apns.payload.aps.badge",
        ),
        (
            apple(json!({"payload": {"aps": {"sound": {"name": "n", "volume": 2}}}})),
            "apns.payload.aps.sound",
        ),
        (
            apple(json!({"payload": {"aps": {"content-available": "1"}}})),
            "apns.payload.aps.content-available",
        ),
        (alert(json!({"title": 1})), "apns.payload.aps.alert.title"),
        (
            alert(json!({"title-loc-args": ["a"]})),
            "apns.payload.aps.alert.title-loc-args",
        ),
        (
            alert(json!({"subtitle-loc-args": ["a"]})),
            "apns.payload.aps.alert.subtitle-loc-args",
        ),
        (
            alert(json!({"loc-args": ["a"], "loc-key": ""})),
            "apns.payload.aps.alert.loc-args",
        ),
        (
            droid(json!({"title_loc_args": ["a"]})),
            "android.notification.title_loc_args",
        ),
        (
            droid(json!({"body_loc_args": ["a"], "title_loc_key": "k"})),
            "android.notification.body_loc_args",
        ),
        (
            droid(json!({"notification_count": -1})),
            "android.notification.notification_count",
        ),
        (droid(json!({"image": "//i"})), "android.notification.image"),
        (
            json!({"token": "4", "notification": {"image": "ball.png"}}),
            "notification.image",
        ),
        (
            json!({"token": "4", "android": {"collapse_key": ""}}),
            "android.collapse_key",
        ),
    ] {
        refused_at(&message, &format!("message.{field}"));
    }
}

/// Reported of devices that live (firebase/firebase-ios-sdk#4605): the 400 names their token, and it is the message that is at
/// fault. The same device takes a message that says nothing.
#[test]
fn a_device_may_refuse_whatever_says_anything() {
    let mut emulator =
        scripted(r#"{"devices": {"4": "refuses_payload", "8": ["refuses_payload", "accept"], "15": "invalid"}}"#);
    let refused = push(&mut emulator, &json!({"message": {"token": "15"}}));
    for part in [
        json!({"data": {"k": "v"}}),
        json!({"notification": {"title": "t"}}),
        json!({"apns": {"payload": {"aps": {"alert": "a"}}}}),
        json!({"android": {"priority": "HIGH"}}),
        json!({"webpush": {"headers": {"TTL": "1"}}}),
    ] {
        for check in [false, true] {
            let mut message = part.clone();
            message["token"] = "4".into();
            let body = json!({"message": message, "validate_only": check});
            assert_eq!(push(&mut emulator, &body), refused, "as a token that is none: {body}");
        }
    }
    for message in [json!({"token": "4"}), json!({"token": "4", "data": {}})] {
        let (status, body) = push(&mut emulator, &json!({"message": message, "validate_only": true}));
        assert_eq!(
            (status, &body["name"]),
            (200, &json!("projects/P/messages/fake_message_id"))
        );
    }
    let said = json!({"message": {"token": "8", "data": {"k": "v"}}});
    assert_eq!(push(&mut emulator, &said).0, 400);
    assert_eq!(push(&mut emulator, &said).0, 200);
    assert_eq!(emulator.counters().rehearsed, 2);
    assert_eq!(format!("{:?}", Behaviour::refuses_payload()), "refuses_payload");
    let script = Script::new().device("4", [Behaviour::refuses_payload().times(1)]);
    let mut emulator = Emulator::new(script);
    assert_eq!(
        push(&mut emulator, &json!({"message": {"token": "4", "data": {"k": "v"}}})).0,
        400
    );
    assert_eq!(
        push(&mut emulator, &json!({"message": {"token": "4", "data": {"k": "v"}}})).0,
        200
    );
    assert!(Script::from_json(r#"{"topics": {"news": "refuses_payload"}}"#).is_err());
}
