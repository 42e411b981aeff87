//! Faults that somebody may have put there on purpose. What is shown of secrets is tested in `api.rs`.

use crate::common::{json_body, message, ok, plain_to, refusal, reply, route, token};
use gcm_proto::{
    ApiKey, Endpoint, EndpointError, Exchange, Fid, GroupKey, NameRule, ProjectId, Token, legacy, legacy::json,
    legacy::plaintext,
};
use serde_json::json;

#[test]
fn fault_f1_control_characters_in_a_key_are_refused() {
    for key in [
        "a\rb",
        "a\nb",
        "a\r\nX-Header: 1",
        "a\u{0}b",
        "a\u{7f}b",
        "a\tb",
        "a\u{1b}b",
    ] {
        let error = ApiKey::try_from(key).unwrap_err();
        assert_eq!(error.rule(), NameRule::Control { index: 1 }, "{key:?}");
    }
}

#[test]
fn fault_f2_what_a_paste_leaves_around_a_key_is_refused() {
    for (key, rule) in [
        ("AAAA\n", NameRule::Surrounded { index: 4 }),
        ("AAAA\r\n", NameRule::Surrounded { index: 4 }),
        ("AAAA ", NameRule::Surrounded { index: 4 }),
        (" AAAA", NameRule::Surrounded { index: 0 }),
        ("\tAAAA", NameRule::Surrounded { index: 0 }),
        ("AAAA\u{a0}", NameRule::Surrounded { index: 4 }),
        ("\u{feff}AAAA", NameRule::Character { index: 0 }),
        ("AAAA\u{200b}", NameRule::Character { index: 4 }),
        ("\"AAAA\"", NameRule::Character { index: 0 }),
        ("'AAAA'", NameRule::Character { index: 0 }),
        ("AAAA\"", NameRule::Character { index: 4 }),
        ("AA AA", NameRule::Character { index: 2 }),
        ("AAÄA", NameRule::Character { index: 2 }),
        ("", NameRule::Empty),
        ("\n", NameRule::Surrounded { index: 0 }),
    ] {
        let error = ApiKey::try_from(key).map(|_| ()).unwrap_err();
        assert_eq!(error.rule(), rule, "{key:?}");
    }
    // Both ages of keys as they were handed out.
    for key in ["AIzaSyZ-1u0GzwHPRGoxfX_x5xXXXXXXXXXXXXX", "AAAAjXXXXXX:APA91bE-XX_XXXX"] {
        assert_eq!(ApiKey::try_from(key).unwrap().expose(), key);
    }
}

#[test]
fn fault_f3_a_hostile_token_stays_inside_its_field() {
    for text in ["a\rb", "a\nb", "a\u{0}b", "a\u{85}b", "\u{7f}"] {
        assert!(Token::try_from(text).is_err(), "{text:?}");
        assert!(Fid::try_from(text).is_err(), "{text:?}");
        assert!(GroupKey::try_from(text).is_err(), "{text:?}");
    }
    for text in [r#""],"to":"all"#, r#"a","data":{"x":"y"}}"#, "é\u{2028}\u{202e}☃"] {
        assert!(Token::try_from(text).is_err(), "{text:?}");
    }
    let long = "x".repeat(1 << 20);
    for text in [
        r"back\slash\",
        r"],to:all\",
        "{data:{x:y}}",
        "a&registration_id=b",
        "a=b%26c",
        "é☃",
        &long,
    ] {
        let single = json::Single::new(&route(), &message(), token(text)).unwrap();
        assert_eq!(json_body(&single), json!({"to": text, "data": {"score": "4x8"}}));
        let many = json::Multicast::new(&route(), &message(), [token(text), token("b")]).unwrap();
        assert_eq!(
            json_body(&many),
            json!({"registration_ids": [text, "b"], "data": {"score": "4x8"}})
        );
        let group = json::Single::new(&route(), &message(), GroupKey::try_from(text).unwrap()).unwrap();
        assert_eq!(json_body(&group)["to"], text);
        let form = plaintext::Single::new(&route(), &message(), token(text))
            .unwrap()
            .request();
        let pairs: Vec<_> = form_urlencoded::parse(form.body()).into_owned().collect();
        let expected = [("registration_id", text), ("data.score", "4x8")];
        assert_eq!(pairs, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        for request in [single.request(), form] {
            assert_eq!(request.uri(), crate::common::ENDPOINT);
            let shown = request.headers().values().filter_map(|value| value.to_str().ok());
            assert_eq!(shown.filter(|value| value.contains(text)).count(), 0);
        }
    }
}

#[test]
fn fault_f4_a_project_id_is_one_segment_of_a_path() {
    for text in [
        "../../x",
        "a?b",
        "a/b",
        "a#b",
        "",
        "..",
        ".",
        "a b",
        "a%2fb",
        "a\\b",
        "é",
        "a\n",
        &"a".repeat(301),
    ] {
        assert!(ProjectId::try_from(text).is_err(), "{text:?}");
    }
    for text in ["my-project-1", "123456789012", "example.com:my-project"] {
        assert_eq!(ProjectId::try_from(text).unwrap().as_str(), text);
    }
}

#[test]
fn fault_f5_the_key_is_marked_sensitive_in_its_header() {
    for request in [plain_to("A").request(), crate::common::multicast(&["A"]).request()] {
        assert!(request.headers()["authorization"].is_sensitive());
    }
}

#[test]
fn fault_f6_plain_http_goes_to_this_machine_only() {
    for url in [
        "https://push.example.org/gcm/send",
        "HTTPS://push.example.org/gcm/send",
        "http://localhost:8080/gcm/send",
        "http://LOCALHOST/gcm/send",
        "http://127.0.0.1/gcm/send",
        "http://127.255.255.254:1/gcm/send",
        "http://[::1]:8080/gcm/send",
    ] {
        assert!(url.parse::<Endpoint>().is_ok(), "{url}");
    }
    for url in [
        "http://push.example.org/gcm/send",
        "http://localhost.evil/",
        "http://127.0.0.1.evil/",
        "http://127.0.0.1.evil.example/gcm/send",
        "http://evil-localhost/",
        "http://localhost.:80/",
        "http://0.0.0.0/",
        "http://127.1/",
        "http://2130706433/",
        "http://0x7f.0.0.1/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::]/",
        "http://10.0.0.1/",
        "http://128.0.0.1/",
    ] {
        assert_eq!(url.parse::<Endpoint>(), Err(EndpointError::PlainHttp), "{url}");
        assert!(Endpoint::insecure(url).is_ok(), "{url}");
    }
    for url in [
        "https://user:secret@host/",
        "https://user@host/",
        "http://localhost:80@evil.example/",
    ] {
        assert_eq!(url.parse::<Endpoint>(), Err(EndpointError::UserInfo), "{url}");
        assert_eq!(Endpoint::insecure(url), Err(EndpointError::UserInfo), "{url}");
    }
    for url in [
        "ftp://localhost/",
        "ws://push.example.org/",
        "file://localhost/etc/passwd",
    ] {
        assert_eq!(url.parse::<Endpoint>(), Err(EndpointError::Scheme), "{url}");
        assert_eq!(Endpoint::insecure(url), Err(EndpointError::Scheme), "{url}");
    }
    for url in [
        "",
        "/gcm/send",
        "push.example.org/gcm/send",
        "localhost",
        "https://",
        "https:///x",
        "http//x",
        "https://a b/",
    ] {
        assert_eq!(url.parse::<Endpoint>(), Err(EndpointError::NotAUrl), "{url}");
    }
}

/// RFC 3986 section 3.2.3 allows any digits as a port; there are 65,535 (RFC 9293, 3.1). What reads the port as a `u16` takes
/// the scheme's own for those that are none, and the key goes there.
#[test]
fn trial_v18_a_port_that_is_none_is_refused() {
    for port in [
        "0",
        "00",
        "65536",
        "99999",
        "99999999999999999999",
        "",
        "+80",
        "-1",
        "80a",
        "8 0",
        "0x50",
        "８０",
    ] {
        for host in [
            "http://127.0.0.1",
            "https://push.example.org",
            "http://[::1]",
            "http://localhost",
        ] {
            let url = format!("{host}:{port}/gcm/send");
            let (checked, insecure) = (url.parse::<Endpoint>(), Endpoint::insecure(&url));
            // What is no number at all is no URL to some readers of URLs.
            let is_refused = |endpoint| matches!(endpoint, Err(EndpointError::Port | EndpointError::NotAUrl));
            assert!(is_refused(checked.clone()), "{url}: {checked:?}");
            assert!(is_refused(insecure), "{url}");
            if !port.is_empty() && port.bytes().all(|c| c.is_ascii_digit()) {
                assert_eq!(checked, Err(EndpointError::Port), "{url}");
            }
        }
    }
    for url in [
        "http://127.0.0.1:1/",
        "http://127.0.0.1:65535/gcm/send",
        "https://push.example.org:443/gcm/send",
        "https://push.example.org:08443/gcm/send",
        "https://[2001:db8::1]:8443/gcm/send",
        "https://[2001:db8::1]/gcm/send",
    ] {
        assert!(url.parse::<Endpoint>().is_ok(), "{url}");
    }
}

#[test]
fn fault_f8_a_query_with_a_credential_is_not_shown() {
    let endpoint: Endpoint = "https://relay.example/gcm/send?auth=querysecret".parse().unwrap();
    assert_eq!(endpoint.uri().query(), Some("auth=querysecret"));
    let route = legacy::Route::new(endpoint.clone(), "AAAA".parse().unwrap());
    assert!(!format!("{endpoint} {endpoint:?} {route:?} {route:#?}").contains("querysecret"));
}

#[test]
fn fault_f13_a_peers_text_writes_no_line_of_a_log() {
    let forged = "x\n2012-01-01 ERROR forged\u{1b}[2J";
    let body = json!({"error": forged}).to_string();
    let refusal = refusal(plain_to("A").read_response(reply(400, &[], body)));
    assert!(!refusal.to_string().contains(char::is_control));
    let body = json!({"results": [{"message_id": forged}]}).to_string();
    let accepted = crate::common::multicast(&["A"])
        .read_response(ok(body))
        .unwrap()
        .into_outcomes();
    assert!(
        !accepted[0].to_string().contains(char::is_control),
        "{:?}",
        accepted[0].to_string()
    );
}
