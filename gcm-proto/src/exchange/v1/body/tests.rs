//! How a message's own options reach each platform, option by option, and what wins over them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::message::Aps;
use crate::message::{Message, MessageBuilder};
use serde_json::{Value, json};

/// The message on the wire, with `"…"` where the expiration is spliced in.
fn wire(builder: MessageBuilder) -> Value {
    let message = builder.build().unwrap();
    let Body { head, expiring } = Body::new(message.fields());
    let mut text = b"{\"message\":{\"token\":\"T\"".to_vec();
    text.extend(head);
    if let Some((_, rest)) = expiring {
        text.extend("…".as_bytes());
        text.extend(rest);
    }
    let mut body: Value = serde_json::from_slice(&text).unwrap();
    let mut message = body["message"].take();
    assert_eq!(message.as_object_mut().unwrap().remove("token").unwrap(), "T");
    message
}

fn full_notification() -> Notification {
    Notification::new()
        .title("t")
        .body("b")
        .image("https://example.org/i.png")
        .icon("i")
        .android_channel_id("ch")
        .sound("default")
        .badge(0)
        .tag("tag")
        .color("#112233")
        .click_action("GO")
}

#[test]
fn each_option_goes_where_the_migration_guide_puts_it() {
    let builder = Message::builder;
    for (message, expected) in [
        (builder(), json!({})),
        (
            builder().collapse_key("ck"),
            json!({
                "android": {"collapse_key": "ck"},
                "apns": {"headers": {"apns-collapse-id": "ck"}},
                "webpush": {"headers": {"Topic": "ck"}},
            }),
        ),
        (
            builder().priority(Priority::Normal),
            json!({
                "android": {"priority": "NORMAL"},
                "apns": {"headers": {"apns-priority": "5"}},
                "webpush": {"headers": {"Urgency": "normal"}},
            }),
        ),
        (
            builder().priority(Priority::High),
            json!({
                "android": {"priority": "HIGH"},
                "apns": {"headers": {"apns-priority": "10"}},
                "webpush": {"headers": {"Urgency": "high"}},
            }),
        ),
        (
            builder().time_to_live(Duration::from_secs(60)),
            json!({
                "android": {"ttl": "60s"},
                "apns": {"headers": {"apns-expiration": "…"}},
                "webpush": {"headers": {"TTL": "60"}},
            }),
        ),
        (
            builder().time_to_live(Duration::from_millis(1500)),
            json!({
                "android": {"ttl": "1.500000000s"},
                "apns": {"headers": {"apns-expiration": "…"}},
                "webpush": {"headers": {"TTL": "1"}},
            }),
        ),
        (
            builder().restricted_package_name("p"),
            json!({"android": {"restricted_package_name": "p"}}),
        ),
        (
            builder().direct_boot_ok(true),
            json!({"android": {"direct_boot_ok": true}}),
        ),
        (
            builder().mutable_content(true),
            json!({"apns": {"payload": {"aps": {"mutable-content": 1}}}}),
        ),
        (builder().delay_while_idle(true), json!({})),
        (
            builder().analytics_label("l"),
            json!({"fcm_options": {"analytics_label": "l"}}),
        ),
        (builder().data("k", "v"), json!({"data": {"k": "v"}})),
        (
            builder().data("from", "v").allow_reserved_keys(),
            json!({"data": {"from": "v"}}),
        ),
    ] {
        assert_eq!(wire(message), expected);
    }
}

#[test]
fn a_notification_goes_to_each_platform_by_its_names() {
    let expected = json!({
        "notification": {"title": "t", "body": "b", "image": "https://example.org/i.png"},
        "android": {"notification": {
            "icon": "i", "channel_id": "ch", "sound": "default", "tag": "tag", "color": "#112233", "click_action": "GO",
        }},
        "apns": {"payload": {"aps": {"sound": "default", "badge": 0, "category": "GO"}}},
        "webpush": {"notification": {"icon": "i"}},
    });
    assert_eq!(wire(Message::builder().notification(full_notification())), expected);
    assert_eq!(wire(Message::builder().notification(Notification::new())), json!({}));
}

#[test]
fn keys_of_localised_texts_become_an_alert_that_keeps_title_and_body() {
    let notification = Notification::new()
        .title("t")
        .body("b")
        .subtitle("s")
        .title_loc_key("tk")
        .title_loc_args(["t1"])
        .body_loc_key("bk")
        .body_loc_args(["b1", "b2"]);
    let expected = json!({
        "notification": {"title": "t", "body": "b"},
        "android": {"notification": {
            "title_loc_key": "tk", "title_loc_args": ["t1"], "body_loc_key": "bk", "body_loc_args": ["b1", "b2"],
        }},
        "apns": {"payload": {"aps": {"alert": {
            "title": "t", "subtitle": "s", "body": "b",
            "title-loc-key": "tk", "title-loc-args": ["t1"], "loc-key": "bk", "loc-args": ["b1", "b2"],
        }}}},
    });
    assert_eq!(wire(Message::builder().notification(notification)), expected);

    let subtitle = Notification::new().title("t").body("b").subtitle("s");
    let found = wire(Message::builder().notification(subtitle));
    let expected = json!({"title": "t", "subtitle": "s", "body": "b"});
    assert_eq!(found["apns"]["payload"]["aps"]["alert"], expected);
    assert_eq!(found.get("android"), None);
}

#[test]
fn a_click_leads_the_web_to_https_only() {
    let found = |action: &str| wire(Message::builder().notification(Notification::new().click_action(action)));
    let expected = json!({
        "android": {"notification": {"click_action": "https://example.org/a"}},
        "apns": {"payload": {"aps": {"category": "https://example.org/a"}}},
        "webpush": {"fcm_options": {"link": "https://example.org/a"}},
    });
    assert_eq!(found("https://example.org/a"), expected);
    for action in ["http://example.org/a", "OPEN", "https:/a", ""] {
        assert_eq!(found(action).get("webpush"), None, "{action}");
    }
}

#[test]
fn a_push_that_only_wakes_the_app_has_the_priority_that_apns_takes() {
    let waking = || Message::builder().content_available(true);
    let background = json!({
        "headers": {"apns-priority": "5", "apns-push-type": "background"},
        "payload": {"aps": {"content-available": 1}},
    });
    assert_eq!(wire(waking())["apns"], background);
    assert_eq!(wire(waking().data("k", "v"))["apns"], background);
    let urgent = wire(waking().priority(Priority::High));
    assert_eq!(urgent["apns"], background);
    assert_eq!(urgent["android"]["priority"], "HIGH");
    assert_eq!(urgent["webpush"]["headers"]["Urgency"], "high");

    // With something to show it is an ordinary one.
    let shows = waking()
        .priority(Priority::High)
        .notification(Notification::new().title("t"));
    assert_eq!(wire(shows)["apns"]["headers"], json!({"apns-priority": "10"}));
    let badge = waking()
        .priority(Priority::High)
        .apns(Apns::new().aps(Aps::new().badge(0)));
    assert_eq!(wire(badge)["apns"]["headers"], json!({"apns-priority": "10"}));

    // The part's own word stands.
    let apns = Apns::new()
        .header("apns-priority", "10")
        .header("Apns-Push-Type", "alert");
    let own = wire(waking().apns(apns));
    assert_eq!(
        own["apns"]["headers"],
        json!({"apns-priority": "10", "Apns-Push-Type": "alert"})
    );
    let refused = Apns::new().aps(Aps::new().content_available(false));
    let own = wire(waking().priority(Priority::High).apns(refused));
    assert_eq!(own["apns"]["payload"]["aps"], json!({"content-available": 0}));
    assert_eq!(own["apns"]["headers"], json!({"apns-priority": "10"}));

    // A part alone is sent as it is.
    let alone = Apns::new().aps(Aps::new().content_available(true));
    let expected = json!({"payload": {"aps": {"content-available": 1}}});
    assert_eq!(wire(Message::builder().apns(alone.clone()))["apns"], expected);
    let urgent = wire(Message::builder().apns(alone).priority(Priority::High));
    assert_eq!(urgent["apns"]["headers"], json!({"apns-priority": "5"}));
}

#[test]
fn what_a_part_sets_wins() {
    let message = Message::builder()
        .notification(full_notification())
        .collapse_key("own")
        .priority(Priority::High)
        .time_to_live(Duration::from_secs(60))
        .restricted_package_name("own")
        .direct_boot_ok(true)
        .mutable_content(true)
        .android(
            Android::new()
                .collapse_key("part")
                .priority(Priority::Normal)
                .ttl(Duration::ZERO)
                .restricted_package_name("part")
                .direct_boot_ok(false)
                .notification(AndroidNotification::new().icon("part").tag("part").sticky(true)),
        )
        .apns(
            Apns::new()
                .header("APNS-Priority", "5")
                .header("apns-expiration", "1")
                .header("apns-collapse-id", "part")
                .aps(
                    Aps::new()
                        .alert("part")
                        .badge(7)
                        .sound("part")
                        .category("part")
                        .mutable_content(false),
                ),
        )
        .webpush(
            Webpush::new()
                .header("ttl", "1")
                .header("urgency", "low")
                .header("topic", "part")
                .notification(WebNotification::new().icon("part"))
                .link("https://example.org/part"),
        );
    let expected = json!({
        "notification": {"title": "t", "body": "b", "image": "https://example.org/i.png"},
        "android": {
            "collapse_key": "part", "priority": "NORMAL", "ttl": "0s", "restricted_package_name": "part",
            "direct_boot_ok": false,
            "notification": {
                "icon": "part", "tag": "part", "sticky": true, "channel_id": "ch", "sound": "default",
                "color": "#112233", "click_action": "GO",
            },
        },
        "apns": {
            "headers": {"APNS-Priority": "5", "apns-expiration": "1", "apns-collapse-id": "part"},
            "payload": {"aps": {
                "alert": "part", "badge": 7, "sound": "part", "category": "part", "mutable-content": 0,
            }},
        },
        "webpush": {
            "headers": {"ttl": "1", "urgency": "low", "topic": "part"},
            "notification": {"icon": "part"},
            "fcm_options": {"link": "https://example.org/part"},
        },
    });
    assert_eq!(wire(message), expected);
}

#[test]
fn a_text_of_a_part_is_not_hidden_behind_a_key_of_the_message() {
    let own = || {
        Notification::new()
            .title_loc_key("own")
            .title_loc_args(["1"])
            .body_loc_key("own")
            .body_loc_args(["2"])
    };
    let with = |part| {
        let message = Message::builder()
            .notification(own())
            .android(Android::new().notification(part));
        wire(message)["android"]["notification"].clone()
    };
    let expected = json!({"title": "part", "body_loc_key": "own", "body_loc_args": ["2"]});
    assert_eq!(with(AndroidNotification::new().title("part")), expected);
    // Arguments stay with their key.
    let expected = json!({"title_loc_key": "own", "title_loc_args": ["1"], "body_loc_key": "part"});
    assert_eq!(with(AndroidNotification::new().body_loc_key("part")), expected);
}

#[test]
fn the_newer_part_of_android_takes_the_place_of_the_older() {
    let message = |part| {
        let own = Message::builder()
            .notification(Notification::new().title("t").icon("i"))
            .collapse_key("ck")
            .priority(Priority::High)
            .time_to_live(Duration::from_secs(60))
            .restricted_package_name("p")
            .direct_boot_ok(true)
            .android_v2(part);
        let wire = wire(own);
        assert_eq!(wire.get("android"), None);
        assert_eq!(wire["apns"]["headers"]["apns-priority"], "10");
        wire["android_v2"].clone()
    };
    let options = json!({"collapse_key": "ck", "ttl": "60s", "restricted_package_name": "p", "direct_boot_ok": true});
    let with = |key: &str, value: Value| {
        let mut options = options.clone();
        options[key] = value;
        options
    };
    assert_eq!(
        message(AndroidV2::new()),
        with("remote_notification", json!({"notification": {"icon": "i"}}))
    );
    assert_eq!(
        message(AndroidV2::new().background_sync()),
        with("background_sync", json!({}))
    );
    let remote = crate::message::RemoteNotification::new()
        .notification(AndroidNotification::new().id(-7).icon("part"))
        .mutable_content(true);
    assert_eq!(
        message(AndroidV2::new().remote_notification(remote)),
        with(
            "remote_notification",
            json!({"notification": {"id": -7, "icon": "part"}, "mutable_content": true})
        )
    );
}

#[test]
fn a_collapse_key_is_left_out_where_its_header_cannot_hold_it() {
    let found = |key: &str| {
        let wire = wire(Message::builder().collapse_key(key));
        assert_eq!(wire["android"]["collapse_key"], key);
        let apns = wire.pointer("/apns/headers/apns-collapse-id").is_some();
        let web = wire.pointer("/webpush/headers/Topic").is_some();
        (apns, web)
    };
    let [n32, n33, n64, n65] = [32, 33, 64, 65].map(|length| "x".repeat(length));
    for (key, expected) in [
        ("aZ09-_", (true, true)),
        (&n32, (true, true)),
        (&n33, (true, false)),
        (&n64, (true, false)),
        (&n65, (false, false)),
        ("new scores", (true, false)),
        ("a+b/c=", (true, false)),
        ("é", (false, false)),
        ("two\nlines", (false, false)),
    ] {
        assert_eq!(found(key), expected, "{key:?}");
    }
}

#[test]
fn an_expiration_of_the_callers_own_is_not_spliced() {
    for name in ["apns-expiration", "APNS-Expiration"] {
        let apns = Apns::new().header(name, "0").header("z", "1");
        let message = Message::builder().time_to_live(Duration::from_secs(60)).apns(apns);
        let message = message.build().unwrap();
        assert!(Body::new(message.fields()).expiring.is_none());
    }
}

#[test]
fn a_body_that_ends_like_a_splice_is_not_taken_for_one() {
    let apns = Apns::new().header("apns-expiration", "");
    let message = Message::builder().time_to_live(Duration::from_secs(60)).apns(apns);
    let body = Body::new(message.build().unwrap().fields());
    assert!(body.expiring.is_none());
    assert!(body.head.ends_with(br#""headers":{"apns-expiration":""}}}}"#));
}

#[test]
fn parts_without_a_word_are_sent_as_they_are() {
    let message = Message::builder()
        .android(Android::new())
        .apns(Apns::new().aps(Aps::new()))
        .webpush(Webpush::new());
    let expected = json!({"android": {}, "apns": {"payload": {"aps": {}}}, "webpush": {}});
    assert_eq!(wire(message), expected);
}
