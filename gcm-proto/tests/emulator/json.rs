//! What the JSON wire serves.

use super::*;

#[test]
fn every_documented_field_is_accepted() {
    let body = r##"{"registration_ids":["4"],"collapse_key":"score_update","priority":"high","content_available":true,
        "mutable_content":false,"delay_while_idle":true,"time_to_live":0,"restricted_package_name":"com.example",
        "dry_run":false,"data":{"score":"4x8","n":3},"direct_boot_ok":true,"fcm_options":{"analytics_label":"x"},
        "notification":{"title":"t","body":"b","subtitle":"s","icon":"i","android_channel_id":"c","sound":"default",
        "badge":"0","tag":"t","color":"#aaBB00","click_action":"a","body_loc_key":"k","body_loc_args":["a","b"],
        "title_loc_key":"k","title_loc_args":[],"image":"https://u"}}"##;
    let mut emulator = lenient();
    assert_eq!(reply(&mut emulator, body)["success"], 1);
    assert_eq!(emulator.log()[0].json().unwrap()["notification"]["badge"], "0");
}

#[test]
fn a_multicast_is_answered_in_order_and_counted() {
    let mut emulator = scripted(
        r#"{"devices":{"8":"unavailable","15":"invalid","23":{"replace":"32"},"42":"unregistered"},"retry_after":"7"}"#,
    );
    let response = send(
        &mut emulator,
        &json_post(r#"{"registration_ids":["4","8","15","16","23","42"]}"#),
    );
    let reply: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(response.headers()["retry-after"], "7");
    assert_eq!(reply["success"], 3);
    assert_eq!(reply["failure"], 3);
    assert_eq!(reply["canonical_ids"], 1);
    let results = reply["results"].as_array().unwrap();
    assert_eq!(results.len(), 6);
    for accepted in [0, 3, 4] {
        let id = results[accepted]["message_id"].as_str().unwrap();
        assert!(id.starts_with("0:") && id.contains('%'), "{id}");
    }
    assert_ne!(results[0]["message_id"], results[3]["message_id"]);
    assert_eq!(results[1], json!({"error": "Unavailable"}));
    assert_eq!(results[2], json!({"error": "InvalidRegistration"}));
    assert_eq!(results[4]["registration_id"], "32");
    assert_eq!(results[5], json!({"error": "NotRegistered"}));

    let counters = emulator.counters();
    assert_eq!((counters.requests, counters.recipients), (1, 6));
    assert_eq!((counters.accepted, counters.replaced, counters.failed), (3, 1, 3));
    let once = |code: &str| (code.to_owned(), 1);
    let errors = BTreeMap::from(["InvalidRegistration", "NotRegistered", "Unavailable"].map(once));
    assert_eq!(counters.errors, errors);
}

#[test]
fn multicast_ids_have_nineteen_digits_and_differ_though_not_as_floating_point() {
    let mut emulator = lenient();
    let mut id = || reply(&mut emulator, r#"{"to":"4"}"#)["multicast_id"].as_i64().unwrap();
    let (first, second) = (id(), id());
    assert_ne!(first, second);
    for id in [first, second] {
        assert_eq!(id.to_string().len(), 19);
        assert!(id > 1 << 53);
    }
    let topic = reply(&mut emulator, r#"{"to":"/topics/news"}"#);
    assert!(topic["message_id"].as_i64().unwrap() > 1 << 53);
}

#[test]
fn the_same_requests_are_answered_alike_in_every_run() {
    let run = || {
        let mut emulator = lenient();
        let bodies = [
            r#"{"to":"4"}"#,
            r#"{"registration_ids":["4","4"]}"#,
            r#"{"to":"/topics/a"}"#,
        ];
        bodies.map(|body| send(&mut emulator, &json_post(body)).into_body())
    };
    assert_eq!(run(), run());
}

#[test]
fn what_lacks_the_very_prefix_of_a_topic_is_looked_up_as_a_device() {
    for target in ["/topic/x", "topics/x"] {
        let reply = reply(&mut lenient(), &format!(r#"{{"to":"{target}"}}"#));
        assert_eq!(reply["failure"], 1);
        assert_eq!(reply["results"], json!([{"error": "InvalidRegistration"}]));
        assert!(reply["multicast_id"].is_i64());
    }
}

#[test]
fn garbage_among_many_tokens_fails_alone() {
    let reply = reply(&mut lenient(), r#"{"registration_ids":["4","a b",""]}"#);
    assert_eq!(reply["success"], 1);
    assert_eq!(reply["results"][1], json!({"error": "InvalidRegistration"}));
    assert_eq!(reply["results"][2], json!({"error": "InvalidRegistration"}));
}

#[test]
fn a_device_goes_through_its_behaviours_and_stays_with_the_last() {
    let mut emulator = scripted(
        r#"{"devices":{
            "a":["unavailable","accept","unregistered"],
            "b":{"unavailable":2},
            "c":{"error":"D'OH!","times":1},
            "d":[{"error":"InternalServerError","times":2},"invalid"],
            "e":{"error":"DeprecatedApi"}}}"#,
    );
    let mut seen = Vec::new();
    for _ in 0..4 {
        let reply = reply(&mut emulator, r#"{"registration_ids":["a","b","c","d","e"]}"#);
        let codes = reply["results"].as_array().unwrap().iter();
        seen.push(
            codes
                .map(|result| result["error"].as_str().unwrap_or("ok").to_owned())
                .collect::<Vec<_>>(),
        );
    }
    assert_eq!(
        seen,
        [
            [
                "Unavailable",
                "Unavailable",
                "D'OH!",
                "InternalServerError",
                "DeprecatedApi"
            ],
            ["ok", "Unavailable", "ok", "InternalServerError", "DeprecatedApi"],
            ["NotRegistered", "ok", "ok", "InvalidRegistration", "DeprecatedApi"],
            ["NotRegistered", "ok", "ok", "InvalidRegistration", "DeprecatedApi"],
        ]
    );
}

#[test]
fn a_default_that_changes_counts_for_each_device_by_itself() {
    let mut emulator = scripted(r#"{"default":{"unavailable":1}}"#);
    assert_eq!(reply(&mut emulator, r#"{"registration_ids":["a","b"]}"#)["failure"], 2);
    assert_eq!(reply(&mut emulator, r#"{"registration_ids":["a","c"]}"#)["success"], 1);
    assert_eq!(
        reply(&mut emulator, r#"{"registration_ids":["a","b","c"]}"#)["success"],
        3
    );
}

#[test]
fn a_device_of_one_package_refuses_a_message_for_another() {
    let mut emulator = scripted(r#"{"devices":{"4":{"package":"com.x"}}}"#);
    for (package, error) in [("com.x", Value::Null), ("com.y", json!("InvalidPackageName"))] {
        let body = json!({"to": "4", "restricted_package_name": package}).to_string();
        assert_eq!(reply(&mut emulator, &body)["results"][0]["error"], error);
    }
    let any = form(&mut emulator, "registration_id=4");
    assert!(any.1.starts_with("id="), "{any:?}");
    let other = form(&mut emulator, "registration_id=4&restricted_package_name=com.y");
    assert_eq!(other, (200, "Error=InvalidPackageName\n".to_owned()));
}

#[test]
fn a_payload_over_the_limit_fails_for_every_recipient_and_costs_no_attempt() {
    let mut emulator = scripted(r#"{"devices":{"4":["unregistered","accept"]}}"#);
    let sized = |bytes: usize| "x".repeat(bytes - "keytitle".len() - 1);
    let body = |bytes| {
        json!({"registration_ids": ["4", "8"], "data": {"key": sized(bytes)}, "notification": {"title": "t"}})
            .to_string()
    };
    let too_big = reply(&mut emulator, &body(4097));
    assert_eq!(
        too_big["results"],
        json!([{"error": "MessageTooBig"}, {"error": "MessageTooBig"}])
    );
    let fits = reply(&mut emulator, &body(4096));
    assert_eq!(fits["results"][0], json!({"error": "NotRegistered"}));
    assert_eq!(fits["success"], 1);

    let topic = |bytes: usize| json!({"to": "/topics/news", "data": {"key": "x".repeat(bytes - 3)}}).to_string();
    assert_eq!(reply(&mut emulator, &topic(2049)), json!({"error": "MessageTooBig"}));
    assert!(reply(&mut emulator, &topic(2048))["message_id"].is_i64());
}

#[test]
fn a_list_or_an_object_among_the_data_counts_as_its_json() {
    let mut emulator = scripted(r#"{"max_payload":9}"#);
    for (value, verdict) in [
        (r"[1, true]", "success"),
        (r"[1, false]", "failure"),
        (r#"{ "a": 10 }"#, "success"),
        (r#"{ "a": 100 }"#, "failure"),
    ] {
        let body = format!(r#"{{"to":"4","data":{{"k":{value}}}}}"#);
        assert_eq!(reply(&mut emulator, &body)[verdict], 1, "{value}");
    }
}

#[test]
fn payloads_are_measured_in_bytes_of_utf8() {
    let mut emulator = scripted(r#"{"max_payload":5}"#);
    assert_eq!(reply(&mut emulator, r#"{"to":"4","data":{"k":"éé"}}"#)["success"], 1);
    assert_eq!(reply(&mut emulator, r#"{"to":"4","data":{"k":"ééé"}}"#)["failure"], 1);
}

#[test]
fn a_time_to_live_may_need_a_collapse_key() {
    let mut emulator = scripted(r#"{"ttl_needs_collapse_key":true}"#);
    let missing = json!([{"error": "MissingCollapseKey"}]);
    assert_eq!(
        reply(&mut emulator, r#"{"to":"4","time_to_live":0}"#)["results"],
        missing
    );
    assert_eq!(
        reply(&mut emulator, r#"{"to":"4","time_to_live":0,"collapse_key":"k"}"#)["success"],
        1
    );
    assert_eq!(
        form(&mut emulator, "registration_id=4&time_to_live=0"),
        (200, "Error=MissingCollapseKey\n".to_owned())
    );
    assert!(
        form(&mut emulator, "registration_id=4&time_to_live=0&collapse_key=k")
            .1
            .starts_with("id=")
    );
    assert_eq!(reply(&mut lenient(), r#"{"to":"4","time_to_live":0}"#)["success"], 1);
}

#[test]
fn a_group_of_which_nobody_is_reached_has_failed() {
    let mut emulator = scripted(r#"{"groups":{"g":{"members":1,"unreached":["4"]}}}"#);
    assert_eq!(
        reply(&mut emulator, r#"{"to":"g"}"#),
        json!({"success": 0, "failure": 1, "failed_registration_ids": ["4"]})
    );
    let counters = emulator.counters();
    assert_eq!((counters.recipients, counters.accepted, counters.failed), (1, 0, 1));
    assert_eq!(form(&mut emulator, "registration_id=g").0, 503);
}

#[test]
fn a_dry_run_has_the_normal_shape_and_fake_ids() {
    let mut emulator = scripted(r#"{"devices":{"42":"unregistered","23":{"replace":"32"}}}"#);
    let many = reply(&mut emulator, r#"{"registration_ids":["4","42","23"],"dry_run":true}"#);
    assert_eq!(
        many,
        json!({"multicast_id": -1, "success": 2, "failure": 1, "canonical_ids": 1, "results": [
            {"message_id": "fake_message_id"},
            {"error": "NotRegistered"},
            {"message_id": "fake_message_id", "registration_id": "32"},
        ]})
    );
    assert_eq!(
        reply(&mut emulator, r#"{"to":"/topics/a","dry_run":true}"#),
        json!({"message_id": -1})
    );
    assert_eq!(
        form(&mut emulator, "registration_id=4&dry_run=true"),
        (200, "id=fake_message_id\n".to_owned())
    );
    let counters = emulator.counters();
    assert_eq!(
        (
            counters.accepted,
            counters.replaced,
            counters.rehearsed,
            counters.failed
        ),
        (0, 0, 4, 1)
    );
    assert!(emulator.log().iter().all(Entry::is_dry_run));
}

#[test]
fn topics_and_conditions_follow_the_script() {
    let mut emulator = scripted(
        r#"{"topics":{"/topics/loud":{"error":"TopicsMessageRateExceeded","times":1},"down":"unavailable"},"retry_after":"3"}"#,
    );
    assert_eq!(
        reply(&mut emulator, r#"{"to":"/topics/loud"}"#),
        json!({"error": "TopicsMessageRateExceeded"})
    );
    assert!(reply(&mut emulator, r#"{"to":"/topics/loud"}"#)["message_id"].is_i64());
    assert!(
        reply(
            &mut emulator,
            r#"{"condition":"'other' in topics && !('loud' IN TOPICS)"}"#
        )["message_id"]
            .is_i64()
    );
    let response = send(
        &mut emulator,
        &json_post(r#"{"condition":"'other'in topics||'down' in topics"}"#),
    );
    assert_eq!(text(&response), r#"{"error":"Unavailable"}"#);
    assert_eq!(response.headers()["retry-after"], "3");

    assert_eq!(
        emulator.log()[0].addressee(),
        Some(&Addressee::Topic("loud".to_owned()))
    );
    let condition = Addressee::Condition {
        expression: "'other'in topics||'down' in topics".to_owned(),
        topics: vec!["other".to_owned(), "down".to_owned()],
    };
    assert_eq!(emulator.log()[3].addressee(), Some(&condition));
}

#[test]
fn groups_follow_the_script() {
    let mut emulator = scripted(
        r#"{"groups":{"all":{"members":3},"some":{"members":3,"unreached":["regId1","regId2"]},"old":"gone","off":"unavailable"}}"#,
    );
    assert_eq!(
        reply(&mut emulator, r#"{"to":"all"}"#),
        json!({"success": 3, "failure": 0})
    );
    assert_eq!(
        reply(&mut emulator, r#"{"notification_key":"some"}"#),
        json!({"success": 1, "failure": 2, "failed_registration_ids": ["regId1", "regId2"]})
    );
    for gone in [r#"{"to":"old"}"#, r#"{"notification_key":"never seen"}"#] {
        let response = send(&mut emulator, &json_post(gone));
        assert_eq!((response.status(), text(&response)), (StatusCode::OK, ""));
    }
    let off = send(&mut emulator, &json_post(r#"{"to":"off"}"#));
    assert_eq!((off.status(), text(&off)), (StatusCode::SERVICE_UNAVAILABLE, ""));
    let counters = emulator.counters();
    assert_eq!((counters.recipients, counters.accepted, counters.failed), (5, 2, 3));
    assert_eq!(counters.errors, BTreeMap::from([("Unavailable".to_owned(), 1)]));

    assert!(form(&mut emulator, "registration_id=some").1.starts_with("id="));
    assert_eq!(form(&mut emulator, "registration_id=old"), (200, String::new()));
    assert_eq!(form(&mut emulator, "registration_id=off").0, 503);
}
