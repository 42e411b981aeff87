//! What the parts for one platform may hold, by table, and their JSON form.

use super::super::*;
use super::{field_of, refused};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

fn stored(message: &Message) -> Value {
    let stored = serde_json::to_string(message).unwrap();
    assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), *message);
    serde_json::from_str(&stored).unwrap()
}

fn read(stored: &Value) -> Result<Message, serde_json::Error> {
    serde_json::from_str(&stored.to_string())
}

fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(millis)
}

/// All of a notification of Android but what only one of its two places has.
fn android_notification() -> AndroidNotification {
    let (on, off) = (Duration::from_millis(100), Duration::from_secs(2));
    AndroidNotification::new()
        .title("t")
        .body("b")
        .icon("i")
        .color("#a1B2c3")
        .sound("s")
        .tag("g")
        .click_action("a")
        .body_loc_key("bk")
        .body_loc_args(["b1"])
        .title_loc_key("tk")
        .title_loc_args(["t1", ""])
        .channel_id("c")
        .ticker("r")
        .image("https://example.org/i.png")
        .sticky(true)
        .event_time(at(1500))
        .local_only(false)
        .default_sound(true)
        .default_vibrate_timings(true)
        .default_light_settings(true)
        .notification_priority(NotificationPriority::Unspecified)
        .vibrate_timings([Duration::ZERO, Duration::from_millis(3500)])
        .visibility(Visibility::Secret)
        .notification_count(2_147_483_647)
        .light_settings(LightSettings::new(Color::new(1.0, 0.5, 0.0).alpha(0.25), on, off))
}

fn android_notification_stored() -> Value {
    json!({
        "title": "t", "body": "b", "icon": "i", "color": "#a1B2c3", "sound": "s", "tag": "g", "click_action": "a",
        "body_loc_key": "bk", "body_loc_args": ["b1"], "title_loc_key": "tk", "title_loc_args": ["t1", ""],
        "channel_id": "c", "ticker": "r", "image": "https://example.org/i.png", "sticky": true,
        "event_time": "1970-01-01T00:00:01.500Z", "local_only": false, "default_sound": true,
        "default_vibrate_timings": true, "default_light_settings": true,
        "notification_priority": "PRIORITY_UNSPECIFIED", "vibrate_timings": ["0s", "3.500000000s"],
        "visibility": "SECRET", "notification_count": 2_147_483_647,
        "light_settings": {
            "color": {"red": 1.0, "green": 0.5, "blue": 0.0, "alpha": 0.25},
            "light_on_duration": "0.100000000s", "light_off_duration": "2s",
        },
    })
}

fn full_alert() -> ApsAlert {
    ApsAlert::new()
        .title("t")
        .subtitle("s")
        .body("b")
        .title_loc_key("tk")
        .title_loc_args(["t1"])
        .subtitle_loc_key("sk")
        .subtitle_loc_args(["s1"])
        .loc_key("lk")
        .loc_args(["l1"])
        .action_loc_key("ak")
        .launch_image("li")
}

fn full_aps() -> Aps {
    Aps::new()
        .alert(full_alert().custom("x", 1))
        .badge(0)
        .sound(CriticalSound::new("n").volume(0.7))
        .content_available(true)
        .mutable_content(false)
        .category("c")
        .thread_id("h")
}

fn full_web_action() -> WebAction {
    WebAction::new().action("a").title("t").icon("i")
}

fn full_web_notification() -> WebNotification {
    WebNotification::new()
        .title("t")
        .body("b")
        .icon("i")
        .badge("g")
        .image("/i.png")
        .lang("de")
        .tag("t")
        .dir(TextDirection::Rtl)
        .renotify(true)
        .require_interaction(true)
        .silent(false)
        .data(json!([1, null]))
        .timestamp(at(12_345))
        .vibrate([100, 200])
        .action(full_web_action())
}

#[test]
fn every_field_of_android_survives_its_json_form() {
    let shown = android_notification()
        .proxy(NotificationProxy::IfPriorityLowered)
        .bypass_proxy_notification(false);
    let part = Android::new()
        .collapse_key("k")
        .priority(Priority::High)
        .ttl(Duration::from_millis(1500))
        .restricted_package_name("p")
        .data("k", "v")
        .notification(shown)
        .analytics_label("l")
        .direct_boot_ok(false)
        .bandwidth_constrained_ok(true)
        .restricted_satellite_ok(true);
    let mut shown = android_notification_stored();
    shown["proxy"] = json!("IF_PRIORITY_LOWERED");
    shown["bypass_proxy_notification"] = json!(false);
    let expected = json!({"android": {
        "collapse_key": "k", "priority": "HIGH", "ttl": "1.500000000s", "restricted_package_name": "p",
        "data": {"k": "v"}, "notification": shown, "fcm_options": {"analytics_label": "l"}, "direct_boot_ok": false,
        "bandwidth_constrained_ok": true, "restricted_satellite_ok": true,
    }});
    assert_eq!(stored(&Message::builder().android(part).build().unwrap()), expected);
}

#[test]
fn every_field_of_the_newer_android_survives_its_json_form() {
    let remote = RemoteNotification::new()
        .notification(android_notification().id(-1))
        .mutable_content(true)
        .use_as_v1_data_message(false);
    let part = AndroidV2::new()
        .collapse_key("k")
        .ttl(Duration::ZERO)
        .restricted_package_name("p")
        .data("k", "v")
        .remote_notification(remote)
        .analytics_label("l")
        .direct_boot_ok(true)
        .bandwidth_constrained_ok(true)
        .restricted_satellite_ok(true);
    let mut shown = android_notification_stored();
    shown["id"] = json!(-1);
    let expected = json!({"android_v2": {
        "collapse_key": "k", "ttl": "0s", "restricted_package_name": "p", "data": {"k": "v"},
        "remote_notification": {"notification": shown, "mutable_content": true, "use_as_v1_data_message": false},
        "fcm_options": {"analytics_label": "l"}, "direct_boot_ok": true, "bandwidth_constrained_ok": true,
        "restricted_satellite_ok": true,
    }});
    assert_eq!(stored(&Message::builder().android_v2(part).build().unwrap()), expected);

    let sync = Message::builder().android_v2(AndroidV2::new().background_sync());
    let expected = json!({"android_v2": {"background_sync": {}}});
    assert_eq!(stored(&sync.build().unwrap()), expected);
}

#[test]
fn every_field_of_apns_survives_its_json_form() {
    let part = Apns::new()
        .header("apns-priority", "5")
        .aps(full_aps().custom("relevance-score", 0.5))
        .custom("null", Value::Null)
        .custom("deep", json!({"k": [1]}))
        .analytics_label("l")
        .image("http://example.org/i.png")
        .live_activity_token("lat");
    let expected = json!({"apns": {
        "headers": {"apns-priority": "5"},
        "payload": {
            "aps": {
                "alert": {
                    "title": "t", "subtitle": "s", "body": "b", "title-loc-key": "tk", "title-loc-args": ["t1"],
                    "subtitle-loc-key": "sk", "subtitle-loc-args": ["s1"], "loc-key": "lk", "loc-args": ["l1"],
                    "action-loc-key": "ak", "launch-image": "li", "x": 1,
                },
                "badge": 0, "sound": {"critical": 1, "name": "n", "volume": 0.7}, "content-available": 1,
                "mutable-content": 0, "category": "c", "thread-id": "h", "relevance-score": 0.5,
            },
            "null": null, "deep": {"k": [1]},
        },
        "fcm_options": {"analytics_label": "l", "image": "http://example.org/i.png"},
        "live_activity_token": "lat",
    }});
    assert_eq!(stored(&Message::builder().apns(part).build().unwrap()), expected);

    let plain = Aps::new()
        .alert("text".to_owned())
        .sound(CriticalSound::new("n").critical(false));
    let expected = json!({"apns": {"payload": {"aps": {"alert": "text", "sound": {"name": "n"}}}}});
    let plain = Message::builder().apns(Apns::new().aps(plain)).build().unwrap();
    assert_eq!(stored(&plain), expected);
}

#[test]
fn every_field_of_web_push_survives_its_json_form() {
    let part = Webpush::new()
        .header("TTL", "0")
        .data("k", "v")
        .notification(full_web_notification().custom("x", true))
        .link("https://example.org/?a#b")
        .analytics_label("l");
    let expected = json!({"webpush": {
        "headers": {"TTL": "0"}, "data": {"k": "v"},
        "notification": {
            "title": "t", "body": "b", "icon": "i", "badge": "g", "image": "/i.png", "lang": "de", "tag": "t",
            "dir": "rtl", "renotify": true, "requireInteraction": true, "silent": false, "data": [1, null],
            "timestamp": 12345, "vibrate": [100, 200], "actions": [{"action": "a", "title": "t", "icon": "i"}],
            "x": true,
        },
        "fcm_options": {"link": "https://example.org/?a#b", "analytics_label": "l"},
    }});
    assert_eq!(stored(&Message::builder().webpush(part).build().unwrap()), expected);
}

#[test]
fn a_time_before_1970_is_stored_too() {
    let before = UNIX_EPOCH - Duration::from_millis(1);
    let shown = WebNotification::new().timestamp(before);
    let message = Message::builder().webpush(Webpush::new().notification(shown));
    let expected = json!({"webpush": {"notification": {"timestamp": -1}}});
    assert_eq!(stored(&message.build().unwrap()), expected);
}

#[test]
fn a_custom_key_is_none_that_has_a_method() {
    /// The keys of a part with every field set, and the list that custom keys are held against.
    fn keys<T: Serialize>(full: &T, standard: &[&str]) {
        let full = serde_json::to_value(full).unwrap();
        let found: Vec<&str> = full.as_object().unwrap().keys().map(String::as_str).collect();
        let mut standard = standard.to_vec();
        standard.sort_unstable();
        assert_eq!(found, standard);
    }

    keys(&full_aps(), &Aps::STANDARD);
    keys(&full_alert(), &ApsAlert::STANDARD);
    keys(&full_web_notification(), &WebNotification::STANDARD);
    keys(&full_web_action(), &WebAction::STANDARD);

    let apns = |aps| Message::builder().apns(Apns::new().aps(aps));
    let web = |shown| Message::builder().webpush(Webpush::new().notification(shown));
    for (builder, field, key) in [
        (
            Message::builder().apns(Apns::new().custom("aps", 1)),
            "apns.payload",
            "aps",
        ),
        (apns(Aps::new().custom("badge", 1)), "apns.payload.aps", "badge"),
        (
            apns(Aps::new().alert(ApsAlert::new().custom("title", 1))),
            "apns.payload.aps.alert",
            "title",
        ),
        (
            web(WebNotification::new().custom("requireInteraction", true)),
            "webpush.notification",
            "requireInteraction",
        ),
        (
            web(WebNotification::new().action(WebAction::new().custom("icon", ""))),
            "webpush.notification.actions",
            "icon",
        ),
    ] {
        let expected = MessageError::StandardKey {
            field: field.to_owned(),
            key: key.to_owned(),
        };
        assert_eq!(refused(builder), expected);
    }
    assert!(apns(Aps::new().custom("content_available", 1)).build().is_ok());
}

#[test]
fn a_field_is_refused_by_its_path() {
    const MS: Duration = Duration::from_millis(1);
    let android = |part| Message::builder().android(part);
    let shown = |shown| Message::builder().android(Android::new().notification(shown));
    let v2 = |part| Message::builder().android_v2(part);
    let v2_shown = |shown| v2(AndroidV2::new().remote_notification(RemoteNotification::new().notification(shown)));
    let apns = |part| Message::builder().apns(part);
    let sound = |sound| Message::builder().apns(Apns::new().aps(Aps::new().sound(sound)));
    let web = |part| Message::builder().webpush(part);
    let light = |color| AndroidNotification::new().light_settings(LightSettings::new(color, MS, MS));
    for (builder, field) in vec![
        (
            Message::builder().notification(Notification::new().image("i.png")),
            "notification.image",
        ),
        (android(Android::new().collapse_key("")), "android.collapse_key"),
        (
            android(Android::new().restricted_package_name("")),
            "android.restricted_package_name",
        ),
        (
            android(Android::new().analytics_label("a b")),
            "android.fcm_options.analytics_label",
        ),
        (
            shown(AndroidNotification::new().color("#11223")),
            "android.notification.color",
        ),
        (
            shown(AndroidNotification::new().image("//example.org/i")),
            "android.notification.image",
        ),
        (shown(AndroidNotification::new().id(0)), "android.notification.id"),
        (
            shown(AndroidNotification::new().notification_count(1 << 31)),
            "android.notification.notification_count",
        ),
        (
            shown(light(Color::new(0.0, 1.1, 0.0))),
            "android.notification.light_settings.color.green",
        ),
        (
            shown(light(Color::new(0.0, 0.0, 0.0).alpha(f32::NAN))),
            "android.notification.light_settings.color.alpha",
        ),
        (
            shown(AndroidNotification::new().event_time(at(253_402_300_800_000))),
            "android.notification.event_time",
        ),
        (v2(AndroidV2::new().collapse_key("")), "android_v2.collapse_key"),
        (
            v2(AndroidV2::new().analytics_label("")),
            "android_v2.fcm_options.analytics_label",
        ),
        (
            v2_shown(AndroidNotification::new().proxy(NotificationProxy::Allow)),
            "android_v2.remote_notification.notification.proxy",
        ),
        (
            v2_shown(AndroidNotification::new().bypass_proxy_notification(true)),
            "android_v2.remote_notification.notification.bypass_proxy_notification",
        ),
        (
            v2_shown(AndroidNotification::new().color("red")),
            "android_v2.remote_notification.notification.color",
        ),
        (apns(Apns::new().live_activity_token("")), "apns.live_activity_token"),
        (apns(Apns::new().image("ftp://example.org/i")), "apns.fcm_options.image"),
        (
            apns(Apns::new().analytics_label("é")),
            "apns.fcm_options.analytics_label",
        ),
        (sound(CriticalSound::new("")), "apns.payload.aps.sound.name"),
        (
            sound(CriticalSound::new("n").volume(f32::NAN)),
            "apns.payload.aps.sound.volume",
        ),
        (web(Webpush::new().header("TTL", "1s")), "webpush.headers.TTL"),
        (web(Webpush::new().header("ttl", "-1")), "webpush.headers.TTL"),
        (web(Webpush::new().header("Ttl", "")), "webpush.headers.TTL"),
        (web(Webpush::new().link("https://")), "webpush.fcm_options.link"),
        (web(Webpush::new().link("https:///a")), "webpush.fcm_options.link"),
        (web(Webpush::new().link("https://a b")), "webpush.fcm_options.link"),
        (
            web(Webpush::new().analytics_label("a/b")),
            "webpush.fcm_options.analytics_label",
        ),
    ] {
        assert_eq!(field_of(refused(builder)), field);
    }

    for fine in [
        shown(light(Color::new(0.0, 1.0, 0.5).alpha(0.0))),
        sound(CriticalSound::new("n").volume(0.0)),
        sound(CriticalSound::new("n").volume(1.0)),
        web(Webpush::new().header("TTL", "2419200")),
        web(Webpush::new().notification(WebNotification::new().image("i.png"))),
        apns(Apns::new().aps(Aps::new().alert("").sound(""))),
    ] {
        assert!(fine.build().is_ok());
    }
}

#[test]
fn trial_v14_a_header_has_a_value_that_its_reader_knows() {
    let apns = |name: &str, value: &str| Message::builder().apns(Apns::new().header(name, value));
    let web = |name: &str, value: &str| Message::builder().webpush(Webpush::new().header(name, value));
    // RFC 8030 sections 5.2 to 5.4 and Apple's "Sending notification requests to APNs".
    for (builder, field) in [
        (web("Urgency", "urgent"), "webpush.headers.Urgency"),
        (web("urgency", "High"), "webpush.headers.Urgency"),
        (web("URGENCY", ""), "webpush.headers.Urgency"),
        (web("TTL", "2419201"), "webpush.headers.TTL"),
        (web("ttl", "99999999999999999999"), "webpush.headers.TTL"),
        (web("TTL", "60 "), "webpush.headers.TTL"),
        (web("TTL", "+60"), "webpush.headers.TTL"),
        (web("TTL", "1.5"), "webpush.headers.TTL"),
        (web("Topic", &"x".repeat(33)), "webpush.headers.Topic"),
        (web("topic", "a b"), "webpush.headers.Topic"),
        (web("Topic", ""), "webpush.headers.Topic"),
        (apns("apns-priority", "ten"), "apns.headers.apns-priority"),
        (apns("APNS-Priority", "high"), "apns.headers.apns-priority"),
        (apns("apns-priority", "11"), "apns.headers.apns-priority"),
        (apns("apns-priority", ""), "apns.headers.apns-priority"),
        (apns("apns-expiration", "tomorrow"), "apns.headers.apns-expiration"),
        (apns("apns-expiration", "-1"), "apns.headers.apns-expiration"),
        (apns("apns-expiration", "1.7e9"), "apns.headers.apns-expiration"),
        (apns("Apns-Expiration", ""), "apns.headers.apns-expiration"),
        (
            apns("apns-collapse-id", &"x".repeat(65)),
            "apns.headers.apns-collapse-id",
        ),
        (apns("apns-collapse-id", "é"), "apns.headers.apns-collapse-id"),
        (
            Message::builder().webpush(Webpush::new().link("HTTPS://example.org")),
            "webpush.fcm_options.link",
        ),
        (
            Message::builder().webpush(Webpush::new().link("http://example.org")),
            "webpush.fcm_options.link",
        ),
    ] {
        assert_eq!(field_of(refused(builder)), field);
    }
    for builder in [
        web("Urgency", "very-low"),
        web("TTL", "0"),
        web("TTL", "2419200"),
        web("Topic", &"x".repeat(32)),
        web("x-other", "anything"),
        apns("apns-priority", "1"),
        apns("apns-expiration", "0"),
        apns("apns-collapse-id", &"x".repeat(64)),
        apns("apns-push-type", "a-kind-of-next-year"),
    ] {
        assert!(builder.build().is_ok());
    }
}

#[test]
fn trial_v13_a_body_that_another_sdk_stored_is_read() {
    // As the generated clients of the discovery document write it, and as it is documented.
    let camel = json!({
        "notification": {"title": "t"},
        "data": {"googleId": "1", "gcm_x": "2", "snake_case": "kept", "camelCase": "kept"},
        "fcmOptions": {"analyticsLabel": "all"},
        "android": {
            "collapseKey": "ck", "restrictedPackageName": "org.example", "directBootOk": true,
            "bandwidthConstrainedOk": true, "restrictedSatelliteOk": false, "ttl": "3.5s", "priority": "high",
            "fcmOptions": {"analyticsLabel": "android"},
            "notification": {
                "clickAction": "GO", "bodyLocKey": "b", "bodyLocArgs": ["1"], "titleLocKey": "t", "titleLocArgs": ["2"],
                "channelId": "c", "eventTime": "2026-01-01T00:00:00Z", "localOnly": true, "notificationPriority": "PRIORITY_MAX",
                "defaultSound": true, "defaultVibrateTimings": true, "defaultLightSettings": true,
                "vibrateTimings": ["1s"], "notificationCount": 3, "bypassProxyNotification": false,
                "lightSettings": {"color": {"red": 1}, "lightOnDuration": "1s", "lightOffDuration": "2s"},
            },
        },
        "apns": {
            "headers": {"apns-priority": "5"},
            "payload": {"aps": {"badge": 5_000_000_000_u64, "contentAvailable": 1, "threadId": "th"}, "customKey": {"innerKey": null}},
            "fcmOptions": {"analyticsLabel": "apple", "image": "https://example.org/i.png"},
            "liveActivityToken": "activity",
        },
        "webpush": {
            "notification": {"requireInteraction": true, "vibrate": 100, "ownKey": null},
            "fcmOptions": {"analyticsLabel": "web", "link": "https://example.org/a"},
        },
    });
    let snake = json!({
        "notification": {"title": "t"},
        "data": {"googleId": "1", "gcm_x": "2", "snake_case": "kept", "camelCase": "kept"},
        "fcm_options": {"analytics_label": "all"},
        "android": {
            "collapse_key": "ck", "restricted_package_name": "org.example", "direct_boot_ok": true,
            "bandwidth_constrained_ok": true, "restricted_satellite_ok": false, "ttl": "3.5s", "priority": "HIGH",
            "fcm_options": {"analytics_label": "android"},
            "notification": {
                "click_action": "GO", "body_loc_key": "b", "body_loc_args": ["1"], "title_loc_key": "t", "title_loc_args": ["2"],
                "channel_id": "c", "event_time": "2026-01-01T00:00:00Z", "local_only": true, "notification_priority": "PRIORITY_MAX",
                "default_sound": true, "default_vibrate_timings": true, "default_light_settings": true,
                "vibrate_timings": ["1s"], "notification_count": 3, "bypass_proxy_notification": false,
                "light_settings": {"color": {"red": 1, "alpha": 1}, "light_on_duration": "1s", "light_off_duration": "2s"},
            },
        },
        "apns": {
            "headers": {"apns-priority": "5"},
            "payload": {"aps": {"badge": 5_000_000_000_u64, "content-available": 1, "thread-id": "th"}, "customKey": {"innerKey": null}},
            "fcm_options": {"analytics_label": "apple", "image": "https://example.org/i.png"},
            "live_activity_token": "activity",
        },
        "webpush": {
            "notification": {"require_interaction": true, "vibrate": [100], "ownKey": null},
            "fcm_options": {"analytics_label": "web", "link": "https://example.org/a"},
        },
    });
    let message = read(&camel).unwrap();
    assert_eq!(message, read(&snake).unwrap());
    let stored = stored(&message);
    assert_eq!(stored["analytics_label"], "all");
    assert_eq!(stored["data"], snake["data"]);
    assert_eq!(stored["apns"], snake["apns"]);
    assert_eq!(
        stored["webpush"]["notification"],
        json!({"requireInteraction": true, "vibrate": [100], "ownKey": null})
    );
    // Ours too, and the newer part of Android.
    let ours = json!({
        "collapseKey": "ck", "timeToLive": 60, "contentAvailable": true, "restrictedPackageName": "p", "dryRun": true,
        "analyticsLabel": "l", "allowReservedKeys": true, "data": {"from": "x"},
        "notification": {"androidChannelId": "c", "clickAction": "GO", "titleLocKey": "k", "titleLocArgs": ["a"]},
        "androidV2": {"remoteNotification": {"useAsV1DataMessage": true, "mutableContent": true}},
    });
    let message = read(&ours).unwrap();
    assert_eq!(message.collapse_key(), Some("ck"));
    let expected = json!({"remote_notification": {"use_as_v1_data_message": true, "mutable_content": true}});
    assert_eq!(serde_json::to_value(&message).unwrap()["android_v2"], expected);
    // One field in both spellings, and a label in both places.
    for twice in [
        json!({"collapse_key": "a", "collapseKey": "a"}),
        json!({"android": {"notification": {"channel_id": "a", "channelId": "a"}}}),
        json!({"apns": {"payload": {"aps": {"thread-id": "a", "threadId": "a"}}}}),
        json!({"analytics_label": "a", "fcm_options": {"analytics_label": "a"}}),
        json!({"fcmOptions": {"analyticsLabels": "a"}}),
        json!({"CollapseKey": "a"}),
        json!({"collapse-key": "a"}),
    ] {
        assert!(read(&twice).is_err(), "{twice}");
    }
}

#[test]
fn trial_v15_null_is_absent_and_only_an_object_is_one() {
    let nothing = json!({
        "notification": null, "data": null, "collapse_key": null, "priority": null, "time_to_live": null,
        "restricted_package_name": null, "content_available": null, "mutableContent": null, "delay_while_idle": null,
        "direct_boot_ok": null, "dry_run": null, "analytics_label": null, "fcm_options": null, "raw_data": null,
        "allow_reserved_keys": null, "android": null, "android_v2": null, "apns": null, "webpush": null,
    });
    assert_eq!(read(&nothing).unwrap(), Message::default());
    let parts = json!({
        "notification": {"title": null, "badge": null, "body_loc_args": null},
        "android": {
            "ttl": null, "data": null, "priority": null, "fcm_options": {"analytics_label": null},
            "notification": {"vibrate_timings": null, "event_time": null, "title_loc_args": null, "light_settings": null},
        },
        "apns": {"headers": null, "payload": {"aps": {"badge": null, "alert": null, "own": null}, "own": null}, "fcm_options": null},
        "webpush": {"headers": null, "data": null, "notification": {"vibrate": null, "actions": null, "data": null, "own": null}},
    });
    let expected = json!({
        "notification": {},
        "android": {"fcm_options": {}, "notification": {}},
        "apns": {"payload": {"aps": {"own": null}, "own": null}},
        "webpush": {"notification": {"own": null}},
    });
    assert_eq!(stored(&read(&parts).unwrap()), expected);

    for array in [
        json!([]),
        json!([{"title": "t"}]),
        json!({"notification": ["t"]}),
        json!({"notification": []}),
        json!({"android": []}),
        json!({"android": {"notification": [null]}}),
        json!({"android": {"fcm_options": ["label"]}}),
        json!({"android": {"data": ["k", "v"]}}),
        json!({"android": {"notification": {"light_settings": [{"red": 1}, "1s", "1s"]}}}),
        json!({"android": {"notification": {"light_settings": {
            "color": [1, 1, 1, 1], "light_on_duration": "1s", "light_off_duration": "1s",
        }}}}),
        json!({"android_v2": {"remote_notification": [true]}}),
        json!({"android_v2": {"background_sync": []}}),
        json!({"apns": []}),
        json!({"apns": {"payload": []}}),
        json!({"apns": {"payload": {"aps": []}}}),
        json!({"apns": {"payload": {"aps": {"alert": ["t"]}}}}),
        json!({"apns": {"payload": {"aps": {"sound": [1, "name", 0.5]}}}}),
        json!({"webpush": {"notification": []}}),
        json!({"webpush": {"notification": {"actions": [["a", "t"]]}}}),
        json!({"webpush": {"fcm_options": ["https://example.org"]}}),
        json!({"fcm_options": ["label"]}),
        json!("{}"),
        json!(null),
    ] {
        assert!(read(&array).is_err(), "{array}");
    }
    // Each part by itself too.
    assert!(serde_json::from_str::<Notification>(r#"["t"]"#).is_err());
    assert!(serde_json::from_str::<Apns>("[]").is_err());
    assert!(serde_json::from_str::<Color>("[0, 0, 0, 1]").is_err());
    assert!(serde_json::from_str::<CriticalSound>(r#"[1, "n", 0.5]"#).is_err());
}

#[test]
fn reserved_keys_are_refused_in_the_data_of_each_part() {
    for key in ["from", "google.x", "gcm.notification.y"] {
        for (builder, field) in [
            (Message::builder().android(Android::new().data(key, "")), "android.data"),
            (
                Message::builder().android_v2(AndroidV2::new().data(key, "")),
                "android_v2.data",
            ),
            (Message::builder().webpush(Webpush::new().data(key, "")), "webpush.data"),
        ] {
            let expected = MessageError::ReservedKey {
                field: field.to_owned(),
                key: key.to_owned(),
            };
            assert_eq!(refused(builder.clone()), expected);
            assert!(builder.allow_reserved_keys().build().is_ok());
        }
    }
}

#[test]
fn a_time_to_live_of_android_is_at_most_four_weeks() {
    let given = Duration::from_secs(2_419_201);
    for (builder, field) in [
        (Message::builder().android(Android::new().ttl(given)), "android.ttl"),
        (
            Message::builder().android_v2(AndroidV2::new().ttl(given)),
            "android_v2.ttl",
        ),
    ] {
        let field = field.to_owned();
        assert_eq!(refused(builder), MessageError::TimeToLive { field, given });
    }
    let longest = Android::new().ttl(Message::MAX_TIME_TO_LIVE);
    assert!(Message::builder().android(longest).build().is_ok());
    // The service rounds a fraction down.
    let barely = Android::new().ttl(Message::MAX_TIME_TO_LIVE + Duration::from_nanos(1));
    assert!(Message::builder().android(barely).build().is_ok());
}

#[test]
fn what_excludes_one_another_is_refused() {
    let both = Message::builder().android(Android::new()).android_v2(AndroidV2::new());
    assert_eq!(
        refused(both).to_string(),
        "android and android_v2 are both set, and exclude one another"
    );
    let both = AndroidV2::new()
        .background_sync()
        .remote_notification(RemoteNotification::new());
    assert_eq!(
        refused(Message::builder().android_v2(both)).to_string(),
        "android_v2.remote_notification and android_v2.background_sync are both set, and exclude one another"
    );
}

#[test]
fn an_enumeration_is_read_in_any_case_and_written_in_one() {
    for (given, written) in [
        (
            json!({"android": {"priority": "high"}}),
            json!({"android": {"priority": "HIGH"}}),
        ),
        (
            json!({"android": {"notification": {"visibility": "private", "proxy": "Deny"}}}),
            json!({"android": {"notification": {"visibility": "PRIVATE", "proxy": "DENY"}}}),
        ),
        (
            json!({"android": {"notification": {"notification_priority": "priority_min"}}}),
            json!({"android": {"notification": {"notification_priority": "PRIORITY_MIN"}}}),
        ),
    ] {
        assert_eq!(stored(&read(&given).unwrap()), written);
    }
    for (text, variant) in [
        ("PRIORITY_UNSPECIFIED", NotificationPriority::Unspecified),
        ("PRIORITY_MIN", NotificationPriority::Min),
        ("PRIORITY_LOW", NotificationPriority::Low),
        ("PRIORITY_DEFAULT", NotificationPriority::Default),
        ("PRIORITY_HIGH", NotificationPriority::High),
        ("PRIORITY_MAX", NotificationPriority::Max),
    ] {
        assert_eq!(serde_json::to_value(variant).unwrap(), text);
    }
    for (text, variant) in [
        ("VISIBILITY_UNSPECIFIED", Visibility::Unspecified),
        ("PRIVATE", Visibility::Private),
        ("PUBLIC", Visibility::Public),
        ("SECRET", Visibility::Secret),
    ] {
        assert_eq!(serde_json::to_value(variant).unwrap(), text);
    }
    for (text, variant) in [
        ("PROXY_UNSPECIFIED", NotificationProxy::Unspecified),
        ("ALLOW", NotificationProxy::Allow),
        ("DENY", NotificationProxy::Deny),
        ("IF_PRIORITY_LOWERED", NotificationProxy::IfPriorityLowered),
    ] {
        assert_eq!(serde_json::to_value(variant).unwrap(), text);
    }
    for (text, variant) in [
        ("auto", TextDirection::Auto),
        ("ltr", TextDirection::Ltr),
        ("rtl", TextDirection::Rtl),
    ] {
        assert_eq!(serde_json::to_value(variant).unwrap(), text);
    }
}

#[test]
fn apples_flags_are_read_as_numbers_and_as_booleans() {
    let read = |flag: Value| read(&json!({"apns": {"payload": {"aps": {"content-available": flag}}}}));
    let built = |yes| {
        let aps = Aps::new().content_available(yes);
        Message::builder().apns(Apns::new().aps(aps)).build().unwrap()
    };
    for (flag, yes) in [
        (json!(1), true),
        (json!(true), true),
        (json!(0), false),
        (json!(false), false),
    ] {
        assert_eq!(read(flag).unwrap(), built(yes));
    }
    for flag in [json!(2), json!(-1), json!("1"), json!(1.0)] {
        assert!(read(flag.clone()).is_err(), "{flag}");
    }
}

#[test]
fn what_a_part_has_not_is_refused_in_its_json_form() {
    for stored in [
        json!({"android": {"colapse_key": "x"}}),
        json!({"android": {"priority": "urgent"}}),
        json!({"android": {"ttl": 60}}),
        json!({"android": {"data": {"k": 1}}}),
        json!({"android": {"notification": {"titel": "x"}}}),
        json!({"android": {"notification": {"notification_count": -1}}}),
        json!({"android": {"notification": {"event_time": "2019-02-29T00:00:00Z"}}}),
        json!({"android": {"notification": {"light_settings": {"color": {}}}}}),
        json!({"android": {"notification": {"light_settings": {
            "color": {"hue": 1}, "light_on_duration": "1s", "light_off_duration": "1s",
        }}}}),
        json!({"android": {"fcm_options": {"label": "x"}}}),
        json!({"android_v2": {"priority": "HIGH"}}),
        json!({"android_v2": {"notification": {}}}),
        json!({"android_v2": {"background_sync": {"now": true}}}),
        json!({"android_v2": {"remote_notification": {"mutable": true}}}),
        json!({"apns": {"header": {}}}),
        json!({"apns": {"headers": {"apns-priority": 5}}}),
        json!({"apns": {"payload": {"aps": {"alert": 1}}}}),
        json!({"apns": {"payload": {"aps": {"badge": "1"}}}}),
        json!({"apns": {"payload": {"aps": {"badge": -1}}}}),
        json!({"apns": {"payload": {"aps": {"sound": {"name": "n", "pitch": 1}}}}}),
        json!({"apns": {"payload": {"aps": {"sound": {"critical": 1}}}}}),
        json!({"apns": {"fcm_options": {"link": "https://example.org"}}}),
        json!({"webpush": {"fcm_options": {"image": "https://example.org"}}}),
        json!({"webpush": {"notification": {"dir": "LTR"}}}),
        json!({"webpush": {"notification": {"timestamp": "now"}}}),
        json!({"webpush": {"notification": {"actions": {}}}}),
        json!({"android": {}, "android_v2": {}}),
        json!({"webpush": {"headers": {"TTL": "x"}}}),
    ] {
        assert!(read(&stored).is_err(), "{stored}");
    }
    let error = read(&json!({"apns": {"payload": {"aps": {"alert": 1}}}})).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("an alert must be a text or an object of texts"),
        "{error}"
    );
}

#[test]
fn what_is_left_out_of_a_colour_is_black_and_opaque() {
    let with = |color: Value| {
        json!({"android": {"notification": {"light_settings": {
            "color": color, "light_on_duration": "1s", "light_off_duration": "1s",
        }}}})
    };
    let message = read(&with(json!({"green": 0.5}))).unwrap();
    assert_eq!(
        stored(&message),
        with(json!({"red": 0.0, "green": 0.5, "blue": 0.0, "alpha": 1.0}))
    );
}

#[test]
fn the_data_of_a_platform_counts_where_it_is_more() {
    let message = |part: usize| {
        Message::builder()
            .data("k", "12345")
            .webpush(Webpush::new().data("k", "x".repeat(part)))
            .build()
            .unwrap()
    };
    assert_eq!(message(2).payload_len(), 6);
    assert_eq!(message(9).payload_len(), 10);
}
