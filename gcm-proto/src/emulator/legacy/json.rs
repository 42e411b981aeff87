//! The legacy JSON request, and its refusals in the words of the service.

use crate::emulator::call::Refusal;
use crate::emulator::json::{self, JsonObject, Value};
use crate::emulator::log::Addressee;
use crate::emulator::script::Rules;
use crate::emulator::token::is_garbage;
use crate::emulator::topic::{self, is_topic_name};
use crate::emulator::url::is_picture;

use super::{BodyFormat, LegacyRequest, MAX_TIME_TO_LIVE, is_reserved, sentence};

/// Reads a request.
pub(super) fn read(rules: &Rules, body: &[u8]) -> Result<LegacyRequest, Refusal> {
    let members = json::object(body).map_err(|fault| sentence(format!("JSON_PARSING_ERROR: {fault}")))?;
    let mut fields = JsonFields::default();
    for (name, value) in members {
        fields.take(rules, &name, value)?;
    }
    fields.request(rules)
}

/// The fields that matter to the response.
#[derive(Default)]
struct JsonFields {
    registration_ids: Option<Vec<String>>,
    to: Option<String>,
    condition: Option<String>,
    notification_key: Option<String>,
    dry_run: bool,
    package: Option<String>,
    has_collapse_key: bool,
    has_time_to_live: bool,
    /// Bytes of data and notification.
    payload: usize,
}

impl JsonFields {
    /// Checks one field and keeps what matters of it.
    fn take(&mut self, rules: &Rules, name: &str, value: Value) -> Result<(), Refusal> {
        match name {
            "registration_ids" => self.registration_ids = Some(tokens(name, value)?),
            "to" => self.to = Some(text(name, value)?),
            "condition" => self.condition = Some(text(name, value)?),
            "notification_key" => self.notification_key = Some(text(name, value)?),
            "restricted_package_name" => self.package = Some(filled(name, value)?),
            "dry_run" => self.dry_run = boolean(name, &value)?,
            "collapse_key" => {
                filled(name, value)?;
                self.has_collapse_key = true;
            }
            "time_to_live" => {
                time_to_live(name, &value)?;
                self.has_time_to_live = true;
            }
            "data" => self.payload = self.payload.saturating_add(data(members(name, value)?)?),
            "notification" => {
                let size = notification(rules, members(name, value)?)?;
                self.payload = self.payload.saturating_add(size);
            }
            "priority" => match text(name, value)?.as_str() {
                "normal" | "high" => {}
                other => return Err(invalid(name, other, "must be \"normal\" or \"high\"")),
            },
            "content_available" | "mutable_content" | "delay_while_idle" | "direct_boot_ok" => {
                boolean(name, &value)?;
            }
            "raw_data" => {
                let data = text(name, value)?;
                if !is_base64(&data) {
                    return Err(invalid(name, &data, "must be standard base64"));
                }
            }
            "fcm_options" => options(rules, members(name, value)?)?,
            _ if rules.allow_unknown_fields => {}
            _ => return Err(sentence(format!("Unknown field \"{name}\"\n"))),
        }
        Ok(())
    }

    /// Checks what the fields mean together.
    fn request(self, rules: &Rules) -> Result<LegacyRequest, Refusal> {
        let given = [
            ("registration_ids", self.registration_ids.is_some()),
            ("to", self.to.is_some()),
            ("condition", self.condition.is_some()),
            ("notification_key", self.notification_key.is_some()),
        ];
        let mut given = given.iter().filter(|(_, given)| *given);
        if let (Some((one, _)), Some((other, _))) = (given.next(), given.next()) {
            return Err(sentence(format!(
                "Must use either \"{one}\" field or \"{other}\", not both\n"
            )));
        }
        let to = if let Some(tokens) = self.registration_ids {
            many(rules, tokens)?
        } else if let Some(target) = self.to {
            one(rules, target)?
        } else if let Some(expression) = self.condition {
            let topics = topic::topics(&expression, rules.max_condition_topics)
                .map_err(|rule| invalid("condition", &expression, &rule))?;
            Addressee::Condition { expression, topics }
        } else if let Some(key) = self.notification_key {
            Addressee::Group(key)
        } else {
            return Err(no_target());
        };
        let room = match &to {
            Addressee::Topic(_) | Addressee::Condition { .. } => rules.max_topic_payload,
            Addressee::Devices(_) | Addressee::Group(_) => rules.max_payload,
        };
        let fault = if self.payload > room {
            Some("MessageTooBig")
        } else if rules.ttl_needs_collapse_key && self.has_time_to_live && !self.has_collapse_key {
            Some("MissingCollapseKey")
        } else {
            None
        };
        Ok(LegacyRequest {
            format: BodyFormat::Json,
            to,
            dry_run: self.dry_run,
            package: self.package,
            payload: self.payload,
            fault,
        })
    }
}

fn many(rules: &Rules, tokens: Vec<String>) -> Result<Addressee, Refusal> {
    if tokens.is_empty() {
        return Err(no_target());
    }
    if tokens.len() > rules.max_ids {
        let (given, allowed) = (tokens.len(), rules.max_ids);
        return Err(sentence(format!(
            "Number of messages on bulk ({given}) exceeds maximum allowed ({allowed})\n"
        )));
    }
    Ok(Addressee::Devices(tokens))
}

/// Tells topics, groups and devices apart. Only the very prefix makes a topic; everything else is looked up as a token.
fn one(rules: &Rules, target: String) -> Result<Addressee, Refusal> {
    if let Some(name) = target.strip_prefix("/topics/") {
        if !is_topic_name(name) {
            return Err(invalid(
                "to",
                &target,
                "must be \"/topics/\" and a name matching [a-zA-Z0-9-_.~%]+",
            ));
        }
        return Ok(Addressee::Topic(name.to_owned()));
    }
    if rules.groups.contains_key(&target) {
        return Ok(Addressee::Group(target));
    }
    if is_garbage(&target) && !rules.devices.contains_key(&target) {
        return Err(sentence("INVALID_REGISTRATION".to_owned()));
    }
    Ok(Addressee::Devices(vec![target]))
}

fn tokens(name: &str, value: Value) -> Result<Vec<String>, Refusal> {
    match value {
        Value::Array(values) => values.into_iter().map(|value| text(name, value)).collect(),
        _ => Err(sentence(format!("\"{name}\" field is not a JSON array\n"))),
    }
}

fn text(name: &str, value: Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(mistyped(name, "string", &other)),
    }
}

/// A text that says something. An empty one is as good as none to the service; whoever sends it means something else.
fn filled(name: &str, value: Value) -> Result<String, Refusal> {
    let text = text(name, value)?;
    if text.is_empty() {
        return Err(invalid(name, &text, "must not be empty"));
    }
    Ok(text)
}

/// The label of FCM's later years (REST reference of `projects.messages`, `FcmOptions`).
fn options(rules: &Rules, members: JsonObject) -> Result<(), Refusal> {
    for (name, value) in members {
        if name != "analytics_label" {
            if rules.allow_unknown_fields {
                continue;
            }
            return Err(sentence(format!("Unknown field \"{name}\"\n")));
        }
        let label = text(&name, value)?;
        let is_plain = label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%".contains(&byte));
        if !is_plain || label.is_empty() || label.len() > 50 {
            return Err(invalid(&name, &label, "must match [a-zA-Z0-9-_.~%]{1,50}"));
        }
    }
    Ok(())
}

fn boolean(name: &str, value: &Value) -> Result<bool, Refusal> {
    match value {
        Value::Bool(value) => Ok(*value),
        other => Err(mistyped(name, "boolean", other)),
    }
}

/// An object; the service calls it an array when it is missed.
fn members(name: &str, value: Value) -> Result<JsonObject, Refusal> {
    match value {
        Value::Object(members) => Ok(members),
        other => Err(mistyped(name, "array", &other)),
    }
}

fn time_to_live(name: &str, value: &Value) -> Result<(), Refusal> {
    let Value::Number(digits) = value else {
        return Err(mistyped(name, "number", value));
    };
    match digits.parse::<u64>() {
        Ok(0..=MAX_TIME_TO_LIVE) => Ok(()),
        _ => Err(invalid(
            name,
            digits,
            &format!("must be between 0 and {MAX_TIME_TO_LIVE}"),
        )),
    }
}

/// Checks the data and measures it. Anything but a text is turned into one by the service, a list or an object into its JSON
/// (google/gcm#127, ToothlessGear/node-gcm#289); what it does with `null` is not known.
fn data(members: JsonObject) -> Result<usize, Refusal> {
    let mut size = 0_usize;
    for (key, value) in members {
        if is_reserved(&key) {
            return Err(sentence(format!("\"data\" key \"{key}\" is a reserved keyword\n")));
        }
        let length = match &value {
            Value::String(text) | Value::Number(text) => text.len(),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => value.to_string().len(),
            Value::Null => return Err(mistyped(&key, "string", &value)),
        };
        size = size.saturating_add(key.len()).saturating_add(length);
    }
    Ok(size)
}

/// Checks the notification and measures it.
fn notification(rules: &Rules, members: JsonObject) -> Result<usize, Refusal> {
    let filled = |name: &str| members.iter().any(|(key, value)| key == name && is_filled(value));
    let lone = ["body", "title"]
        .map(|kind| (format!("{kind}_loc_args"), format!("{kind}_loc_key")))
        .into_iter()
        .find(|(arguments, key)| filled(arguments) && !filled(key));
    let mut size = 0_usize;
    for (key, value) in members {
        let length = match (key.as_str(), value) {
            ("body_loc_args" | "title_loc_args", Value::Array(values)) => {
                let mut length = 0_usize;
                for value in values {
                    let Value::String(text) = value else {
                        return Err(parameter(&key, "a JSON array of strings"));
                    };
                    length = length.saturating_add(text.len());
                }
                length
            }
            // Google's tables call these texts, its service refused them as such (olucurious/PyFCM#140).
            ("body_loc_args" | "title_loc_args", _) => {
                return Err(parameter(&key, "a JSON array of strings"));
            }
            ("badge", Value::String(text)) if is_decimal(&text) && text.parse::<u64>().is_ok() => text.len(),
            ("badge", _) => return Err(parameter(&key, "a JSON string holding a decimal number")),
            ("color", Value::String(text)) if is_color(&text) => text.len(),
            ("color", _) => return Err(parameter(&key, "a JSON string of the form #rrggbb")),
            ("image", Value::String(url)) if is_picture(&url) => url.len(),
            ("image", _) => return Err(parameter(&key, "a JSON string holding a whole URL")),
            (
                "title" | "body" | "subtitle" | "icon" | "android_channel_id" | "sound" | "tag" | "click_action"
                | "body_loc_key" | "title_loc_key",
                value,
            ) => match value {
                Value::String(text) => text.len(),
                _ => return Err(parameter(&key, "a JSON string")),
            },
            (_, value) if rules.allow_unknown_fields => value.to_string().len(),
            (_, _) => {
                return Err(sentence(format!(
                    "InvalidParameters: unknown \"notification\" key \"{key}\"\n"
                )));
            }
        };
        size = size.saturating_add(key.len()).saturating_add(length);
    }
    if let Some((arguments, key)) = lone {
        return Err(parameter(&arguments, &format!("given with \"{key}\"")));
    }
    Ok(size)
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_color(text: &str) -> bool {
    let digits = text.strip_prefix('#').unwrap_or_default();
    digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        _ => false,
    }
}

/// Of the standard alphabet, padded (RFC 4648, section 4).
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    text.len() % 4 == 0 && text.len() - digits.len() < 3 && digits.bytes().all(is_digit)
}

fn no_target() -> Refusal {
    sentence("Missing \"registration_ids\" field\n".to_owned())
}

fn invalid(name: &str, value: &str, rule: &str) -> Refusal {
    sentence(format!("Invalid value ({value}) for \"{name}\": {rule}\n"))
}

fn parameter(key: &str, kind: &str) -> Refusal {
    sentence(format!(
        "InvalidParameters: \"notification\" key \"{key}\" must be {kind}\n"
    ))
}

/// Echoes the value: a text without its quotes, an array with a line break before its end, as the service was seen to do.
fn mistyped(name: &str, kind: &str, value: &Value) -> Refusal {
    let mut echo = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if let Value::Array(_) | Value::Object(_) = value {
        let end = echo.pop();
        echo.push('\n');
        echo.extend(end);
    }
    sentence(format!("Field \"{name}\" must be a JSON {kind}: {echo}"))
}
