//! What fits the schema, and what is said of the rest.

use super::*;

/// A body that does not fit: the whole message, which is also the description, and the field.
fn misfit(body: &str, field: &str, text: &str) {
    let response = send(&mut lenient(), &post("a", body));
    assert_eq!(
        read(&response),
        error(400, "INVALID_ARGUMENT", text, &[violation(field, text)]),
        "{body}"
    );
}

fn misfit_in_message(part: &str, field: &str, text: &str) {
    misfit(&format!(r#"{{"message":{{"token":"4",{part}}}}}"#), field, text);
}

#[test]
fn every_documented_field_is_accepted() {
    let notification = json!({"title": "t", "body": "b", "icon": "i", "color": "#112233", "sound": "default", "tag": "g",
        "click_action": "a", "body_loc_key": "k", "body_loc_args": ["a"], "title_loc_key": "k", "title_loc_args": [],
        "channel_id": "c", "ticker": "t", "sticky": true, "event_time": "2019-10-20T20:12:23.000123Z", "local_only": false,
        "notification_priority": "PRIORITY_MAX", "default_sound": true, "default_vibrate_timings": false,
        "default_light_settings": false, "vibrate_timings": ["0s", "3.5s"], "visibility": "private", "notification_count": 7,
        "light_settings": {"color": {"red": 0.2, "green": 0.4, "blue": 0.6, "alpha": 1.0}, "light_on_duration": "0.100000000s",
        "light_off_duration": "0.050000000s"}, "image": "https://image.jpg"});
    let mut first = notification.clone();
    first["proxy"] = json!("IF_PRIORITY_LOWERED");
    first["bypass_proxy_notification"] = json!(false);
    let mut second = notification;
    second["id"] = json!(-1);
    let mut message = json!({
        "name": "", "token": "4", "data": {"k1": "v1"}, "notification": {"title": "t", "body": "b", "image": "http://image.jpg"},
        "fcm_options": {"analytics_label": "Analytics"},
        "android": {"collapse_key": "ck", "priority": "high", "ttl": "0s", "restricted_package_name": "p", "data": {"k": "v"},
            "notification": first, "fcm_options": {"analytics_label": "a"}, "direct_boot_ok": true,
            "bandwidth_constrained_ok": true, "restricted_satellite_ok": false},
        "webpush": {"headers": {"h1": "v1", "TTL": "60"}, "data": {"k": "v"}, "notification": {"requireInteraction": true,
            "vibrate": [100, 200], "actions": [{"action": "a1", "title": "t", "icon": null}], "k": {"any": 1.5}},
            "fcm_options": {"link": "https://link.com", "analytics_label": "a"}},
        "apns": {"headers": {"apns-priority": "5"}, "payload": {"aps": {"alert": {"title-loc-key": "k", "title-loc-args": ["a"]}, "badge": 0,
            "sound": {"critical": 1, "name": "n", "volume": 0.7}, "content-available": 1}, "k": true},
            "fcm_options": {"analytics_label": "a", "image": "https://i"}, "live_activity_token": "l"}});
    assert_eq!(
        push(&mut lenient(), &json!({"message": message, "validate_only": false})).0,
        200
    );

    message.as_object_mut().unwrap().remove("android");
    message["android_v2"] = json!({"collapse_key": "ck", "ttl": "123s", "restricted_package_name": "p", "data": {"k": "v"},
        "remote_notification": {"notification": second, "mutable_content": true, "use_as_v1_data_message": false},
        "fcm_options": {"analytics_label": "a"}, "direct_boot_ok": true, "bandwidth_constrained_ok": true,
        "restricted_satellite_ok": true});
    assert_eq!(
        push(&mut lenient(), &json!({"message": message})),
        push(&mut lenient(), &json!({"message": {"token": "4"}}))
    );
    message["android_v2"]
        .as_object_mut()
        .unwrap()
        .remove("remote_notification");
    message["android_v2"]["background_sync"] = json!({});
    assert_eq!(push(&mut lenient(), &json!({"message": message})).0, 200);
}

#[test]
fn names_may_be_in_camel_case_and_null_is_absent() {
    let body = json!({"message": {"token": "4", "topic": null, "fcmOptions": {"analyticsLabel": "a"},
        "androidV2": {"remoteNotification": {"useAsV1DataMessage": true}}, "notification": null}, "validateOnly": null});
    assert_eq!(push(&mut lenient(), &body).0, 200);
    let reply = push(
        &mut lenient(),
        &json!({"message": {"token": "4", "fcmOptions": {"analyticsLabel": "a b"}}}),
    );
    assert_eq!(
        reply.1["error"]["details"][0]["fieldViolations"][0]["field"],
        "message.fcm_options.analytics_label"
    );
    for name in ["fcm_Options", "fcmoptions", "FcmOptions", "fcm_options_"] {
        assert_eq!(
            push(&mut lenient(), &json!({"message": {"token": "4", name: {}}})).0,
            400,
            "{name}"
        );
    }
}

#[test]
fn r10_an_unknown_field_is_named_with_its_place() {
    misfit(
        r#"{"message":{"toen":"4"}}"#,
        "message",
        "Invalid JSON payload received. Unknown name \"toen\" at 'message': Cannot find field.",
    );
    misfit_in_message(
        r#""android":{"notification":{"titel":"t"}}"#,
        "message.android.notification",
        "Invalid JSON payload received. Unknown name \"titel\" at 'message.android.notification': Cannot find field.",
    );
    // Every name is known that the first message has, but not there.
    misfit_in_message(
        r#""android_v2":{"priority":"HIGH"}"#,
        "message.android_v2",
        "Invalid JSON payload received. Unknown name \"priority\" at 'message.android_v2': Cannot find field.",
    );
    let (_, body) = push(&mut lenient(), &json!({"message": {"token": "4"}, "dry_run": true}));
    let text = "Invalid JSON payload received. Unknown name \"dry_run\": Cannot find field.";
    assert_eq!(body["error"]["message"], text);
    let violations = json!([{"description": text}]);
    assert_eq!(body["error"]["details"][0]["fieldViolations"], violations);

    let mut emulator = scripted(r#"{"allow_unknown_fields":true}"#);
    let body = json!({"message": {"token": "4", "toen": 1, "android": {"x": {}}}, "y": []});
    assert_eq!(push(&mut emulator, &body).0, 200);
}

#[test]
fn r09_a_value_of_another_type_is_quoted_with_its_path() {
    misfit_in_message(
        r#""data":{"a":12}"#,
        "message.data[0].value",
        "Invalid value at 'message.data[0].value' (TYPE_STRING), 12",
    );
    misfit_in_message(
        r#""android":{"data":{"a":"b","c":"d","e":1}}"#,
        "message.android.data[2].value",
        "Invalid value at 'message.android.data[2].value' (TYPE_STRING), 1",
    );
    misfit_in_message(
        r#""notification":{"title":true}"#,
        "message.notification.title",
        "Invalid value at 'message.notification.title' (TYPE_STRING), true",
    );
    misfit_in_message(
        r#""android":{"direct_boot_ok":"yes"}"#,
        "message.android.direct_boot_ok",
        "Invalid value at 'message.android.direct_boot_ok' (TYPE_BOOL), \"yes\"",
    );
    misfit_in_message(
        r#""android":{"priority":"urgent"}"#,
        "message.android.priority",
        "Invalid value at 'message.android.priority' (type.googleapis.com/google.firebase.fcm.v1.AndroidMessagePriority), \
         \"urgent\"",
    );
    misfit_in_message(
        r#""android":{"ttl":60}"#,
        "message.android.ttl",
        "Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), 60",
    );
    misfit_in_message(
        r#""android":"a""#,
        "message.android",
        "Invalid value at 'message.android' (type.googleapis.com/google.firebase.fcm.v1.AndroidConfig), \"a\"",
    );
}

/// The words are those of Google's front end about other services' schemas, and of protobuf.
#[test]
fn a_value_in_the_wrong_place_is_refused() {
    for (part, place) in [
        (r#""data":{"a":{}}"#, "message.data[0].value"),
        (r#""data":{"a":null}"#, "message.data[0].value"),
        (r#""data":{"a":["b"]}"#, "message.data[0]"),
        (r#""data":["b"]"#, "message"),
        (r#""data":"b""#, "message"),
        (r#""topic":["a"]"#, "message"),
        (r#""android":[]"#, "message"),
        (
            r#""android":{"notification":{"body_loc_args":"a"}}"#,
            "message.android.notification.body_loc_args",
        ),
        (
            r#""android":{"notification":{"body_loc_args":["a",1]}}"#,
            "message.android.notification.body_loc_args[1]",
        ),
        (
            r#""android":{"notification":{"notification_count":1.5}}"#,
            "message.android.notification.notification_count",
        ),
        (
            r#""android":{"notification":{"notification_count":"1"}}"#,
            "message.android.notification.notification_count",
        ),
        (
            r#""android":{"notification":{"notification_count":2147483648}}"#,
            "message.android.notification.notification_count",
        ),
        (
            r#""android":{"notification":{"event_time":"yesterday"}}"#,
            "message.android.notification.event_time",
        ),
        (
            r#""android":{"notification":{"proxy":"deny"}}"#,
            "message.android.notification.proxy",
        ),
        (
            r#""android":{"notification":{"vibrate_timings":["100"]}}"#,
            "message.android.notification.vibrate_timings[0]",
        ),
        (
            r#""android":{"notification":{"light_settings":{"color":{"red":1e99}}}}"#,
            "message.android.notification.light_settings.color.red",
        ),
        (r#""apns":{"payload":"{}"}"#, "message.apns.payload"),
        (
            r#""webpush":{"headers":{"TTL":60}}"#,
            "message.webpush.headers[0].value",
        ),
        (r#""fcmOptions":{},"fcm_options":{}"#, "message"),
    ] {
        let response = send(
            &mut lenient(),
            &post("a", &format!(r#"{{"message":{{"token":"4",{part}}}}}"#)),
        );
        let (status, body) = read(&response);
        assert_eq!(status, 400, "{part}");
        let details = body["error"]["details"].as_array().unwrap();
        assert_eq!(details.len(), 1, "{part}: no FCM code");
        assert_eq!(details[0]["fieldViolations"][0]["field"], place, "{part}: {body}");
        assert_eq!(
            details[0]["fieldViolations"][0]["description"],
            body["error"]["message"]
        );
    }
}

#[test]
fn m11_a_duration_is_seconds_with_an_s() {
    for ttl in ["1.2.3s", "abcs", "10.abcs", "60", "", "s", "1m", "1.0000000001s"] {
        let (status, body) = push(
            &mut lenient(),
            &json!({"message": {"token": "4", "android": {"ttl": ttl}}}),
        );
        assert_eq!(status, 400, "{ttl}");
        let text = body["error"]["message"].as_str().unwrap();
        let start =
            "Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration), Field 'ttl', ";
        assert!(text.starts_with(start), "{text}");
    }
    for ttl in ["0s", "0.500000000s", "123.450000000s", "3.5s", "3.000000001s", "86500s"] {
        assert_eq!(
            push(
                &mut lenient(),
                &json!({"message": {"token": "4", "android": {"ttl": ttl}}})
            )
            .0,
            200,
            "{ttl}"
        );
    }
}

#[test]
fn what_is_not_json_is_refused_without_details() {
    for body in [
        "",
        "not json",
        "[]",
        r#"{"message":{"token":"4"}"#,
        "\u{feff}{}",
        r#"{"message":{"token":"4","token":"4"}}"#,
    ] {
        let response = send(&mut lenient(), &post("a", body));
        let (status, reply) = read(&response);
        assert_eq!((status, &reply["error"]["status"]), (400, &json!("INVALID_ARGUMENT")));
        let text = reply["error"]["message"].as_str().unwrap();
        assert!(text.starts_with("Invalid JSON payload received. "), "{text}");
        assert_eq!(reply["error"].get("details"), None);
    }
}
