//! The limit: ureq alone, which puts each token into a body that is ready but for it.

use super::client;
use super::server::Server;
use http::Request;
use http::request::Parts;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;
use ureq::Agent;

/// Those of `gcm_blocking::ClientBuilder`.
const CONNECT: Duration = Duration::from_secs(10);
const SEND: Duration = Duration::from_secs(30);
const REPLY: Duration = Duration::from_secs(30);

pub(crate) struct Bare {
    agent: Agent,
    head: Parts,
    /// The body, before the token and after it.
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Bare {
    pub(crate) fn new(server: &Server) -> Self {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT))
            .timeout_send_request(Some(SEND))
            .timeout_send_body(Some(SEND))
            .timeout_recv_response(Some(REPLY))
            .timeout_recv_body(Some(REPLY))
            .max_idle_connections(client::THREADS)
            .max_idle_connections_per_host(client::THREADS)
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .build();
        let (head, body) = client::request(server, 0).into_parts();
        let token = client::text(0);
        let token = token.as_bytes();
        let at = body.windows(token.len()).position(|part| part == token);
        let at = at.expect("the token in the body");
        let bare = Self {
            agent: Agent::new_with_config(config),
            head,
            before: body[..at].to_vec(),
            after: body[at + token.len()..].to_vec(),
        };
        // What is compared is alike.
        let (ours, own) = (client::request(server, 7), bare.request(7));
        assert_eq!((ours.uri(), ours.headers()), (own.uri(), own.headers()));
        assert_eq!(ours.body(), own.body());
        bare
    }

    pub(crate) fn one_by_one(&self, messages: usize) {
        for n in 0..messages {
            self.send(n);
        }
    }

    pub(crate) fn on_threads(&self, threads: usize, messages: usize) {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let n = next.fetch_add(1, Ordering::Relaxed);
                        if n >= messages {
                            break;
                        }
                        self.send(n);
                    }
                });
            }
        });
    }

    fn send(&self, n: usize) {
        let response = self.agent.run(self.request(n)).unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().read_to_vec().unwrap();
        assert!(!body.is_empty());
    }

    fn request(&self, n: usize) -> Request<Vec<u8>> {
        let body = [&*self.before, client::text(n).as_bytes(), &*self.after].concat();
        Request::from_parts(self.head.clone(), body)
    }
}
