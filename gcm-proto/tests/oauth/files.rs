//! Key files: what is repaired, and what is said of those that cannot be used.

use crate::FILE;
use crate::signed::{form, request};
use gcm_proto::{AuthorizedUser, Endpoint, KeyFileError, ServiceAccount};
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
        (half, KeyFileError::DamagedKey),
        (key.replace("MII", "MI!"), KeyFileError::DamagedKey),
        (key.replace("MII", "MIJ"), KeyFileError::DamagedKey),
        (certificate, KeyFileError::NoRsaKey),
        (format!("{CERTIFICATE}{elliptic}"), KeyFileError::NoRsaKey),
        (elliptic, KeyFileError::NoRsaKey),
        (format!("{CERTIFICATE}{locked}"), KeyFileError::LockedKey),
        (locked, KeyFileError::LockedKey),
        (locked_old, KeyFileError::LockedKey),
        ("MIIEvQIBADANBgkqhkiG9w0BAQEFAASC".to_owned(), KeyFileError::NoPem),
        ("-----BEGIN PRIVATE KEY-----".to_owned(), KeyFileError::NoPem),
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

#[test]
fn fault_f7_an_assertion_goes_to_google_or_to_whom_the_caller_names() {
    for url in [
        "https://evil.example.org/token",
        "https://oauth2.googleapis.com.evil.example.org/token",
        "https://evilgoogleapis.com/token",
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
    for url in [
        "https://oauth2.googleapis.com/token",
        "http://127.0.0.1:9/token",
        "http://localhost:9/token",
    ] {
        let account = ServiceAccount::from_json(with("token_uri", url.into())).unwrap();
        assert_eq!(request(&account).uri(), url);
    }
    let endpoint: Endpoint = "https://tokens.example.org/token".parse().unwrap();
    let named = ServiceAccount::from_json_at(with("token_uri", "https://evil.example.org/".into()), endpoint).unwrap();
    assert_eq!(request(&named).uri(), "https://tokens.example.org/token");
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
        assert!(matches!(error, KeyFileError::NotJson { .. }), "{end}: {error:?}");
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
