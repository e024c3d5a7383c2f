//! Schedules of faults: what goes wrong, one after the other.

use std::sync::Arc;
use std::time::Duration;

use super::fault_generator::SocketDamage;
use super::faults::Faults;
use super::world::World;

/// One step: from now on these faults, and this once.
struct Step {
    /// Until the next one, in seconds.
    lasts: u64,
    faults: Faults,
    /// What happens to each session at its beginning.
    event: Option<SessionEvent>,
}

/// What a schedule does to every session.
#[derive(Clone, Copy)]
enum SessionEvent {
    Reconnect,
    Damage(SocketDamage),
}

/// Why a schedule can't begin.
#[derive(Debug, thiserror::Error)]
pub enum ScheduleError {
    /// There is no schedule of this name.
    #[error("there is no schedule {0}; there is: a-bad-day")]
    Unknown(String),
    /// The speed is not from 0.01 to 1000.
    #[error("{0} is no speed: it must be from 0.01 to 1000")]
    Speed(f64),
}

fn step(lasts: u64, faults: Faults) -> Step {
    Step { lasts, faults, event: None }
}

fn damaged(lasts: u64, damage: SocketDamage, faults: Faults) -> Step {
    Step { lasts, faults, event: Some(SessionEvent::Damage(damage)) }
}

/// Every fault of the WebSocket, in ten minutes.
fn a_bad_day() -> Vec<Step> {
    let none = Faults::default;
    let reconnect = |lasts, faults| Step { lasts, faults, event: Some(SessionEvent::Reconnect) };
    vec![
        step(20, none()),
        step(30, Faults { ws_duplicate: 0.2, ws_fragment: 0.2, ..none() }),
        step(30, Faults { ws_reorder: 0.2, ws_delay: 0.2, delay_ms: 1_500, ..none() }),
        step(20, Faults { ws_unknown_type: 0.05, ..none() }),
        step(10, Faults { ws_oversize: 0.01, ..none() }),
        step(30, Faults { reconnect_every_s: 10, ..none() }),
        reconnect(40, Faults { ws_late_on_old: 1.0, ..none() }),
        reconnect(40, Faults { reconnect_dead_url: 1.0, ..none() }),
        damaged(20, SocketDamage::Close(4000), none()),
        damaged(20, SocketDamage::Close(4005), Faults { fail_next_upgrade: 3, ..none() }),
        damaged(20, SocketDamage::Close(4006), Faults { fail_next_subscribe: 3, fail_next_unsubscribe: 1, ..none() }),
        damaged(20, SocketDamage::Close(4002), Faults { helix_error: 0.3, ..none() }),
        damaged(30, SocketDamage::Abort, Faults { ws_slow_welcome_ms: 4_000, ..none() }),
        damaged(40, SocketDamage::Abort, Faults { ws_zombie_s: 20, ..none() }),
        damaged(50, SocketDamage::Silence, none()),
        damaged(50, SocketDamage::HalfOpen, none()),
        step(30, Faults { ws_close: 0.002, ws_close_code: 4000, ..none() }),
        step(30, Faults { ws_abort: 0.002, fail_next_helix: 2, fail_next_oauth: 1, ..none() }),
        step(60, Faults { ws_duplicate: 0.1, ws_reorder: 0.1, ws_fragment: 0.1, reconnect_every_s: 15, ..none() }),
        step(10, none()),
    ]
}

impl World {
    /// Begins a schedule of faults: `a-bad-day`. With a speed of 10 each of its steps takes a tenth of its time. It ends without faults.
    ///
    /// # Errors
    /// [`ScheduleError`]
    pub fn start_schedule(self: &Arc<Self>, name: &str, speed: f64) -> Result<(), ScheduleError> {
        if name != "a-bad-day" {
            return Err(ScheduleError::Unknown(name.to_owned()));
        }
        if !(0.01..=1_000.0).contains(&speed) {
            return Err(ScheduleError::Speed(speed));
        }
        let world = Arc::clone(self);
        self.spawn(async move {
            for step in a_bad_day() {
                // The faults of a schedule are valid.
                let _ = world.set_faults(step.faults);
                match step.event {
                    Some(SessionEvent::Reconnect) => world.ask_all_to_reconnect(),
                    Some(SessionEvent::Damage(damage)) => world.damage_sessions(damage),
                    None => {}
                }
                world.config.clock.sleep(Duration::from_secs(step.lasts).div_f64(speed)).await;
            }
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_bad_day_has_every_fault_of_the_websocket_in_ten_minutes() {
        let fields = |faults: &Faults| serde_json::to_value(faults).unwrap().as_object().unwrap().clone();
        let calm = fields(&Faults::default());
        let mut seen = BTreeSet::new();
        for step in a_bad_day() {
            seen.extend(
                fields(&step.faults).into_iter().filter(|(name, value)| calm[name] != *value).map(|(name, _)| name),
            );
            seen.extend(step.event.and_then(|event| match event {
                SessionEvent::Damage(SocketDamage::Silence) => Some("ws_silence".to_owned()),
                SessionEvent::Damage(SocketDamage::HalfOpen) => Some("ws_half_open".to_owned()),
                _ => None,
            }));
        }
        let of_websocket = |name: &&String| {
            let is_of_calls = name.starts_with("fail_next_action_");
            !is_of_calls && ["ws_", "reconnect_", "fail_next_"].iter().any(|prefix| name.starts_with(prefix))
        };
        let missing: Vec<_> = calm.keys().filter(of_websocket).filter(|name| !seen.contains(*name)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(a_bad_day().iter().map(|step| step.lasts).sum::<u64>(), 600);
        assert_eq!(a_bad_day().last().unwrap().faults, Faults::default(), "it ends without faults");
    }
}
