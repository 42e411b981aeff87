use super::{Proxy, ProxyError, ProxyRefused};

fn from(variables: &[(&str, &str)]) -> Result<Option<Proxy>, ProxyError> {
    Proxy::from_variables(|name| {
        let found = variables.iter().find(|(key, _)| *key == name);
        found.map(|(_, value)| (*value).to_owned())
    })
}

fn shown(proxy: Result<Option<Proxy>, ProxyError>) -> String {
    format!("{:?}", proxy.unwrap().unwrap())
}

#[test]
fn a_url_of_another_kind_is_no_proxy() {
    for (url, error) in [
        ("socks5://host:1080", ProxyError::Scheme),
        ("ftp://host", ProxyError::Scheme),
        ("https://host", ProxyError::Scheme),
        ("://host", ProxyError::Scheme),
        ("http://", ProxyError::NotAUrl),
        ("", ProxyError::NotAUrl),
        ("two words", ProxyError::NotAUrl),
        ("http://:3128", ProxyError::NotAUrl),
        ("http://host:0", ProxyError::NotAUrl),
        ("http://host:99999", ProxyError::NotAUrl),
        ("http://host:port", ProxyError::NotAUrl),
        ("http://anna:two words@host", ProxyError::NotAUrl),
    ] {
        assert_eq!(url.parse::<Proxy>().unwrap_err(), error, "{url}");
    }
}

#[test]
fn a_proxy_is_read_whatever_the_case_of_its_scheme_and_what_follows_its_host() {
    for (url, shown) in [
        ("HTTP://host:3128", "Proxy(http://host:3128)"),
        ("host:3128", "Proxy(http://host:3128)"),
        ("host", "Proxy(http://host:80)"),
        ("host:", "Proxy(http://host:80)"),
        ("http://host:3128/", "Proxy(http://host:3128)"),
        ("  http://host/path?query  ", "Proxy(http://host:80)"),
        ("http://[2001:db8::1]:3128", "Proxy(http://[2001:db8::1]:3128)"),
        ("http://[::1]", "Proxy(http://[::1]:80)"),
        ("http://anna:a@b@192.0.2.1:8080", "Proxy(http://192.0.2.1:8080)"),
    ] {
        assert_eq!(format!("{:?}", url.parse::<Proxy>().unwrap()), shown, "{url}");
    }
}

#[test]
fn a_password_goes_to_the_proxy_decoded_and_is_shown_nowhere() {
    // RFC 7617 section 2: what it is in base64.
    for (url, header) in [
        ("http://anna:secret%40@host", "Basic YW5uYTpzZWNyZXRA"),
        ("http://anna@host", "Basic YW5uYTo="),
        ("http://anna:100%@host", "Basic YW5uYToxMDAl"),
        // RFC 7617's own, with a pound sign in UTF-8.
        ("http://test:123%C2%A3@host", "Basic dGVzdDoxMjPCow=="),
    ] {
        let proxy: Proxy = url.parse().unwrap();
        let ask = String::from_utf8(proxy.connect("push.example.org", 443, "me/1")).unwrap();
        let expected = format!(
            "CONNECT push.example.org:443 HTTP/1.1\r\nHost: push.example.org:443\r\nUser-Agent: me/1\r\n\
             Proxy-Authorization: {header}\r\n\r\n"
        );
        assert_eq!(ask, expected);
        assert!(!format!("{proxy:?} {proxy:#?}").contains("anna"));
    }
    let proxy: Proxy = "http://host".parse().unwrap();
    assert!(
        !String::from_utf8(proxy.connect("a", 1, "me"))
            .unwrap()
            .contains("Authorization")
    );
}

#[test]
fn the_environment_names_a_proxy_for_https_or_for_all() {
    assert!(from(&[]).unwrap().is_none());
    assert!(
        from(&[("HTTPS_PROXY", " "), ("HTTP_PROXY", "http://c:3")])
            .unwrap()
            .is_none()
    );
    assert_eq!(shown(from(&[("ALL_PROXY", "http://b:2")])), "Proxy(http://b:2)");
    assert_eq!(shown(from(&[("all_proxy", "http://b:2")])), "Proxy(http://b:2)");
    let both = [("ALL_PROXY", "http://b:2"), ("https_proxy", "a:1")];
    assert_eq!(shown(from(&both)), "Proxy(http://a:1)");
    let cases = [("https_proxy", "http://b:2"), ("HTTPS_PROXY", "http://a:1")];
    assert_eq!(shown(from(&cases)), "Proxy(http://a:1)");
    assert_eq!(from(&[("ALL_PROXY", "socks5://b:2")]).unwrap_err(), ProxyError::Scheme);
}

#[test]
fn what_is_no_entry_of_the_list_counts_for_nobody() {
    let proxy = "http://a:1".parse::<Proxy>().unwrap();
    for list in [
        "",
        ",",
        " , ",
        ".",
        "*.",
        "10.0.0.0/33",
        "10.0.0.0/x",
        "::/129",
        "example.org:x",
        ":443",
        "a*",
    ] {
        assert!(!proxy.clone().except(list).goes_direct("example.org", 443), "{list}");
        assert!(!proxy.clone().except(list).goes_direct("10.0.0.1", 443), "{list}");
    }
}

fn answer(proxy: &str, text: &str) -> (Result<bool, ProxyRefused>, usize) {
    let mut answer = proxy.parse::<Proxy>().unwrap().answer();
    for (number, byte) in text.bytes().enumerate() {
        match answer.read(byte) {
            Ok(false) => {}
            result => return (result, number + 1),
        }
    }
    (Ok(false), text.len())
}

#[test]
fn trial_s14_any_status_of_two_hundred_is_a_tunnel_and_what_follows_is_left_there() {
    for head in [
        "HTTP/1.1 200 Connection established\r\n\r\n",
        "HTTP/1.1 201 Created\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.0 299 \r\n\r\n",
        "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    ] {
        assert_eq!(
            answer("host", &format!("{head}\u{16}\u{3}")),
            (Ok(true), head.len()),
            "{head}"
        );
    }
    assert_eq!(answer("host", "HTTP/1.1 200 OK\r\n"), (Ok(false), 17));
}

#[test]
fn trial_s14_a_refusal_says_what_the_proxy_wants() {
    const WANTS: &str = "it wants a user name and a password in its URL";
    for (proxy, head, words, permanent) in [
        ("host", "407 No\r\nProxy-Authenticate: Basic realm=\"x\"", WANTS, true),
        ("host", "407 No", WANTS, true),
        // tinyproxy's answer to a wrong password.
        (
            "anna:wrong@host",
            "401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"",
            WANTS,
            true,
        ),
        (
            "anna:wrong@host",
            "407 No\r\nproxy-authenticate: NTLM\r\nProxy-Authenticate: Basic realm=\"x\"",
            WANTS,
            true,
        ),
        ("host", "401 Unauthorized", WANTS, true),
        (
            "host",
            "407 No\r\nProxy-Authenticate: NTLM",
            "it wants NTLM, and this client has only Basic",
            true,
        ),
        (
            "anna:b@host",
            "407 No\r\nProxy-Authenticate: Negotiate\r\nProxy-Authenticate: ntlm TlRM",
            "it wants Negotiate, NTLM, and this client has only Basic",
            true,
        ),
        (
            "host",
            "407 No\r\nProxy-Authenticate: Digest realm=\"secret-realm\", nonce=\"n\", Negotiate",
            "it wants Digest, Negotiate, and",
            true,
        ),
        ("host", "403 Forbidden", "the proxy answered 403 to CONNECT", true),
        ("host", "503 Down", "the proxy answered 503 to CONNECT", false),
        ("host", "429 Slow", "the proxy answered 429 to CONNECT", false),
        ("host", "302 Found", "the proxy answered 302 to CONNECT", false),
    ] {
        let (result, _) = answer(proxy, &format!("HTTP/1.1 {head}\r\n\r\n"));
        let refused = result.unwrap_err();
        assert!(refused.to_string().contains(words), "{head}: {refused}");
        assert!(!refused.to_string().contains("secret-realm"));
        assert_eq!(refused.is_permanent(), permanent, "{head}");
    }
}

#[test]
fn what_is_no_answer_may_be_one_the_next_time() {
    for text in [
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "SSH-2.0\r\n\r\n",
        "HTTP/1.1\r\n\r\n",
        "\n\r\n",
    ] {
        let refused = answer("host", text).0.unwrap_err();
        assert!(refused.to_string().contains("is no HTTP/1.1"), "{text}");
        assert!(!refused.is_permanent());
    }
    let (endless, read) = answer("host", &"x".repeat(10_000));
    assert!(endless.unwrap_err().to_string().contains("over the limit"));
    assert_eq!(read, 8193);
}
