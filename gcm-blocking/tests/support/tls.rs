//! TLS on loopback: an authority of the test's own, and a proxy that tunnels.

use super::Peer;
use gcm_blocking::Roots;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

/// An authority, as its certificate in PEM form, and a server's configuration with a certificate of it.
pub struct Authority {
    pub pem: Vec<u8>,
    pub server: Arc<ServerConfig>,
}

impl Authority {
    /// Certifies a server by this name, until this year.
    pub fn certifying(name: &str, until: i32) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Self {
            pem: pem(issuer.der()),
            server: Arc::new(server),
        }
    }

    pub fn roots(&self) -> Roots {
        Roots::from_pem(&self.pem).unwrap()
    }

    /// A server that answers this once the handshake is done and something was sent.
    pub fn answering(&self, reply: &'static str) -> Peer {
        let config = Arc::clone(&self.server);
        Peer::start(move |line| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(connection, line.stream.try_clone().unwrap());
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            while !bytes.ends_with(b"}}") {
                match stream.read(&mut buffer) {
                    Ok(length) if length > 0 => bytes.extend_from_slice(&buffer[..length]),
                    _ => return,
                }
            }
            let _ = stream.write_all(reply.as_bytes());
            // Closed without the notice that TLS has for it.
        })
    }
}

/// PEM (RFC 7468) with a base64 of its own.
fn pem(der: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = b"-----BEGIN CERTIFICATE-----\n".to_vec();
    for (index, group) in der.chunks(3).enumerate() {
        let bits = group.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - group.len()));
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(if digit <= group.len() { DIGITS[value] } else { b'=' });
        }
        if index % 16 == 15 {
            text.push(b'\n');
        }
    }
    text.extend_from_slice(b"\n-----END CERTIFICATE-----\n");
    text
}

/// A proxy that tunnels to one address, whatever it is asked for. It keeps all that the client sends.
pub fn proxy_to(target: SocketAddr) -> Peer {
    Peer::start(move |line| {
        line.request();
        line.write(b"HTTP/1.1 200 Connection established\r\n\r\n");
        let mut there = TcpStream::connect(target).unwrap();
        let mut back = line.stream.try_clone().unwrap();
        let mut from = there.try_clone().unwrap();
        let answers = std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut back);
            let _ = back.shutdown(std::net::Shutdown::Both);
        });
        line.forward(&mut there);
        let _ = there.shutdown(std::net::Shutdown::Both);
        answers.join().unwrap();
    })
}
