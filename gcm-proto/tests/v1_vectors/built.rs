//! The messages of the vectors, as a program builds them.

use gcm_proto::{
    Android, AndroidNotification, Apns, Aps, ApsAlert, CriticalSound, LightSettings, Message, Notification,
    NotificationPriority, NotificationProxy, Priority, Visibility, WebAction, WebNotification, Webpush,
};
use serde_json::json;
use std::time::{Duration, SystemTime};

/// `case` tells several inputs of one row apart: for durations, it is the number of seconds.
#[allow(clippy::too_many_lines)] // a table
pub(crate) fn built(id: &str, case: &str) -> Message {
    let builder = Message::builder();
    let builder = match id {
        "v1_m01" | "v1_m02" | "v1_m03" | "v1_m04" | "v1_m28" => builder,
        "v1_m05" => builder.dry_run(true),
        "v1_m06" => builder.data("k1", "v1").data("k2", "v2").analytics_label("Analytics"),
        "v1_m07" => builder.notification(Notification::new().title("t").body("b").image("http://image.jpg")),
        "v1_m08" => builder.android(
            Android::new()
                .collapse_key("ck")
                .data("k1", "v1")
                .data("k2", "v2")
                .priority(Priority::Normal)
                .ttl(Duration::from_secs(10))
                .direct_boot_ok(true)
                .bandwidth_constrained_ok(true)
                .restricted_satellite_ok(true),
        ),
        "v1_m09" | "v1_m10" => builder.android(Android::new().ttl(seconds(case))),
        "v1_m12" => shown(AndroidNotification::new().vibrate_timings([100, 50, 100].map(Duration::from_millis))),
        "v1_m13" => shown(AndroidNotification::new().light_settings(light("#33669966"))),
        "v1_m14" => shown(AndroidNotification::new().light_settings(light("#336699"))),
        // `date -u -d 2019-01-01T01:02:03Z +%s`, and the same of the other.
        "v1_m15" => shown(AndroidNotification::new().event_time(at(1_546_304_523, 123_000))),
        "v1_m16" => shown(AndroidNotification::new().event_time(at(1_571_602_343, 123))),
        "v1_m17" => shown(
            AndroidNotification::new()
                .notification_priority(NotificationPriority::Max)
                .visibility(Visibility::Private)
                .proxy(NotificationProxy::Deny),
        ),
        "v1_m18" => builder.android(
            Android::new()
                .priority(Priority::High)
                .collapse_key("test-key")
                .ttl(Duration::from_secs(123))
                .restricted_package_name("test-package")
                .notification(
                    AndroidNotification::new()
                        .click_action("test-action")
                        .title("test-title")
                        .body("test-body")
                        .icon("test-icon")
                        .color("#112233")
                        .tag("test-tag")
                        .sound("test-sound")
                        .title_loc_key("test-title-key")
                        .title_loc_args(["t-arg1", "t-arg2", "t-arg3"])
                        .body_loc_key("test-body-key")
                        .body_loc_args(["b-arg1", "b-arg2", "b-arg3"])
                        .channel_id("channel-id"),
                ),
        ),
        "v1_m19" => builder.apns(
            Apns::new()
                .header("h1", "v1")
                .header("h2", "v2")
                .aps(
                    Aps::new()
                        .alert("a")
                        .badge(42)
                        .category("c")
                        .sound("s")
                        .thread_id("t")
                        .content_available(true)
                        .mutable_content(true),
                )
                .custom("k1", "v1")
                .custom("k2", true)
                .analytics_label("Analytics")
                .image("http://image.jpg"),
        ),
        "v1_m20" => builder.apns(Apns::new().aps(Aps::new().sound(CriticalSound::new("n").volume(0.7)))),
        "v1_m22" => builder.apns(
            Apns::new().aps(
                Aps::new().alert(
                    ApsAlert::new()
                        .title("t")
                        .subtitle("st")
                        .body("b")
                        .title_loc_key("tlk")
                        .title_loc_args(["t1", "t2"])
                        .subtitle_loc_key("stlk")
                        .subtitle_loc_args(["t1", "t2"])
                        .loc_key("blk")
                        .loc_args(["b1", "b2"])
                        .action_loc_key("alk")
                        .launch_image("li"),
                ),
            ),
        ),
        "v1_m23" => builder.apns(Apns::new().live_activity_token("live-activity-token")),
        "v1_m24" => builder.webpush(
            Webpush::new()
                .header("h1", "v1")
                .header("h2", "v2")
                .data("k1", "v1")
                .data("k2", "v2")
                .notification(web_notification())
                .link("https://link.com"),
        ),
        "v1_m25" => builder.android(Android::new().ttl(Duration::from_secs(42)).data("is_test", "true")),
        "v1_m26" => builder
            .notification(
                Notification::new()
                    .title("Breaking News")
                    .body("New news story available."),
            )
            .data("story_id", "story_12345")
            .android(
                Android::new().notification(
                    AndroidNotification::new()
                        .click_action("TOP_STORY_ACTIVITY")
                        .body("Check out the Top Story"),
                ),
            )
            .apns(Apns::new().aps(Aps::new().category("NEW_MESSAGE_CATEGORY"))),
        "v1_m27" => builder
            .time_to_live(Duration::from_secs(60))
            .priority(Priority::High)
            .data_json("n", &1)
            .data_json("b", &true)
            .data_json("o", &json!({"x": 1})),
        other => panic!("no message is built for {other}"),
    };
    builder.build().unwrap()
}

fn web_notification() -> WebNotification {
    WebNotification::new()
        .title("title")
        .body("body")
        .icon("icon")
        .action(WebAction::new().action("a1").title("a1-title"))
        .action(WebAction::new().action("a2").title("a2-title").icon("a2-icon"))
        .badge("badge")
        .data("data")
        .image("image")
        .lang("lang")
        .renotify(true)
        .require_interaction(true)
        .silent(true)
        .tag("tag")
        .timestamp(SystemTime::UNIX_EPOCH + Duration::from_millis(12345))
        .vibrate([100, 200, 100])
        .custom("k1", "v1")
        .custom("k2", "v2")
}

fn shown(notification: AndroidNotification) -> gcm_proto::MessageBuilder {
    Message::builder().android(Android::new().notification(notification))
}

fn light(color: &str) -> LightSettings {
    let (on, off) = (Duration::from_millis(100), Duration::from_millis(50));
    LightSettings::new(color.parse().unwrap(), on, off)
}

fn at(seconds: u64, micros: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(micros)
}

fn seconds(case: &str) -> Duration {
    match case {
        "0" => Duration::ZERO,
        "0.1" => Duration::from_millis(100),
        "0.5" => Duration::from_millis(500),
        "1.5" => Duration::from_millis(1500),
        "3.000000001" => Duration::from_secs(3) + Duration::from_nanos(1),
        "3.5" => Duration::from_millis(3500),
        "10" => Duration::from_secs(10),
        "123" => Duration::from_secs(123),
        "123.45" => Duration::from_millis(123_450),
        "86500" => Duration::from_secs(86_500),
        other => panic!("no duration of {other} seconds"),
    }
}
