//! Key files: what is repaired, and what is said of those that cannot be used.

use crate::FILE;
use crate::signed::{form, request};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gcm_proto::{AuthorizedUser, Endpoint, Exchange, KeyFileError, Refusal, Secret, ServiceAccount, oauth};
use serde_json::{Value, json};
use std::error::Error;

const PKCS1: &str = include_str!("pkcs1.pem");

/// A block of another kind, as `openssl pkcs12` puts it before the key; what is in it is not looked at.
const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIBszCCAVk=\n-----END CERTIFICATE-----\n";

/// The file with one field set to something else; `Null` takes it out.
fn with(field: &str, value: Value) -> String {
    let mut file: Value = serde_json::from_str(FILE).unwrap();
    file[field] = value;
    file.to_string()
}

fn pem() -> String {
    let file: Value = serde_json::from_str(FILE).unwrap();
    file["private_key"].as_str().unwrap().to_owned()
}

fn refused(json: impl AsRef<[u8]>) -> KeyFileError {
    ServiceAccount::from_json(json).unwrap_err()
}

/// The same key signs the same.
fn assert_signs(json: impl AsRef<[u8]>) {
    let account = ServiceAccount::from_json(json).unwrap();
    assert_eq!(std::str::from_utf8(request(&account).body()).unwrap(), form());
}

#[test]
fn v1_o13_a_key_with_backslash_and_n_is_repaired() {
    assert_signs(with("private_key", pem().replace('\n', "\\n").into()));
    assert_signs(with("private_key", pem().replace('\n', "\\\\n").into()));
    assert_signs(with("private_key", pem().replace('\n', "\\r\\n").into()));
}

#[test]
fn what_copying_does_to_a_key_is_repaired() {
    let key = pem();
    let one_line = key.replace('\n', " ");
    let quoted = format!("\"{key}\"");
    for damaged in [
        key.replace('\n', "\r\n"),
        key.trim().to_owned(),
        format!("  {key}\n\n"),
        one_line,
        quoted,
        key.replace('\n', "\n    "),
        format!("Bag Attributes\n    friendlyName: x\n{key}"),
        format!("{CERTIFICATE}{key}"),
        format!("{CERTIFICATE}{CERTIFICATE}{PKCS1}").replace('\n', "\\n"),
        format!("{key}{CERTIFICATE}"),
        PKCS1.to_owned(),
        PKCS1.replace('\n', "\\n"),
    ] {
        assert_signs(with("private_key", damaged.into()));
    }
    assert_signs(FILE.replace('\n', "\r\n"));
    assert_signs(format!("\u{feff}{FILE}"));
    assert_signs(with("type", Value::Null));
    assert_signs(with("token_uri", Value::Null));
    assert_signs(with("more", json!({"a": [1]})));
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let key = pem();
    let half = format!("{}-----END PRIVATE KEY-----", &key[..600]);
    let elliptic = key.replace("PRIVATE KEY", "EC PRIVATE KEY");
    let certificate = key.replace("PRIVATE KEY", "CERTIFICATE");
    let locked = key.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let locked_old = PKCS1.replacen("KEY-----\n", "KEY-----\nProc-Type: 4,ENCRYPTED\n\n", 1);
    for (key, expected) in [
        (half, KeyFileError::CutKey),
        (key.replace("MII", "MI!"), KeyFileError::DamagedKey),
        (key.replace("MII", "MIJ"), KeyFileError::CutKey),
        (certificate, KeyFileError::PublicKey),
        (format!("{CERTIFICATE}{elliptic}"), KeyFileError::NoRsaKey),
        (elliptic, KeyFileError::NoRsaKey),
        (format!("{CERTIFICATE}{locked}"), KeyFileError::LockedKey),
        (locked, KeyFileError::LockedKey),
        (locked_old, KeyFileError::LockedKey),
        ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC".to_owned(), KeyFileError::NoPem),
        ("-----BEGIN PRIVATE KEY-----".to_owned(), KeyFileError::CutKey),
        (" ".to_owned(), KeyFileError::Missing { field: "private_key" }),
    ] {
        assert_eq!(refused(with("private_key", key.clone().into())), expected, "{key}");
    }
    for field in ["private_key", "client_email", "project_id"] {
        assert_eq!(refused(with(field, Value::Null)), KeyFileError::Missing { field });
        assert_eq!(refused(with(field, json!(["a"]))), KeyFileError::NotText { field });
    }
    let user = r#"{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"}"#;
    let kind = refused(user);
    assert!(matches!(kind, KeyFileError::OtherKind { .. }), "{kind:?}");
    let said =
        "this is a file for a user's own login (gcloud auth application-default login), and not for a service account";
    assert_eq!(kind.to_string(), said);
    assert_eq!(refused("no"), KeyFileError::NotJson { line: 1, column: 2 });
    assert!(matches!(refused("[1]"), KeyFileError::NotJson { line: 1, .. }));
    assert!(matches!(refused(b"\xff\xfe{"), KeyFileError::NotJson { .. }));
    assert_eq!(
        refused(with("universe_domain", "example.org".into())),
        KeyFileError::OtherUniverse
    );
    assert!(matches!(
        refused(with("project_id", "a/b".into())),
        KeyFileError::Project(_)
    ));
}

/// How key files arrive: out of variables, secret stores, templates of deployments, other shells and other editors.
#[test]
fn trial_v16_what_copying_does_to_a_whole_file_is_repaired() {
    let compact: Value = serde_json::from_str(FILE).unwrap();
    let compact = compact.to_string();
    let quoted = serde_json::to_string(FILE).unwrap();
    let utf_16 = |unit: fn(u16) -> [u8; 2]| FILE.encode_utf16().flat_map(unit).collect::<Vec<u8>>();
    let wrapped = STANDARD
        .encode(FILE)
        .as_bytes()
        .chunks(76)
        .map(|line| std::str::from_utf8(line).unwrap())
        .collect::<Vec<_>>()
        .join("\n");
    for file in [
        // A key with raw line ends in the JSON, and with those of Windows.
        FILE.replace("\\n", "\n"),
        FILE.replace("\\n", "\r\n"),
        FILE.replace("\\n", "\\\n"),
        // Base64: in one line, in lines, for URLs, twice, with the byte order mark of what was encoded.
        STANDARD.encode(FILE),
        wrapped,
        URL_SAFE_NO_PAD.encode(FILE),
        STANDARD.encode(STANDARD.encode(FILE)),
        STANDARD.encode(format!("\u{feff}{FILE}")),
        // Quoted: as a text of JSON, twice, by a shell, with backslashes before the quotes alone.
        quoted.clone(),
        serde_json::to_string(&quoted).unwrap(),
        format!("'{compact}'"),
        format!("\"{compact}\""),
        compact.replace('\\', "\\\\").replace('"', "\\\""),
        STANDARD.encode(&quoted),
        format!("\"{}\"", STANDARD.encode(FILE)),
        format!("\n \t{FILE}\n\n"),
        // With the name of a variable.
        format!("FCM_KEY='{compact}'"),
        format!("export FCM_KEY={compact};\n"),
        format!("FCM_KEY: {FILE}"),
        // As the one value of another object, in a list, in a URL, as Python shows it, with what editors and pages make of quotes.
        format!("{{\"fcm\": {compact}}}"),
        json!({"FCM_KEY": compact}).to_string(),
        format!("[{compact}]"),
        format!("data:application/json;base64,{}", STANDARD.encode(FILE)),
        form_urlencoded::byte_serialize(compact.as_bytes())
            .collect::<String>()
            .replace('+', "%20"),
        compact.replace('"', "'"),
        format!("b'{compact}'"),
        format!("b'{}'", STANDARD.encode(FILE)),
        FILE.replace('"', "\u{201d}"),
        FILE.replace('"', "&quot;"),
        FILE.replace("  ", "\u{a0}\u{a0}"),
        format!("\u{feff}\u{feff}{FILE}\u{0}"),
        // With the names that Google's library for Node.js takes too.
        FILE.replace("project_id", "projectId")
            .replace("client_email", "clientEmail")
            .replace("private_key\"", "privateKey\""),
        FILE.replace("googleapis.com\"\n}", "GoogleAPIs.com\"\n}"),
    ] {
        assert_signs(file);
    }
    assert_signs(utf_16(u16::to_le_bytes));
    assert_signs(utf_16(u16::to_be_bytes));
    assert_signs([&[0xff, 0xfe][..], &utf_16(u16::to_le_bytes)].concat());
    assert_signs([&[0xfe, 0xff][..], &utf_16(u16::to_be_bytes)].concat());
    // Without the line that ends the key, or with half of it: the key itself says how long it is.
    let key = pem();
    let body = key.split("-----END").next().unwrap();
    for key in [
        body.to_owned(),
        body.trim().to_owned(),
        format!("{body}-----"),
        format!("{body}-----END"),
        body.replace('\n', "\\n"),
        // Dashes of an editor of prose, or one lost; what a URL does to plus signs; the alphabet of URLs.
        key.replace("-----", "\u{2014}\u{2014}-"),
        key.replace("-----", "----"),
        key.replace('+', " "),
        key.replace('+', "-").replace('/', "_"),
        key.replace('\n', "\\u000a"),
    ] {
        assert_signs(with("private_key", key.into()));
    }
    // Without both lines, and in base64 with them.
    let bare: String = key.lines().filter(|line| !line.starts_with('-')).collect();
    for key in [
        bare.clone(),
        bare.replace('=', "\\u003d"),
        STANDARD.encode(&key),
        STANDARD.encode(PKCS1),
    ] {
        assert_signs(with("private_key", key.into()));
    }
    // The address that old files have; today's is asked, and named in the assertion.
    for url in [
        "https://oauth2.googleapis.com/token",
        "https://accounts.google.com/o/oauth2/token",
        "https://www.googleapis.com/oauth2/v3/token",
        "https://www.googleapis.com/oauth2/v4/token",
        "https://oauth2.googleapis.com:443/token",
        "HTTPS://OAUTH2.googleapis.com/token",
    ] {
        let account = ServiceAccount::from_json(with("token_uri", url.into())).unwrap();
        assert_eq!(request(&account).uri(), "https://oauth2.googleapis.com/token");
        assert_signs(with("token_uri", url.into()));
    }
}

/// A file that is refused in one line, with this at its beginning and this way out.
fn assert_says(file: &str, sentence: &str, way_out: &str) {
    let error = refused(file).to_string();
    let says = error.starts_with(sentence) && error.contains(way_out) && !error.contains('\n');
    assert!(says, "{file}: {error}");
}

#[test]
fn trial_v16_what_is_no_key_file_is_named_with_its_way_out() {
    let google_services =
        r#"{"project_info": {"project_number": "1", "project_id": "p"}, "client": [], "configuration_version": "1"}"#;
    let base64 = STANDARD.encode(google_services);
    let placeholder = "this is a placeholder";
    let (empty, path, make) = (
        "the key file is empty",
        "this is the path of a key file",
        "make one in the Firebase console",
    );
    for (file, sentence, way_out) in [
        ("", empty, "was it read"),
        (" \n", empty, "is its variable set"),
        ("/etc/keys/service-account.json", path, "read the file"),
        ("service-account.json\n", path, "read the file"),
        ("./keys/sa.json", path, "read the file"),
        ("'C:\\keys\\sa.json'", path, "read the file"),
        ("\"/run/secrets/fcm\"", path, "read the file"),
        ("gs://bucket/sa.json", path, "read the file"),
        (
            "~/.config/gcloud/application_default_credentials.json",
            path,
            "read the file",
        ),
        (
            google_services,
            "this is the google-services.json of an Android app",
            make,
        ),
        (&base64, "this is the google-services.json of an Android app", make),
        (
            "<?xml version=\"1.0\"?><plist/>",
            "this is the GoogleService-Info.plist of an iOS app",
            make,
        ),
        ("<!doctype html><title>Sign in</title>", "this is a web page", make),
        (
            r#"{"installed": {"client_id": "x"}}"#,
            "this is the client secret of a desktop program",
            make,
        ),
        (
            r#"{"web": {"client_id": "x"}}"#,
            "this is the client secret of a web server",
            make,
        ),
        (
            r#"{"apiKey": "AIza", "projectId": "p"}"#,
            "this is the configuration of a web app",
            make,
        ),
        (&pem(), "this is a private key alone", "the whole JSON file"),
        (CERTIFICATE, "this is a certificate or a public key", make),
        ("AIzaSyD-made-up", "this is an API key", make),
        (
            "AAAAmade-up:APA91bHun4MxP5ego",
            "this is a server key of the legacy API",
            make,
        ),
        ("ya29.a0AfH6SMB", "this is an access token", make),
        ("push@p.iam.gserviceaccount.com", "this is the name of an account", make),
        ("bplist00", "this is the GoogleService-Info.plist of an iOS app", make),
        (
            r#"{"access_token": "ya29.x"}"#,
            "this is the response of a token endpoint",
            make,
        ),
        ("$FCM_KEY", placeholder, "is its variable set"),
        ("${FCM_KEY}", placeholder, "is its variable set"),
        ("%FCM_KEY%", placeholder, "is its variable set"),
        ("{{ .Values.key }}", placeholder, "was it put in"),
        ("'undefined'", placeholder, "is its variable set"),
        ("null", placeholder, "is its variable set"),
        ("[object Object]", placeholder, "is its variable set"),
        ("arn:aws:secretsmanager:eu-west-1:1:secret:fcm", path, "read the file"),
        ("projects/p/secrets/fcm/versions/latest", path, "read the file"),
        ("AuthKey.p8", path, "read the file"),
        (&FILE[..FILE.len() / 2], "the key file is cut off", "copy it whole"),
        (
            r#"{"type": "external_account"}"#,
            "this is a file for an external account",
            "and not for a service account",
        ),
        ("[1]", "this is no JSON key file", "download a new one"),
    ] {
        assert_says(file, sentence, way_out);
    }
    // PKCS #12 begins so (RFC 7292 section 4): a sequence, and version 3 in it.
    let error = refused(b"\x30\x82\x04\x0c\x02\x01\x03\x30\x82");
    assert_eq!(error, KeyFileError::Pkcs12);
}

#[test]
fn trial_v16_a_key_that_cannot_be_used_is_named_with_its_way_out() {
    let key = pem();
    let ended = format!("{}\n-----END PRIVATE KEY-----\n", &key[..900]);
    let (not_rsa, cut) = ("private_key is not an RSA private key", "private_key is cut off");
    for (key, sentence, way_out) in [
        (
            include_str!("keys/rsa1024.pem"),
            "private_key has less than 2048 bits",
            "make a new key",
        ),
        (include_str!("keys/p256.pem"), not_rsa, "download a new file"),
        (include_str!("keys/p256_sec1.pem"), not_rsa, "download a new file"),
        (include_str!("keys/ed25519.pem"), not_rsa, "download a new file"),
        (&key[..900], cut, "copy it whole"),
        (&ended, cut, "copy it whole"),
        (
            "/etc/keys/key.pem",
            "private_key is the path of a file",
            "put the key itself there",
        ),
        (
            "ssh-rsa AAAAB3Nza",
            "private_key is a certificate or a public key",
            "and nowhere else",
        ),
        (
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n",
            not_rsa,
            "download a new file",
        ),
        (
            CERTIFICATE,
            "private_key is a certificate",
            "in the file that was downloaded",
        ),
    ] {
        assert_says(&with("private_key", key.into()), sentence, way_out);
    }
    let wrong = with("token_uri", "https://accounts.google.com/o/oauth2/auth".into());
    assert_says(&wrong, "token_uri is none of Google's", "from_json_at");
}

/// A file is data: whoever made it must not choose whom this program asks, and what it then shows.
#[test]
fn trial_v17_a_files_own_token_endpoint_is_googles() {
    for url in [
        "http://127.0.0.1:8080/token",
        "http://localhost/token",
        "https://[::1]/token",
        "https://storage.googleapis.com/bucket/token",
        "https://oauth2.googleapis.com:8443/token",
        "https://oauth2.googleapis.com/token/",
        "https://oauth2.googleapis.com/token?x=1",
        "https://oauth2.googleapis.com/revoke",
        "https://oauth2.googleapis.com./token",
        "https://a.oauth2.googleapis.com/token",
        "https://run.googleapis.com/token",
        "https://accounts.google.com/token",
        "https://www.googleapis.com/oauth2/v4/token/..",
        "https://metadata.google.internal/token",
    ] {
        assert_eq!(
            refused(with("token_uri", url.into())),
            KeyFileError::ForeignTokenUri,
            "{url}"
        );
        let user = format!(r#"{{"client_id": "a", "client_secret": "b", "refresh_token": "c", "token_uri": "{url}"}}"#);
        assert_eq!(
            AuthorizedUser::from_json(&user).unwrap_err(),
            KeyFileError::ForeignTokenUri,
            "{url}"
        );
        // Named by the program, it may be any.
        let endpoint: Endpoint = url.parse().unwrap();
        assert!(AuthorizedUser::from_json_at(&user, endpoint.clone()).is_ok());
        let account = ServiceAccount::from_json_at(with("token_uri", url.into()), endpoint.clone()).unwrap();
        assert_eq!(account.token_endpoint(), &endpoint);
    }
}

/// What else stands in the answer may be anything that such a server can reach.
#[test]
fn trial_v17_of_an_answer_only_the_error_is_shown() {
    let secret = "root:x:0:0:internal-page";
    for ask in [
        oauth::Mint::assertion(
            "https://tokens.example.org/token".parse().unwrap(),
            Secret::new("a.b.c"),
        ),
        oauth::Mint::metadata("http://127.0.0.1/token".parse().unwrap()),
    ] {
        for status in [200, 302, 400, 401, 403, 404, 418, 429, 500, 503] {
            for body in [
                secret.to_owned(),
                format!("<title>{secret}</title>"),
                json!({"message": secret}).to_string(),
                json!({"error": {"message": secret}}).to_string(),
                json!({"error": "invalid_grant", "more": secret}).to_string(),
                json!({"error_description": secret}).to_string(),
                json!([{"error": secret}]).to_string(),
                format!("\u{feff}{secret}"),
            ] {
                let response = http::Response::builder().status(status).body(body.clone()).unwrap();
                let refusal: Refusal = ask.read_response(response).unwrap_err();
                let failure = refusal.to_failure(std::time::SystemTime::UNIX_EPOCH);
                let shown = format!("{refusal} {refusal:?} {failure} {failure:?}");
                assert!(!shown.contains("root:x"), "{status} {body}: {shown}");
            }
        }
        let body = json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}).to_string();
        let response = http::Response::builder().status(400).body(body).unwrap();
        let shown = ask.read_response(response).unwrap_err().to_string();
        assert!(shown.contains("invalid_grant: Invalid JWT Signature"), "{shown}");
    }
}

/// GKE's metadata server answers so for the first seconds of a pod.
#[test]
fn trial_v21_a_machine_that_starts_has_no_account_yet() {
    let mint = oauth::Mint::metadata("http://127.0.0.1/token".parse().unwrap());
    for body in ["", "<html>404</html>", "Not Found", r#"{"error": "not_found"}"#] {
        let response = http::Response::builder().status(404).body(body).unwrap();
        let refusal = mint.read_response(response).unwrap_err();
        assert!(refusal.is_retriable(), "{refusal}");
        assert!(refusal.hint().contains("workload identity") && refusal.hint().contains("service account"));
    }
    // At any other endpoint it is an address where there is none.
    let elsewhere = oauth::Mint::assertion("https://tokens.example.org/".parse().unwrap(), Secret::new("a.b.c"));
    let response = http::Response::builder().status(404).body("").unwrap();
    assert!(!elsewhere.read_response(response).unwrap_err().is_retriable());
}

#[test]
fn fault_f7_an_assertion_goes_to_google_or_to_whom_the_caller_names() {
    for url in [
        "https://evil.example.org/token",
        "https://oauth2.googleapis.com.evil.example.org/token",
        "https://evilgoogleapis.com/token",
        "http://127.0.0.1:9/token",
        "http://localhost:9/token",
    ] {
        assert_eq!(
            refused(with("token_uri", url.into())),
            KeyFileError::ForeignTokenUri,
            "{url}"
        );
    }
    for url in [
        "http://oauth2.googleapis.com/token",
        "oauth2.googleapis.com",
        "ftp://localhost/",
    ] {
        let error = refused(with("token_uri", url.into()));
        assert!(matches!(error, KeyFileError::TokenUri(_)), "{url}: {error:?}");
    }
    for url in ["https://tokens.example.org/token", "http://127.0.0.1:9/token"] {
        let file = with("token_uri", "https://evil.example.org/".into());
        let named = ServiceAccount::from_json_at(file, url.parse().unwrap()).unwrap();
        assert_eq!(request(&named).uri(), url);
    }
}

#[test]
fn fault_f10_no_error_shows_a_part_of_the_file() {
    let key = pem();
    let secret = &key[40..60];
    let mut errors: Vec<KeyFileError> = vec![
        refused(with("private_key", json!({"text": key}))),
        refused(with("private_key", json!([key]))),
        refused(with("private_key", key.replace('A', "!").into())),
        refused(with("private_key", key.replace("BEGIN", "BEGUN").into())),
        refused(with("project_id", key.clone().into())),
        refused(with("token_uri", key.clone().into())),
        refused(with("type", key.clone().into())),
        refused(format!("{{\"private_key\": \"{}", key.replace('\n', "\\n"))),
        refused(format!("\"{}\"", key.replace('\n', "\\n"))),
        refused(format!("{{\"private_key\": \"{key}\"}}")),
    ];
    errors.push(AuthorizedUser::from_json(with("type", "authorized_user".into())).unwrap_err());
    for error in errors {
        let cause = error
            .source()
            .map_or(String::new(), |cause| format!("{cause} {cause:?}"));
        let text = format!("{error} {error:?} {error:#?} {cause}");
        assert!(!text.contains(secret) && !text.contains("PRIVATE KEY-----\n"), "{text}");
    }
}

/// Every prefix of a file, and every file with one byte changed, is read or refused.
#[test]
fn no_file_is_too_strange_to_be_refused() {
    let mut read = 0;
    for end in 0..FILE.len() {
        read += usize::from(ServiceAccount::from_json(&FILE.as_bytes()[..end]).is_ok());
    }
    assert_eq!(read, 1, "all but the last line end is a file");
    for at in (0..FILE.len()).step_by(7) {
        for change in [0, b'"', b'\\', 0xff] {
            let mut file = FILE.as_bytes().to_vec();
            file[at] = change;
            let account = ServiceAccount::from_json(&file);
            let _ = account.map(|account| request(&account));
        }
    }
}

#[test]
fn no_login_is_too_strange_to_be_refused() {
    let file =
        r#"{"type": "authorized_user", "client_id": "id.apps", "client_secret": "a+b", "refresh_token": "1//0c&d"}"#;
    assert!(AuthorizedUser::from_json(file).is_ok());
    for end in 0..file.len() {
        let error = AuthorizedUser::from_json(&file.as_bytes()[..end]).unwrap_err();
        let expected = if end == 0 {
            KeyFileError::Empty
        } else {
            KeyFileError::Cut
        };
        assert_eq!(error, expected, "{end}");
    }
    for at in 0..file.len() {
        for change in [0, b'"', b'\\', 0xff] {
            let mut file = file.as_bytes().to_vec();
            file[at] = change;
            let Err(error) = AuthorizedUser::from_json(&file) else {
                continue;
            };
            let text = format!("{error} {error:?}");
            assert!(!text.contains("a+b") && !text.contains("1//0c"), "{text}");
        }
    }
    for field in ["client_id", "client_secret", "refresh_token"] {
        let mut wrong: Value = serde_json::from_str(file).unwrap();
        wrong[field] = json!(["a+b", "1//0c"]);
        assert_eq!(
            AuthorizedUser::from_json(wrong.to_string()).unwrap_err(),
            KeyFileError::NotText { field }
        );
        wrong[field] = Value::Null;
        assert_eq!(
            AuthorizedUser::from_json(wrong.to_string()).unwrap_err(),
            KeyFileError::Missing { field }
        );
    }
}

#[test]
fn a_users_own_login_asks_with_its_refresh_token() {
    let file = r#"{"type": "authorized_user", "client_id": "id.apps", "client_secret": "a+b", "refresh_token": "1//0c&d",
        "quota_project_id": "my-project", "account": ""}"#;
    let user = AuthorizedUser::from_json(file).unwrap();
    assert_eq!(user.quota_project().unwrap().as_str(), "my-project");
    let minting = gcm_proto::Credential::mint(&user, std::time::SystemTime::UNIX_EPOCH).unwrap();
    let gcm_proto::Minting::Exchange(exchange) = minting else {
        panic!("{minting:?}")
    };
    let request = exchange.request();
    assert_eq!(request.uri(), "https://oauth2.googleapis.com/token");
    let form = "grant_type=refresh_token&client_id=id.apps&client_secret=a%2Bb&refresh_token=1%2F%2F0c%26d";
    assert_eq!(std::str::from_utf8(request.body()).unwrap(), form);
    let text = format!("{user:?} {user:#?}");
    assert!(!text.contains("a+b") && !text.contains("1//0c"), "{text}");
}
