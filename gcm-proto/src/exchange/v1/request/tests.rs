//! The request around the body: where it goes, its headers, the target and the date that are spliced in.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use super::*;
use crate::legacy::{self, json, plaintext};
use crate::limits::Limits;
use crate::message::{Android, AndroidV2, Apns, Aps, Notification, Priority, Webpush};
use crate::names::{Condition, Fid, GroupKey, Token, Topic};
use proptest::prelude::*;
use serde_json::{Value, json};

fn route() -> Route {
    Route::new("test-project".parse().unwrap())
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn token() -> Token {
    Token::try_from("T").unwrap()
}

fn data() -> Message {
    Message::builder().data("k", "v").build().unwrap()
}

fn lasting(time: Duration) -> Encoded {
    let shown = Message::builder().notification(Notification::new().title("t"));
    let message = shown.time_to_live(time).build().unwrap();
    Encoded::new(&route(), &message).unwrap()
}

fn body(single: &Single) -> Value {
    serde_json::from_slice(single.request().body()).unwrap()
}

fn date(single: &Single) -> String {
    let body = body(single);
    let date = body.pointer("/message/apns/headers/apns-expiration").unwrap();
    date.as_str().unwrap().to_owned()
}

#[test]
fn a_request_has_the_headers_of_the_wire() {
    let single = Single::new(&route(), &data(), token(), at(0)).unwrap();
    let request = single.request();
    assert_eq!(request.method(), Method::POST);
    assert_eq!(
        request.uri(),
        "https://fcm.googleapis.com/v1/projects/test-project/messages:send"
    );
    let length = request.body().len().to_string();
    let expected = [
        ("accept-encoding", "identity"),
        ("content-length", &length),
        ("content-type", "application/json"),
        ("x-goog-api-format-version", "2"),
    ];
    let mut found: Vec<_> = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect();
    found.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn an_access_token_is_a_sensitive_header() {
    let access = AccessToken::try_from("ya29.secret").unwrap();
    let single = Single::new(&route(), &data(), token(), at(0)).unwrap();
    let single = single.with_token(&access);
    let request = single.request();
    let value = &request.headers()["authorization"];
    assert_eq!(value, "Bearer ya29.secret");
    assert!(value.is_sensitive());
    assert_eq!(request.headers().len(), 5);
    for shown in [format!("{single:?}"), format!("{request:?}"), format!("{single:#?}")] {
        assert!(!shown.contains("ya29"), "{shown}");
    }
}

#[test]
fn a_base_url_is_followed_by_the_call() {
    let url = |base: &str| {
        let route = route().with_endpoint(&base.parse().unwrap());
        route.endpoint().uri().to_string()
    };
    let call = "/v1/projects/test-project/messages:send";
    for (base, expected) in [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("https://push.example.org/fcm//", "https://push.example.org/fcm"),
        ("http://[::1]:1/a%20b", "http://[::1]:1/a%20b"),
    ] {
        assert_eq!(url(base), format!("{expected}{call}"));
    }
    assert_eq!(
        url("https://push.example.org/?quotaUser=a"),
        format!("https://push.example.org{call}?quotaUser=a")
    );
    let long = format!("https://push.example.org/{}", "x".repeat(65_500));
    assert_eq!(url(&long), long);
    let numbered = Route::new("example.com:my-project".parse().unwrap());
    assert_eq!(
        numbered.endpoint().uri().path(),
        "/v1/projects/example.com:my-project/messages:send"
    );
}

#[test]
fn a_query_of_the_base_url_is_not_shown() {
    let base = "https://push.example.org/?key=hidden".parse().unwrap();
    let route = route().with_endpoint(&base);
    assert!(!format!("{route:?}").contains("hidden"));
    let encoded = Encoded::new(&route, &data()).unwrap();
    assert!(!format!("{encoded:?}").contains("hidden"));
}

#[test]
fn each_kind_of_target_has_its_field() {
    let condition = "'a' in topics || 'b' in topics";
    let targets: [(Target, Value); 5] = [
        (token().into(), json!({"token": "T"})),
        (Fid::try_from("F").unwrap().into(), json!({"fid": "F"})),
        (Topic::try_from("/topics/n").unwrap().into(), json!({"topic": "n"})),
        (
            condition.parse::<Condition>().unwrap().into(),
            json!({"condition": condition}),
        ),
        (GroupKey::try_from("G").unwrap().into(), json!({"token": "G"})),
    ];
    let message = Message::default();
    for (target, expected) in targets {
        let single = Single::new(&route(), &message, target.clone(), at(0)).unwrap();
        assert_eq!(body(&single), json!({"message": expected}));
        assert_eq!(single.target(), &target);
    }
}

#[test]
fn two_requests_an_hour_apart_expire_an_hour_apart() {
    let encoded = lasting(Duration::from_secs(60));
    let now = encoded.single(token(), at(1_700_000_000), None).unwrap();
    let later = encoded.single(token(), at(1_700_003_600), None).unwrap();
    assert_eq!(date(&now), "1700000060");
    assert_eq!(date(&later), "1700003660");
    // The request is made anew, and says the same.
    assert_eq!(now.request().body(), now.request().body());
    let length = |single: &Single| single.request().headers()["content-length"].clone();
    assert_eq!(length(&now), now.request().body().len().to_string());
}

#[test]
fn the_date_has_its_limits() {
    const SECOND: Duration = Duration::from_secs(1);
    let minute = SECOND * 60;
    for (time, wall, until, expected) in [
        (Duration::ZERO, at(1_700_000_000), None, "0"),
        (Duration::ZERO, at(1_700_000_000), Some(at(1_800_000_000)), "0"),
        (minute, at(1_700_000_000), Some(at(1_700_000_030)), "1700000030"),
        (minute, at(1_700_000_000), Some(at(1_700_000_060)), "1700000060"),
        (minute, at(1_700_000_000), Some(at(1_800_000_000)), "1700000060"),
        // Rounded down once, from the sum.
        (
            Duration::from_millis(500),
            at(1_700_000_000) + Duration::from_millis(500),
            None,
            "1700000001",
        ),
        (Duration::from_millis(500), at(1_700_000_000), None, "1700000000"),
        (Message::MAX_TIME_TO_LIVE, at(1_700_000_000), None, "1702419200"),
        // A clock that is wrong makes no other message of it: 0 is now or never.
        (minute, at(0), None, "60"),
        (minute, UNIX_EPOCH - minute, None, "60"),
        (minute, at(0), Some(at(0)), "1"),
    ] {
        let single = lasting(time).single(token(), wall, until).unwrap();
        assert_eq!(date(&single), expected, "{time:?} {wall:?} {until:?}");
    }
}

#[test]
fn numbers_are_written_as_they_are_elsewhere() {
    for number in [0, 9, 10, 243, 1_700_000_000, u64::MAX - 1, u64::MAX] {
        assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
    }
}

#[test]
fn without_a_time_to_live_nothing_expires() {
    let message = Message::builder()
        .notification(Notification::new().title("t"))
        .priority(Priority::High)
        .build()
        .unwrap();
    let encoded = Encoded::new(&route(), &message).unwrap();
    let single = encoded.single(token(), at(1), Some(at(2))).unwrap();
    assert_eq!(
        body(&single)["message"]["apns"]["headers"],
        json!({"apns-priority": "10"})
    );
}

#[test]
fn a_dry_run_is_said_beside_the_message() {
    let dry = |builder: crate::MessageBuilder| {
        let message = builder.dry_run(true).build().unwrap();
        body(&Single::new(&route(), &message, token(), at(0)).unwrap())
    };
    let expected = json!({"message": {"token": "T"}, "validate_only": true});
    assert_eq!(dry(Message::builder()), expected);
    let shown = Message::builder().notification(Notification::new().title("t"));
    let expiring = dry(shown.time_to_live(Duration::ZERO));
    assert_eq!(expiring["validate_only"], true);
    assert_eq!(
        expiring["message"]["apns"],
        json!({"payload": {"aps": {}}, "headers": {"apns-expiration": "0"}})
    );
}

#[test]
fn what_the_wire_cannot_carry_is_refused_by_name() {
    let message = Message::builder().raw_data("AAEC").build().unwrap();
    let error = Encoded::new(&route(), &message).unwrap_err();
    assert_eq!(error.to_string(), "the FCM HTTP v1 wire cannot carry raw_data");
}

#[test]
fn a_legacy_wire_refuses_the_parts_by_name() {
    let builder = Message::builder;
    let legacy_route = legacy::Route::new("https://push.example.org/send".parse().unwrap(), "key".parse().unwrap());
    for (builder, field) in [
        (builder().android(Android::new()), "android"),
        (builder().android_v2(AndroidV2::new()), "android_v2"),
        (builder().apns(Apns::new()), "apns"),
        (builder().webpush(Webpush::new()), "webpush"),
    ] {
        let message = builder.build().unwrap();
        let refused = |wire| Undeliverable::Field { field, wire };
        let json = json::Encoded::new(&legacy_route, &message).unwrap_err();
        assert_eq!(json, refused(Wire::Json));
        let form = plaintext::Encoded::new(&legacy_route, &message).unwrap_err();
        assert_eq!(form, refused(Wire::Plaintext));
        assert!(Encoded::new(&route(), &message).is_ok());
    }
}

#[test]
fn the_limits_of_the_route_hold() {
    let large = |length| Message::builder().data("k", "v".repeat(length)).build().unwrap();
    let single = |message: &Message, target: Target| Single::new(&route(), message, target, at(0));
    let targets = || {
        let topic = Topic::try_from("n").unwrap();
        [Target::from(token()), Target::from(topic)]
    };
    // How the service counts a payload is not published: the limit is advice.
    for target in targets() {
        assert!(single(&large(4096), target).is_ok());
    }
    let over = large(4096)
        .payload_room(route().limits().payload_to_tokens)
        .unwrap_err();
    assert_eq!((over.length, over.limit), (4097, 4096));

    let six = (0..6)
        .map(|n| format!("'{n}' in topics"))
        .collect::<Vec<_>>()
        .join(" || ");
    let six = Condition::with_topic_limit(&six, 6).unwrap();
    let refused = single(&data(), six.clone().into()).unwrap_err();
    assert_eq!(refused, Undeliverable::TooManyTopics { given: 6, limit: 5 });
    let mut limits = Limits::V1;
    limits.topics_per_condition = 6;
    limits.ttl_needs_collapse_key = true;
    let wider = route().with_limits(limits);
    assert!(Single::new(&wider, &data(), six, at(0)).is_ok());
    let message = Message::builder().time_to_live(Duration::ZERO).build().unwrap();
    assert_eq!(
        Encoded::new(&wider, &message).unwrap_err(),
        Undeliverable::CollapseKeyMissing
    );
}

/// FCM v1 reference, `ApnsConfig.live_activity_token`: beside the token or the installation id of the message.
#[test]
fn a_live_activity_is_one_of_a_device() {
    let message = Message::builder()
        .apns(Apns::new().live_activity_token("activity"))
        .build()
        .unwrap();
    let encoded = Encoded::new(&route(), &message).unwrap();
    for target in [Target::from(token()), Fid::try_from("fid").unwrap().into()] {
        assert!(encoded.single(target, at(0), None).is_ok());
    }
    for (target, kind) in [
        (Target::from(Topic::try_from("n").unwrap()), "topic"),
        ("'n' in topics".parse::<Condition>().unwrap().into(), "condition"),
        (GroupKey::try_from("key").unwrap().into(), "group"),
    ] {
        let error = encoded.single(target, at(0), None).unwrap_err();
        assert_eq!(error, Undeliverable::LiveActivity { target: kind });
    }
}

/// The request that asks the service about a token alone, whatever the message was.
#[test]
fn a_check_of_a_token_has_nothing_but_the_token() {
    let message = Message::builder()
        .notification(Notification::new().title("t"))
        .time_to_live(Duration::from_secs(60))
        .apns(Apns::new().live_activity_token("activity"))
        .build()
        .unwrap();
    let encoded = Encoded::new(&route(), &message).unwrap();
    let own = encoded.single(token(), at(0), None).unwrap().request();
    let check = encoded.check_of(token().into()).request();
    let expected = format!(
        r#"{{"message":{{"token":"{}"}},"validate_only":true}}"#,
        token().as_str()
    );
    assert_eq!(std::str::from_utf8(check.body()).unwrap(), expected);
    assert_eq!((check.method(), check.uri()), (own.method(), own.uri()));
    let mut headers = own.headers().clone();
    headers.insert(CONTENT_LENGTH, expected.len().into());
    assert_eq!(check.headers(), &headers);
}

#[test]
fn the_token_of_a_live_activity_is_not_shown() {
    let secret = "live-activity-token-of-a-device";
    let message = Message::builder()
        .apns(Apns::new().live_activity_token(secret))
        .build()
        .unwrap();
    let single = Single::new(&route(), &message, token(), at(0)).unwrap();
    let bytes = format!("{:?}", secret.as_bytes());
    for shown in [format!("{message:?}"), format!("{single:?}")] {
        assert!(
            !shown.contains(secret) && !shown.contains(bytes.trim_matches(['[', ']'])),
            "{shown}"
        );
    }
    assert_eq!(body(&single)["message"]["apns"]["live_activity_token"], secret);
}

proptest! {
    #[test]
    fn any_target_and_any_message_are_the_json_that_serde_writes(
        name in "[!#-&(-_a-~é☃]{10,40}|[\\\\a-h]{1,3}",
        key in "\\PC{0,8}",
        value in any::<String>(),
        header in any::<String>(),
        time in proptest::option::of(0_u64..=2_419_200),
        wall in 1_000_000_000_u64..4_000_000_000,
        dry_run: bool,
    ) {
        let apns = Apns::new().header("z", header.clone()).aps(Aps::new().content_available(false));
        let mut builder = Message::builder()
            .allow_reserved_keys()
            .data(key.clone(), value.clone())
            .apns(apns)
            .dry_run(dry_run);
        let mut expected = json!({"data": {key: value}, "apns": {"headers": {"z": header}, "payload": {"aps": {"content-available": 0}}}});
        if let Some(time) = time {
            builder = builder.time_to_live(Duration::from_secs(time));
            let expiration = if time == 0 { 0 } else { wall + time };
            expected["android"] = json!({"ttl": format!("{time}s")});
            expected["webpush"] = json!({"headers": {"TTL": time.to_string()}});
            expected["apns"]["headers"]["apns-expiration"] = expiration.to_string().into();
        }
        let encoded = Encoded::new(&route(), &builder.build().unwrap()).unwrap();
        let targets: [(&str, Target); 3] = [
            ("token", Token::try_from(&*name).unwrap().into()),
            ("fid", Fid::try_from(&*name).unwrap().into()),
            ("token", GroupKey::try_from(&*name).unwrap().into()),
        ];
        for (field, target) in targets {
            let mut expected = expected.clone();
            expected[field] = name.clone().into();
            let mut whole = json!({"message": expected});
            if dry_run {
                whole["validate_only"] = true.into();
            }
            let single = encoded.single(target, at(wall), None).unwrap();
            prop_assert_eq!(body(&single), whole);
            // The target itself is written as serde writes it, byte for byte.
            let opening = format!("{{\"message\":{{\"{field}\":{},", serde_json::to_string(&name).unwrap());
            prop_assert!(single.request().body().starts_with(opening.as_bytes()));
        }
    }
}
