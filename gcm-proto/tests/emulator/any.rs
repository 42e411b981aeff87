//! Whatever comes in.

use super::*;

fn any_request() -> impl Strategy<Value = Request<Vec<u8>>> {
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        // What gets past the first checks more often.
        r#"\{("(to|registration_ids|condition|data|notification|time_to_live|dry_run|badge)":("[^"\\]{0,8}"|\["a"\]|\{"a":"b"\}|[0-9]{1,8}|true|null),?){0,4}\}?"#
            .prop_map(String::into_bytes),
        r"(registration_id|data\.[a-z]|time_to_live|dry_run)=[^&]{0,8}(&[a-z._]{0,16}=?[^&]{0,8}){0,4}".prop_map(String::into_bytes),
        r#"\{"condition":"[()!&|' \tina-z]{0,40}"\}"#.prop_map(String::into_bytes),
    ];
    let content_type = prop_oneof![
        Just(b"application/json".to_vec()),
        Just(b"application/x-www-form-urlencoded".to_vec()),
        proptest::collection::vec(0x20_u8..0x7f, 0..20),
        proptest::collection::vec(0x80_u8.., 0..20),
    ];
    let key = prop_oneof![Just(b"key=k".to_vec()), proptest::collection::vec(0x20_u8..0x7f, 0..10)];
    let path = prop_oneof![Just("/gcm/send".to_owned()), "/[a-z%/:]{0,12}"];
    (
        body,
        content_type,
        key,
        path,
        proptest::option::weighted(0.9, any::<bool>()),
    )
        .prop_map(|(body, content_type, key, path, length)| {
            let mut request = Request::post(path)
                .header(
                    "content-type",
                    HeaderValue::from_bytes(&content_type).expect("a header"),
                )
                .header("authorization", HeaderValue::from_bytes(&key).expect("a header"));
            if let Some(odd) = length {
                let length = if odd { "0".to_owned() } else { body.len().to_string() };
                request = request.header("content-length", length);
            }
            request.body(body).expect("a request")
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_request_gets_an_answer_and_is_counted_once(requests in proptest::collection::vec(any_request(), 1..4)) {
        let mut emulator = scripted(r#"{"default":["unavailable",{"replace":"b"},"accept"],"groups":{"a":{"members":1}}}"#);
        for request in &requests {
            let response = emulator.handle(request);
            prop_assert!(matches!(response.status().as_u16(), 200 | 400 | 401 | 404 | 411 | 413 | 503));
            let json = content_type(&response).starts_with("application/json");
            prop_assert!(!json || response.body().is_empty() || serde_json::from_slice::<Value>(response.body()).is_ok());
        }
        let counters = emulator.counters();
        let count = u64::try_from(requests.len()).expect("few");
        prop_assert_eq!(counters.requests, count);
        prop_assert_eq!(counters.statuses.values().sum::<u64>(), count);
        prop_assert_eq!(counters.recipients, counters.accepted + counters.rehearsed + counters.failed);
        prop_assert_eq!(emulator.log().len(), requests.len());
        let shown = format!("{emulator:?}");
        prop_assert!(shown.contains("counters"));
    }

    #[test]
    fn any_bytes_are_a_script_or_an_error_with_a_place(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        if let Err(error) = Script::from_json(&bytes) {
            prop_assert!(error.line() >= 1 && error.line() <= bytes.len() + 1);
        }
    }
}
