use super::details::{compact, duration};
use super::{ResponseBody, is_not_a_token, usual_name};
use crate::exchange::RetryAfter;

#[test]
fn white_space_goes_between_tokens_and_stays_in_texts() {
    let json = "{ \"a \\\" b\" :\n [1 , \"c\\\\\" ] }";
    assert_eq!(compact(json), r#"{"a \" b":[1,"c\\"]}"#);
}

#[test]
fn the_usual_reply_is_read_as_any_other_is() {
    let usual = "{\n  \"name\": \"projects/p/messages/0:1%2\"\n}\n";
    assert_eq!(usual_name(usual.as_bytes()), Some("projects/p/messages/0:1%2"));
    let others = [
        ("{\"name\":\"a\\u0062\"}", Some("ab")),
        ("{\"name\":\"a\",\"b\":\"c\"}", Some("a")),
        ("{\"b\":\"c\",\"name\":\"a\"}", Some("a")),
        ("[{\"name\":\"a\"}]", Some("a")),
        ("{\"name\":\"a\",\"error\":null}", Some("a")),
        ("{\"name\":\"a\",\"error\":{}}", None),
        ("{\"name\":\"a\",\"name\":\"c\"}", None),
        ("{\"name\":\"a\u{1}\"}", None),
        ("{\"name\":\"\u{e9}\"}", Some("\u{e9}")),
        ("{\u{c}\"name\":\"a\u{b}\"}", None),
        ("{\"name\":\"a}", None),
        ("{\"name\":\"}", None),
        ("{\"name\" \"a\"}", None),
        ("{\"name\":7}", Some("7")),
        ("{}", None),
    ];
    for (json, expected) in others {
        assert_eq!(usual_name(json.as_bytes()), None, "{json}");
        let name = match ResponseBody::read(json, [""; 3]) {
            Ok(ResponseBody::Message(name)) => name,
            _ => None,
        };
        assert_eq!(name.as_deref(), expected, "{json}");
    }
}

#[test]
fn trial_v11_the_sentence_about_the_token_is_known_in_any_case_and_with_a_full_stop() {
    let sentence = "The registration token is not a valid FCM registration token";
    for same in [
        sentence,
        &format!("{sentence}."),
        &format!(" {sentence} .\n"),
        &sentence.to_uppercase(),
    ] {
        assert!(is_not_a_token(same), "{same}");
    }
    for other in [
        "",
        ".",
        "The registration token is a valid FCM registration token",
        &format!("{sentence}: 42"),
    ] {
        assert!(!is_not_a_token(other), "{other}");
    }
}

#[test]
fn a_duration_is_digits_and_an_s() {
    let millis = |text| duration(text).map(|d| d.as_millis());
    assert_eq!(millis("37s"), Some(37_000));
    assert_eq!(millis("1.5s"), Some(1_500));
    assert_eq!(millis("0.000000001s"), Some(0));
    let most = "99999999999999999999s";
    assert_eq!(duration(most), Some(RetryAfter::MOST));
    for wrong in [
        "",
        "s",
        "-1s",
        "+1s",
        "1",
        "1.s",
        ".5s",
        "1.0000000001s",
        "1e3s",
        "1.-1s",
    ] {
        assert_eq!(duration(wrong), None, "{wrong:?}");
    }
}

#[test]
fn lists_and_texts_are_bounded() {
    let violation = format!(r#"{{"field":"{}","description":"b"}}"#, "a b".repeat(10_000));
    let violations = vec![violation; 100].join(",");
    let other = vec![r#"{"@type":"type.googleapis.com/x.Y"}"#; 100].join(",");
    let metadata: Vec<String> = (0..100).map(|n| format!(r#""key{n}":"value"#) + "\"").collect();
    let body = format!(
        r#"{{"error":{{"details":[{{"@type":"google.rpc.BadRequest","fieldViolations":[{violations}]}},
        {{"@type":"google.rpc.ErrorInfo","metadata":{{{}}}}},{other}]}}}}"#,
        metadata.join(",")
    );
    let Ok(ResponseBody::Error(said)) = ResponseBody::read(&body, [""; 3]) else {
        panic!("it is an error")
    };
    let details = said.details;
    assert_eq!(details.violations.len(), 16);
    assert!(details.violations[0].field.len() <= 512 + '…'.len_utf8());
    assert_eq!(details.info.unwrap().metadata.len(), 16);
    assert_eq!(details.other.len(), 16);
}
