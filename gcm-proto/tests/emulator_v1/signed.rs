//! Assertions with a real signature: the key is the one of RFC 7515, appendix A.2, published there for tests.

use super::*;

use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};

/// The key's public half.
const PUBLIC_KEY: &str = "-----BEGIN PUBLIC KEY-----\n\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJj\n\
    NiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEz\n\
    P1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo\n\
    9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTB\n\
    EMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxX\n\
    FvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp\n\
    oQIDAQAB\n\
    -----END PUBLIC KEY-----";

/// Its modulus, as RFC 7515 has it.
const MODULUS: &str = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql\
    L-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUs\
    LA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoud\
    F8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

/// Its private half, as PKCS#8.
const PRIVATE_KEY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCh+BYK4uPJtGXOjS1lYmM2K5J9vinh8CR3/BYlzJChNuOL\
    2TSXxbbqY913EeZ8dCn5VrD7io8ImtxLaYk8wTM/U+3QGbh3hCUv7JFP5IV3aVlL6kKA0ywPVb9ilE8TA5a8bpvfbr3SvaNn\
    juygxmj3AbONv/s4yDQs4v5tJ/reSlpIdJed1LnPmt7Ex1sFhSwsD174pcF1A5L5ROjtZMEQxrZHYJqkeDrrnGya11UxMFBj\
    i4NmXG9veoKjlnAqH2QbgtPr8jkiGUkftoaHLFcW9Qr4NY2ai50Xw0Byj3+H2JoY2PyrZ62EWQwuz3WTOTY8BwNNb2BvniHg\
    VFbK5emhAgMBAAECggEAEq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7/GQ5sLKMgvfTeX\
    Zx9SE+7YwVol2NXOoAJe46sui395IW/GO+pWJ1O0BkTGoVEn2bKVRUCgu+GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzj\
    kn439X0M/V51gfpRLI9JYanrC4D4qAdGcopV/0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl\
    /x/jTj3ccPDVZFD9pIuhLhBOneufuBiB4cS98l2SR/RQyGWSeWjnczT0QU91p1DhOVRuOopznQKBgQDgHMQQ60imZV1URk0K\
    pLttoLhyt3SmqdEf/kgHePDdtzEafpAu+cS191R2JiuoF2yzWXnwFDcqGigp5BNr0AHQfD8/Lk8l1Mk09jxxCfui5nYooNya\
    c8YFjm3vItzVCVDnEd3BbVWG8qf6deqElMGAg+C2V0L4oNXnP7LZcPAZRwKBgQC5A8R+CZW2MvRTLLHzwZkUXV866cff7tx6\
    kqa0finGG0KgeqlaZPxgCZnFp7AeAcCMtiynVlJ7vMVgePsLq6XtON4tB5kP9jAPrq3rbAOal78eUH5OcED6eNuCV8ixEu1e\
    WcPNCS/l1OW1EnXUEoEHKl54Xrrz2uNwkgMTP1FZ1wKBgAcCn1dwJKufzBWQxWQp1vsM5fggqPN1qGb5y0MAk3g7/Ls5bkUp\
    5u9SN0Ai3Ya6hNnvWJMb7sXQX6U/zyO2M/hTip7tUeh7CXgwo59dkpN75gJLVds29+DAncu3KXU4f2Fa+7bLNrur53k8KwPO\
    q2bbuTG69QtV7Jr5MR0AHWKNAoGBAIf/evpitUf+4JYbLpvNXWcY052Mpz22aR84mY3nh3F2LF2mjMJDpTg7FmuyPcVw6EcG\
    yoAe9fa65iNqCq+jdw6PVNGo2hxfjSiZ8IIzHdsPXI89//pMjZcQK9r+CCoRjaZjOYiIDktVWZzmevJuv6WywUqd57LE3Zar\
    3dLSIkx1AoGAIYd7DHOhrWvxkwPQsRM2tOgrjbcrfvtQJipd+DlcxyVuuM9sQLdgjVk2oy26F0EmpScGLq2MowX7fhd/QJQ3\
    ydy5cY7YIBi87w93IKLEdfnbJtoOPLUW0ITrJReOgo1cq9SbsxYawBgfp/gh6A5603k2+ZQwVK0JKSHuLFkuQ3U=";

const ACCOUNT: &str = "push@demo-project.iam.gserviceaccount.com";

/// Header, claims and signature by that key, computed with another implementation. `iat` is 1700000000.
const ASSERTION: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3Qta2V5LWlkIn0.eyJpc3MiOiJwdXNoQGRlbW8tcHJvamVj\
    dC5pYW0uZ3NlcnZpY2VhY2NvdW50LmNvbSIsInNjb3BlIjoiaHR0cHM6Ly93d3cuZ29vZ2xlYXBpcy5jb20vYXV0aC9maXJl\
    YmFzZS5tZXNzYWdpbmciLCJhdWQiOiJodHRwczovL29hdXRoMi5nb29nbGVhcGlzLmNvbS90b2tlbiIsImlhdCI6MTcwMDAw\
    MDAwMCwiZXhwIjoxNzAwMDAzNjAwfQ\
    .AGV0JYm43KSa7p5tEvoa3DT8VlK9G9DQz8IXc7xZkXpMpASIOzLVRc1OzIZ9-onDWme3V9OorzIM8n--A7eXTVTSZwABZsVZ\
    RQArf52RzREfSJh9Bo_K2_-sdwdyJoE7GRK5CdWL9baPJcP-u8kmKYkGI11Z2q5T7ej1klJngJA6VKMaBGnQ-wHrD9BloUeL\
    Bc-UmPWDmL3TbZHdgkS3IvGFWJT_qWsTf6z-D2Vz4xiQ1oKeF1Phv87Ddej_3mOsepyFCEBDNNPrfRvzrrw2esohJz7T22Em\
    rYrvZ6vRy3Ezs5oy0tOEnjuqrbqUiQy_IZSG-9kNZHrde_UYF5i5xQ";

const FORGED: &str = "Invalid JWT Signature.";
const UNTIMELY: &str = "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat \
    and exp values in the JWT claim.";

/// A service that knows the account.
fn service() -> Emulator {
    Emulator::new(Script::new().account(ACCOUNT, Account::public_key(PUBLIC_KEY).expect("a key")))
}

fn mint(emulator: &mut Emulator, assertion: &str) -> (u16, Value) {
    let form = format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    read(&send(emulator, &ask(&form)))
}

/// An assertion whose signature holds.
fn sign(header: &Value, claims: &Value) -> String {
    let signed = format!(
        "{}.{}",
        encode(header.to_string().as_bytes()),
        encode(claims.to_string().as_bytes())
    );
    let pair = RsaKeyPair::from_pkcs8(&decode(PRIVATE_KEY)).expect("a key");
    let mut signature = vec![0; pair.public().modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        signed.as_bytes(),
        &mut signature,
    )
    .expect("a signature");
    format!("{signed}.{}", encode(&signature))
}

/// The claims that are granted, but for these; `null` leaves one out.
fn claims(changes: &Value) -> Value {
    let mut claims = json!({"iss": ACCOUNT, "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "aud": "https://oauth2.googleapis.com/token", "iat": 1_700_000_000, "exp": 1_700_003_600});
    for (name, value) in changes.as_object().expect("an object") {
        claims[name] = value.clone();
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        }
    }
    claims
}

fn mint_with(emulator: &mut Emulator, changes: &Value) -> (u16, Value) {
    mint(
        emulator,
        &sign(&json!({"alg": "RS256", "typ": "JWT"}), &claims(changes)),
    )
}

fn refusal(code: &str, description: &str) -> (u16, Value) {
    (400, json!({"error": code, "error_description": description}))
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn encode(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk
            .iter()
            .fold(0_usize, |group, byte| group << 8 | usize::from(*byte))
            << (8 * (3 - chunk.len()));
        for index in 0..=chunk.len() {
            text.push(char::from(DIGITS[group >> (18 - 6 * index) & 63]));
        }
    }
    text
}

fn decode(text: &str) -> Vec<u8> {
    let text = text.trim_end_matches('=').replace('+', "-").replace('/', "_");
    let value = |digit: &u8| DIGITS.iter().position(|own| own == digit).expect("a digit");
    let decode = |chunk: &[u8]| {
        let group = chunk.iter().fold(0, |group, digit| group << 6 | value(digit)) << (6 * (4 - chunk.len()));
        group.to_be_bytes()[5..4 + chunk.len()].to_vec()
    };
    text.as_bytes().chunks(4).flat_map(decode).collect()
}

#[test]
fn o01_the_signature_of_rfc_7515_holds() {
    let assertion = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9\
        pc19yb290Ijp0cnVlfQ\
        .cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG\
        bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
        0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6\
        LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let mut emulator = scripted(&json!({"accounts": {"joe": {"public_key": PUBLIC_KEY}}}).to_string());
    assert_eq!(
        mint(&mut emulator, assertion),
        refusal("invalid_grant", "Invalid JWT: iat (issued at) is not set."),
        "it has no more claims than the RFC gives it"
    );
    let altered = assertion.replace("rhuB__dz", "rhuB__d0");
    assert_ne!(altered, assertion);
    assert_eq!(mint(&mut emulator, &altered), refusal("invalid_grant", FORGED));
}

#[test]
fn o02_a_signed_assertion_is_granted_a_token_that_sends() {
    let mut emulator = service();
    let (status, reply) = mint(&mut emulator, ASSERTION);
    assert_eq!(status, 200, "{reply}");
    let token = reply["access_token"].as_str().expect("a token");
    assert_eq!(
        reply,
        json!({"access_token": token, "expires_in": 3599, "token_type": "Bearer"})
    );
    assert!(token.starts_with("ya29.c.") && token.ends_with('.'), "{token}");
    assert_eq!((emulator.counters().mints, emulator.counters().tokens_issued), (1, 1));

    let message = post(token, r#"{"message":{"token":"4"}}"#);
    assert_eq!(send(&mut emulator, &message).status(), 200);
    assert_eq!(
        send(&mut emulator, &message.replace("ya29.c.", "ya29.d.")).status(),
        401
    );
}

#[test]
fn our_own_signatures_are_those_of_the_vector() {
    let (signed, signature) = ASSERTION.rsplit_once('.').unwrap();
    let (header, claims) = signed.split_once('.').unwrap();
    let read = |part| serde_json::from_slice::<Value>(&decode(part)).unwrap();
    assert_eq!(
        read(header),
        json!({"alg": "RS256", "typ": "JWT", "kid": "test-key-id"})
    );
    assert_eq!(read(claims), self::claims(&json!({})));
    assert_eq!(encode(&decode(signature)), signature);
    assert_eq!(mint_with(&mut service(), &json!({})).0, 200);
}

#[test]
fn a_public_key_may_be_a_jwk() {
    for key in [
        json!({"kty": "RSA", "n": MODULUS, "e": "AQAB"}),
        json!({"kty": "RSA", "n": MODULUS, "e": "AQAB", "kid": "k", "use": "sig", "alg": "RS256"}),
        json!(PUBLIC_KEY),
        json!(PUBLIC_KEY.replace('\n', "\r\n") + "\r\n"),
    ] {
        let mut emulator = scripted(&json!({"accounts": {ACCOUNT: {"public_key": key}}}).to_string());
        assert_eq!(mint(&mut emulator, ASSERTION).0, 200, "{key}");
    }
}

#[test]
fn what_is_no_public_key_is_an_error() {
    let cut = PUBLIC_KEY.replace("oQIDAQAB\n", "");
    let private = format!("-----BEGIN PRIVATE KEY-----\n{PRIVATE_KEY}\n-----END PRIVATE KEY-----");
    let short = json!({"kty": "RSA", "n": MODULUS.get(..172), "e": "AQAB"}).to_string();
    for key in [
        "",
        "a key",
        "{}",
        "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        &cut,
        &private,
        &short,
        &json!({"kty": "EC", "n": MODULUS, "e": "AQAB"}).to_string(),
    ] {
        let error = Account::public_key(key).expect_err(key);
        assert!(error.to_string().contains("RSA public key"), "{error}");
        let script = json!({"accounts": {"a@b": {"public_key": key}}});
        let error = Script::from_json(script.to_string()).expect_err(key).to_string();
        assert!(error.contains("RSA public key") && !error.contains("MII"), "{error}");
    }
}

#[test]
fn o06_a_wrong_signature_is_refused() {
    let refused = refusal("invalid_grant", FORGED);
    let (signed, signature) = ASSERTION.rsplit_once('.').unwrap();
    let flipped = signature.replace("AGV0", "AGV1");
    assert_ne!(flipped, signature);
    assert_eq!(mint(&mut service(), &format!("{signed}.{flipped}")), refused);
    assert_eq!(mint(&mut service(), &format!("{signed}.")), refused);
    let other = signed.replace("NjAwfQ", "NjAxfQ");
    assert_ne!(other, signed);
    assert_eq!(
        mint(&mut service(), &format!("{other}.{signature}")),
        refused,
        "exp is 1700003601"
    );
    for alg in [
        json!({"alg": "HS256"}),
        json!({"alg": "none"}),
        json!({"typ": "JWT"}),
        json!({"alg": 256}),
    ] {
        assert_eq!(mint(&mut service(), &sign(&alg, &claims(&json!({})))), refused, "{alg}");
    }
    let mut revoked = scripted(&json!({"accounts": {ACCOUNT: "revoked"}}).to_string());
    assert_eq!(mint(&mut revoked, ASSERTION), refused);
}

#[test]
fn o07_an_account_in_another_name_is_not_found() {
    let refused = refusal("invalid_grant", "Invalid grant: account not found");
    for iss in [
        json!("pusch@demo-project.iam.gserviceaccount.com"),
        json!(null),
        json!(7),
    ] {
        assert_eq!(mint_with(&mut service(), &json!({"iss": iss})), refused, "{iss}");
    }
    let mut deleted = scripted(&json!({"accounts": {ACCOUNT: "deleted"}}).to_string());
    assert_eq!(mint(&mut deleted, ASSERTION), refused);
}

#[test]
fn o09_an_empty_scope_is_refused() {
    for scope in [json!(""), json!(" "), json!(null), json!(["a"])] {
        assert_eq!(
            mint_with(&mut service(), &json!({"scope": scope})),
            refusal("invalid_scope", "Invalid OAuth scope or ID token audience provided."),
            "{scope}"
        );
    }
}

#[test]
fn the_checks_come_in_the_order_of_googles_endpoint() {
    // Everything is wrong at first; each step repairs what was complained about.
    let mut emulator = service();
    emulator.set_time(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    let wrong = json!({"iss": "nobody@b", "scope": "", "aud": "https://example.com", "sub": "user@example.com", "iat": null,
        "exp": null});
    let signed = sign(&json!({"alg": "RS256"}), &claims(&wrong));
    let (signed, _) = signed.rsplit_once('.').unwrap();
    assert_eq!(mint(&mut emulator, signed), refusal("invalid_request", "Bad Request"));
    assert_eq!(
        mint(&mut emulator, &format!("{signed}.AAAA")),
        refusal("invalid_grant", FORGED)
    );

    let mut given = wrong;
    for (name, repaired, code, description) in [
        (
            "iss",
            json!(ACCOUNT),
            "invalid_grant",
            "Invalid grant: account not found",
        ),
        (
            "iat",
            json!(1_700_000_301),
            "invalid_grant",
            "Invalid JWT: iat (issued at) is not set.",
        ),
        (
            "exp",
            json!(1_700_003_600),
            "invalid_grant",
            "Invalid JWT: exp (expiration time) is not set.",
        ),
        ("iat", json!(1_700_000_000), "invalid_grant", UNTIMELY),
        (
            "scope",
            json!("https://www.googleapis.com/auth/cloud-platform"),
            "invalid_scope",
            "Invalid OAuth scope or ID token audience provided.",
        ),
        (
            "aud",
            json!("https://oauth2.googleapis.com/token"),
            "invalid_grant",
            "Invalid JWT: Failed audience check.",
        ),
        (
            "sub",
            json!(ACCOUNT),
            "unauthorized_client",
            "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any of the \
             scopes requested.",
        ),
    ] {
        assert_eq!(
            mint_with(&mut emulator, &given),
            refusal(code, description),
            "before {name} is right"
        );
        given[name] = repaired;
    }
    assert_eq!(mint_with(&mut emulator, &given).0, 200);
    assert_eq!(emulator.counters().tokens_issued, 1);
}

#[test]
fn an_assertion_lives_for_an_hour_at_most_and_needs_both_times() {
    let refused = refusal("invalid_grant", UNTIMELY);
    for (iat, exp) in [
        (json!(0), json!(3601)),
        (json!(10), json!(10)),
        (json!(10), json!(9)),
        (json!(i64::MIN), json!(i64::MAX)),
    ] {
        assert_eq!(
            mint_with(&mut service(), &json!({"iat": iat, "exp": exp})),
            refused,
            "{iat} {exp}"
        );
    }
    assert_eq!(
        mint_with(&mut service(), &json!({"iat": "1700000000", "exp": "1700003600"})).0,
        200,
        "digits will do"
    );
    for iat in [json!("now"), json!(1.5), json!(true)] {
        assert_eq!(
            mint_with(&mut service(), &json!({"iat": iat})),
            refusal("invalid_grant", "Invalid JWT: iat (issued at) is not set.")
        );
    }
}

/// How far ahead an assertion may be is not published; ten minutes were refused, a few were not.
#[test]
fn once_the_time_is_told_an_assertion_must_be_timely() {
    let mut emulator = service();
    for (now, status) in [
        (1_699_999_400, 400),
        (1_699_999_880, 200),
        (1_700_000_000, 200),
        (1_700_003_599, 200),
        (1_700_003_600, 400),
        (1_800_000_000, 400),
        (0, 400),
    ] {
        emulator.set_time(SystemTime::UNIX_EPOCH + Duration::from_secs(now));
        let (found, reply) = mint(&mut emulator, ASSERTION);
        assert_eq!(found, status, "{now}: {reply}");
        assert!(status == 200 || reply["error_description"] == UNTIMELY);
    }
}

#[test]
fn an_issued_token_expires_with_the_time() {
    let mut emulator = service();
    let at = |seconds: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
    emulator.set_time(at(0));
    let token = mint(&mut emulator, ASSERTION).1["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let message = post(&token, r#"{"message":{"token":"4"}}"#);
    for (seconds, status) in [(3598, 200), (3599, 401)] {
        emulator.set_time(at(seconds));
        assert_eq!(send(&mut emulator, &message).status(), status, "{seconds}");
    }
}

#[test]
fn the_audience_is_googles_name_or_the_url_that_was_asked() {
    let aud = |emulator: &mut Emulator, aud: &str| mint_with(emulator, &json!({"aud": aud})).0;
    for audience in [
        "https://oauth2.googleapis.com/token",
        "http://127.0.0.1:8080/token",
        "https://127.0.0.1:8080/token",
    ] {
        assert_eq!(aud(&mut service(), audience), 200, "{audience}");
    }
    for audience in [
        "",
        "127.0.0.1:8080/token",
        "http://127.0.0.1:8081/token",
        "http://127.0.0.1:8080/token/",
    ] {
        assert_eq!(aud(&mut service(), audience), 400, "{audience}");
    }
    let account = Account::public_key(PUBLIC_KEY).unwrap();
    let mut emulator = Emulator::new(
        Script::new()
            .account(ACCOUNT, account)
            .audience("https://example.com/t"),
    );
    assert_eq!(aud(&mut emulator, "https://example.com/t"), 200);
    assert_eq!(aud(&mut emulator, "https://oauth2.googleapis.com/token"), 400);
}

#[test]
fn an_unknown_scope_is_granted_an_identity_token_only() {
    let known = "https://www.googleapis.com/auth/firebase.messaging";
    for scope in [
        "https://www.googleapis.com/auth/fcm",
        "openid2",
        &format!("{known} https://www.googleapis.com/auth/x"),
    ] {
        let mut emulator = service();
        let (status, reply) = mint_with(&mut emulator, &json!({"scope": scope}));
        assert_eq!(status, 200);
        let names: Vec<_> = reply.as_object().unwrap().keys().collect();
        assert_eq!(names, ["id_token"], "{scope}");
        assert_eq!((emulator.counters().mints, emulator.counters().tokens_issued), (1, 0));
    }
}

/// The body is that of other Google services: for FCM it is not known.
#[test]
fn a_token_for_another_api_does_not_send() {
    let mut emulator = service();
    let narrow = "https://www.googleapis.com/auth/datastore https://www.googleapis.com/auth/userinfo.email";
    let (status, reply) = mint_with(&mut emulator, &json!({"scope": narrow}));
    assert_eq!(status, 200);
    let message = post(reply["access_token"].as_str().unwrap(), r#"{"message":{"token":"4"}}"#);
    let (status, body) = read(&send(&mut emulator, &message));
    assert_eq!((status, &body["error"]["status"]), (403, &json!("PERMISSION_DENIED")));
    assert_eq!(body["error"]["details"][0]["reason"], "ACCESS_TOKEN_SCOPE_INSUFFICIENT");

    let both = "https://www.googleapis.com/auth/datastore https://www.googleapis.com/auth/firebase.messaging";
    let (_, reply) = mint_with(&mut emulator, &json!({"scope": both}));
    let message = post(reply["access_token"].as_str().unwrap(), r#"{"message":{"token":"4"}}"#);
    assert_eq!(send(&mut emulator, &message).status(), 200);
}
