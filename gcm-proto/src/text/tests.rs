use super::{OneLine, excerpt, is_name, is_page};

const SECRETS: [&str; 2] = ["AAAA-secret-key", "device-token-1"];

#[test]
fn an_excerpt_masks_the_key_the_tokens_and_what_looks_like_one() {
    let foreign = "x".repeat(60);
    let body = format!("key AAAA-secret-key, device-token-1\nand \"{foreign}\"");
    let shown = excerpt(body.as_bytes(), SECRETS.into_iter());
    assert_eq!(&*shown, "key …, … and \"…\"");
}

#[test]
fn an_excerpt_is_bounded_and_holds_no_control_character() {
    let body = "a\u{0}\u{1b}é ".repeat(100_000);
    let shown = excerpt(body.as_bytes(), std::iter::empty());
    assert!(shown.len() <= 512 + '…'.len_utf8());
    assert!(!shown.contains(char::is_control));
}

#[test]
fn a_secret_is_masked_whole_where_the_excerpt_ends() {
    for before in 480..520 {
        let body = format!("{}AAAA-secret-key device-token-1", "a ".repeat(before / 2));
        let shown = excerpt(body.as_bytes(), SECRETS.into_iter());
        assert!(!shown.contains("AAAA") && !shown.contains("device"), "{shown}");
    }
}

/// The first two are the pages that Google's front ends send; the others are nginx's, squid's and made up.
#[test]
fn trial_v20_a_page_is_shown_by_its_title_or_first_heading() {
    let google = "<!DOCTYPE html>\n<html lang=en>\n  <meta charset=utf-8>\n  <title>Error 404 (Not Found)!!1</title>\n  <style>\n\
        *{margin:0}</style>\n  <a href=//www.google.com/><span id=logo></span></a>\n  <p><b>404.</b> <ins>That’s an error.</ins>\n";
    let old = "<HTML>\n<HEAD>\n<TITLE>Unauthorized</TITLE>\n</HEAD>\n<BODY BGCOLOR=\"#FFFFFF\">\n<H1>Unauthorized</H1>";
    let nginx = "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n<body>";
    let squid =
        "<html><head><title></title><body><h1\nid=titles>ERROR</h1><h2>The requested URL could not be retrieved</h2>";
    for (page, shown) in [
        (google, "Error 404 (Not Found)!!1"),
        (old, "Unauthorized"),
        (nginx, "503 Service Temporarily Unavailable"),
        (squid, "ERROR"),
        ("<p>log in</p>", "log in"),
        (
            "<html><script>var a = '<b>';</script><body>Please\n\n <b>log in</b> &amp; wait",
            "Please log in & wait",
        ),
        (
            "  <!doctype HTML><title>\n Sign in\t&#39;here&#39; </title>",
            "Sign in 'here'",
        ),
        ("<html>", ""),
        ("<html><title", ""),
        ("<title>unended", "unended"),
        ("<html><header>x</header><h1>Gateway &lt;1&gt;</h1>", "Gateway <1>"),
        ("<div class=e>Blocked\nby <b>us</b></div>", "Blocked by us"),
        ("<table><tr><td>a</td><td>b</td></tr></table>", "a b"),
        (
            "<Error><Code>AccessDenied</Code><Message>Access\nDenied</Message></Error>",
            "AccessDenied Access Denied",
        ),
        (
            "<!-- <title>no</title> --><script>'<title>no'</script><title>yes</title>",
            "yes",
        ),
        ("<title> </title><h1><span>Head</span>ing</h1>", "Heading"),
        (
            "<title>&#8217;Sign&#x2019;&nbsp;in &amp;lt; &odd; &</title>",
            "\u{2019}Sign\u{2019} in &lt; &odd; &",
        ),
        ("<title>a\u{2028}b\u{202e}c</title>", "a bc"),
        ("<!--", ""),
        ("<script>", ""),
    ] {
        assert!(is_page(page.as_bytes()), "{page}");
        assert_eq!(&*excerpt(page.as_bytes(), std::iter::empty()), shown, "{page}");
    }
    let secret = "<title>no AAAA-secret-key, device-token-1</title>";
    assert_eq!(&*excerpt(secret.as_bytes(), SECRETS.into_iter()), "no …, …");
    let long = format!("<title>{}</title>", "long ".repeat(1000));
    assert!(excerpt(long.as_bytes(), std::iter::empty()).len() <= 512 + '…'.len_utf8());
}

#[test]
fn trial_v20_a_text_with_tags_is_shown_without() {
    for (text, shown) in [
        ("Forbidden\n<br>Sorry", "Forbidden Sorry"),
        ("You are <b>barred</b>.", "You are barred."),
        ("if a < b then", "if a < b then"),
        ("{\"message\":\"</b>\"}", "{\"message\":\"</b>\"}"),
    ] {
        assert_eq!(&*excerpt(text.as_bytes(), std::iter::empty()), shown);
    }
}

#[test]
fn trial_v20_a_text_of_several_lines_is_one_line_without_escapes() {
    let text = "Field \"to\" must be a JSON string: [\r\n\t\"x\"\n]\n";
    assert_eq!(
        &*excerpt(text.as_bytes(), std::iter::empty()),
        "Field \"to\" must be a JSON string: [ \"x\" ]"
    );
}

#[test]
fn an_id_is_escaped_and_kept_apart() {
    assert_eq!(OneLine("1:08\r\n\u{1b}").to_string(), "1:08\\r\\n\\u{1b}");
}

#[test]
fn words_and_addresses_stay() {
    let text = "Deprecated endpoint, see https://firebase.google.com/docs/cloud-messaging/migrate-v1";
    assert_eq!(&*excerpt(text.as_bytes(), std::iter::empty()), text);
}

#[test]
fn a_method_is_a_name_and_a_token_is_none() {
    assert!(is_name("google.firebase.fcm.v1.FcmService.SendMessage"));
    let token = format!("bk3RNwTe3H0.{}", "APA91bHun4MxP5egoKMwt2KZFBaFUH".repeat(5));
    assert!(!is_name(&token));
    assert!(!is_name("ya29.c.c0ASRK0GaZ4xKq"));
    assert!(!is_name("two words"));
}
