//! The addresses that a connector begins with, over a network that does as it is told, in virtual time.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::Connector;
use super::error::{ConnectError, timed_out};
use super::origin::Origin;
use crate::net::{Net, NetFuture, Stream};
use crate::proxy::Proxy;
use crate::roots::Roots;
use crate::settings::Settings;
use gcm_proto::Sent;
use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

/// What an address does with whoever connects.
#[derive(Clone)]
enum Manner {
    Refuse,
    /// Never answers to the first packet.
    Drop,
    /// Accepts and says nothing.
    Silent,
    /// Accepts, and closes.
    Close,
    Tls(Arc<ServerConfig>),
}

/// A name with addresses, and who connected where.
struct Fake {
    found: Mutex<Option<io::Result<Vec<SocketAddr>>>>,
    manners: Vec<(SocketAddr, Manner)>,
    tried: Mutex<Vec<SocketAddr>>,
}

impl Net for Fake {
    fn look_up(&self, _: String, _: u16) -> NetFuture<Vec<SocketAddr>> {
        let found = self.found.lock().unwrap().take();
        Box::pin(async move {
            match found {
                Some(found) => found,
                None => pending().await,
            }
        })
    }

    fn connect(&self, address: SocketAddr) -> NetFuture<Box<dyn Stream>> {
        self.tried.lock().unwrap().push(address);
        let manner = self
            .manners
            .iter()
            .find(|(other, _)| *other == address)
            .unwrap()
            .1
            .clone();
        Box::pin(async move {
            let (here, there) = duplex(64 << 10);
            match manner {
                Manner::Refuse => return Err(io::ErrorKind::ConnectionRefused.into()),
                Manner::Drop => pending().await,
                Manner::Close => drop(there),
                Manner::Silent => drop(tokio::spawn(silent(there))),
                Manner::Tls(config) => drop(tokio::spawn(async move {
                    if let Ok(mut stream) = TlsAcceptor::from(config).accept(there).await {
                        let _ = stream.read_u8().await;
                    }
                })),
            }
            Ok(Box::new(here) as Box<dyn Stream>)
        })
    }
}

async fn silent(mut stream: DuplexStream) {
    while stream.read_u8().await.is_ok() {}
}

impl Fake {
    fn finds(&self, found: io::Result<Vec<SocketAddr>>) {
        *self.found.lock().unwrap() = Some(found);
    }

    fn tried(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut *self.tried.lock().unwrap())
    }
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 443))
}

/// An authority, and a server that it certifies.
fn certified() -> (Roots, Arc<ServerConfig>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let params = CertificateParams::new(["push.example.org".to_owned()]).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    (Roots::of(issuer.der()), Arc::new(config))
}

/// A connector over this network, trusting this authority.
fn connector(manners: &[Manner], roots: Option<&Roots>) -> (Arc<Fake>, Connector) {
    let manners = manners
        .iter()
        .cloned()
        .zip(1..)
        .map(|(manner, number)| (address(number), manner));
    let fake = Arc::new(Fake {
        found: Mutex::default(),
        manners: manners.collect(),
        tried: Mutex::default(),
    });
    fake.finds(Ok(fake.manners.iter().map(|(address, _)| *address).collect()));
    let settings = Settings {
        net: Arc::clone(&fake) as Arc<dyn Net>,
        roots: roots.cloned(),
        ..Settings::default()
    };
    (fake, Connector::new(&settings))
}

fn origin(url: &str) -> Origin {
    Origin::of(&url.parse().unwrap()).unwrap()
}

/// How it ended: the address, or the error's text, and how long that took.
async fn connected(connector: &Connector, url: &str) -> (Result<SocketAddr, ConnectError>, Duration) {
    let start = Instant::now();
    let made = connector.connect(&origin(url), false).await;
    (made.map(|made| made.address), start.elapsed())
}

#[tokio::test(start_paused = true)]
async fn trial_s06_an_address_that_accepts_and_stays_silent_leaves_time_for_the_next() {
    let (roots, server) = certified();
    let (fake, connector) = connector(&[Manner::Silent, Manner::Tls(server)], Some(&roots));
    let (made, time) = connected(&connector, "https://push.example.org/").await;
    assert_eq!(made.unwrap(), address(2));
    // Half of the ten seconds that connecting may take.
    assert_eq!(time.as_secs(), 5);
    assert_eq!(fake.tried(), [address(1), address(2)]);
    // The next connector begins with what worked, whatever the resolver's order.
    fake.finds(Ok(vec![address(1), address(2)]));
    assert_eq!(
        connected(&connector, "https://push.example.org/").await.0.unwrap(),
        address(2)
    );
    assert_eq!(fake.tried(), [address(2)]);
}

#[tokio::test(start_paused = true)]
async fn trial_s06_a_dial_begins_with_another_address_than_the_one_that_failed_last() {
    for manner in [Manner::Silent, Manner::Close] {
        let (fake, connector) = connector(&[manner.clone(), manner.clone(), manner], None);
        let mut first = Vec::new();
        for _ in 0..4 {
            fake.finds(Ok((1..=3).map(address).collect()));
            let (made, time) = connected(&connector, "http://push.example.org:443/").await;
            assert!(time < Duration::from_millis(1));
            let address = made.unwrap();
            assert_eq!(fake.tried(), [address]);
            first.push(address);
            // Nothing was heard on it, whoever found that out.
            connector.is_silent(&origin("http://push.example.org:443/"), address);
        }
        assert_eq!(first, [address(1), address(2), address(3), address(1)]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_that_refuses_or_hangs_is_passed_over() {
    let (fake, connector) = connector(&[Manner::Refuse, Manner::Drop, Manner::Silent], None);
    let (made, time) = connected(&connector, "http://push.example.org:443/").await;
    assert_eq!(made.unwrap(), address(3));
    // RFC 8305 section 5: the next one has its turn a quarter of a second later.
    assert_eq!(time.as_millis(), 250);
    assert_eq!(fake.tried(), [address(1), address(2), address(3)]);
}

#[tokio::test(start_paused = true)]
async fn an_address_with_a_certificate_of_its_own_is_passed_over_and_is_hopeless_only_if_all_have_one() {
    let (roots, server) = certified();
    let (_, stranger) = certified();
    let bad = || Manner::Tls(Arc::clone(&stranger));
    let (fake, mixed) = connector(&[bad(), Manner::Tls(server)], Some(&roots));
    assert_eq!(
        connected(&mixed, "https://push.example.org/").await.0.unwrap(),
        address(2)
    );
    assert_eq!(fake.tried(), [address(1), address(2)]);
    for (manners, permanent) in [
        (vec![bad(), bad()], true),
        (vec![bad(), Manner::Close], false),
        (vec![Manner::Close, bad()], false),
        (vec![bad(), Manner::Refuse], false),
    ] {
        let (_, connector) = connector(&manners, Some(&roots));
        let none = connected(&connector, "https://push.example.org/").await.0.unwrap_err();
        assert_eq!(none.to_error().is_permanent(), permanent);
    }
}

#[tokio::test(start_paused = true)]
async fn connecting_takes_no_longer_than_it_may_whatever_takes_the_time() {
    for manners in [vec![Manner::Drop; 9], vec![Manner::Silent; 9]] {
        let (_, connector) = connector(&manners, None);
        let (made, time) = connected(&connector, "https://push.example.org/").await;
        assert_eq!(made.unwrap_err().cause.to_string(), "timed out while connecting");
        assert_eq!(time.as_secs(), 10);
    }
}

#[tokio::test(start_paused = true)]
async fn trial_s11_a_proxy_that_dribbles_its_answer_takes_no_longer_than_connecting_may() {
    struct Dribbles;
    impl Net for Dribbles {
        fn look_up(&self, _: String, _: u16) -> NetFuture<Vec<SocketAddr>> {
            Box::pin(async { Ok(vec![address(1)]) })
        }

        fn connect(&self, _: SocketAddr) -> NetFuture<Box<dyn Stream>> {
            let (here, mut there) = duplex(4096);
            tokio::spawn(async move {
                while there.write_u8(b'H').await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
            Box::pin(async { Ok(Box::new(here) as Box<dyn Stream>) })
        }
    }
    let connector = Connector::new(&Settings {
        net: Arc::new(Dribbles),
        proxy: Some("http://proxy.example.org".parse::<Proxy>().unwrap()),
        connect_timeout: Duration::from_secs(3),
        ..Settings::default()
    });
    let (made, time) = connected(&connector, "https://push.example.org/").await;
    assert_eq!(made.unwrap_err().cause.to_string(), "no connection to the proxy");
    assert_eq!(time.as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn trial_s10_while_the_resolver_is_silent_or_fails_the_last_addresses_are_good() {
    let (fake, connector) = connector(&[Manner::Silent], None);
    let url = "http://push.example.org:443/";
    assert!(connected(&connector, url).await.0.is_ok());
    // It says nothing. RFC 8767 section 5: after 1.8 seconds an old answer is better than none.
    let (made, time) = connected(&connector, url).await;
    assert_eq!((made.unwrap(), time.as_millis()), (address(1), 1800));
    for error in [io::ErrorKind::NotFound.into(), io::Error::other("try again")] {
        fake.finds(Err(error));
        let (made, time) = connected(&connector, url).await;
        assert_eq!((made.unwrap(), time.as_millis()), (address(1), 0));
    }
    // A host without any has none.
    let (made, time) = connected(&connector, "http://other.example.org:443/").await;
    assert_eq!(
        made.unwrap_err().cause.to_string(),
        timed_out("looking up the host").to_string()
    );
    assert_eq!(time.as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_resolver_that_hangs_is_not_waited_for() {
    for (proxy, words) in [
        (None, "timed out while looking up the host"),
        (Some("http://proxy.example.org:3128"), "no connection to the proxy"),
    ] {
        let (fake, _) = connector(&[Manner::Silent], None);
        fake.found.lock().unwrap().take();
        let connector = Connector::new(&Settings {
            net: fake,
            proxy: proxy.map(|proxy| proxy.parse::<Proxy>().unwrap()),
            ..Settings::default()
        });
        let none = connected(&connector, "https://push.example.org/").await.0.unwrap_err();
        let error = none.to_error();
        assert_eq!((error.sent(), error.is_permanent()), (Sent::NotSent, false));
        assert_eq!(none.cause.kind(), io::ErrorKind::TimedOut);
        assert_eq!(none.cause.to_string(), words);
    }
}

#[test]
fn trial_s13_the_environment_means_what_the_table_says() {
    for (variables, expected) in gcm_testkit::proxies::TABLE {
        let proxy = gcm_proto::transport::Proxy::from_variables(|name| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        let connector = Connector::new(&Settings {
            proxy: proxy.unwrap().map(Proxy::from),
            ..Settings::default()
        });
        let ways = gcm_testkit::proxies::URLS.map(|url| match connector.proxy_for(&origin(url)) {
            Some(_) => 'p',
            None => 'd',
        });
        assert_eq!(String::from_iter(ways), expected, "{variables:?}");
        // What is not encrypted goes past any proxy.
        assert!(connector.proxy_for(&origin("http://notexample.org/")).is_none());
    }
}
