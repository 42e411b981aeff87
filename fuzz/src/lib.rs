//! What no reply may do to its reader is decided here: the bodies of the fuzz targets.
//!
//! A target hands any reply to the exchanges that could receive it, and then checks the laws of [`laws`] and, where a second
//! and plainer reading of the body is clear, that both readings agree ([`oracle`]). A broken law is a panic.
//!
//! # Inputs
//!
//! An input is text, so that the files of `corpus/` are read and written by hand. The first line holds the HTTP status and
//! the number of recipients, then come header lines, an empty line, and the body as it is:
//!
//! ```text
//! 503 2
//! Retry-After: 120
//!
//! <html>Service Unavailable</html>
//! ```
//!
//! Anything is an input: what cannot be read of the first line is `200 1`, and a line that is no header is skipped.
//!
//! The inputs of `delivery_ops` are operations on the delivery machine, in bytes: eight for the setting and four for each
//! operation, as `gcm_testkit::laws` has them.
//!
//! # Running
//!
//! `cargo test` replays the corpora. `cargo fuzz` wants a nightly compiler; what it finds goes into the first folder:
//!
//! ```text
//! cargo fuzz run json_reply SCRATCH fuzz/corpus/json_reply -- -dict=fuzz/dict/reply.dict
//! ```

pub mod input;
pub mod laws;
pub mod oracle;

use gcm_proto::{
    AccessToken, Endpoint, Exchange, GroupKey, Message, Secret, Target, Token, Topic, legacy, legacy::json,
    legacy::plaintext, oauth, v1,
};
use input::Input;
use laws::Case;
use std::sync::LazyLock;
use std::time::SystemTime;

/// What all runs share. The tokens are long enough to be masked.
struct Parties {
    plaintext: plaintext::Encoded,
    v1: v1::Encoded,
    access: AccessToken,
    json: json::Encoded,
    tokens: Vec<Token>,
    topic: Topic,
    group: GroupKey,
}

/// Also in the dictionaries, so that replies repeat them.
const KEY: &str = "AAAA-fuzz:server_key";
const GROUP: &str = "APA91b-fuzz-group";
const TOKEN: &str = "APA91b-fuzz-token-";
const PROJECT: &str = "fuzz-project";

static PARTIES: LazyLock<Parties> = LazyLock::new(|| parties().expect("the parties are valid names"));

fn parties() -> Result<Parties, Box<dyn std::error::Error>> {
    let route = legacy::Route::new("https://push.example.org/gcm/send".parse()?, KEY.parse()?);
    let message = Message::builder().data("score", "4x8").build()?;
    let tokens = (0..Input::MOST_RECIPIENTS).map(|n| Token::try_from(format!("{TOKEN}{n}")));
    Ok(Parties {
        plaintext: plaintext::Encoded::new(&route, &message)?,
        v1: v1::Encoded::new(&v1::Route::new(PROJECT.parse()?), &message)?,
        access: AccessToken::try_from(KEY)?,
        json: json::Encoded::new(&route, &message)?,
        tokens: tokens.collect::<Result<_, _>>()?,
        topic: Topic::try_from("news")?,
        group: GroupKey::try_from(GROUP)?,
    })
}

/// A reply to the plaintext wire.
pub fn plaintext_reply(data: &[u8]) {
    let parties = &*PARTIES;
    let input = Input::decode(data);
    laws::retry_after(&input);

    let token = parties.tokens.first().expect("there is a token");
    let case = Case::new(&input, KEY, [token.as_str()], 1);
    let exchange = parties.plaintext.single(token.clone()).expect("a token is a target");
    let reply = exchange.read(&input.head, input.body);
    case.receipt(&reply, &Target::Token(token.clone()));
    oracle::lines(&input, &reply);
}

/// A reply to the legacy JSON wire: to a multicast, and to each kind of single target.
pub fn json_reply(data: &[u8]) {
    let parties = &*PARTIES;
    let input = Input::decode(data);
    let value = oracle::value(input.body);
    laws::retry_after(&input);

    let tokens: Vec<Token> = parties.tokens.iter().take(input.recipients).cloned().collect();
    let case = Case::new(&input, KEY, tokens.iter().map(Token::as_str), tokens.len());
    let exchange = parties.json.multicast(tokens.clone()).expect("so many are allowed");
    let reply = exchange.read(&input.head, input.body);
    case.results(&reply, &tokens);
    oracle::results(&input, value.as_ref(), &reply, &tokens);

    let token = tokens.first().expect("there is a recipient").clone();
    for target in [
        Target::Token(token),
        Target::Topic(parties.topic.clone()),
        Target::Group(parties.group.clone()),
    ] {
        let secret = match &target {
            Target::Token(token) => Some(token.as_str()),
            Target::Group(key) => Some(key.as_str()),
            _ => None,
        };
        let case = Case::new(&input, KEY, secret, 1);
        let exchange = parties.json.single(target.clone()).expect("the wire has such targets");
        let reply = exchange.read(&input.head, input.body);
        case.receipt(&reply, &target);
        oracle::receipt(&input, value.as_ref(), &reply, &target);
        oracle::lines(&input, &reply);
    }
}

/// A reply to the v1 wire, to one token.
pub fn v1_reply(data: &[u8]) {
    let parties = &*PARTIES;
    let input = Input::decode(data);
    let token = parties.tokens.first().expect("there is a token");
    let exchange = parties.v1.single(token.clone(), SystemTime::UNIX_EPOCH, None);
    let exchange = exchange.expect("a token is a target").with_token(&parties.access);
    let reply = exchange.read(&input.head, input.body);
    laws::v1(&input, &reply, &[token.as_str(), KEY]);
    oracle::accepted(&input, oracle::value(input.body).as_ref(), &reply, PROJECT);
}

/// A reply to a request for an access token.
pub fn token_reply(data: &[u8]) {
    let input = Input::decode(data);
    let mint = oauth::Mint::refresh(Endpoint::google_token(), "client", Secret::new(KEY), Secret::new(GROUP));
    let reply = mint.read(&input.head, input.body);
    laws::grant(&input, &reply, &[KEY, GROUP]);
    oracle::granted(&input, oracle::value(input.body).as_ref(), &reply);
}

/// Any reply to any wire and target: it removes nobody without a verdict.
pub fn removal(data: &[u8]) {
    let input = Input::decode(data);
    gcm_testkit::removal::law(&input.head, input.body);
}

/// Operations on deliveries that share a gate.
pub fn delivery_ops(data: &[u8]) {
    // More would only make one input slow.
    const MOST: usize = 200;
    let Some((setting, ops)) = data.split_first_chunk() else {
        return;
    };
    let ops: Vec<gcm_testkit::laws::Op> = ops
        .chunks_exact(4)
        .filter_map(|op| op.try_into().ok())
        .take(MOST)
        .collect();
    gcm_testkit::laws::run(gcm_testkit::laws::Setting::from_bytes(*setting), &ops);
}
