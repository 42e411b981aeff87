//! A scenario without I/O is decided here: the emulator as the service, and the faults of its transport.

use crate::driver::{Driver, Reply};
use crate::expected::{Observed, Request};
use crate::scenario::{Fault, Scenario};
use gcm_proto::emulator::Emulator;
use gcm_proto::{TransportError, legacy};

/// Plays a scenario in virtual time, with the real delays. `seed` spreads the backoffs.
pub fn run(scenario: &Scenario, seed: u64) -> Observed {
    let mut service = Emulator::new(scenario.script()).log_at_most(usize::MAX);
    let mut number = 0;
    let mut driver = Driver::new(|request: &http::Request<Vec<u8>>, now| {
        number += 1;
        if let Some(time) = scenario.time(now.wall) {
            service.set_time(time);
        }
        answer(&mut service, scenario.fault(number), request)
    })
    .named(&scenario.id)
    .calls(scenario.calls())
    .latency(scenario.latency());

    let endpoint = "https://push.example.org/gcm/send".parse().expect("an endpoint");
    let gateway = scenario.gateway(legacy::Route::new(endpoint, "AAAA-key".parse().expect("a key")));
    let prepared = scenario.prepare(&gateway);
    let mut delivery = prepared.deliver(scenario.targets(), driver.now(), seed);
    let caller = scenario.caller();
    let report = driver.run_watched(&mut delivery, |delivery, requests| {
        if caller.stop_after == Some(requests) {
            delivery.stop();
        }
        if caller.cancel_after == Some(requests) {
            delivery.cancel();
        }
    });

    let requests = driver
        .requests()
        .iter()
        .map(|seen| Request {
            to: seen.to(scenario.script()),
            after: Some(seen.after),
        })
        .collect();
    let ended_after = Some(driver.idle());
    Observed {
        requests,
        ended_after,
        complaints: service
            .log()
            .iter()
            .filter_map(|entry| entry.complaint().map(str::to_owned))
            .collect(),
        report,
    }
}

fn answer(service: &mut Emulator, fault: Option<Fault>, request: &http::Request<Vec<u8>>) -> Reply {
    if fault == Some(Fault::Refused) {
        return Some(Err(TransportError::not_sent("the connection was refused")));
    }
    let reply = service.handle(request);
    match fault {
        None | Some(Fault::Refused) => Some(Ok(reply)),
        Some(Fault::Cut) => Some(Err(TransportError::maybe_sent("the connection was closed"))),
        Some(Fault::HalfBody) => {
            let (head, _) = reply.into_parts();
            Some(Err(TransportError::body_lost(
                head,
                "the connection was closed in the body",
            )))
        }
        Some(Fault::Lost) => None,
    }
}
