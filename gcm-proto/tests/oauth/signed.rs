//! What is signed, and the request it goes into: byte for byte.

use crate::FILE;
use gcm_proto::{Credential, Minting, ServiceAccount};
use ring::digest::{SHA256, digest};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The wall clock when `iat` is to be 1700000000: a minute later.
const WALL: Duration = Duration::from_secs(1_700_000_060);

/// Header and claims, `{"alg":"RS256","typ":"JWT","kid":"test-key-id"}` and so on, in base64url.
const SIGNED: &str = "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InRlc3Qta2V5LWlkIn0.eyJpc3MiOiJwdXNoQGRlbW8tcHJvamVj\
    dC5pYW0uZ3NlcnZpY2VhY2NvdW50LmNvbSIsInNjb3BlIjoiaHR0cHM6Ly93d3cuZ29vZ2xlYXBpcy5jb20vYXV0aC9maXJl\
    YmFzZS5tZXNzYWdpbmciLCJhdWQiOiJodHRwczovL29hdXRoMi5nb29nbGVhcGlzLmNvbS90b2tlbiIsImlhdCI6MTcwMDAw\
    MDAwMCwiZXhwIjoxNzAwMDAzNjAwfQ";

const SIGNATURE: &str = "AGV0JYm43KSa7p5tEvoa3DT8VlK9G9DQz8IXc7xZkXpMpASIOzLVRc1OzIZ9-onDWme3V9OorzIM8n--A7eXTVTSZwABZsVZ\
    RQArf52RzREfSJh9Bo_K2_-sdwdyJoE7GRK5CdWL9baPJcP-u8kmKYkGI11Z2q5T7ej1klJngJA6VKMaBGnQ-wHrD9BloUeL\
    Bc-UmPWDmL3TbZHdgkS3IvGFWJT_qWsTf6z-D2Vz4xiQ1oKeF1Phv87Ddej_3mOsepyFCEBDNNPrfRvzrrw2esohJz7T22Em\
    rYrvZ6vRy3Ezs5oy0tOEnjuqrbqUiQy_IZSG-9kNZHrde_UYF5i5xQ";

const SHA256_OF_JWT: &str = "d6eccf52d30bf3c3f62df6850bdea0cb5ff751fc6b3622a6390d89fbd3016fb4";

/// The request by which this account asks for a token when `iat` is 1700000000.
pub(crate) fn request(account: &(impl Credential + ?Sized)) -> http::Request<Vec<u8>> {
    match account.mint(SystemTime::UNIX_EPOCH + WALL).unwrap() {
        Minting::Exchange(exchange) => exchange.request(),
        other => panic!("no request but {other:?}"),
    }
}

/// The body that asks, as the vector has it.
pub(crate) fn form() -> String {
    let grant = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    format!("{grant}&assertion={SIGNED}.{SIGNATURE}")
}

#[test]
fn v1_o02_a_whole_request_for_a_token() {
    let mut hex = String::new();
    for byte in digest(&SHA256, format!("{SIGNED}.{SIGNATURE}").as_bytes()).as_ref() {
        write!(hex, "{byte:02x}").unwrap();
    }
    assert_eq!(hex, SHA256_OF_JWT, "the vector is not what it is said to be");

    let request = request(&ServiceAccount::from_json(FILE).unwrap());
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "https://oauth2.googleapis.com/token");
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(std::str::from_utf8(request.body()).unwrap(), form());
}

#[test]
fn an_account_in_a_box_or_shared_asks_as_it_does_alone() {
    let account = ServiceAccount::from_json(FILE).unwrap();
    let boxed: Box<dyn Credential> = Box::new(account.clone());
    let shared: Arc<dyn Credential> = Arc::new(account);
    for request in [request(&boxed), request(&shared)] {
        assert_eq!(std::str::from_utf8(request.body()).unwrap(), form());
    }
}
