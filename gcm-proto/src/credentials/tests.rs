//! Signatures that the tests from outside, against whole requests, do not reach.

use super::pem::private_key;
use super::signer::Signer;
use super::signer::with_ring::PrivateKey;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// RFC 7515 appendix A.2.1: header and claims as they are signed, and the signature.
const SIGNED: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9p\
    c19yb290Ijp0cnVlfQ";
const SIGNATURE: &str = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujG\
    bds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K\
    0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6\
    LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

#[test]
fn v1_o01_a_signature_is_that_of_the_rfc() {
    let file: serde_json::Value = serde_json::from_str(include_str!("../../tests/oauth/demo-project.json")).unwrap();
    let key = PrivateKey::read(&private_key(file["private_key"].as_str().unwrap()).unwrap())
        .map_err(|error| error.to_string())
        .unwrap();
    let signature = key.sign(SIGNED.as_bytes()).unwrap();
    assert_eq!(URL_SAFE_NO_PAD.encode(signature), SIGNATURE);
}
