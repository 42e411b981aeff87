//! The plaintext wire.

use super::*;

#[test]
fn gcm_p9_json_without_its_type_is_answered_missing_registration() {
    let body = r#"{"registration_ids":["4"],"data":{"a":"b"}}"#;
    for content_type in ["", "Content-Type: text/plain\r\n"] {
        let response = send(&mut lenient(), &post(content_type, body));
        assert_eq!(
            (response.status(), text(&response)),
            (StatusCode::OK, "Error=MissingRegistration\n")
        );
    }
}

#[test]
fn a_json_type_may_have_parameters_and_any_case() {
    for content_type in [
        "Content-Type: Application/JSON\r\n",
        "Content-Type: application/json; charset=utf-8\r\n",
    ] {
        let response = send(&mut lenient(), &post(content_type, r#"{"to":"4"}"#));
        assert!(text(&response).contains(r#""success":1"#), "{content_type}");
    }
}

#[test]
fn a_form_is_answered_in_lines() {
    let mut emulator = scripted(
        r#"{"devices":{"23":{"replace":"32"},"15":"invalid","42":"unregistered","8":"unavailable","16":{"error":"D'OH!"}},
        "retry_after":"9"}"#,
    );
    let (status, accepted) = form(&mut emulator, "registration_id=4&data.a=b");
    assert_eq!(status, 200);
    let id = accepted
        .strip_prefix("id=")
        .and_then(|rest| rest.strip_suffix('\n'))
        .unwrap();
    assert!(id.starts_with("0:") && id.contains('%') && !id.contains('\n'), "{id}");
    let (_, replaced) = form(&mut emulator, "registration_id=23");
    let lines: Vec<_> = replaced.split('\n').collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[0].starts_with("id=0:"));
    assert_eq!(lines[1..], ["registration_id=32", ""]);
    for (token, line) in [("15", "InvalidRegistration"), ("42", "NotRegistered"), ("16", "D'OH!")] {
        assert_eq!(
            form(&mut emulator, &format!("registration_id={token}")),
            (200, format!("Error={line}\n"))
        );
    }
    let unavailable = send(&mut emulator, &form_post("registration_id=8"));
    assert_eq!(
        (unavailable.status(), text(&unavailable)),
        (StatusCode::SERVICE_UNAVAILABLE, "")
    );
    assert_eq!(unavailable.headers()["retry-after"], "9");
    assert_eq!(emulator.counters().errors["Unavailable"], 1);
}

#[test]
fn a_fault_in_a_form_is_answered_with_its_code() {
    let long = format!("registration_id=4&data.k={}", "x".repeat(4096));
    for (body, status, line) in [
        ("", 200, "Error=MissingRegistration\n"),
        ("collapse_key=a", 200, "Error=MissingRegistration\n"),
        ("registration_id=", 200, "Error=MissingRegistration\n"),
        ("registration_id=a+b", 200, "Error=InvalidRegistration\n"),
        ("registration_id=/topics/a", 200, "Error=InvalidRegistration\n"),
        ("registration_id=4&time_to_live=2419201", 200, "Error=InvalidTtl\n"),
        ("registration_id=4&time_to_live=soon", 200, "Error=InvalidTtl\n"),
        ("registration_id=4&time_to_live=%2B1", 200, "Error=InvalidTtl\n"),
        ("registration_id=4&time_to_live=", 200, "Error=InvalidTtl\n"),
        ("registration_id=4&data.from=x", 200, "Error=InvalidDataKey\n"),
        ("registration_id=4&data.google.x=x", 200, "Error=InvalidDataKey\n"),
        (&long, 200, "Error=MessageTooBig\n"),
        ("registration_id=4&registration_id=8", 400, "Error=InvalidParameters\n"),
        ("registration_id=4&data.a=1&data.a=1", 400, "Error=InvalidParameters\n"),
        ("registration_id=4&data=x", 400, "Error=InvalidParameters\n"),
        ("registration_id=4&to=4", 400, "Error=InvalidParameters\n"),
        ("registration_id=4&priority=10", 400, "Error=InvalidParameters\n"),
        ("registration_id=4&data.a=%zz", 400, "Error=InvalidParameters\n"),
        ("registration_id=4&data.a=%f", 400, "Error=InvalidParameters\n"),
        ("registration_id=4&data.a=%ff", 400, "Error=InvalidParameters\n"),
    ] {
        assert_eq!(form(&mut lenient(), body), (status, line.to_owned()), "{body}");
    }
}

#[test]
fn a_form_is_decoded_and_logged() {
    let mut emulator = lenient();
    let body = "registration_id=4%3A2&collapse_key=a+b&delay_while_idle=1&dry_run=1&time_to_live=0&priority=high&data.msg=a+b%26c%3D%C3%A9";
    assert_eq!(form(&mut emulator, body).0, 200);
    let entry = &emulator.log()[0];
    assert_eq!(entry.kind(), Some(RequestKind::Plaintext));
    assert_eq!(entry.tokens(), ["4:2"]);
    assert_eq!(entry.body(), body.as_bytes());
    assert_eq!(
        entry.pairs().last().unwrap(),
        &("data.msg".to_owned(), "a b&c=é".to_owned())
    );
    assert!(!entry.is_dry_run(), "`1` is not honoured");
    assert_eq!(emulator.counters().accepted, 1);
}
