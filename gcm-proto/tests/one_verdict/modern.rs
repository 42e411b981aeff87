//! Random messages of FCM HTTP v1: as our own form has them, and as another program may send them.

use crate::random::Random;
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{AccessToken, Exchange, Message, Target, v1};
use http::Request;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

/// A message without its target, the kind of target and its text.
pub(crate) struct Case {
    pub(crate) message: Value,
    pub(crate) kind: &'static str,
    pub(crate) target: String,
}

impl Case {
    pub(crate) fn new(random: &mut Random) -> Self {
        let (kind, target) = target(random);
        let mut message = random.object(
            2,
            &[
                ("data", data),
                ("notification", notification),
                ("android", android),
                ("apns", apns),
                ("webpush", webpush),
                ("fcm_options", label),
            ],
        );
        if random.one_in(12) {
            message["android_v2"] = android_v2(random);
            if !random.one_in(20) {
                message.as_object_mut().unwrap().remove("android");
            }
        }
        if random.one_in(6) {
            in_camel_case(&mut message);
        }
        Self { message, kind, target }
    }

    /// The body that another program sends.
    pub(crate) fn body(&self) -> Value {
        let mut message = self.message.clone();
        message[self.kind] = self.target.clone().into();
        json!({"message": message})
    }

    /// The same with options that our own form has for all platforms.
    pub(crate) fn with_options(&self, random: &mut Random) -> Value {
        let mut message = self.message.clone();
        let options = random.object(
            3,
            &[
                ("collapse_key", |random| random.filled()),
                ("priority", |random| {
                    random.value(&json!(["normal", "high"]), &json!(["HIGH"]))
                }),
                ("time_to_live", |random| {
                    random.value(&json!([0, 60, 2_419_200, "1.5s"]), &json!([2_419_201]))
                }),
                ("restricted_package_name", |random| random.filled()),
                ("content_available", Random::switch),
                ("mutable_content", Random::switch),
                ("direct_boot_ok", Random::switch),
                ("dry_run", Random::switch),
            ],
        );
        let shown = random.object(
            4,
            &[
                ("subtitle", Random::text),
                ("icon", Random::text),
                ("sound", Random::text),
                ("tag", Random::text),
                ("android_channel_id", Random::text),
                ("badge", |random| random.value(&json!([0, 7]), &json!([-1]))),
                ("color", Random::color),
                ("click_action", |random| {
                    random.value(&json!(["GO", "https://example.org", "HTTPS://a"]), &json!([1]))
                }),
                ("title_loc_key", |random| random.filled()),
                ("title_loc_args", Random::texts),
            ],
        );
        let fields = message.as_object_mut().unwrap();
        fields.extend(options.as_object().unwrap().clone());
        if let (Some(Value::Object(own)), Value::Object(shown)) = (fields.get_mut("notification"), shown) {
            own.extend(shown);
        }
        message
    }
}

/// The names of a message and of its parts as generated clients spell them; what is free within stays.
fn in_camel_case(message: &mut Value) {
    let spell = |object: &mut Value| {
        for (name, value) in std::mem::take(object.as_object_mut().unwrap()) {
            let mut words = name.split('_').map(str::to_owned);
            let first = words.next().unwrap();
            let rest = words.map(|word| word[..1].to_uppercase() + &word[1..]);
            object[rest.fold(first, |name, word| name + &word)] = value;
        }
    };
    for part in ["android", "android_v2", "apns", "webpush", "fcm_options"] {
        if message[part].is_object() {
            spell(&mut message[part]);
        }
        for inner in [format!("/{part}/fcmOptions"), format!("/{part}/notification")] {
            let is_free = part == "webpush" && inner.ends_with("notification");
            if let Some(object) = message
                .pointer_mut(&inner)
                .filter(|object| object.is_object() && !is_free)
            {
                spell(object);
            }
        }
    }
    spell(message);
}

fn target(random: &mut Random) -> (&'static str, String) {
    let kind = random.pick(&["token", "token", "token", "fid", "topic", "condition"]);
    let (right, wrong): (&[&str], &[&str]) = match kind {
        "topic" => (
            &["news", "aZ09-_.~%"],
            &["", "a b", "é", "/topics/a", "private/a", "a*b"],
        ),
        "condition" => (
            &[
                "'a' in topics",
                "'a' in topics && ('b' in topics || !('c' in topics))",
                "'a' IN topics",
                "\"a\" in topics",
                "'a'\nin topics",
            ],
            &[
                "",
                "a in topics",
                "'a' in topics &&",
                "!!'a' in topics",
                "'a' intopics",
                "'private/a' in topics",
                "('a' in topics",
                "'a' in topics || 'a' in topics || 'a' in topics || 'a' in topics || 'a' in topics || 'a' in topics",
            ],
        ),
        _ => (
            &[
                "4",
                "APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx:x_y",
                "é☃",
                "back\\slash",
                "a/b",
                "annul",
                "5",
                "6",
                "7",
                "8",
            ],
            &[
                "",
                " ",
                " 4",
                "4 ",
                "4 8",
                "\"4\"",
                "'4'",
                "\u{feff}4",
                "null",
                "NULL",
                "undefined",
                "4\n",
                "4\u{0}8",
                "4\u{a0}",
                "\u{201c}4\u{201d}",
                "4\u{200b}",
                "`4`",
                "None",
                "nil",
                "(null)",
            ],
        ),
    };
    let list = if random.one_in(12) { wrong } else { right };
    (kind, random.pick(list).to_owned())
}

fn data(random: &mut Random) -> Value {
    random.data(&[
        "from",
        "message_type",
        "gcm",
        "google.x",
        "gcm.notification.title",
        "googleId",
        "gcm_x",
        "gcm.y",
    ])
}

fn label(random: &mut Random) -> Value {
    random.object(2, &[("analytics_label", Random::label)])
}

fn notification(random: &mut Random) -> Value {
    let mut shown = random.object(
        2,
        &[
            ("title", Random::text),
            ("body", Random::text),
            ("image", Random::picture),
        ],
    );
    if random.one_in(60) {
        shown["titel"] = "no such field".into();
    }
    shown
}

fn ttl(random: &mut Random) -> Value {
    random.value(
        &json!(["0s", "60s", "3.5s", "2419200s", "2419200.9s", "0.000000001s"]),
        &json!([
            "-1s",
            "-0s",
            "2419201s",
            "60",
            "s",
            "1.s",
            "1.0000000001s",
            "+1s",
            60,
            "99999999999999999999s"
        ]),
    )
}

fn android_options(random: &mut Random) -> Value {
    random.object(
        4,
        &[
            ("collapse_key", Random::filled),
            ("restricted_package_name", Random::filled),
            ("ttl", ttl),
            ("data", data),
            ("direct_boot_ok", Random::switch),
            ("bandwidth_constrained_ok", Random::switch),
            ("restricted_satellite_ok", Random::switch),
            ("fcm_options", label),
        ],
    )
}

fn android(random: &mut Random) -> Value {
    let mut part = android_options(random);
    if random.one_in(3) {
        part["priority"] = random.value(&json!(["NORMAL", "HIGH", "high"]), &json!(["urgent", 5, ""]));
    }
    if random.one_in(2) {
        part["notification"] = android_notification(random);
        if random.one_in(8) {
            let more = random.object(
                2,
                &[
                    ("proxy", |random| {
                        random.value(&json!(["ALLOW", "IF_PRIORITY_LOWERED", "deny"]), &json!(["no"]))
                    }),
                    ("bypass_proxy_notification", Random::switch),
                ],
            );
            part["notification"]
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
        }
    }
    part
}

fn android_v2(random: &mut Random) -> Value {
    let mut part = android_options(random);
    if random.one_in(2) {
        part["remote_notification"] = random.object(
            2,
            &[
                ("notification", android_notification),
                ("mutable_content", Random::switch),
                ("use_as_v1_data_message", Random::switch),
            ],
        );
    }
    if random.one_in(5) {
        part["background_sync"] = json!({});
    }
    part
}

fn android_notification(random: &mut Random) -> Value {
    random.object(
        8,
        &[
            ("title", Random::text),
            ("body", Random::text),
            ("icon", Random::text),
            ("color", Random::color),
            ("sound", Random::text),
            ("tag", Random::text),
            ("click_action", Random::text),
            ("body_loc_key", Random::text),
            ("body_loc_args", Random::texts),
            ("title_loc_key", Random::text),
            ("title_loc_args", Random::texts),
            ("channel_id", Random::text),
            ("ticker", Random::text),
            ("image", Random::picture),
            ("sticky", Random::switch),
            ("local_only", Random::switch),
            ("default_sound", Random::switch),
            ("notification_priority", |random| {
                random.value(
                    &json!(["PRIORITY_MAX", "PRIORITY_UNSPECIFIED", "priority_low"]),
                    &json!(["TOP", 1]),
                )
            }),
            ("visibility", |random| {
                random.value(&json!(["PRIVATE", "public"]), &json!(["HIDDEN", true]))
            }),
            ("notification_count", |random| {
                random.value(&json!([0, 3, 2_147_483_647]), &json!([-1, 1.5, 2_147_483_648_u64, "3"]))
            }),
            ("event_time", |random| {
                random.value(
                    &json!([
                        "2026-01-01T00:00:00Z",
                        "2024-02-29T23:59:59.123456789+05:30",
                        "0001-01-01T01:00:00+01:00"
                    ]),
                    &json!([
                        "2026-01-01",
                        "2026-02-29T00:00:00Z",
                        "2026-01-01t00:00:00z",
                        "0001-01-01T00:00:00+01:00",
                        1,
                        "",
                        "2026-01-01T24:00:00Z",
                        "2026-01-01T00:00:60Z",
                        "9999-12-31T23:59:59-00:01"
                    ]),
                )
            }),
            ("vibrate_timings", |random| {
                random.value(
                    &json!([[], ["0s", "3.5s"], ["315576000000s"]]),
                    &json!([["-1s"], [1], "1s", ["1"], ["315576000001s"]]),
                )
            }),
            ("light_settings", light),
        ],
    )
}

fn light(random: &mut Random) -> Value {
    let part = |random: &mut Random| random.value(&json!([0, 1, 0.5, 1e-3]), &json!([1.5, -0.1, "1", 1e99]));
    let color = random.object(2, &[("red", part), ("green", part), ("blue", part), ("alpha", part)]);
    let mut light = json!({"color": color, "light_on_duration": ttl(random), "light_off_duration": "1s"});
    if random.one_in(15) {
        let name = random.pick(&["color", "light_on_duration", "light_off_duration"]);
        light.as_object_mut().unwrap().remove(name);
    }
    light
}

fn apns(random: &mut Random) -> Value {
    let mut part = random.object(
        2,
        &[
            ("headers", |random| {
                random.object(
                    4,
                    &[
                        ("apns-priority", |random| {
                            random.value(&json!(["5", "10", "1"]), &json!(["ten", "", "11", 5]))
                        }),
                        ("APNS-Expiration", |random| {
                            random.value(
                                &json!(["0", "1700000000"]),
                                &json!(["tomorrow", "-1", "", "99999999999999999999"]),
                            )
                        }),
                        ("apns-collapse-id", |random| {
                            random.value(&json!(["a", "a b", "x".repeat(64)]), &json!(["x".repeat(65), "é"]))
                        }),
                        ("apns-push-type", |random| {
                            random.value(&json!(["alert", "background", "location"]), &json!([1]))
                        }),
                        ("h1", Random::text),
                    ],
                )
            }),
            ("payload", |random| {
                let mut payload =
                    random.object(6, &[("k1", Random::text), ("k2", |_| json!({"a": [1, null, -2.5e3]}))]);
                if !random.one_in(20) {
                    payload["aps"] = aps(random);
                }
                payload
            }),
            ("fcm_options", |random| {
                random.object(3, &[("analytics_label", Random::label), ("image", Random::picture)])
            }),
        ],
    );
    if random.one_in(6) {
        part["live_activity_token"] = random.value(&json!(["activity"]), &json!(["", "a b", "null", 1, "\"a\""]));
    }
    part
}

fn aps(random: &mut Random) -> Value {
    random.object(
        5,
        &[
            ("alert", |random| {
                if random.one_in(2) {
                    return random.value(&json!(["a", ""]), &json!([1, [], true]));
                }
                random.object(
                    5,
                    &[
                        ("title", Random::text),
                        ("subtitle", Random::text),
                        ("body", Random::text),
                        ("title-loc-key", Random::text),
                        ("title-loc-args", Random::texts),
                        ("subtitle-loc-key", Random::text),
                        ("subtitle-loc-args", Random::texts),
                        ("loc-key", Random::text),
                        ("loc-args", Random::texts),
                        ("launch-image", Random::text),
                        ("own", |_| json!([null])),
                    ],
                )
            }),
            ("badge", |random| random.value(&json!([0, 42, 5_000_000_000_u64]), &json!([-1, 1.5, "1", true]))),
            ("sound", |random| {
                if random.one_in(2) {
                    return random.value(&json!(["default", ""]), &json!([1, []]));
                }
                random.value(
                    &json!([{"critical": 1, "name": "n", "volume": 0.7}, {"name": "n"}, {"critical": true, "name": "n", "volume": 1}]),
                    &json!([{"critical": 1}, {"name": ""}, {"name": "n", "volume": 1.1}, {"name": "n", "critical": 2}, {"name": "n", "x": 1}]),
                )
            }),
            ("content-available", |random| random.value(&json!([0, 1, true]), &json!([2, "1"]))),
            ("mutable-content", |random| random.value(&json!([0, 1, false]), &json!(["yes", -1]))),
            ("category", Random::text),
            ("thread-id", Random::text),
            ("interruption-level", Random::text),
        ],
    )
}

fn webpush(random: &mut Random) -> Value {
    random.object(
        3,
        &[
            ("headers", |random| {
                random.object(
                    3,
                    &[
                        ("TTL", |random| {
                            random.value(&json!(["0", "60", "2419200"]), &json!(["", "-1", "2419201", "1.5", 60]))
                        }),
                        ("urgency", |random| {
                            random.value(&json!(["very-low", "high"]), &json!(["urgent", "High", ""]))
                        }),
                        ("Topic", |random| {
                            random.value(&json!(["a", "x".repeat(32)]), &json!(["", "a b", "x".repeat(33)]))
                        }),
                        ("other", Random::text),
                    ],
                )
            }),
            ("data", data),
            ("notification", |random| {
                random.object(
                    6,
                    &[
                        ("title", Random::text),
                        ("body", Random::text),
                        ("icon", Random::text),
                        ("badge", Random::text),
                        ("image", Random::text),
                        ("lang", Random::text),
                        ("tag", Random::text),
                        ("renotify", Random::switch),
                        ("requireInteraction", Random::switch),
                        ("silent", Random::switch),
                        ("dir", |random| {
                            random.value(&json!(["auto", "ltr", "rtl"]), &json!(["up", 1, "AUTO"]))
                        }),
                        ("data", |_| json!({"a": [1, true, null, "x"]})),
                        ("timestamp", |random| {
                            random.value(&json!([0, -1, 1_700_000_000_000_u64]), &json!([1.5, "now"]))
                        }),
                        ("vibrate", |random| {
                            random.value(&json!([[], [100, 5], 100]), &json!([[-1], ["1"], -1, 1.5]))
                        }),
                        ("actions", |random| {
                            random.value(
                                &json!([[], [{"action": "a", "title": "t", "own": 1}]]),
                                &json!([[1], {}, [{"action": 1}]]),
                            )
                        }),
                        ("own", Random::text),
                    ],
                )
            }),
            ("fcm_options", |random| {
                random.object(
                    2,
                    &[
                        ("analytics_label", Random::label),
                        ("link", |random| {
                            random.value(
                                &json!(["https://example.org/a", "https://h?x"]),
                                &json!([
                                    "HTTPS://example.org",
                                    "http://example.org",
                                    "link",
                                    "https://",
                                    "https:///a",
                                    "https://a b",
                                    ""
                                ]),
                            )
                        }),
                    ],
                )
            }),
        ],
    )
}

/// Our own verdict: the request and the bytes that count.
pub(crate) fn ours(message: &Value, kind: &str, target: &str) -> Result<(Request<Vec<u8>>, usize), String> {
    let said = |error: &dyn std::error::Error| error.to_string();
    let message: Message = serde_json::from_value(message.clone()).map_err(|error| said(&error))?;
    let target: Target = serde_json::from_value(json!({kind: target})).map_err(|error| said(&error))?;
    let route = v1::Route::new("P".parse().unwrap());
    let wall = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let single = v1::Single::new(&route, &message, target, wall).map_err(|error| said(&error))?;
    let access = AccessToken::try_from("ya29.any").unwrap();
    Ok((single.with_token(&access).request(), message.payload_len()))
}

/// The emulator's verdict on a request, where so many bytes are taken.
pub(crate) fn theirs(request: &Request<Vec<u8>>, most: usize) -> Result<(), String> {
    let mut emulator = Emulator::new(Script::new().max_payload(most));
    let reply = emulator.handle(request);
    if reply.status() == 200 {
        return Ok(());
    }
    Err(String::from_utf8_lossy(reply.body()).into_owned())
}

/// A request that another program makes of a body.
pub(crate) fn raw(body: &Value) -> Request<Vec<u8>> {
    Request::post("/v1/projects/P/messages:send")
        .header("authorization", "Bearer ya29.any")
        .header("content-type", "application/json")
        .body(body.to_string().into_bytes())
        .unwrap()
}
