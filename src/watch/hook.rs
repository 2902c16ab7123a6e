//! Events to a webhook: a bounded queue, and a thread that signs, sends, and tries again.
//!
//! The queue is a part of the state that is committed, so that events outlive the process. Each is delivered at least once.
//! Where the queue is full, the watch waits for a receiver that takes what it gets; where that does not help, what can wait
//! longest is dropped, and counted in the next message that arrives. Each principal has its turn, so that none fills the
//! queue alone.

use super::events::Event;
use super::waker::Waker;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Events in one message at most.
const BATCH: usize = 100;
/// A message that the receiver finds wrong is tried so often.
const MOST_REFUSALS: u32 = 5;
/// A secret shorter than this can be guessed.
const LEAST_SECRET_BYTES: usize = 16;
/// A receiver that takes nothing for so long does not take what it gets.
const STALLED: Duration = Duration::from_secs(1);
/// How long the sender may still send once the watch ends.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// What messages are signed with. It is never shown.
pub struct Secret(Vec<u8>);

impl Secret {
    /// Takes a secret; the end of line that files end with does not count. None where it is too short.
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Self> {
        let text = text.trim_ascii_end();
        (text.len() >= LEAST_SECRET_BYTES).then(|| Self(text.to_vec()))
    }

    /// The value of the signature header: the time, and HMAC-SHA256 over the time, a dot and the body.
    #[must_use]
    pub fn sign(&self, seconds: u64, body: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(&self.0).map(|mut mac| {
            mac.update(format!("{seconds}.").as_bytes());
            mac.update(body.as_bytes());
            mac.finalize().into_bytes()
        });
        // INVARIANT: HMAC takes keys of any length.
        let hex: String = mac.unwrap_or_default().iter().map(|b| format!("{b:02x}")).collect();
        format!("t={seconds},v1={hex}")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Whoever carries messages.
pub trait Post: Send {
    /// Sends one message.
    ///
    /// # Errors
    /// When it did not arrive, or was not taken.
    fn post(&self, body: &str, signature: &str) -> Result<(), NotTaken>;
}

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotTaken {
    /// In words, without address or secret.
    pub why: String,
    /// The receiver finds this very message wrong: trying again may never help.
    pub refused: bool,
    /// How long the receiver wants to be left alone.
    pub rest: Option<Duration>,
}

/// What was not delivered yet, as it is kept in the state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undelivered {
    /// The queue.
    pub events: VecDeque<Event>,
    /// Events dropped since the last message that arrived.
    pub dropped: u64,
}

/// What the sender did since the watch began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Deliveries {
    /// Events that wait.
    pub waiting: usize,
    /// Events that arrived.
    pub delivered: u64,
    /// Events that were dropped.
    pub dropped: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Why the last attempt failed, if it did.
    pub trouble: Option<String>,
}

/// How patient the sender is, and how much may wait.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Events that may wait.
    pub capacity: usize,
    /// The pause after a first failure; it doubles from failure to failure.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long the watch waits for room, while the receiver takes what it gets.
    pub patience: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            capacity: 1_000,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
            patience: Duration::from_secs(10),
        }
    }
}

#[derive(Serialize)]
struct Message<'a> {
    version: u32,
    /// Events that could not be queued since the last message that arrived.
    dropped: u64,
    events: &'a [Event],
}

#[derive(Default)]
struct Queue {
    pending: Undelivered,
    /// Events at the front that are under way.
    sending: usize,
    done: Deliveries,
    ending: Option<Instant>,
    ended: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The webhook, as the watch sees it.
pub struct Hook {
    shared: Arc<Shared>,
    limits: Limits,
}

impl Hook {
    /// Begins to send, first what an earlier run could not deliver.
    pub fn start(post: Box<dyn Post>, secret: Secret, limits: Limits, pending: Undelivered, waker: Waker) -> Self {
        let shared = Arc::new(Shared::default());
        shared.lock().pending = pending;
        let sender = Sender {
            shared: Arc::clone(&shared),
            post,
            secret,
            limits,
            waker,
        };
        thread::spawn(move || sender.work());
        Self { shared, limits }
    }

    /// Queues events. Returns how many were dropped because the queue is full and stays so.
    pub fn offer(&self, events: &[Event]) -> usize {
        let mut left = in_turn(events);
        let until = Instant::now() + self.limits.patience;
        let mut queue = self.shared.lock();
        let mut taken = (queue.done.delivered, Instant::now());
        loop {
            let room = self.limits.capacity.saturating_sub(queue.pending.events.len());
            queue.pending.events.extend(left.drain(..room.min(left.len())));
            self.shared.changed.notify_all();
            // A receiver that takes nothing is not waited for.
            if queue.done.delivered != taken.0 {
                taken = (queue.done.delivered, Instant::now());
            }
            let until = until.min(taken.1 + STALLED);
            let time = until.saturating_duration_since(Instant::now());
            if left.is_empty() || time.is_zero() || queue.done.trouble.is_some() || queue.ended {
                break;
            }
            let waited = self.shared.changed.wait_timeout(queue, time);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        let dropped = left.len();
        for event in left {
            // What can wait longer makes room, unless it is under way.
            let sending = queue.sending;
            let waiting = queue.pending.events.iter_mut().skip(sending);
            if let Some(lighter) = waiting.rev().find(|other| other.kind.rank() > event.kind.rank()) {
                *lighter = event;
            }
        }
        queue.pending.dropped += dropped as u64;
        queue.done.dropped += dropped as u64;
        dropped
    }

    /// What was not delivered yet.
    #[must_use]
    pub fn undelivered(&self) -> Undelivered {
        self.shared.lock().pending.clone()
    }

    /// What was done so far.
    #[must_use]
    pub fn deliveries(&self) -> Deliveries {
        let queue = self.shared.lock();
        Deliveries {
            waiting: queue.pending.events.len(),
            ..queue.done.clone()
        }
    }

    /// Sends what still waits, but not for long.
    pub fn end(&self) {
        let mut queue = self.shared.lock();
        let until = Instant::now() + LAST_WORDS;
        queue.ending = Some(until);
        self.shared.changed.notify_all();
        while !queue.ended {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Events in the order in which they are to be heard: by their kind, and of each kind every principal's first one before any
/// principal's second.
fn in_turn(events: &[Event]) -> Vec<Event> {
    let mut turns: HashMap<(u8, &str), usize> = HashMap::new();
    let mut order: Vec<(u8, usize, usize)> = Vec::with_capacity(events.len());
    for (n, event) in events.iter().enumerate() {
        let rank = event.kind.rank();
        let turn = turns.entry((rank, &event.principal)).or_default();
        order.push((rank, *turn, n));
        *turn += 1;
    }
    order.sort_unstable();
    order.into_iter().filter_map(|(.., n)| events.get(n).cloned()).collect()
}

struct Sender {
    shared: Arc<Shared>,
    post: Box<dyn Post>,
    secret: Secret,
    limits: Limits,
    waker: Waker,
}

impl Sender {
    fn work(&self) {
        let mut failures = 0;
        while let Some((batch, dropped)) = self.next() {
            let outcome = self.send(&batch, dropped);
            let pause = self.settle(batch.len(), dropped, outcome, &mut failures);
            self.waker.tell(|news| news.hook = true);
            if let Some(pause) = pause {
                self.rest(pause);
            }
        }
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
    }

    /// Waits for events; none when it is time to end.
    fn next(&self) -> Option<(Vec<Event>, u64)> {
        let mut queue = self.shared.lock();
        loop {
            if queue.ending.is_some() && (queue.pending.events.is_empty() || queue.done.trouble.is_some()) {
                return None;
            }
            if !queue.pending.events.is_empty() {
                let batch: Vec<Event> = queue.pending.events.iter().take(BATCH).cloned().collect();
                queue.sending = batch.len();
                return Some((batch, queue.pending.dropped));
            }
            queue = self.shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn send(&self, batch: &[Event], dropped: u64) -> Result<(), NotTaken> {
        let message = Message {
            version: 1,
            dropped,
            events: batch,
        };
        let body = serde_json::to_string(&message).map_err(|e| NotTaken {
            why: e.to_string(),
            refused: true,
            rest: None,
        })?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.post.post(&body, &self.secret.sign(now.as_secs(), &body))
    }

    /// Takes note of what came of a message; returns for how long to wait.
    fn settle(
        &self,
        events: usize,
        dropped: u64,
        outcome: Result<(), NotTaken>,
        failures: &mut u32,
    ) -> Option<Duration> {
        let mut queue = self.shared.lock();
        queue.sending = 0;
        self.shared.changed.notify_all();
        match outcome {
            Ok(()) => {
                *failures = 0;
                queue.pending.events.drain(..events);
                queue.pending.dropped -= dropped;
                queue.done.delivered += events as u64;
                queue.done.trouble = None;
                None
            }
            Err(NotTaken { why, refused, rest }) => {
                *failures += 1;
                queue.done.failures += 1;
                queue.done.trouble = Some(why);
                if refused && *failures >= MOST_REFUSALS {
                    *failures = 0;
                    queue.pending.events.drain(..events);
                    queue.pending.dropped += events as u64;
                    queue.done.dropped += events as u64;
                }
                let doubled = self.limits.first_pause * 2_u32.saturating_pow(failures.saturating_sub(1).min(16));
                Some(rest.unwrap_or(doubled).min(self.limits.longest_pause))
            }
        }
    }

    /// Waits, but not beyond the end.
    fn rest(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut queue = self.shared.lock();
        while queue.ending.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.shared.changed.wait_timeout(queue, left);
            queue = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::usage::Principal;
    use crate::watch::events::Kind;
    use std::sync::mpsc;

    const SECRET: &[u8] = b"0123456789abcdef\n";

    fn event(n: usize) -> Event {
        let who = Principal {
            kind: crate::vault::PrincipalKind::Entity,
            id: "e".into(),
            name: "e".into(),
            auth_mount: "".into(),
        };
        Event::new(
            Kind::FirstUse,
            &who,
            None,
            &format!("secret/{n}"),
            "read",
            "",
            String::new(),
        )
    }

    fn events(range: std::ops::Range<usize>) -> Vec<Event> {
        range.map(event).collect()
    }

    /// Answers as it is told, and shows what it got.
    struct Receiver {
        answers: Mutex<mpsc::Receiver<Result<(), NotTaken>>>,
        got: mpsc::Sender<(u64, Vec<String>)>,
    }

    impl Post for Receiver {
        fn post(&self, body: &str, signature: &str) -> Result<(), NotTaken> {
            let seconds = signature.strip_prefix("t=").unwrap().split(',').next().unwrap();
            let secret = Secret::new(SECRET).unwrap();
            assert_eq!(signature, secret.sign(seconds.parse().unwrap(), body));
            let message: serde_json::Value = serde_json::from_str(body).unwrap();
            let events = message["events"].as_array().unwrap();
            let paths = events.iter().map(|e| e["path"].as_str().unwrap().to_owned());
            let _ = self.got.send((message["dropped"].as_u64().unwrap(), paths.collect()));
            self.answers.lock().unwrap().recv().unwrap_or(Ok(()))
        }
    }

    type Bench = (
        Hook,
        mpsc::Sender<Result<(), NotTaken>>,
        mpsc::Receiver<(u64, Vec<String>)>,
    );

    fn bench(capacity: usize, pending: Undelivered) -> Bench {
        let (answer, answers) = mpsc::channel();
        let (got_sender, got) = mpsc::channel();
        let receiver = Receiver {
            answers: Mutex::new(answers),
            got: got_sender,
        };
        let limits = Limits {
            capacity,
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(1),
            patience: Duration::from_millis(20),
        };
        let secret = Secret::new(SECRET).unwrap();
        let hook = Hook::start(Box::new(receiver), secret, limits, pending, Waker::default());
        (hook, answer, got)
    }

    fn failure(refused: bool) -> Result<(), NotTaken> {
        Err(NotTaken {
            why: "it answers 500".to_owned(),
            refused,
            rest: None,
        })
    }

    #[test]
    fn what_is_not_taken_is_sent_again() {
        let (hook, answer, got) = bench(10, Undelivered::default());
        assert_eq!(hook.offer(&events(0..2)), 0);
        for _ in 0..3 {
            assert_eq!(got.recv().unwrap().1, ["secret/0", "secret/1"]);
            answer.send(failure(false)).unwrap();
        }
        got.recv().unwrap();
        answer.send(Ok(())).unwrap();
        hook.end();
        assert_eq!(hook.undelivered(), Undelivered::default());
        let done = hook.deliveries();
        assert_eq!((done.delivered, done.failures, done.dropped), (2, 3, 0));
    }

    #[test]
    fn what_has_no_room_is_counted_in_the_next_message() {
        let (hook, answer, got) = bench(3, Undelivered::default());
        assert_eq!(hook.offer(&events(0..2)), 0);
        got.recv().unwrap();
        assert_eq!(hook.offer(&events(2..7)), 4);
        assert_eq!(hook.undelivered().dropped, 4);
        answer.send(Ok(())).unwrap();
        assert_eq!(got.recv().unwrap(), (4, vec!["secret/2".to_owned()]));
        answer.send(Ok(())).unwrap();
        hook.end();
        assert_eq!(hook.undelivered(), Undelivered::default());
        assert_eq!(hook.deliveries().dropped, 4);
    }

    #[test]
    fn who_makes_much_noise_holds_nobody_up() {
        let who = |id: &str| Principal {
            kind: crate::vault::PrincipalKind::Entity,
            id: id.into(),
            name: id.into(),
            auth_mount: "".into(),
        };
        let event = |kind, id: &str, path: &str| Event::new(kind, &who(id), None, path, "read", "", String::new());
        let mut news: Vec<Event> = (0..50)
            .map(|n| event(Kind::NewDenial, "loud", &format!("x/{n}")))
            .collect();
        news.extend((0..3).map(|n| event(Kind::FirstUse, "loud", &format!("y/{n}"))));
        news.push(event(Kind::FirstUse, "quiet", "crown"));
        news.push(event(Kind::NewDenial, "quiet", "z"));
        let paths: Vec<String> = in_turn(&news).into_iter().map(|e| e.path).take(6).collect();
        assert_eq!(paths, ["y/0", "crown", "y/1", "y/2", "x/0", "z"]);
        // A receiver that takes what it gets is waited for.
        let (answer, answers) = mpsc::channel();
        let (got_sender, got) = mpsc::channel();
        let receiver = Receiver {
            answers: Mutex::new(answers),
            got: got_sender,
        };
        drop(answer);
        let limits = Limits {
            capacity: 5,
            first_pause: Duration::from_millis(1),
            longest_pause: Duration::from_millis(1),
            patience: Duration::from_secs(30),
        };
        let secret = Secret::new(SECRET).unwrap();
        let hook = Hook::start(
            Box::new(receiver),
            secret,
            limits,
            Undelivered::default(),
            Waker::default(),
        );
        assert_eq!(hook.offer(&news), 0);
        hook.end();
        assert_eq!(got.iter().map(|(_, paths)| paths.len()).sum::<usize>(), news.len());
    }

    #[test]
    fn what_can_wait_makes_room_for_what_cannot() {
        let (hook, answer, got) = bench(2, Undelivered::default());
        hook.offer(&events(0..1));
        got.recv().unwrap();
        let mut later = events(1..3);
        later[0].kind = Kind::NewDenial;
        assert_eq!(hook.offer(&later[..1]), 0);
        assert_eq!(hook.offer(&later[1..]), 1);
        answer.send(Ok(())).unwrap();
        assert_eq!(got.recv().unwrap(), (1, vec!["secret/2".to_owned()]));
        answer.send(Ok(())).unwrap();
        hook.end();
    }

    #[test]
    fn a_message_that_is_refused_does_not_stop_the_others() {
        let (hook, answer, got) = bench(200, Undelivered::default());
        hook.offer(&events(0..101));
        for _ in 0..MOST_REFUSALS {
            assert_eq!(got.recv().unwrap().1.len(), BATCH);
            answer.send(failure(true)).unwrap();
        }
        assert_eq!(got.recv().unwrap(), (100, vec!["secret/100".to_owned()]));
        answer.send(Ok(())).unwrap();
        hook.end();
        assert_eq!(hook.deliveries().delivered, 1);
    }

    #[test]
    fn what_an_earlier_run_left_is_sent_and_what_is_left_at_the_end_is_kept() {
        let pending = Undelivered {
            events: events(0..1).into(),
            dropped: 7,
        };
        let (hook, answer, got) = bench(10, pending.clone());
        assert_eq!(got.recv().unwrap(), (7, vec!["secret/0".to_owned()]));
        answer.send(failure(false)).unwrap();
        // It is tried again and again; the end comes in between.
        drop(got);
        drop(answer);
        hook.end();
        assert!(hook.undelivered() == pending || hook.undelivered() == Undelivered::default());
    }

    #[test]
    fn signatures_are_those_of_the_standard() {
        // Worked out with Python's hmac module.
        let secret = Secret::new(b"0123456789abcdef").unwrap();
        assert_eq!(
            secret.sign(1_767_225_600, "{}"),
            "t=1767225600,v1=99902517b3069f78750aa0520b0493482454c2d30a579c7acc839f3363ca1b88"
        );
        assert!(Secret::new(b"too short").is_none());
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }
}
