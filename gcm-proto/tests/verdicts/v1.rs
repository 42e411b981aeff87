//! Trials of the v1 wire.

use crate::ask_v1;
use crate::common::{advice_name, is_unreadable, refusal, reply, scope_name};
use gcm_proto::{Advice, Code, Refusal, RetryAfter, Scope, Sent};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime};

const KINDS: [&str; 6] = ["token", "fid", "group", "topic", "condition", "activity"];

fn fcm(code: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code})
}

fn apns(reason: &str) -> Value {
    json!({"@type": "type.googleapis.com/google.firebase.fcm.v1.ApnsError", "statusCode": 400, "reason": reason})
}

fn error(status: &str, message: &str, details: &[Value]) -> String {
    json!({"error": {"message": message, "status": status, "details": details}}).to_string()
}

/// "Requested entity was not found.", as it is pasted in a public C header.
fn dead() -> String {
    error("NOT_FOUND", "Requested entity was not found.", &[fcm("UNREGISTERED")])
}

fn refused(kind: &str, status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Refusal {
    refusal(ask_v1(kind, reply(status, headers, body)))
}

/// Refused, each time with this advice: removal or not is what the rows are about.
#[track_caller]
fn advised(kinds: &[&str], status: u16, body: &str, advice: &str) {
    for kind in kinds {
        let refusal = refused(kind, status, &[], body);
        assert_eq!(advice_name(&refusal.advice()), advice, "{kind}: {refusal}");
    }
}

/// APNs' `BadDeviceToken` is the answer to every device of an app that was built for the sandbox, `DeviceTokenNotForTopic` to every
/// device of an app with another bundle id (Apple: handling notification responses from APNs).
#[test]
fn trial_v03_a_reason_of_apns_removes_only_what_apple_knows_no_more() {
    for reason in ["Unregistered", "ExpiredToken"] {
        let body = error("INVALID_ARGUMENT", "x", &[fcm("INVALID_ARGUMENT"), apns(reason)]);
        advised(&["token", "fid"], 400, &body, "remove");
        // One member's device, or the activity's token.
        advised(&["group", "activity"], 400, &body, "fix request");
    }
    for reason in [
        "BadDeviceToken",
        "DeviceTokenNotForTopic",
        "TopicDisallowed",
        "InvalidProviderToken",
        "NeverHeardOf",
    ] {
        for details in [
            vec![apns(reason)],
            vec![fcm("INVALID_ARGUMENT"), apns(reason)],
            // Whatever FCM made of it.
            vec![fcm("UNREGISTERED"), apns(reason)],
        ] {
            let body = error("INVALID_ARGUMENT", "x", &details);
            for kind in ["token", "fid", "activity"] {
                let refusal = refused(kind, 400, &[], &body);
                assert_eq!(
                    (refusal.advice(), refusal.scope()),
                    (Advice::FixCredentials, Scope::Recipient),
                    "{body}"
                );
            }
        }
    }
    let body = error("INVALID_ARGUMENT", "x", &[fcm("INVALID_ARGUMENT"), apns("BadPriority")]);
    advised(&["token"], 400, &body, "fix request");
}

#[test]
fn trial_v03_the_reason_of_apns_says_what_to_set_right() {
    for (reason, says) in [
        ("BadDeviceToken", "sandbox"),
        ("DeviceTokenNotForTopic", "bundle id"),
        ("InvalidProviderToken", "APNs or web push key"),
    ] {
        let body = error("INVALID_ARGUMENT", "x", &[apns(reason)]);
        let refusal = refused("token", 400, &[], &body);
        assert!(refusal.to_string().contains(says), "{refusal}");
    }
}

#[test]
fn trial_v03_no_reason_of_apns_removes_anybody_when_a_live_activity_was_asked_for() {
    for reason in [
        "Unregistered",
        "ExpiredToken",
        "BadDeviceToken",
        "DeviceTokenNotForTopic",
        "Shutdown",
        "x",
    ] {
        for code in ["INVALID_ARGUMENT", "UNREGISTERED", "UNAVAILABLE"] {
            for status in [400, 404, 410, 500, 503] {
                let body = error("NOT_FOUND", "x", &[apns(reason), fcm(code)]);
                assert_ne!(
                    refused("activity", status, &[], &body).advice(),
                    Advice::Remove,
                    "{reason} {code}"
                );
            }
        }
    }
    // FCM's own word is about the registration.
    advised(&["activity"], 404, &dead(), "remove");
}

#[test]
fn trial_v04_what_has_no_registration_is_never_removed() {
    let no_token = "The registration token is not a valid FCM registration token";
    for body in [
        dead(),
        error("NOT_FOUND", "x", &[fcm("UNREGISTERED"), apns("Unregistered")]),
        error("INVALID_ARGUMENT", no_token, &[fcm("INVALID_ARGUMENT")]),
        error("INVALID_ARGUMENT", "x", &[apns("ExpiredToken")]),
        error(
            "INVALID_ARGUMENT",
            "x",
            &[json!({"@type": "google.rpc.BadRequest", "fieldViolations": [{"field": "message.token"}]})],
        ),
    ] {
        for status in [200, 400, 404, 410, 500] {
            advised(&["topic", "condition"], status, &body, "fix request");
        }
    }
}

#[test]
fn trial_v05_a_dead_token_is_read_where_it_can_be_read() {
    let help = json!({"@type": "type.googleapis.com/google.rpc.Help", "links": []});
    let strange =
        json!({"@type": "type.googleapis.com/made.up.Kind", "errorCode": "INTERNAL", "reason": "BadDeviceToken"});
    let code = fcm("UNREGISTERED");
    for count in [0, 1, 15, 16, 17, 40, 300] {
        for place in [0, count / 2, count] {
            let mut details = vec![help.clone(); count];
            details.insert(place, code.clone());
            advised(
                &["token", "fid", "group"],
                404,
                &error("NOT_FOUND", "x", &details),
                "remove",
            );
        }
    }
    let violation = json!({"field": "message.data", "description": "x"});
    let mut violations = vec![violation; 20];
    violations.push(json!({"field": "message.token", "description": "x"}));
    let details = [json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": violations})];
    advised(&["token"], 400, &error("INVALID_ARGUMENT", "x", &details), "remove");
    for body in [
        error(
            "NOT_FOUND",
            "x",
            &[
                strange,
                json!(7),
                json!("UNREGISTERED"),
                json!([]),
                json!(null),
                code.clone(),
            ],
        ),
        format!("[{}]", dead()),
        format!(" \r\n\t[ {} ]\n", dead()),
        // What the service says twice it may say in two details, if it says the same.
        error("NOT_FOUND", "x", &[code.clone(), code.clone()]),
        dead().replace("UNREGISTERED", "UNREGISTERE\\u0044"),
        dead().replace("{\"error\"", "{\"extra\":[[[{}]]],\"error\""),
        format!("{{\"error\":{{\"details\":[{code}]}}}}"),
    ] {
        advised(&["token"], 404, &body, "remove");
    }
    for plain in [
        ("content-encoding", "identity"),
        ("content-type", "application/json"),
        ("content-type", "application/json; charset=\"utf-8\""),
        ("content-type", "application/json;charset=ISO-8859-1"),
        ("content-type", "application/json; charset=utf-8, application/json"),
        ("content-type", "text/html"),
    ] {
        assert_eq!(
            refused("token", 404, &[plain], dead()).advice(),
            Advice::Remove,
            "{plain:?}"
        );
    }
}

#[test]
fn trial_v05_what_cannot_be_read_for_certain_is_unreadable_with_any_status() {
    // `{"error":{"details":[{"@type":"…FcmError","errorCode":"UNREGISTERED"}]}}` needs no compressor to be unreadable: the header
    // alone says that these bytes are not the body.
    let dead = dead();
    let gzip: &[u8] = &[
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 0xab, 0x56, 0x4a, 0x2d, 0x2a, 0xca, 0x2f, 0x52, 0xb2, 0xaa,
    ];
    let utf16: Vec<u8> = dead.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let utf16_be: Vec<u8> = "<html>".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let twice = |name: &str| dead.replacen(&format!("\"{name}\":"), &format!("\"{name}\":null,\"{name}\":"), 1);
    let escaped = dead.replacen("\"status\":", "\"st\\u0061tus\":\"NOT_FOUND\",\"status\":", 1);
    let two_codes = error("NOT_FOUND", "x", &[fcm("UNREGISTERED"), fcm("INTERNAL")]);
    let two_reasons = error("NOT_FOUND", "x", &[apns("Unregistered"), apns("BadDeviceToken")]);
    let mut bodies: Vec<Vec<u8>> = [
        // Behind a prefix, quoted, within another reply, in two lists, without its beginning.
        format!("\n\u{feff}{dead}"),
        format!("\u{a0}{dead}"),
        format!(")]}}'\n{dead}"),
        format!("data: {dead}\n\n"),
        format!("1f4\r\n{dead}\r\n0\r\n\r\n"),
        format!("HTTP/1.1 404 Not Found\r\n\r\n{dead}"),
        format!("<pre>{dead}</pre>"),
        json!(dead).to_string(),
        format!("{{\"body\":{dead}}}"),
        format!("[[{dead}]]"),
        dead[10..].to_owned(),
        format!("\u{feff}{dead}"),
        format!("{dead}x"),
        format!("{dead}{dead}"),
        format!("{dead}\u{0}"),
        format!("[{dead},{dead}]"),
        format!("[[{dead}]"),
        twice("error"),
        twice("details"),
        twice("@type"),
        twice("errorCode"),
        escaped,
        two_codes,
        two_reasons,
        dead.replace("\"UNREGISTERED\"", "[\"UNREGISTERED\"]"),
        dead.replace("\"UNREGISTERED\"", "\"\\ud800\""),
        dead.replace("\"NOT_FOUND\"", "NaN"),
        dead.replace("\"details\":[", "\"details\":{\"a\":[")
            .replace("]}", "]}}"),
        "{\"error\":[404]}".to_owned(),
    ]
    .map(String::into_bytes)
    .into();
    bodies.extend((1..dead.len()).map(|end| dead.as_bytes()[..end].to_vec()));
    bodies.extend([
        gzip.to_vec(),
        utf16,
        utf16_be,
        b"\xff\xfe{\0".to_vec(),
        b"<html>\xe9</html>".to_vec(),
    ]);
    for body in &bodies {
        for status in [200, 400, 401, 403, 404, 410, 429, 500, 501, 503] {
            let refusal = refused("token", status, &[("retry-after", "7")], body);
            assert!(
                is_unreadable(&refusal),
                "{status} {}: {refusal}",
                String::from_utf8_lossy(body)
            );
            assert_eq!(refusal.scope(), Scope::Recipient);
            assert_eq!(refusal.advice(), Advice::Retry(Some(Duration::from_secs(7))));
            let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
            assert_eq!((failure.code(), failure.sent()), (&Code::Unreadable, Sent::MaybeSent));
        }
    }
    for header in [
        ("content-encoding", "gzip"),
        ("content-encoding", "br"),
        ("content-encoding", "deflate"),
        ("content-encoding", "identity, zstd"),
        ("content-encoding", "x-gzip"),
        ("content-type", "application/json; charset=utf-16"),
        ("content-type", "text/html; charset=UTF-7"),
        ("content-type", "application/json; charset=shift_jis"),
        (
            "content-type",
            "application/json; charset=utf-8, application/json; charset=utf-16",
        ),
    ] {
        for body in [
            &*dead,
            "",
            "<html></html>",
            "{\"name\":\"projects/test-project/messages/1\"}",
        ] {
            for status in [200, 404, 503] {
                assert!(
                    is_unreadable(&refused("token", status, &[header], body)),
                    "{header:?} {status} {body}"
                );
            }
        }
    }
    let latin = ("content-type", "text/html; charset=iso-8859-1");
    assert!(is_unreadable(&refused("token", 404, &[latin], "<html>\u{e9}</html>")));
    assert_eq!(
        refused("token", 404, &[latin], "<html></html>").code(),
        &Code::EndpointGone
    );
}

#[test]
fn trial_v07_an_error_with_a_good_status_is_the_refusal_it_is() {
    for status in [200, 201, 202, 299] {
        advised(&["token", "fid", "group"], status, &dead(), "remove");
        advised(&["token"], status, &error("UNAVAILABLE", "x", &[]), "retry");
        advised(
            &["token"],
            status,
            &error("PERMISSION_DENIED", "x", &[]),
            "fix credentials",
        );
        advised(&["token"], status, r#"{"error":{"code":503,"message":"x"}}"#, "retry");
        advised(
            &["token"],
            status,
            r#"{"error":{"code":401,"message":"x"}}"#,
            "fix credentials",
        );
        advised(&["token"], status, &format!("[{}]", dead()), "remove");
        for unclear in [
            r#"{"error":{}}"#,
            r#"{"error":{"code":200}}"#,
            r#"{"error":"invalid"}"#,
            r#"{"error":7}"#,
            r#"{"name":"projects/test-project/messages/1","error":{"status":"UNAVAILABLE"}}"#,
        ] {
            assert!(is_unreadable(&refused("token", status, &[], unclear)), "{unclear}");
        }
    }
}

#[test]
fn trial_v07_json_that_is_no_message_accepts_nobody() {
    for body in [
        r#"{"status":"ok"}"#,
        r#"{"message":"Welcome"}"#,
        r#"{"name":"guest"}"#,
        r#"{"name":"projects/test-project/messages/"}"#,
        r#"{"name":"projects/test-project/topics/1"}"#,
        r#"{"name":"projects//messages/1"}"#,
        r#"{"name":"projects/test-project/messages/1/2"}"#,
        r#"{"name":7}"#,
        r#"{"name":""  ,"portal":true}"#,
        r#"{"names":["projects/test-project/messages/1"]}"#,
        r#"["projects/test-project/messages/1"]"#,
        "[]",
        "null",
        "true",
        "7",
        "\"projects/test-project/messages/1\"",
    ] {
        for kind in KINDS {
            let refusal = refused(kind, 200, &[], body);
            assert!(is_unreadable(&refusal), "{kind}: {body}");
            assert_eq!(refusal.advice(), Advice::Retry(None));
        }
    }
}

/// Firebase's "Send messages to device groups": the reply to a group is empty. The name is a field that protobuf leaves out where it
/// has none.
#[test]
fn trial_v07_a_message_without_a_name_is_accepted() {
    for body in [
        "",
        "\r\n",
        "{}",
        " { } ",
        r#"{"name":null}"#,
        r#"{"name":""}"#,
        r#"{"error":null}"#,
    ] {
        for kind in KINDS {
            let receipt = ask_v1(kind, reply(200, &[], body)).unwrap();
            assert_eq!(receipt.accepted.message_id(), None, "{body}");
        }
    }
    for body in [
        r#"{"name":"projects/test-project/messages/0:1%2"}"#,
        "{\n  \"name\": \"projects/test-project/messages/0:1%2\"\n}\n",
        r#"[{"name":"projects/test-project/messages/0:1%2"}]"#,
        r#"{"extra":{},"name":"projects\/test-project\/messages\/0:1%2"}"#,
        r#"{"name":"projects/42759/messages/0:1%2"}"#,
    ] {
        let receipt = ask_v1("token", reply(200, &[], body)).unwrap();
        assert_eq!(receipt.accepted.message_id(), Some("0:1%2"), "{body}");
    }
}

/// Statuses of google.rpc.Code; the old form of errors is that of Google's APIs before 2018.
#[test]
fn trial_v08_what_passes_is_tried_again() {
    for (status, body) in [
        (409, error("ABORTED", "x", &[])),
        (499, error("CANCELLED", "x", &[])),
        (499, String::new()),
        (500, error("UNKNOWN", "x", &[])),
        (504, error("DEADLINE_EXCEEDED", "x", &[])),
        (400, error("UNAVAILABLE", "x", &[])),
        (
            403,
            r#"{"error":{"errors":[{"domain":"global","reason":"backendError"}],"code":403,"message":"Backend Error"}}"#.into(),
        ),
    ] {
        for kind in KINDS {
            let refusal = refused(kind, status, &[], &body);
            assert!(refusal.is_retriable() && !refusal.code().is_rate_limit(), "{status} {body}");
        }
    }
    for reason in [
        "rateLimitExceeded",
        "userRateLimitExceeded",
        "quotaExceeded",
        "dailyLimitExceeded",
        "userRateLimitExceededUnreg",
        "variableTermLimitExceeded",
        "limitExceeded",
    ] {
        let old = json!({"error": {
            "errors": [{"domain": "usageLimits", "reason": reason, "message": "Rate Limit Exceeded"}],
            "code": 403, "message": "Rate Limit Exceeded", "status": "PERMISSION_DENIED",
        }});
        let refusal = refused("token", 403, &[("retry-after", "30")], old.to_string());
        assert!(refusal.code().is_rate_limit(), "{refusal}");
        assert_eq!(refusal.advice(), Advice::Retry(Some(Duration::from_secs(30))));
    }
    let info = json!({"@type": "google.rpc.ErrorInfo", "reason": "RATE_LIMIT_EXCEEDED", "domain": "googleapis.com"});
    assert!(
        refused("token", 403, &[], error("PERMISSION_DENIED", "x", &[info]))
            .code()
            .is_rate_limit()
    );
    // Its neighbours are what they were.
    for reason in ["forbidden", "accessNotConfigured", "insufficientPermissions"] {
        let old = json!({"error": {"errors": [{"domain": "global", "reason": reason}], "code": 403, "message": "x"}});
        assert_eq!(
            refused("token", 403, &[], old.to_string()).advice(),
            Advice::FixCredentials
        );
    }
}

#[test]
fn trial_v11_the_sentence_about_the_token_counts_in_any_case_and_with_a_full_stop() {
    let sentence = "The registration token is not a valid FCM registration token";
    for same in [
        sentence.to_owned(),
        format!("{sentence}."),
        format!("  {sentence}. "),
        sentence.to_uppercase(),
        sentence.to_lowercase(),
    ] {
        let body = error("INVALID_ARGUMENT", &same, &[fcm("INVALID_ARGUMENT")]);
        advised(&["token", "fid", "group"], 400, &body, "remove");
        for violation in [
            json!({"description": same}),
            json!({"field": "message", "description": same}),
        ] {
            let details = [json!({"@type": "google.rpc.BadRequest", "fieldViolations": [violation]})];
            let body = error("INVALID_ARGUMENT", "Request contains an invalid argument.", &details);
            advised(&["token"], 400, &body, "remove");
        }
    }
    for other in [
        "The registration token is not a valid FCM registration token of this message's notification",
        "Invalid registration token",
        "token",
        "",
    ] {
        let body = error("INVALID_ARGUMENT", other, &[fcm("INVALID_ARGUMENT")]);
        advised(&["token"], 400, &body, "fix request");
    }
    let large = error(
        "INVALID_ARGUMENT",
        "message is too large. the maximum is 4k (4096 bytes).",
        &[],
    );
    assert_eq!(refused("token", 400, &[], large).code(), &Code::MessageTooBig);
}

#[test]
fn trial_v20_a_refusal_is_one_plain_line_that_names_what_was_asked() {
    let page = "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error 404 (Not Found)!!1</title>\n  <style>*{margin:0}</style>";
    for (status, headers, body, says) in [
        (
            404,
            ("content-type", "text/html"),
            page.to_owned(),
            "Error 404 (Not Found)!!1; are the project id and the endpoint right? \
             https://fcm.googleapis.com/v1/projects/test-project/messages:send was asked",
        ),
        (
            403,
            ("content-type", "text/html"),
            "<html><head><title>403 Forbidden</title></head>".to_owned(),
            "403 Forbidden; a page and no response of the service: the address or region of this machine may be barred",
        ),
        (
            403,
            ("content-type", "application/json"),
            error(
                "PERMISSION_DENIED",
                "Permission 'cloudmessaging.messages.create' denied.\n",
                &[json!({"@type": "google.rpc.ErrorInfo", "reason": "IAM_PERMISSION_DENIED"})],
            ),
            "give this account the role roles/firebasecloudmessaging.admin in the project test-project",
        ),
        (
            403,
            ("content-type", "application/json"),
            error(
                "PERMISSION_DENIED",
                "Caller does not have required permission to use project payer.",
                &[json!({"@type": "google.rpc.ErrorInfo", "reason": "USER_PROJECT_DENIED"})],
            ),
            "roles/serviceusage.serviceUsageConsumer in the project test-project",
        ),
        (
            503,
            ("content-type", "text/html"),
            "<html>\r\n<head><title>503 Service\r\n Temporarily Unavailable</title></head>".to_owned(),
            "503 Service Temporarily Unavailable",
        ),
        (
            400,
            ("content-type", "application/json"),
            error("INVALID_ARGUMENT", "line one\nline two\t<b>", &[]),
            "line one line two <b>",
        ),
    ] {
        let refusal = refused("token", status, &[headers], body);
        let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
        for text in [refusal.to_string(), failure.to_string()] {
            assert!(text.contains(says), "{text}");
            assert!(
                !text.contains(['\n', '\r']) && !text.contains("\\n") && !text.contains("<html"),
                "{text}"
            );
        }
    }
}

#[test]
fn trial_v22_the_header_is_read_as_far_as_a_careful_reader_can() {
    let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    for (value, seconds) in [
        ("120, 240", 240),
        ("240,120", 240),
        ("120,120", 120),
        ("120, soon", 120),
        ("soon, 120", 120),
        (", 120 ,", 120),
        ("-5, 30", 30),
        ("60, Sun, 06 Nov 1994 08:51:37 GMT", 120),
        ("Sun, 06 Nov 1994 08:51:37 GMT, 60", 120),
        ("Sun, 06 Nov 1994 08:51:37 GMT,Sun, 06 Nov 1994 08:52:37 GMT", 180),
        ("Sun Nov  6 08:51:37 1994, 60", 120),
        ("60,Sunday, 06-Nov-94 08:51:37 GMT", 120),
        // The sixth of November 1994 was a Sunday.
        ("Mon, 06 Nov 1994 08:51:37 GMT", 120),
        ("Friday, 06-Nov-94 08:51:37 GMT", 120),
        ("Tue Nov  6 08:51:37 1994", 120),
        ("  Sun,  06  Nov 1994   08:51:37 GMT\t", 120),
        ("Sun, 6 Nov 1994 08:51:37 GMT", 120),
        ("sun, 06 nov 1994 08:51:37 gmt", 120),
        ("SUN, 06 NOV 1994 08:51:37 GMT", 120),
        ("Sun Nov 6 08:51:37 1994", 120),
        (" \t120\t ", 120),
        ("\"120\"", 120),
        ("\"Sun, 06 Nov 1994 08:51:37 GMT\"", 120),
        ("Sun, 06 Nov 1994 8:51:37 GMT", 120),
        ("Sun, 06 November 1994 08:51:37 GMT", 120),
        ("Sun, 06 Nov 1994 08:51:37 UTC", 120),
        // A second that was put in: 08:51:00.
        ("Sun, 06 Nov 1994 08:50:60 GMT", 83),
    ] {
        let refusal = refused("token", 503, &[("retry-after", value), date], "");
        let delay = refusal.retry_after().map(|after| after.delay(SystemTime::UNIX_EPOCH));
        assert_eq!(delay, Some(Duration::from_secs(seconds)), "{value:?}");
    }
    let spaced: &[u8] = b"\xc2\xa0120\xa0";
    let mut spaced_reply = reply(503, &[], "");
    let value = http::HeaderValue::from_bytes(spaced).unwrap();
    spaced_reply.headers_mut().insert("retry-after", value);
    let refusal = refusal(ask_v1("token", spaced_reply));
    assert_eq!(refusal.advice(), Advice::Retry(Some(Duration::from_secs(120))));
    for junk in [
        "",
        ",",
        "soon",
        "12 0",
        "Sun, 31 Feb 1994 08:51:37 GMT",
        "06 Nov 1994 08:51:37 GMT",
        "Sun, 06 Nov 1994 08:51:37",
    ] {
        assert_eq!(
            refused("token", 503, &[("retry-after", junk)], "").retry_after(),
            None,
            "{junk:?}"
        );
    }
}

#[test]
fn trial_w25_a_delay_without_end_is_one_that_can_be_added() {
    let nines = "9".repeat(20);
    let far = "Fri, 31 Dec 9999 23:59:59 GMT";
    for (header, body) in [
        (&*nines, String::new()),
        (far, String::new()),
        (
            "0",
            error(
                "UNAVAILABLE",
                "x",
                &[json!({"@type": "google.rpc.RetryInfo", "retryDelay": format!("{nines}s")})],
            ),
        ),
    ] {
        let refusal = refused("token", 503, &[("retry-after", header)], body);
        let failure = refusal.to_failure(SystemTime::UNIX_EPOCH);
        let Advice::Retry(Some(delay)) = failure.advice() else {
            panic!("{failure}")
        };
        assert_eq!(delay, RetryAfter::MOST);
        assert!(
            (SystemTime::UNIX_EPOCH + 100 * Duration::from_secs(31_536_000))
                .checked_add(delay)
                .is_some()
        );
    }
}

/// A front end gives a captive portal's page whatever type it likes.
#[test]
fn trial_v23_no_page_accepts_anybody_whatever_its_type() {
    for body in [
        "<!DOCTYPE html><html><title>Log in</title></html>",
        "<p>log in</p>",
        "Log in",
        "not valid json",
        "OK",
        "name: projects/test-project/messages/1",
    ] {
        for kind in [
            "application/json",
            "text/html; charset=UTF-8",
            "TEXT/HTML",
            "text/plain",
            "application/octet-stream",
            "x",
            "",
        ] {
            for status in [200, 201, 206] {
                let headers = [("content-type", kind)];
                let headers = if kind.is_empty() { &[][..] } else { &headers[..] };
                let refusal = refused("token", status, headers, body);
                assert!(is_unreadable(&refusal), "{kind} {status} {body}");
            }
        }
    }
    let good = r#"{"name":"projects/test-project/messages/1"}"#;
    assert!(is_unreadable(&refused(
        "token",
        200,
        &[("content-type", "text/html")],
        good
    )));
    for kind in ["application/json; charset=UTF-8", "application/json", "text/plain"] {
        assert!(ask_v1("token", reply(200, &[("content-type", kind)], good)).is_ok());
    }
}

/// RFC 9110 section 15: a redirect comes from whoever moved the resource, and above 599 there is no status.
#[test]
fn trial_v05_a_verdict_with_a_status_that_is_none_of_the_services_counts_for_nothing() {
    for kind in KINDS {
        for status in [100, 199, 600, 999] {
            assert!(is_unreadable(&refused(kind, status, &[], dead())), "{status}");
        }
        for status in [300, 302, 307, 399] {
            assert_eq!(
                refused(kind, status, &[], dead()).code(),
                &Code::EndpointGone,
                "{status}"
            );
        }
    }
}

/// Tests of firebase-admin for Python, Go and Java pin that the FCM code comes before a 5xx whose status is `INVALID_ARGUMENT`.
#[test]
fn trial_v24_a_failing_service_is_not_believed_at_once_that_a_token_is_dead() {
    for (http, status, code) in [
        (503, "UNAVAILABLE", Code::Unavailable),
        (500, "INTERNAL", Code::InternalServerError),
        (500, "UNAVAILABLE", Code::Unavailable),
        (502, "INTERNAL", Code::InternalServerError),
        (504, "DEADLINE_EXCEEDED", Code::Unavailable),
        (500, "UNKNOWN", Code::InternalServerError),
        (503, "", Code::Unavailable),
    ] {
        for details in [
            vec![fcm("UNREGISTERED")],
            vec![
                fcm("INVALID_ARGUMENT"),
                json!({"@type": "google.rpc.BadRequest", "fieldViolations": [{"field": "message.token"}]}),
            ],
            vec![fcm("UNREGISTERED"), apns("Unregistered")],
        ] {
            let body = error(status, "The service is currently unavailable.", &details);
            for kind in KINDS {
                let refusal = refused(kind, http, &[], &body);
                let asks_again = refusal.is_retriable() && scope_name(refusal.scope()) == "project";
                // With an activity, what is said of APNs is nothing; then FCM's INVALID_ARGUMENT stands.
                let by_code = details.iter().any(|one| one["errorCode"] == "INVALID_ARGUMENT");
                if !by_code {
                    assert!(asks_again && refusal.code() == &code, "{kind} {http} {body}: {refusal}");
                }
                assert_ne!(refusal.advice(), Advice::Remove);
            }
        }
    }
    for status in ["INVALID_ARGUMENT", "NOT_FOUND"] {
        for http in [500, 502, 503] {
            advised(
                &["token", "fid", "group"],
                http,
                &error(status, "test error", &[fcm("UNREGISTERED")]),
                "remove",
            );
        }
    }
}
