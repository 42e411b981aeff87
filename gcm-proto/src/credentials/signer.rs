//! The signers of assertions.

use std::error::Error;
use std::sync::Arc;

/// Signs assertions with the account's private key: RSASSA-PKCS1-v1_5 with SHA-256, which JWTs call RS256.
///
/// For a key that is not in the file: in an HSM of this machine, or under another library where `ring` does not build. It is
/// called while a delivery is polled, so it must be quick and must not block. Whoever keeps the key at a service over the
/// network asks that for the token outside, and hands it in by [`TokenSource`](crate::TokenSource) or
/// [`Gateway::set_access_token`](crate::Gateway::set_access_token).
///
/// ```
/// use gcm_proto::{ServiceAccount, SignError, Signer};
///
/// struct Hsm;
///
/// impl Signer for Hsm {
///     fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
/// #       let hsm_sign = |_: &[u8]| Ok::<_, SignError>(vec![0; 256]);
///         hsm_sign(message)
///     }
/// }
///
/// let account = ServiceAccount::new("my-project".parse()?, "push@my-project.iam.gserviceaccount.com", Hsm);
/// # Ok::<(), gcm_proto::NameError>(())
/// ```
pub trait Signer: Send + Sync {
    /// The signature of these bytes.
    ///
    /// # Errors
    ///
    /// [`SignError`], when there is none. It ends the delivery that needs a token, as any failed mint does.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// An assertion could not be signed, and why.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the assertion could not be signed")]
pub struct SignError {
    #[source]
    source: Arc<dyn Error + Send + Sync>,
}

impl SignError {
    /// For this reason, whose text must hold no secret: it is shown.
    pub fn new(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self {
            source: source.into().into(),
        }
    }
}

#[cfg(feature = "ring")]
pub(super) mod with_ring {
    use super::{SignError, Signer};
    use crate::credentials::key_file::KeyFileError;
    use crate::credentials::pem::Der;
    use ring::rand::SystemRandom;
    use ring::rsa::KeyPair;
    use ring::signature::RSA_PKCS1_SHA256;

    /// A private key in memory, of 2048 bits or more.
    pub(in crate::credentials) struct PrivateKey(KeyPair);

    impl PrivateKey {
        /// Reads a key. The library tells by a word what is wrong with one; two of them help.
        pub(in crate::credentials) fn read(der: &Der) -> Result<Self, KeyFileError> {
            let pair = match der {
                Der::Pkcs8(bytes) => KeyPair::from_pkcs8(bytes),
                Der::Pkcs1(bytes) => KeyPair::from_der(bytes),
            };
            pair.map(Self).map_err(|error| match error.to_string().as_str() {
                "TooSmall" => KeyFileError::ShortKey,
                "WrongAlgorithm" => KeyFileError::NoRsaKey,
                _ => KeyFileError::DamagedKey,
            })
        }
    }

    impl Signer for PrivateKey {
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
            let mut signature = vec![0; self.0.public().modulus_len()];
            // The random numbers blind the key while it is used; the signature does not depend on them.
            self.0
                .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                .map_err(|_| SignError::new("the private key refused"))?;
            Ok(signature)
        }
    }
}
