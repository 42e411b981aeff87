//! What is refused on the JSON wire and at the door, byte for byte where the service was seen to say it.

use super::*;

#[test]
fn gcm_e1_a_bulk_of_1001_is_refused() {
    refused(
        &format!(r#"{{"registration_ids":[{}]}}"#, ids(1001)),
        "Number of messages on bulk (1001) exceeds maximum allowed (1000)\n",
    );
}

#[test]
fn gcm_e2_the_data_key_from_is_refused() {
    refused(
        r#"{"registration_ids":["4"],"data":{"from":"x"}}"#,
        "\"data\" key \"from\" is a reserved keyword\n",
    );
}

#[test]
fn gcm_e3_a_time_to_live_beyond_four_weeks_is_refused() {
    refused(
        r#"{"registration_ids":["4"],"time_to_live":2419201}"#,
        "Invalid value (2419201) for \"time_to_live\": must be between 0 and 2419200\n",
    );
}

#[test]
fn gcm_e4_two_targets_are_refused() {
    refused(
        r#"{"to":"4","registration_ids":["8"]}"#,
        "Must use either \"registration_ids\" field or \"to\", not both\n",
    );
}

#[test]
fn gcm_e5_registration_ids_as_a_string_are_refused() {
    refused(
        r#"{"registration_ids":"4"}"#,
        "\"registration_ids\" field is not a JSON array\n",
    );
}

#[test]
fn gcm_e6_a_body_that_is_not_json_is_refused() {
    refused(
        "not json",
        "JSON_PARSING_ERROR: Unexpected character (n) at position 0.",
    );
}

#[test]
fn gcm_e7_data_as_a_string_is_refused() {
    refused(
        r#"{"to":"4","data":"smth"}"#,
        "Field \"data\" must be a JSON array: smth",
    );
}

#[test]
fn a_truncated_body_is_refused_at_its_end() {
    refused(
        r#"{"registration_ids":["42"],"#,
        "JSON_PARSING_ERROR: Unexpected token END OF FILE at position 27.",
    );
}

#[test]
fn a_request_without_a_target_is_refused() {
    refused(r#"{"data":{"a":"b"}}"#, "Missing \"registration_ids\" field\n");
    refused(r#"{"registration_ids":[]}"#, "Missing \"registration_ids\" field\n");
}

#[test]
fn an_array_as_the_target_is_refused_and_echoed_over_two_lines() {
    refused(r#"{"to":["4"]}"#, "Field \"to\" must be a JSON string: [\"4\"\n]");
}

#[test]
fn a_garbage_token_as_the_only_target_is_refused() {
    for token in ["a b", r"a\nb", r"a\u0000", ""] {
        refused(&format!(r#"{{"to":"{token}"}}"#), "INVALID_REGISTRATION");
    }
}

#[test]
fn gcm_e9_a_wrong_key_is_answered_with_a_page() {
    let mut emulator = scripted(r#"{"key":"right"}"#);
    for authorization in [
        "",
        "Authorization: key=wrong\r\n",
        "Authorization: right\r\n",
        "Authorization: key= right\r\n",
        "Authorization: Bearer right\r\n",
        "Authorization: key=right\r\nAuthorization: key=right\r\n",
    ] {
        let raw = format!(
            "POST /gcm/send HTTP/1.1\r\n{authorization}Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{{\"to\":\"4\"}}"
        );
        let response = send(&mut emulator, &raw);
        assert_eq!(response.status(), 401, "{authorization}");
        assert_eq!(content_type(&response), "text/html; charset=UTF-8");
        let page = text(&response);
        assert!(
            page.starts_with("<HTML>\n<HEAD>\n<TITLE>Unauthorized</TITLE>\n</HEAD>"),
            "{page}"
        );
        assert!(
            page.contains("<H1>Unauthorized</H1>") && page.contains("<H2>Error 401</H2>"),
            "{page}"
        );
    }
    let right = "POST /gcm/send HTTP/1.1\r\nAuthorization: key=right\r\nContent-Length: 17\r\n\r\nregistration_id=4";
    assert_eq!(send(&mut emulator, right).status(), 200);
}

#[test]
fn an_empty_key_lets_nobody_in() {
    let mut emulator = Emulator::new(Script::new().key(""));
    let raw = form_post("registration_id=4");
    assert_eq!(send(&mut emulator, &raw).status(), 401);
    assert_eq!(send(&mut emulator, &raw.replace("key=test-key", "key=")).status(), 401);
}

#[test]
fn without_a_key_in_the_script_any_key_will_do_but_there_must_be_one() {
    let mut emulator = lenient();
    let without = "POST /gcm/send HTTP/1.1\r\nContent-Length: 17\r\n\r\nregistration_id=4";
    let empty = "POST /gcm/send HTTP/1.1\r\nAuthorization: key=\r\nContent-Length: 17\r\n\r\nregistration_id=4";
    assert_eq!(send(&mut emulator, without).status(), 401);
    assert_eq!(send(&mut emulator, empty).status(), 401);
    assert_eq!(send(&mut emulator, &form_post("registration_id=4")).status(), 200);
}

#[test]
fn gcm_e11_another_path_is_answered_with_a_page() {
    let mut emulator = lenient();
    let raw = json_post(r#"{"to":"4"}"#).replace("/gcm/send", "/gcm/notification");
    let response = send(&mut emulator, &raw);
    assert_eq!(response.status(), 404);
    assert!(text(&response).starts_with("<HTML>\n<HEAD>\n<TITLE>Not Found</TITLE>\n</HEAD>"));
    assert_eq!(emulator.log()[0].kind(), None);
}

#[test]
fn a_script_can_name_the_only_path() {
    assert_eq!(lenient().endpoint_path(), "/gcm/send");
    let mut emulator = scripted(r#"{"endpoint_path":"/fcm/send"}"#);
    assert_eq!(emulator.endpoint_path(), "/fcm/send");
    let raw = json_post(r#"{"to":"4"}"#);
    assert_eq!(send(&mut emulator, &raw).status(), 404);
    assert_eq!(
        send(&mut emulator, &raw.replace("/gcm/send", "/fcm/send")).status(),
        200
    );
}

#[test]
fn gcm_e14_a_get_is_answered_405() {
    let response = send(
        &mut lenient(),
        "GET /gcm/send HTTP/1.1\r\nAuthorization: key=test-key\r\n\r\n",
    );
    assert_eq!(response.status(), 405);
    assert_eq!(content_type(&response), "text/html; charset=UTF-8");
}

#[test]
fn gcm_e14_a_missing_length_is_answered_411() {
    let raw = json_post(r#"{"to":"4"}"#).replace("Content-Length: 10", "Transfer-Encoding: chunked");
    let response = send(&mut lenient(), &raw);
    assert_eq!(response.status(), 411);
    assert!(text(&response).contains("requires a Content-length header"));
}

#[test]
fn gcm_e14_a_body_too_large_is_answered_413() {
    let mut emulator = scripted(r#"{"max_body":17}"#);
    assert_eq!(send(&mut emulator, &form_post("registration_id=4")).status(), 200);
    let response = send(&mut emulator, &form_post("registration_id=42"));
    assert_eq!(response.status(), 413);
    assert_eq!(content_type(&response), "text/html; charset=UTF-8");
}

#[test]
fn a_wrong_length_is_answered_400() {
    let raw = json_post(r#"{"to":"4"}"#);
    for wrong in [
        "Content-Length: 11",
        "Content-Length: ten",
        "Content-Length: 10\r\nContent-Length: 9",
    ] {
        let response = send(&mut lenient(), &raw.replace("Content-Length: 10", wrong));
        assert_eq!(response.status(), 400, "{wrong}");
        assert_eq!(content_type(&response), "text/html; charset=UTF-8");
    }
}

// Refused in our words; the form is the service's.

#[test]
fn a_field_of_the_wrong_type_is_refused_and_echoed() {
    for (field, sentence) in [
        (r#""dry_run":"true""#, r#"Field "dry_run" must be a JSON boolean: true"#),
        (
            r#""delay_while_idle":1"#,
            r#"Field "delay_while_idle" must be a JSON boolean: 1"#,
        ),
        (
            r#""content_available":null"#,
            r#"Field "content_available" must be a JSON boolean: null"#,
        ),
        (
            r#""time_to_live":"108""#,
            r#"Field "time_to_live" must be a JSON number: 108"#,
        ),
        (
            r#""collapse_key":{"a":[true]}"#,
            "Field \"collapse_key\" must be a JSON string: {\"a\":[true]\n}",
        ),
        (
            r#""restricted_package_name":false"#,
            r#"Field "restricted_package_name" must be a JSON string: false"#,
        ),
        (r#""priority":10"#, r#"Field "priority" must be a JSON string: 10"#),
        (
            r#""notification":"hi""#,
            r#"Field "notification" must be a JSON array: hi"#,
        ),
        (r#""data":null"#, r#"Field "data" must be a JSON array: null"#),
        (
            r#""data":{"score":null}"#,
            r#"Field "score" must be a JSON string: null"#,
        ),
    ] {
        refused(&format!(r#"{{"to":"4",{field}}}"#), sentence);
    }
    refused(
        r#"{"registration_ids":["4",8]}"#,
        r#"Field "registration_ids" must be a JSON string: 8"#,
    );
    refused(r#"{"to":null}"#, r#"Field "to" must be a JSON string: null"#);
}

#[test]
fn a_value_out_of_range_is_refused() {
    for (field, sentence) in [
        (
            r#""time_to_live":-10"#,
            "Invalid value (-10) for \"time_to_live\": must be between 0 and 2419200\n",
        ),
        (
            r#""time_to_live":1.5"#,
            "Invalid value (1.5) for \"time_to_live\": must be between 0 and 2419200\n",
        ),
        (
            r#""priority":"HIGH""#,
            "Invalid value (HIGH) for \"priority\": must be \"normal\" or \"high\"\n",
        ),
    ] {
        refused(&format!(r#"{{"to":"4",{field}}}"#), sentence);
    }
}

#[test]
fn an_unknown_or_repeated_field_is_refused() {
    refused(r#"{"to":"4","tim_to_live":0}"#, "Unknown field \"tim_to_live\"\n");
    refused(r#"{"to":"4","message_id":"1"}"#, "Unknown field \"message_id\"\n");
    refused(r#"{"to":"4","to":"4"}"#, "JSON_PARSING_ERROR: Duplicate key \"to\".");
    let mut emulator = scripted(r#"{"allow_unknown_fields":true}"#);
    let known = reply(
        &mut emulator,
        r#"{"to":"4","tim_to_live":0,"notification":{"vibrate":1}}"#,
    );
    assert_eq!(known["success"], 1);
}

#[test]
fn every_reserved_data_key_is_refused() {
    for key in ["message_type", "google.foo", "googlefoo", "gcm.bar", "gcm"] {
        refused(
            &format!(r#"{{"to":"4","data":{{"{key}":"x"}}}}"#),
            &format!("\"data\" key \"{key}\" is a reserved keyword\n"),
        );
    }
    assert_eq!(
        reply(
            &mut lenient(),
            r#"{"to":"4","data":{"collapse_key":"x","From":1,"go":true}}"#
        )["success"],
        1
    );
}

#[test]
fn any_two_targets_are_refused() {
    refused(
        r#"{"condition":"'a' in topics","to":"4"}"#,
        "Must use either \"to\" field or \"condition\", not both\n",
    );
    refused(
        r#"{"notification_key":"k","registration_ids":["4"]}"#,
        "Must use either \"registration_ids\" field or \"notification_key\", not both\n",
    );
}

#[test]
fn a_malformed_topic_is_refused() {
    for topic in ["/topics/", "/topics/ok bad", "/topics/a/b", "/topics/é"] {
        refused(
            &format!(r#"{{"to":"{topic}"}}"#),
            &format!(
                "Invalid value ({topic}) for \"to\": must be \"/topics/\" and a name matching [a-zA-Z0-9-_.~%]+\n"
            ),
        );
    }
}

#[test]
fn a_malformed_condition_is_refused() {
    for condition in [
        "",
        "'a'",
        "'a' in topic",
        "'a' intopics",
        "a in topics",
        "\\\"a\\\" in topics",
        "'a b' in topics",
        "'a' in topics &&",
        "'a' in topics & 'b' in topics",
        "'a' in topics 'b' in topics",
        "('a' in topics",
        "'a' in topics)",
        "!!'a' in topics",
        "()",
    ] {
        let shown = condition.replace("\\\"", "\"");
        refused(
            &format!(r#"{{"condition":"{condition}"}}"#),
            &format!(
                "Invalid value ({shown}) for \"condition\": must be made of 'name' in topics, &&, ||, ! and parentheses\n"
            ),
        );
    }
    let deep = format!("{}'a' in topics{}", "(".repeat(50_000), ")".repeat(50_000));
    let response = send(&mut lenient(), &json_post(&json!({"condition": deep}).to_string()));
    assert_eq!(response.status(), 400);
}

#[test]
fn a_condition_takes_five_topics_and_not_six() {
    let condition = |topics: usize| vec!["'a' in topics"; topics].join(" || ");
    let mut emulator = lenient();
    assert!(reply(&mut emulator, &json!({"condition": condition(5)}).to_string())["message_id"].is_i64());
    let six = condition(6);
    refused(
        &json!({"condition": six}).to_string(),
        &format!("Invalid value ({six}) for \"condition\": must not name more than 5 topics\n"),
    );
}

#[test]
fn a_wrong_notification_is_refused() {
    for (notification, sentence) in [
        (
            r#"{"titel":"x"}"#,
            "InvalidParameters: unknown \"notification\" key \"titel\"\n",
        ),
        (
            r#"{"title":1}"#,
            "InvalidParameters: \"notification\" key \"title\" must be a JSON string\n",
        ),
        (
            r#"{"body":null}"#,
            "InvalidParameters: \"notification\" key \"body\" must be a JSON string\n",
        ),
        (
            r#"{"badge":3}"#,
            "InvalidParameters: \"notification\" key \"badge\" must be a JSON string holding a decimal number\n",
        ),
        (
            r#"{"badge":"three"}"#,
            "InvalidParameters: \"notification\" key \"badge\" must be a JSON string holding a decimal number\n",
        ),
        (
            r##"{"color":"#12345g"}"##,
            "InvalidParameters: \"notification\" key \"color\" must be a JSON string of the form #rrggbb\n",
        ),
        (
            r#"{"body_loc_args":"[\"a\"]"}"#,
            "InvalidParameters: \"notification\" key \"body_loc_args\" must be a JSON array of strings\n",
        ),
        (
            r#"{"title_loc_args":["a",1]}"#,
            "InvalidParameters: \"notification\" key \"title_loc_args\" must be a JSON array of strings\n",
        ),
    ] {
        refused(&format!(r#"{{"to":"4","notification":{notification}}}"#), sentence);
    }
}

/// What Google's tables of the legacy wire and of FCM v1 rule out, and another program may send.
#[test]
fn trial_v14_what_no_device_can_show_is_refused() {
    for notification in [
        r#"{"title_loc_args":["a"]}"#,
        r#"{"body_loc_args":["a"],"title_loc_key":"k"}"#,
        r#"{"body_loc_args":["a"],"body_loc_key":""}"#,
        r#"{"image":"ball.png"}"#,
        r#"{"badge":"99999999999999999999"}"#,
    ] {
        let body = format!(r#"{{"to":"4","notification":{notification}}}"#);
        let response = send(&mut lenient(), &json_post(&body));
        assert_eq!(response.status(), 400, "{notification}");
    }
    for field in [
        r#""collapse_key":"""#,
        r#""restricted_package_name":"""#,
        r#""raw_data":"A""#,
        r#""fcm_options":{"analytics_label":"a b"}"#,
    ] {
        let response = send(&mut lenient(), &json_post(&format!(r#"{{"to":"4",{field}}}"#)));
        assert_eq!(response.status(), 400, "{field}");
    }
}
