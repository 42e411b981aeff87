//! Random messages of the legacy wires: as our own form has them, and as another program may send them.

use crate::random::Random;
use gcm_proto::emulator::{Emulator, Script};
use gcm_proto::{Exchange, Limits, Message, Target, Token, legacy, legacy::json as wire, legacy::plaintext};
use http::Request;
use serde_json::{Value, json};

/// Keys of data that these wires keep for themselves.
const RESERVED: [&str; 6] = ["from", "message_type", "gcm", "google.x", "gcm_x", "googleId"];

/// The key of the one device group there is.
const GROUP: &str = "family";

pub(crate) enum To {
    Tokens(Vec<String>),
    One(&'static str, String),
}

/// A message without its target, as our own form has it.
pub(crate) struct Case {
    pub(crate) message: Value,
    pub(crate) to: To,
}

impl Case {
    pub(crate) fn json(random: &mut Random) -> Self {
        let mut message = options(random);
        let more = random.object(
            4,
            &[
                ("content_available", Random::switch),
                ("mutable_content", Random::switch),
                ("direct_boot_ok", Random::switch),
                ("fcm_options", |random| {
                    random.object(2, &[("analytics_label", Random::label)])
                }),
                ("raw_data", |random| {
                    random.value(&json!(["", "AAEC", "AA=="]), &json!(["A", "A===", "-_-_", 1]))
                }),
                ("notification", notification),
            ],
        );
        message
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        if random.one_in(60) {
            message["colapse_key"] = "no such field".into();
        }
        let to = if random.one_in(3) {
            let count = 1 + random.below(3);
            To::Tokens((0..count).map(|_| token(random)).collect())
        } else {
            one(random)
        };
        Self { message, to }
    }

    pub(crate) fn form(random: &mut Random) -> Self {
        Self {
            message: options(random),
            to: To::One("token", token(random)),
        }
    }

    /// The body that another program sends. The badge is a text on this wire.
    pub(crate) fn body(&self) -> Request<Vec<u8>> {
        let mut body = self.message.clone();
        if let Some(badge) = body
            .pointer_mut("/notification/badge")
            .filter(|badge| badge.is_number())
        {
            *badge = badge.to_string().into();
        }
        match &self.to {
            To::Tokens(tokens) => body["registration_ids"] = tokens.clone().into(),
            To::One("topic", name) => body["to"] = format!("/topics/{name}").into(),
            To::One("condition", condition) => body["condition"] = condition.clone().into(),
            To::One(_, to) => body["to"] = to.clone().into(),
        }
        post("application/json", body.to_string())
    }

    /// The form that another program sends; none of what has no form.
    pub(crate) fn pairs(&self) -> Option<Request<Vec<u8>>> {
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        if let To::One(_, token) = &self.to {
            pairs.append_pair("registration_id", token);
        }
        for (name, value) in self.message.as_object()? {
            // A form has texts only: what is another type in JSON is none there.
            match (name.as_str(), value) {
                ("data", Value::Object(data)) => {
                    for (key, value) in data {
                        pairs.append_pair(&format!("data.{key}"), value.as_str()?);
                    }
                }
                ("collapse_key" | "restricted_package_name" | "priority", Value::String(text)) => {
                    pairs.append_pair(name, text);
                }
                ("time_to_live", Value::Number(_)) | ("delay_while_idle" | "dry_run", Value::Bool(_)) => {
                    pairs.append_pair(name, &value.to_string());
                }
                _ => return None,
            }
        }
        Some(post("application/x-www-form-urlencoded;charset=UTF-8", pairs.finish()))
    }

    /// Our own verdict with these limits, and the bytes that count.
    pub(crate) fn ours(&self, limits: &Limits) -> Result<(Request<Vec<u8>>, usize), String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        let message: Message = serde_json::from_value(self.message.clone()).map_err(|error| said(&error))?;
        let encoded = wire::Encoded::new(&route(limits), &message).map_err(|error| said(&error))?;
        let request = match &self.to {
            To::Tokens(tokens) => {
                let tokens = tokens.iter().map(|token| Token::try_from(&**token));
                let tokens: Vec<Token> = tokens.collect::<Result<_, _>>().map_err(|error| said(&error))?;
                encoded.multicast(tokens).map_err(|error| said(&error))?.request()
            }
            To::One(kind, name) => {
                let target: Target = serde_json::from_value(json!({*kind: name})).map_err(|error| said(&error))?;
                encoded.single(target).map_err(|error| said(&error))?.request()
            }
        };
        Ok((request, encoded.payload_len()))
    }

    /// The same as a form.
    pub(crate) fn our_form(&self, limits: &Limits) -> Result<Request<Vec<u8>>, String> {
        let said = |error: &dyn std::error::Error| error.to_string();
        let message: Message = serde_json::from_value(self.message.clone()).map_err(|error| said(&error))?;
        let To::One(kind, name) = &self.to else {
            return Err("one token".to_owned());
        };
        let target: Target = serde_json::from_value(json!({*kind: name})).map_err(|error| said(&error))?;
        let single = plaintext::Single::new(&route(limits), &message, target).map_err(|error| said(&error))?;
        Ok(single.request())
    }

    /// Whether the smaller limit of topics counts.
    pub(crate) fn is_to_topics(&self) -> bool {
        matches!(&self.to, To::One("topic" | "condition", _))
    }
}

fn route(limits: &Limits) -> legacy::Route {
    let endpoint = "http://localhost/gcm/send".parse().unwrap();
    legacy::Route::new(endpoint, "key".parse().unwrap()).with_limits(limits.clone())
}

fn post(content_type: &str, body: String) -> Request<Vec<u8>> {
    Request::post("/gcm/send")
        .header("authorization", "key=key")
        .header("content-type", content_type)
        .header("content-length", body.len())
        .body(body.into_bytes())
        .unwrap()
}

/// The emulator's verdict, where tokens and topics take so many bytes: the request is let in, and every recipient accepts.
pub(crate) fn theirs(request: &Request<Vec<u8>>, tokens: usize, topics: usize) -> Result<(), String> {
    let script = Script::new()
        .max_payload(tokens)
        .max_topic_payload(topics)
        .group(GROUP, gcm_proto::emulator::Group::reached(2));
    let reply = Emulator::new(script).handle(request);
    let body = String::from_utf8_lossy(reply.body()).into_owned();
    if reply.status() == 200 && !body.contains("rror") {
        return Ok(());
    }
    Err(body)
}

fn options(random: &mut Random) -> Value {
    random.object(
        3,
        &[
            ("data", |random| random.data(&RESERVED)),
            ("collapse_key", Random::filled),
            ("restricted_package_name", Random::filled),
            ("priority", |random| {
                random.value(&json!(["normal", "high"]), &json!(["HIGH", "", 10]))
            }),
            ("time_to_live", |random| {
                random.value(&json!([0, 60, 2_419_200]), &json!([-1, 2_419_201, 0.5, true]))
            }),
            ("delay_while_idle", |random| {
                random.value(&json!([true, false]), &json!([false]))
            }),
            ("dry_run", |random| random.value(&json!([true, false]), &json!([false]))),
        ],
    )
}

fn notification(random: &mut Random) -> Value {
    let mut shown = random.object(
        5,
        &[
            ("title", Random::text),
            ("body", Random::text),
            ("subtitle", Random::text),
            ("icon", Random::text),
            ("android_channel_id", Random::text),
            ("sound", Random::text),
            ("tag", Random::text),
            ("click_action", Random::text),
            ("color", Random::color),
            ("image", Random::picture),
            ("badge", |random| {
                random.value(&json!([0, 7, 5_000_000_000_u64]), &json!([-1, 1.5]))
            }),
            ("body_loc_key", Random::text),
            ("body_loc_args", Random::texts),
            ("title_loc_key", Random::text),
            ("title_loc_args", Random::texts),
        ],
    );
    if random.one_in(60) {
        shown["titel"] = "no such field".into();
    }
    shown
}

fn token(random: &mut Random) -> String {
    let right = [
        "4",
        "APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx:x_y",
        "é☃",
        "back\\slash",
        "a&b=c%20",
    ];
    let wrong = [
        " 4",
        "4 ",
        "4 8",
        "\"4\"",
        "\u{feff}4",
        "null",
        "undefined",
        "4\n",
        "4\u{a0}",
        "'4'",
        "4\u{200b}",
    ];
    let list: &[&str] = if random.one_in(15) { &wrong } else { &right };
    random.pick(list).to_owned()
}

fn one(random: &mut Random) -> To {
    let kind = random.pick(&["token", "topic", "condition", "group"]);
    let (right, wrong): (&[&str], &[&str]) = match kind {
        "topic" => (&["news", "aZ09-_.~%"], &["", "a b", "é", "private/a"]),
        "condition" => (
            &["'a' in topics", "'a' IN topics || !('b' in topics)", "\"a\" in topics"],
            &["", "a in topics", "'a' in topics ||", "'a b' in topics"],
        ),
        "group" => (&[GROUP], &[GROUP]),
        _ => return To::One("token", token(random)),
    };
    let list = if random.one_in(12) { wrong } else { right };
    To::One(kind, random.pick(list).to_owned())
}
