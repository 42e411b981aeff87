//! How a message's own options reach each platform, option by option, and what wins over them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::EncodedBody;
use crate::message::{
    Android, AndroidNotification, AndroidV2, Apns, Aps, Message, MessageBuilder, Notification, Priority,
    WebNotification, Webpush,
};
use serde_json::{Value, json};
use std::time::Duration;

/// The message on the wire, with `"…"` where the expiration is spliced in.
fn wire(builder: MessageBuilder) -> Value {
    let message = builder.build().unwrap();
    let EncodedBody { head, expiring } = EncodedBody::new(message.fields());
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
                "webpush": {"headers": {"Topic": "ck"}},
            }),
        ),
        (
            builder().priority(Priority::Normal),
            json!({
                "android": {"priority": "NORMAL"},
                "webpush": {"headers": {"Urgency": "normal"}},
            }),
        ),
        (
            builder().priority(Priority::High),
            json!({
                "android": {"priority": "HIGH"},
                "webpush": {"headers": {"Urgency": "high"}},
            }),
        ),
        (
            builder().time_to_live(Duration::from_secs(60)),
            json!({
                "android": {"ttl": "60s"},
                "webpush": {"headers": {"TTL": "60"}},
            }),
        ),
        (
            builder().time_to_live(Duration::from_millis(1500)),
            json!({
                "android": {"ttl": "1.500000000s"},
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
            json!({"apns": {
                "headers": {"apns-priority": "5", "apns-push-type": "background"},
                "payload": {"aps": {"content-available": 1, "mutable-content": 1}},
            }}),
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

/// Google's guide to platform-specific messages has these headers for all three, beside a notification.
#[test]
fn the_options_of_a_notification_go_to_ios_too() {
    let message = |builder: MessageBuilder| wire(builder.notification(Notification::new().title("t")))["apns"].clone();
    for (builder, headers) in [
        (Message::builder().collapse_key("ck"), json!({"apns-collapse-id": "ck"})),
        (
            Message::builder().priority(Priority::Normal),
            json!({"apns-priority": "5"}),
        ),
        (
            Message::builder().priority(Priority::High),
            json!({"apns-priority": "10"}),
        ),
        (
            Message::builder().time_to_live(Duration::from_millis(1500)),
            json!({"apns-expiration": "…"}),
        ),
    ] {
        assert_eq!(message(builder), json!({"headers": headers, "payload": {"aps": {}}}));
    }
    assert_eq!(message(Message::builder()), Value::Null);
}

fn options() -> [MessageBuilder; 5] {
    let message = || Message::builder().data("k", "v");
    [
        message().priority(Priority::High),
        message().priority(Priority::Normal),
        message().time_to_live(Duration::from_secs(60)),
        message().collapse_key("ck"),
        message()
            .priority(Priority::High)
            .time_to_live(Duration::ZERO)
            .collapse_key("ck")
            .android(Android::new().data("a", "b"))
            .webpush(Webpush::new().data("a", "b")),
    ]
}

/// Headers for APNs without an `aps`: reported to be answered with a 400 about `message.token` for tokens that live
/// (firebase/firebase-ios-sdk#4605, kreait/firebase-php#700, notifo/notifo#32).
#[test]
fn trial_v01_what_says_nothing_of_ios_has_no_part_for_it() {
    for builder in options() {
        assert_eq!(wire(builder.clone()).get("apns"), None);
        assert_eq!(wire(builder.clone().apns(Apns::new())).get("apns"), None);
        // It shows nothing, on iOS neither.
        assert_eq!(
            wire(builder.clone().notification(Notification::new().tag("t"))).get("apns"),
            None
        );
        assert!(EncodedBody::new(builder.build().unwrap().fields()).expiring.is_none());
    }
    // Nor are headers added to a part that has none and no payload.
    let apart = Apns::new().analytics_label("l").live_activity_token("token");
    let expected = json!({"fcm_options": {"analytics_label": "l"}, "live_activity_token": "token"});
    for builder in options() {
        assert_eq!(wire(builder.apns(apart.clone()))["apns"], expected);
    }
}

#[test]
fn trial_v01_what_says_something_of_ios_wakes_the_app_where_it_shows_nothing() {
    let waking = [
        Message::builder().content_available(true),
        Message::builder().mutable_content(true),
        Message::builder().apns(Apns::new().custom("k", 1)),
        Message::builder().apns(Apns::new().header("apns-topic", "org.example.app")),
        Message::builder().apns(Apns::new().header("apns-push-type", "background")),
    ];
    for builder in waking {
        for option in [
            |message: MessageBuilder| message.priority(Priority::High),
            |message: MessageBuilder| message.time_to_live(Duration::from_secs(60)),
            |message: MessageBuilder| message.collapse_key("ck"),
            |message: MessageBuilder| message.data("k", "v"),
        ] {
            let apns = wire(option(builder.clone()))["apns"].clone();
            assert_eq!(apns["payload"]["aps"]["content-available"], 1, "{apns}");
            assert_eq!(apns["headers"]["apns-priority"], "5", "{apns}");
            assert_eq!(apns["headers"]["apns-push-type"], "background", "{apns}");
        }
    }
    let expiring = Message::builder()
        .content_available(true)
        .time_to_live(Duration::from_secs(60));
    assert_eq!(wire(expiring)["apns"]["headers"]["apns-expiration"], "…");
    // A kind of push that has no use for it, and an `aps` of the caller's own.
    for apns in [
        Apns::new().header("apns-push-type", "location"),
        Apns::new().live_activity_token("token").header("apns-priority", "5"),
        Apns::new().aps(Aps::new().custom("content-changed", true)),
    ] {
        let aps = wire(Message::builder().priority(Priority::High).apns(apns))["apns"]["payload"]["aps"].clone();
        assert!(aps.is_object() && aps.get("content-available").is_none(), "{aps}");
    }
}

/// Whatever a message says: where there are headers for APNs or a payload, there is an `aps`.
#[test]
fn trial_v02_a_payload_has_an_aps() {
    let custom = || Apns::new().custom("match", 4711);
    let shown = Message::builder().notification(Notification::new().title("t"));
    let expected = json!({"payload": {"aps": {}, "match": 4711}});
    assert_eq!(wire(shown.clone().apns(custom()))["apns"], expected);
    let mut seen = 0;
    let parts = [
        Apns::new(),
        custom(),
        custom().header("apns-priority", "10"),
        Apns::new().header("apns-expiration", "0"),
        Apns::new().aps(Aps::new().category("c")),
        Apns::new().image("https://example.org/i.png"),
        Apns::new().live_activity_token("token").header("apns-topic", "t"),
        custom().live_activity_token("token"),
    ];
    let notifications = [
        None,
        Some(Notification::new()),
        Some(Notification::new().title("t")),
        Some(Notification::new().icon("i")),
        Some(Notification::new().click_action("GO")),
        Some(Notification::new().body_loc_key("k")),
    ];
    for (builder, part) in options()
        .into_iter()
        .flat_map(|option| parts.clone().map(|part| (option.clone(), part)))
    {
        for notification in &notifications {
            let mut builder = builder.clone().apns(part.clone());
            if let Some(notification) = notification {
                builder = builder.notification(notification.clone());
            }
            let wire = wire(builder);
            let Some(apns) = wire.get("apns") else { continue };
            assert_ne!(*apns, json!({}));
            if apns.get("headers").is_some() || apns.get("payload").is_some() {
                assert!(apns["payload"]["aps"].is_object(), "{wire}");
                seen += 1;
            }
        }
    }
    assert!(seen > 100, "{seen}");
    let stored: Message =
        serde_json::from_str(r#"{"apns": {"payload": {}, "headers": {}}, "priority": "high"}"#).unwrap();
    assert_eq!(
        EncodedBody::new(stored.fields()).head,
        br#","android":{"priority":"HIGH"},"webpush":{"headers":{"Urgency":"high"}}}}"#
    );
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
        let wire = wire(Message::builder().collapse_key(key).content_available(true));
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
        assert!(EncodedBody::new(message.fields()).expiring.is_none());
    }
}

#[test]
fn a_body_that_ends_like_a_splice_is_not_taken_for_one() {
    let apns = Apns::new().header("apns-expiration", "0").header("z", "");
    let message = Message::builder().time_to_live(Duration::from_secs(60)).apns(apns);
    let body = EncodedBody::new(message.build().unwrap().fields());
    assert!(body.expiring.is_none());
    assert!(body.head.ends_with(br#""z":""}}}}"#));
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
