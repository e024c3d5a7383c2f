use std::collections::BTreeSet;

use super::cause::{FIRST_PAUSE, GRACE_EXPIRED, MAX_PAUSE};
use super::*;

const KEEPALIVE: Duration = Duration::from_secs(10);

/// What Twitch and the connections are at after some inputs, as far as the effects tell.
#[derive(Clone, Default)]
struct World {
    /// Connections that are open or being opened.
    sockets: BTreeSet<SocketId>,
    /// The one that delivers.
    current: Option<SocketId>,
    session: Option<Arc<str>>,
    sessions: u32,
}

impl World {
    /// Every input that could come next.
    fn inputs(&self) -> Vec<Input> {
        let session = self.session.clone().unwrap_or_else(|| "0".into());
        let another: Arc<str> = (self.sessions + 1).to_string().into();
        let mut inputs = vec![
            Input::Tick,
            Input::Subscribed { session: session.clone() },
            Input::Subscribed { session: "earlier".into() },
            Input::TooManySessions { session: session.clone() },
        ];
        for socket in self.sockets.iter().copied().chain([0]) {
            for session in [&session, &another] {
                inputs.push(Input::Welcome { socket, session: session.clone(), keepalive: KEEPALIVE });
            }
            for url in [Some("ws://localhost/".into()), None] {
                inputs.push(Input::Reconnect { socket, url });
            }
            for cause in [Cause::Io, Cause::Code(UNUSED), Cause::Code(INVALID_RECONNECT)] {
                inputs.push(Input::Ended { socket, cause, reason: "".into() });
            }
            inputs.push(Input::Heard { socket });
        }
        inputs
    }

    /// Takes the effects of an input into account, and checks what must always hold.
    fn apply(&mut self, input: &Input, effects: &[Effect]) {
        if let Input::Ended { socket, .. } = input {
            self.sockets.remove(socket);
        }
        let welcomed = match input {
            Input::Welcome { socket, session, .. } if self.sockets.contains(socket) => Some((*socket, session)),
            _ => None,
        };
        let silent = matches!(input, Input::Tick);
        let mut subscribed = None;
        for effect in effects {
            match effect {
                Effect::Connect { socket, .. } => assert!(self.sockets.insert(*socket), "a number of its own"),
                Effect::Close(socket) => {
                    assert!(self.sockets.remove(socket), "{input:?} closes what is not open");
                    let is_refused = matches!(input, Input::TooManySessions { .. });
                    let is_replaced = welcomed.is_some_and(|(new, _)| new != *socket);
                    assert!(self.current != Some(*socket) || is_replaced || silent || is_refused, "{input:?}");
                }
                Effect::Subscribe(session) => subscribed = Some(session.clone()),
                Effect::Moved(session) => assert_eq!(Some(session), self.session.as_ref()),
                Effect::Lost { .. } | Effect::FillGap { .. } => {}
            }
        }
        assert!(self.sockets.len() <= 2, "{input:?}: {:?}", self.sockets);
        if let Some((socket, session)) = welcomed.filter(|(socket, _)| Some(*socket) != self.current) {
            let is_new = self.session.as_ref() != Some(session);
            assert_eq!(subscribed, is_new.then(|| session.clone()), "{input:?}");
            (self.current, self.session) = (Some(socket), Some(session.clone()));
            self.sessions += u32::from(is_new);
        } else {
            assert_eq!(subscribed, None, "{input:?}");
        }
        self.current = self.current.filter(|socket| self.sockets.contains(socket));
    }
}

/// An input that changes nothing leads nowhere else, so it is not followed.
fn explore(machine: &Machine, world: &World, now: Instant, depth: u32, count: &mut u32) {
    for input in world.inputs() {
        let now = if matches!(input, Input::Tick) { machine.wake_at() } else { now };
        let (mut machine_after, mut world_after) = (machine.clone(), world.clone());
        let effects = machine_after.step(&input, now, 0.5);
        if machine_after == *machine {
            assert_eq!(effects, [], "{input:?}");
            continue;
        }
        *count += 1;
        world_after.apply(&input, &effects);
        assert!(machine_after.wake_at() > now || machine_after.status() == Status::Down, "{machine_after:?}");
        if depth > 1 {
            explore(&machine_after, &world_after, now, depth - 1, count);
        }
    }
}

#[test]
fn every_sequence_of_inputs_keeps_the_rules() {
    let (now, mut count) = (Instant::now(), 0);
    explore(&Machine::new(now, None), &World::default(), now, 7, &mut count);
    assert!(count > 10_000, "{count}");
}

/// A machine with a session that is subscribed on.
fn live(now: Instant) -> (Machine, SocketId) {
    let mut machine = Machine::new(now, None);
    machine.step(&Input::Tick, now, 0.0);
    let welcome = Input::Welcome { socket: 1, session: "a".into(), keepalive: KEEPALIVE };
    assert_eq!(machine.step(&welcome, now, 0.0), [Effect::Subscribe("a".into())]);
    assert_eq!(machine.status(), Status::Fresh);
    machine.step(&Input::Subscribed { session: "a".into() }, now, 0.0);
    assert_eq!(machine.status(), Status::Live);
    (machine, 1)
}

fn ended(machine: &mut Machine, socket: SocketId, cause: Cause, now: Instant, jitter: f64) -> Duration {
    machine.step(&Input::Ended { socket, cause, reason: "".into() }, now, jitter);
    machine.wake_at().saturating_duration_since(now)
}

#[test]
fn silence_ends_a_session_two_seconds_after_the_keepalive_was_due() {
    let now = Instant::now();
    let (mut machine, socket) = live(now);
    let late = now + Duration::from_secs(12);
    assert_eq!(machine.wake_at(), late);
    let effects = machine.step(&Input::Tick, late, 0.1);
    assert!(matches!(effects[..], [Effect::Close(it), Effect::Lost { cause: Cause::Keepalive, .. }] if it == socket));
    machine.step(&Input::Tick, machine.wake_at(), 0.1);
    let welcome = Input::Welcome { socket: 2, session: "b".into(), keepalive: KEEPALIVE };
    assert_eq!(machine.step(&welcome, late, 0.1), [Effect::Subscribe("b".into())]);
    let effects = machine.step(&Input::Subscribed { session: "b".into() }, late, 0.1);
    assert_eq!(effects, [Effect::FillGap { cause: Cause::Keepalive, is_over: true }]);
}

#[test]
fn moved_session_is_not_subscribed_on_again_and_leaves_no_gap() {
    let now = Instant::now();
    let (mut machine, old) = live(now);
    let url: Option<Arc<str>> = Some("ws://localhost/ws?id=a".into());
    let effects = machine.step(&Input::Reconnect { socket: old, url: url.clone() }, now, 0.0);
    assert_eq!((effects, machine.status()), (vec![Effect::Connect { socket: 2, url }], Status::Moving));
    let welcome = Input::Welcome { socket: 2, session: "a".into(), keepalive: KEEPALIVE };
    assert_eq!(machine.step(&welcome, now, 0.0), [Effect::Close(old), Effect::Moved("a".into())]);
    let stray = Input::Ended { socket: old, cause: Cause::Code(GRACE_EXPIRED), reason: "".into() };
    assert_eq!((machine.step(&stray, now, 0.0), machine.status()), (vec![], Status::Live));
}

#[test]
fn move_that_fails_is_tried_for_25_seconds_and_then_waits_for_the_end() {
    let began = Instant::now();
    let (mut machine, old) = live(began);
    machine.step(&Input::Reconnect { socket: old, url: Some("ws://localhost/".into()) }, began, 0.0);
    let (mut now, mut attempts) = (began, 1);
    while machine.status() == Status::Moving {
        machine.step(&Input::Heard { socket: old }, now, 0.0);
        machine.step(&Input::Ended { socket: attempts + 1, cause: Cause::Io, reason: "".into() }, now, 0.0);
        now = machine.wake_at();
        attempts += u32::try_from(machine.step(&Input::Tick, now, 0.0).len()).unwrap();
    }
    assert_eq!((now - began, attempts, machine.status()), (MOVE_LIMIT, 25, Status::Live));
    assert_eq!(ended(&mut machine, old, Cause::Code(GRACE_EXPIRED), now, 1.0), Duration::ZERO);
}

#[test]
fn old_connection_that_ends_during_a_move_leaves_the_new_one_its_chance() {
    let now = Instant::now();
    let (mut machine, old) = live(now);
    machine.step(&Input::Reconnect { socket: old, url: Some("ws://localhost/".into()) }, now, 0.0);
    ended(&mut machine, old, Cause::Io, now, 0.0);
    assert_eq!(machine.status(), Status::Connecting);
    let mut welcomed = machine.clone();
    let welcome = Input::Welcome { socket: 2, session: "a".into(), keepalive: KEEPALIVE };
    let effects = welcomed.step(&welcome, now, 0.0);
    assert_eq!(effects, [Effect::Moved("a".into()), Effect::FillGap { cause: Cause::Io, is_over: true }]);
    assert_eq!(ended(&mut machine, 2, Cause::Code(INVALID_RECONNECT), now, 1.0), Duration::ZERO);
}

#[test]
fn gap_goes_on_until_all_is_subscribed_to() {
    let now = Instant::now();
    let mut machine = Machine::new(now, Some(Cause::Restart));
    machine.step(&Input::Tick, now, 0.0);
    machine.step(&Input::Welcome { socket: 1, session: "a".into(), keepalive: KEEPALIVE }, now, 0.0);
    let limit = now + SUBSCRIBE_LIMIT;
    let cause = Cause::Restart;
    assert_eq!(machine.step(&Input::Tick, limit, 0.0), [Effect::FillGap { cause, is_over: false }]);
    assert_eq!(machine.status(), Status::Fresh);
    // Its connection is replaced meanwhile, and the old one breaks before the new one is welcomed.
    machine.step(&Input::Reconnect { socket: 1, url: None }, limit, 0.0);
    ended(&mut machine, 1, Cause::Io, limit, 0.0);
    let welcome = Input::Welcome { socket: 2, session: "a".into(), keepalive: KEEPALIVE };
    assert_eq!(machine.step(&welcome, limit, 0.0), [Effect::Moved("a".into())]);
    let effects = machine.step(&Input::Subscribed { session: "a".into() }, limit, 0.0);
    assert_eq!((effects, machine.status()), (vec![Effect::FillGap { cause, is_over: true }], Status::Live));
}

#[test]
fn unused_session_is_followed_by_a_longer_pause_than_a_used_one() {
    let now = Instant::now();
    let (mut used, socket) = live(now);
    let mut unused = used.clone();
    unused.is_subscribed = false;
    assert_eq!(ended(&mut used, socket, Cause::Code(UNUSED), now, 1.0), FIRST_PAUSE);
    assert_eq!(ended(&mut unused, socket, Cause::Code(UNUSED), now, 1.0), Duration::from_secs(10));
}

#[test]
fn a_thousand_cuts_are_each_followed_by_a_connection_within_half_a_minute() {
    let mut now = Instant::now();
    let mut machine = Machine::new(now, None);
    for number in 1..=1_000 {
        assert!(machine.wake_at() <= now + MAX_PAUSE);
        now = machine.wake_at();
        let effects = machine.step(&Input::Tick, now, 1.0);
        assert_eq!(effects, [Effect::Connect { socket: number, url: None }]);
        if number % 2 == 0 {
            let session: Arc<str> = number.to_string().into();
            let welcome = Input::Welcome { socket: number, session: session.clone(), keepalive: KEEPALIVE };
            assert_eq!(machine.step(&welcome, now, 1.0), [Effect::Subscribe(session)]);
        }
        ended(&mut machine, number, if number % 3 == 0 { Cause::Code(4000) } else { Cause::Io }, now, 1.0);
    }
}

#[test]
fn session_that_lasted_ends_a_row_of_failures() {
    let now = Instant::now();
    let (mut machine, socket) = live(now);
    machine.failures = 9;
    assert_eq!(ended(&mut machine.clone(), socket, Cause::Io, now + STABLE, 1.0), FIRST_PAUSE);
    assert_eq!(ended(&mut machine, socket, Cause::Io, now, 1.0), MAX_PAUSE);
}

#[test]
fn session_that_twitch_counts_as_too_many_is_closed_unless_it_is_in_use() {
    let now = Instant::now();
    let (mut machine, _) = live(now);
    let refused = Input::TooManySessions { session: "a".into() };
    assert_eq!(machine.step(&refused, now, 0.0), []);
    let mut machine = Machine::new(now, None);
    machine.step(&Input::Tick, now, 0.0);
    machine.step(&Input::Welcome { socket: 1, session: "a".into(), keepalive: KEEPALIVE }, now, 0.0);
    let effects = machine.step(&refused, now, 0.0);
    assert!(matches!(effects[..], [Effect::Close(1), Effect::Lost { cause: Cause::Limit, .. }]));
}
