//! Names, by table.

use super::{ApiKey, Condition, ConditionError, Endpoint, Fid, GroupKey, NameError, NameRule, ProjectId, Token, Topic};

fn rule<T>(made: Result<T, NameError>) -> Option<NameRule> {
    made.err().map(|error| error.rule())
}

#[test]
fn a_token_is_anything_that_a_service_could_give_out() {
    for text in [
        "42",
        "APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx",
        "cX:APA91b_-",
        "é☃",
        "back\\slash",
        "/topics/x",
        "!~#$%&()*+,-./:;<=>?@[]^_{|}",
        "nullable",
        "annul",
        "None1",
        &"x".repeat(100_000),
    ] {
        assert_eq!(Token::try_from(text).unwrap().as_str(), text);
        assert_eq!(Fid::try_from(text.to_owned()).unwrap().as_str(), text);
        assert_eq!(text.parse::<GroupKey>().unwrap().as_str(), text);
    }
    for (text, expected) in [
        ("", NameRule::Empty),
        (" ", NameRule::Surrounded { index: 0 }),
        ("\u{a0}\u{2003}", NameRule::Surrounded { index: 0 }),
        ("\n", NameRule::Control { index: 0 }),
        ("ab\r", NameRule::Control { index: 2 }),
        ("é\u{0}", NameRule::Control { index: 2 }),
        ("a\u{7f}b", NameRule::Control { index: 1 }),
        ("a\u{9f}", NameRule::Control { index: 1 }),
    ] {
        assert_eq!(rule(Token::try_from(text)), Some(expected), "{text:?}");
        assert_eq!(rule(Fid::try_from(text)), Some(expected), "{text:?}");
        assert_eq!(rule(GroupKey::try_from(text)), Some(expected), "{text:?}");
    }
}

/// What copying, a table's export or a program without a token leaves around or in place of one. The service looks for such a
/// token in vain, and says that it is dead.
#[test]
fn trial_v06_what_no_service_gives_out_is_no_token() {
    let long = "APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx".repeat(4);
    let around = |before: &str, after: &str| format!("{before}{long}{after}");
    let within = |what: &str| format!("{long}{what}{long}");
    let length = long.len();
    let surrounded = |index| NameRule::Surrounded { index };
    for (text, expected) in [
        (" tok1".to_owned(), surrounded(0)),
        ("tok1 ".to_owned(), surrounded(4)),
        ("tok 1".to_owned(), NameRule::WhiteSpace { index: 3 }),
        ("\"tok1\"".to_owned(), NameRule::Quote { index: 0 }),
        ("\u{feff}tok1".to_owned(), NameRule::Invisible { index: 0 }),
        ("null".to_owned(), NameRule::Nothing),
        // The same of a token as long as real ones, and others of each kind.
        (around(" ", ""), surrounded(0)),
        (around("", " "), surrounded(length)),
        (around("", "\u{3000}"), surrounded(length)),
        (around("\u{a0}", ""), surrounded(0)),
        (around("\t", ""), NameRule::Control { index: 0 }),
        (around("", "\r\n"), NameRule::Control { index: length }),
        (within(" "), NameRule::WhiteSpace { index: length }),
        (within("\u{2028}"), NameRule::WhiteSpace { index: length }),
        (within("\u{a0}"), NameRule::WhiteSpace { index: length }),
        (within("\n"), NameRule::Control { index: length }),
        (around("\"", "\""), NameRule::Quote { index: 0 }),
        (around("'", "'"), NameRule::Quote { index: 0 }),
        (around("`", "`"), NameRule::Quote { index: 0 }),
        (around("", "\""), NameRule::Quote { index: length }),
        (around("\u{201c}", "\u{201d}"), NameRule::Quote { index: 0 }),
        (around("\u{ab}", "\u{bb}"), NameRule::Quote { index: 0 }),
        (within("'"), NameRule::Quote { index: length }),
        (around("\u{feff}", ""), NameRule::Invisible { index: 0 }),
        (around("", "\u{feff}"), NameRule::Invisible { index: length }),
        (within("\u{200b}"), NameRule::Invisible { index: length }),
        (within("\u{ad}"), NameRule::Invisible { index: length }),
        (around("\u{2039}", "\u{203a}"), NameRule::Quote { index: 0 }),
        (around("\u{300c}", "\u{300d}"), NameRule::Quote { index: 0 }),
        (around("", "\u{2032}"), NameRule::Quote { index: length }),
        (around("\u{b4}", ""), NameRule::Quote { index: 0 }),
        (around("", "\u{ff02}"), NameRule::Quote { index: length }),
        (around("", "\u{3164}"), NameRule::Invisible { index: length }),
        (around("", "\u{2800}"), NameRule::Invisible { index: length }),
        (within("\u{fffd}"), NameRule::Invisible { index: length }),
        (within("\u{fffe}"), NameRule::Invisible { index: length }),
        ("NaN".to_owned(), NameRule::Nothing),
        ("<nil>".to_owned(), NameRule::Nothing),
        ("(nil)".to_owned(), NameRule::Nothing),
        ("<undefined>".to_owned(), NameRule::Nothing),
        ("nullptr".to_owned(), NameRule::Nothing),
        ("N/A".to_owned(), NameRule::Nothing),
        ("False".to_owned(), NameRule::Nothing),
        ("NULL".to_owned(), NameRule::Nothing),
        ("(null)".to_owned(), NameRule::Nothing),
        ("<null>".to_owned(), NameRule::Nothing),
        ("nil".to_owned(), NameRule::Nothing),
        ("None".to_owned(), NameRule::Nothing),
        ("undefined".to_owned(), NameRule::Nothing),
        ("[object Object]".to_owned(), NameRule::WhiteSpace { index: 7 }),
    ] {
        assert_eq!(rule(Token::try_from(&*text)), Some(expected), "{text:?}");
        assert_eq!(rule(Token::try_from(text.clone())), Some(expected), "{text:?}");
        assert_eq!(rule(Fid::try_from(&*text)), Some(expected), "{text:?}");
        assert_eq!(rule(text.parse::<GroupKey>()), Some(expected), "{text:?}");
        let stored = serde_json::to_string(&text).unwrap();
        let said = serde_json::from_str::<Token>(&stored).unwrap_err().to_string();
        assert!(said.contains(&expected.to_string()) && !said.contains(&long), "{said}");
    }
}

#[test]
fn every_character_of_ascii_is_judged_alike_in_short_and_in_long_tokens() {
    for c in 0..=0x7f_u8 {
        let c = char::from(c);
        let long = format!("{}{c}{}", "x".repeat(20), "x".repeat(20));
        let (short, long) = (Token::try_from(format!("x{c}x")), Token::try_from(long));
        assert_eq!(short.is_ok(), c.is_ascii_graphic() && !"\"'`".contains(c), "{c:?}");
        assert_eq!(short.is_ok(), long.is_ok(), "{c:?}");
        if let (Ok(short), Ok(long)) = (short, long) {
            assert_eq!((short.is_plain(), long.is_plain()), (c != '\\', c != '\\'), "{c:?}");
        }
    }
}

#[test]
fn a_clone_of_a_token_shares_its_text() {
    let token = Token::try_from("42").unwrap();
    assert_eq!(token.clone().as_str().as_ptr(), token.as_str().as_ptr());
    let fid = Fid::try_from("42").unwrap();
    assert_eq!(fid.clone().as_str().as_ptr(), fid.as_str().as_ptr());
}

#[test]
fn a_token_knows_whether_json_takes_it_as_it_is() {
    for text in ["42", "ab", "é/&<>", "é☃☃☃☃☃☃☃"] {
        assert!(Token::try_from(text).unwrap().is_plain(), "{text}");
        assert_eq!(serde_json::to_string(text).unwrap(), format!("\"{text}\""));
    }
    for text in ["a\\b", "\\", "a-token-that-is-long\\"] {
        assert!(!Token::try_from(text).unwrap().is_plain(), "{text}");
    }
}

#[test]
fn what_is_shown_of_a_token_is_at_most_half_of_it() {
    for (text, shown) in [
        ("APA91bHun4MxP5egoKMwt2KZFBaFUH-1RYqx", "APA91b…"),
        ("mid-tok+4711", "mid-to…"),
        ("12345678", "1234…"),
        ("42", "4…"),
        ("x", "…"),
        ("éééé", "éé…"),
    ] {
        let token = Token::try_from(text).unwrap();
        assert_eq!(token.short(), shown);
        assert_eq!(format!("{token:?}"), format!("Token({shown})"));
        assert_eq!(format!("{:?}", Fid::try_from(text).unwrap()), format!("Fid({shown})"));
        assert_eq!(
            format!("{:?}", GroupKey::try_from(text).unwrap()),
            format!("GroupKey({shown})")
        );
    }
}

#[test]
fn names_are_stored_as_text_and_checked_again() {
    let token: Token = serde_json::from_str(r#""a\\b""#).unwrap();
    assert_eq!((token.as_str(), token.is_plain()), ("a\\b", false));
    assert_eq!(serde_json::to_string(&token).unwrap(), r#""a\\b""#);
    assert!(serde_json::from_str::<Token>(r#""a\nb""#).is_err());
    let topic: Topic = serde_json::from_str(r#""/topics/news""#).unwrap();
    assert_eq!(serde_json::to_string(&topic).unwrap(), r#""news""#);
    assert!(serde_json::from_str::<Topic>(r#""a b""#).is_err());
    let condition: Condition = serde_json::from_str(r#""\"a\" in topics""#).unwrap();
    assert_eq!(serde_json::to_string(&condition).unwrap(), r#""'a' in topics""#);
    assert!(serde_json::from_str::<Condition>(r#""a in topics""#).is_err());
    assert!(serde_json::from_str::<ProjectId>(r#""a/b""#).is_err());
}

#[test]
fn a_topic_has_its_alphabet_and_its_length() {
    let longest = "x".repeat(900);
    for (text, name) in [
        ("news", "news"),
        ("/topics/news", "news"),
        ("aZ09-_.~%", "aZ09-_.~%"),
        ("/topics/%2F", "%2F"),
        ("topics", "topics"),
        (&longest, &longest),
        (&format!("/topics/{longest}"), &longest),
    ] {
        let topic = Topic::try_from(text).unwrap();
        assert_eq!((topic.as_str(), &*topic.to_string()), (name, name));
    }
    for (text, expected) in [
        ("", NameRule::Empty),
        ("/topics/", NameRule::Empty),
        ("a b", NameRule::Character { index: 1 }),
        ("/topics/a b", NameRule::Character { index: 9 }),
        ("/topics//topics/a", NameRule::Character { index: 8 }),
        ("/topic/a", NameRule::Character { index: 0 }),
        ("topics/a", NameRule::Character { index: 6 }),
        ("/Topics/a", NameRule::Character { index: 0 }),
        ("é", NameRule::Character { index: 0 }),
        ("a\n", NameRule::Character { index: 1 }),
        ("a'b", NameRule::Character { index: 1 }),
        (
            &format!("{longest}x"),
            NameRule::TooLong {
                length: 901,
                limit: 900,
            },
        ),
        (
            &format!("/topics/{longest}x"),
            NameRule::TooLong {
                length: 901,
                limit: 900,
            },
        ),
    ] {
        assert_eq!(rule(Topic::try_from(text)), Some(expected), "{text:?}");
    }
}

#[test]
fn a_project_id_has_its_alphabet_and_its_length() {
    let longest = "x".repeat(300);
    for text in [
        "my-project-1",
        "123456789012",
        "example.com:my-project",
        "a..b",
        &longest,
    ] {
        let project = ProjectId::try_from(text).unwrap();
        assert_eq!((project.as_str(), &*project.to_string()), (text, text));
    }
    for (text, expected) in [
        ("", NameRule::Empty),
        ("a/b", NameRule::Character { index: 1 }),
        ("a%2fb", NameRule::Character { index: 1 }),
        ("..", NameRule::Character { index: 0 }),
        ("a ", NameRule::Character { index: 1 }),
        (
            &format!("{longest}x"),
            NameRule::TooLong {
                length: 301,
                limit: 300,
            },
        ),
    ] {
        assert_eq!(rule(ProjectId::try_from(text)), Some(expected), "{text:?}");
    }
}

#[test]
fn an_error_says_what_rule_broke_and_where() {
    for (error, said) in [
        (rule(Token::try_from("")), "is empty"),
        (rule(ApiKey::try_from("a ")), "has white space around it, at index 1"),
        (rule(Token::try_from("a\u{0}")), "has a control character at index 1"),
        (
            rule(Topic::try_from("a b")),
            "has a character it may not have at index 1",
        ),
        (
            rule(Topic::try_from("x".repeat(901))),
            "is 901 bytes long, 900 at most are allowed",
        ),
    ] {
        assert_eq!(error.unwrap().to_string(), said);
    }
    for (error, what) in [
        (Token::try_from("").unwrap_err(), "a registration token"),
        (Fid::try_from("").unwrap_err(), "an installation id"),
        (GroupKey::try_from("").unwrap_err(), "a notification key"),
        (Topic::try_from("").unwrap_err(), "a topic name"),
        (ProjectId::try_from("").unwrap_err(), "a project id"),
        (ApiKey::try_from("").unwrap_err(), "a server key"),
    ] {
        assert_eq!(error.what(), what);
        assert_eq!(error.to_string(), format!("{what} is empty"));
    }
}

#[test]
fn a_condition_is_sent_in_one_form() {
    for (text, canonical, topics) in [
        ("'A' in topics", "'A' in topics", 1),
        ("  'A'   in\ttopics  ", "'A' in topics", 1),
        ("\"A\" in topics", "'A' in topics", 1),
        ("'A'in topics", "'A' in topics", 1),
        ("'A' IN Topics", "'A' in topics", 1),
        ("'A' in topics&&'B' in topics", "'A' in topics && 'B' in topics", 2),
        ("'A' in topics || \"B\" in topics", "'A' in topics || 'B' in topics", 2),
        ("!'A' in topics", "!'A' in topics", 1),
        ("! ( 'A' in topics )", "!('A' in topics)", 1),
        ("!(!'A' in topics)", "!(!'A' in topics)", 1),
        ("(('A' in topics))", "(('A' in topics))", 1),
        (
            "'A' in topics && ('B' in topics||'C' in topics)",
            "'A' in topics && ('B' in topics || 'C' in topics)",
            3,
        ),
        (
            "('A' in topics && 'B' in topics) || !('C' in topics)",
            "('A' in topics && 'B' in topics) || !('C' in topics)",
            3,
        ),
        // A repeated topic counts each time; a percent sign is part of its name.
        ("'A' in topics || 'A' in topics", "'A' in topics || 'A' in topics", 2),
        ("'a%2Fb-_.~' in topics", "'a%2Fb-_.~' in topics", 1),
    ] {
        let condition: Condition = text.parse().unwrap();
        assert_eq!((condition.as_str(), condition.topics()), (canonical, topics));
        assert_eq!(canonical.parse::<Condition>().unwrap(), condition);
        assert_eq!(condition.to_string(), canonical);
    }
}

#[test]
fn a_condition_that_breaks_the_grammar_says_where() {
    for (text, index) in [
        ("", 0),
        ("  ", 2),
        ("A in topics", 0),
        ("'A'", 3),
        ("'A' in", 6),
        ("'A' intopics", 6),
        ("'A' in topicsX", 13),
        ("'A", 2),
        ("'A\" in topics", 13),
        ("'A' in topics &&", 16),
        ("'A' in topics & 'B' in topics", 14),
        ("'A' in topics and 'B' in topics", 14),
        ("'A' in topics 'B' in topics", 14),
        ("&& 'A' in topics", 0),
        ("!", 1),
        ("!!'A' in topics", 1),
        ("! !'A' in topics", 2),
        ("()", 1),
        ("('A' in topics", 14),
        ("'A' in topics)", 13),
        ("('A' in topics))", 15),
        ("'A' !in topics", 4),
    ] {
        match text.parse::<Condition>() {
            Err(ConditionError::Expected { index: found, .. }) => assert_eq!(found, index, "{text:?}"),
            other => panic!("{text:?}: {other:?}"),
        }
    }
    for (text, index, rule) in [
        ("'' in topics", 1, NameRule::Empty),
        ("'a b' in topics", 1, NameRule::Character { index: 1 }),
        (
            "'A' in topics && '/topics/B' in topics",
            18,
            NameRule::Character { index: 0 },
        ),
        ("\"it's\" in topics", 1, NameRule::Character { index: 2 }),
    ] {
        let error = text.parse::<Condition>().unwrap_err();
        assert_eq!(error, ConditionError::Topic { index, rule }, "{text:?}");
    }
    let error = "x".parse::<Condition>().unwrap_err();
    assert_eq!(error.to_string(), "a condition wants a topic in quotes at index 0");
}

#[test]
fn a_condition_combines_five_topics_unless_told_otherwise() {
    let of = |count: usize| vec!["'t' in topics"; count].join(" || ");
    assert_eq!(of(5).parse::<Condition>().unwrap().topics(), 5);
    let error = of(6).parse::<Condition>().unwrap_err();
    assert_eq!(error, ConditionError::TooManyTopics { given: 6, limit: 5 });
    assert_eq!(Condition::with_topic_limit(&of(6), 6).unwrap().topics(), 6);
    assert!(Condition::with_topic_limit(&of(2), 1).is_err());
}

#[test]
fn depth_costs_a_condition_nothing() {
    const DEPTH: usize = 10_000;
    let (open, close) = ("(".repeat(DEPTH), ")".repeat(DEPTH));
    let deep = format!("{open}'A' in topics{close}");
    assert_eq!(deep.parse::<Condition>().unwrap().as_str(), deep);
    let negated = format!("{}'A' in topics{close}", "!(".repeat(DEPTH));
    assert_eq!(negated.parse::<Condition>().unwrap().as_str(), negated);
    assert!(format!("{open}'A' in topics").parse::<Condition>().is_err());
    assert!(open.parse::<Condition>().is_err());
    assert!(format!("'A' in topics{close}").parse::<Condition>().is_err());
}

#[test]
fn an_endpoint_is_stored_as_its_whole_url_and_checked_again() {
    let stored = "\"https://push.example.org/gcm/send?alt=json\"";
    let endpoint: Endpoint = serde_json::from_str(stored).unwrap();
    assert_eq!(serde_json::to_string(&endpoint).unwrap(), stored);
    assert!(serde_json::from_str::<Endpoint>("\"http://push.example.org/\"").is_err());
}

#[test]
fn names_are_texts_for_whoever_takes_any() {
    fn whole(text: impl AsRef<str>) -> String {
        text.as_ref().to_owned()
    }
    assert_eq!(whole(Token::try_from("42").unwrap()), "42");
    assert_eq!(whole(Topic::try_from("/topics/news").unwrap()), "news");
    assert_eq!(whole(ProjectId::try_from("my-project").unwrap()), "my-project");
    assert_eq!(whole("'a' in topics".parse::<Condition>().unwrap()), "'a' in topics");
}
