//! The legacy plaintext request: a form that names one device.

use http::StatusCode;

use crate::emulator::call::Refusal;
use crate::emulator::form;
use crate::emulator::log::Addressee;
use crate::emulator::script::Rules;

use super::{BodyFormat, LegacyRequest, MAX_TIME_TO_LIVE, is_reserved};

/// Reads a request.
pub(super) fn read(rules: &Rules, body: &[u8]) -> Result<LegacyRequest, Refusal> {
    let pairs = form::pairs(body);
    // First of all, because a body of another kind lacks it: the service's hint that JSON came without its type.
    let target = match pairs.iter().flatten().find(|(name, _)| name == "registration_id") {
        Some((_, token)) if !token.is_empty() => token.clone(),
        _ => {
            return Err(Refusal::Text(StatusCode::OK, "Error=MissingRegistration\n".to_owned()));
        }
    };
    let pairs: Vec<_> = pairs
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(invalid_parameters)?;
    if form::has_repeated(&pairs) {
        return Err(invalid_parameters());
    }

    let mut request = LegacyRequest {
        format: BodyFormat::Plaintext,
        to: if rules.groups.contains_key(&target) {
            Addressee::Group(target)
        } else {
            Addressee::Devices(vec![target])
        },
        dry_run: false,
        package: None,
        payload: 0,
        fault: None,
    };
    let (has_collapse_key, has_time_to_live) = take(rules, &mut request, pairs)?;
    if request.payload > rules.max_payload {
        request.fault = request.fault.or(Some("MessageTooBig"));
    }
    if rules.ttl_needs_collapse_key && has_time_to_live && !has_collapse_key {
        request.fault = request.fault.or(Some("MissingCollapseKey"));
    }
    Ok(request)
}

/// Checks the pairs and keeps what matters of them; returns whether there is a collapse key, and whether a time to live.
fn take(rules: &Rules, request: &mut LegacyRequest, pairs: Vec<(String, String)>) -> Result<(bool, bool), Refusal> {
    let (mut has_collapse_key, mut has_time_to_live) = (false, false);
    for (name, value) in pairs {
        if let Some(key) = name.strip_prefix("data.") {
            if is_reserved(key) {
                request.fault = request.fault.or(Some("InvalidDataKey"));
            }
            request.payload = request.payload.saturating_add(key.len()).saturating_add(value.len());
            continue;
        }
        match name.as_str() {
            // `delay_while_idle` takes `1` and `true` for true and everything else for false.
            "registration_id" | "delay_while_idle" => {}
            // An empty text is as good as none to the service; whoever sends it means something else.
            "collapse_key" | "restricted_package_name" if value.is_empty() => return Err(invalid_parameters()),
            "collapse_key" => has_collapse_key = true,
            "time_to_live" => {
                has_time_to_live = true;
                if !is_time_to_live(&value) {
                    request.fault = request.fault.or(Some("InvalidTtl"));
                }
            }
            "restricted_package_name" => request.package = Some(value),
            // Nothing but `true` counts: `1` was delivered for real (google/gcm#21).
            "dry_run" => request.dry_run = value == "true",
            "priority" if matches!(value.as_str(), "normal" | "high") => {}
            "priority" => return Err(invalid_parameters()),
            _ if rules.allow_unknown_fields => {}
            _ => return Err(invalid_parameters()),
        }
    }
    Ok((has_collapse_key, has_time_to_live))
}

fn is_time_to_live(text: &str) -> bool {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal && text.parse::<u64>().is_ok_and(|seconds| seconds <= MAX_TIME_TO_LIVE)
}

fn invalid_parameters() -> Refusal {
    Refusal::Text(StatusCode::BAD_REQUEST, "Error=InvalidParameters\n".to_owned())
}
