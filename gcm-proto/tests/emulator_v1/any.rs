//! Whatever comes in.

use super::*;

fn any_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        // What gets past the first checks more often.
        r#"\{"message":\{("(token|fid|topic|condition|data|notification|android|apns|webpush|fcm_options)":("[^"\\]{0,8}"|\{"(a|ttl|title|headers|payload|analytics_label)":("[0-9a-zA-Z.]{0,5}"|1|\{\}|\[\])\}|[0-9]{1,3}|true|null),?){0,4}\}\}?"#
            .prop_map(String::into_bytes),
        r#"\{"message":\{"token":"4","android":\{"(ttl|priority)":"[0-9.a-zA-Z-]{0,8}s?"\}\}\}"#.prop_map(String::into_bytes),
        r"(grant_type|assertion|refresh_token|client_id)=[^&]{0,8}(&[a-z_]{0,16}=?[^&]{0,8}){0,4}".prop_map(String::into_bytes),
        r"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=[A-Za-z0-9_.=-]{0,60}".prop_map(String::into_bytes),
        r"grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&assertion=eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhQGIifQ.[A-Z]{0,9}"
            .prop_map(String::into_bytes),
    ]
}

fn any_request() -> impl Strategy<Value = Request<Vec<u8>>> {
    let content_type = prop_oneof![
        Just(b"application/json".to_vec()),
        Just(b"application/x-www-form-urlencoded".to_vec()),
        proptest::collection::vec(0x80_u8.., 0..20),
    ];
    let key = prop_oneof![
        Just(b"Bearer a".to_vec()),
        Just(b"Bearer b".to_vec()),
        proptest::collection::vec(0x20_u8..0x7f, 0..10),
        proptest::collection::vec(0x80_u8.., 0..10),
    ];
    let path = prop_oneof![
        Just("/v1/projects/P/messages:send".to_owned()),
        Just("/token".to_owned()),
        Just("http://[::1]:80/token".to_owned()),
        "/v1/projects/[a-z%/:]{0,12}/messages:send",
        "/v1[a-z%/:]{0,12}",
    ];
    (any_body(), content_type, key, path).prop_map(|(body, content_type, key, path)| {
        Request::post(path)
            .header(
                "content-type",
                HeaderValue::from_bytes(&content_type).expect("a header"),
            )
            .header("authorization", HeaderValue::from_bytes(&key).expect("a header"))
            .body(body)
            .expect("a request")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn every_request_gets_an_answer_and_is_counted_once(
        requests in proptest::collection::vec(any_request(), 1..4),
        now in proptest::option::of(any::<u64>()),
    ) {
        let mut emulator = scripted(
            r#"{"access_tokens":{"a":"valid","b":{"uses":1}},"accounts":{"a@b":"deleted"},"default":["accept","unregistered"]}"#,
        );
        if let Some(now) = now.and_then(|now| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(now))) {
            emulator.set_time(now);
        }
        for request in &requests {
            let response = emulator.handle(request);
            prop_assert!(matches!(response.status().as_u16(), 200 | 400 | 401 | 404 | 413), "{}", response.status());
            let json = content_type(&response).starts_with("application/json");
            prop_assert!(!json || serde_json::from_slice::<Value>(response.body()).is_ok());
        }
        let counters = emulator.counters();
        prop_assert_eq!(counters.statuses.values().sum::<u64>(), counters.requests);
        prop_assert_eq!(counters.recipients, counters.accepted + counters.rehearsed + counters.failed);
        prop_assert_eq!(counters.refused + counters.recipients + counters.tokens_issued, counters.requests);
        prop_assert_eq!(emulator.log().len(), requests.len());
        let shown = format!("{emulator:?}");
        prop_assert!(shown.contains("counters"));
    }
}
