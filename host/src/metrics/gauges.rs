//! What is read at the moment of asking: how full everything is, and what is in force. Whoever asks has gathered it; here it
//! only gets its names.

use std::sync::Arc;

use super::histogram::Timed;
use super::page::Page;
use crate::push::Told;
use crate::trace::Outcome;

/// How much of something is taken, and how much there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Used {
    /// Taken now.
    pub(crate) now: usize,
    /// All there is.
    pub(crate) limit: usize,
}

/// One cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cached {
    /// `guest` or `permission`.
    pub(crate) name: &'static str,
    pub(crate) entries: Used,
    /// Bytes of the values; none where entries have one size.
    pub(crate) bytes: Option<Used>,
    pub(crate) hits: u64,
    pub(crate) misses: u64,
}

/// What sign-in remembers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Registry {
    /// Logins of clients whose tokens are good now.
    pub(crate) families: usize,
    /// Grants of Gitea that are good now.
    pub(crate) grants: usize,
    /// Rows of each kind, over or not; with their bound, where they have one of their own.
    pub(crate) rows: Vec<(&'static str, usize, Option<usize>)>,
    /// Length of its file.
    pub(crate) bytes: u64,
    /// Whether the newest change is on the volume.
    pub(crate) durable: bool,
}

/// The way to Gitea.
pub(crate) struct GiteaGauges<'a> {
    /// Whether it is left alone.
    pub(crate) left_alone: bool,
    /// Requests that were not sent for that.
    pub(crate) kept_back: u64,
    /// Reads that were sent again.
    pub(crate) repeated: u64,
    /// Requests that wait for the head of their answer.
    pub(crate) in_flight: usize,
    /// How long they waited for it, by method and class of status.
    pub(crate) took: &'a Timed<2>,
}

/// The audit trail.
pub(crate) struct Kept {
    pub(crate) writable: bool,
    pub(crate) lines: u64,
    /// Entries that wait for the writer.
    pub(crate) queue: Used,
    /// Entries that nobody waited for and that could not be kept.
    pub(crate) lost: u64,
    /// Bytes that are free on the volume of the log, where that is known.
    pub(crate) free: Option<u64>,
    /// Lines of the log that the last checkpoint covers.
    pub(crate) signed: Option<u64>,
    /// Lines that the last one covers that AUDIT_ANCHOR_URL has taken; none without one.
    pub(crate) anchored: Option<u64>,
    /// How long the disk took for a sync.
    pub(crate) syncs: Arc<Timed<0>>,
}

/// All of it.
pub(crate) struct Gauges<'a> {
    pub(crate) instances: Used,
    pub(crate) memory: Used,
    pub(crate) connections: Used,
    /// Bytes of bodies of requests under way.
    pub(crate) bodies: Used,
    pub(crate) sign_in_places: Used,
    pub(crate) long_work: Used,
    pub(crate) questions: Used,
    pub(crate) rate_windows: Used,
    pub(crate) streams: Used,
    /// Streams that have ended, by reason.
    pub(crate) streams_ended: Vec<(&'static str, u64)>,
    pub(crate) audit: Kept,
    /// Who else gets lines of the audit log.
    pub(crate) pushed: Vec<Told>,
    pub(crate) gitea: GiteaGauges<'a>,
    pub(crate) caches: Vec<Cached>,
    /// None where nobody signs in.
    pub(crate) registry: Option<Registry>,
    /// What became of the spans of traces.
    pub(crate) traces: Outcome,
    /// Digest of the policy in force.
    pub(crate) policy: &'a str,
    /// Digest of the guest in force, and the number of its generation.
    pub(crate) guest: (&'a str, u64),
    /// Whether changes may be sent to Gitea.
    pub(crate) writes: bool,
}

impl Gauges<'_> {
    pub(super) fn write(&self, page: &mut Page) {
        self.saturation(page);
        self.audit.write(page);
        pushed(page, &self.pushed);
        self.gitea.write(page);
        caches(page, &self.caches);
        registry(page, self.registry.as_ref());
        traces(page, self.traces);
        self.in_force(page);
    }

    fn saturation(&self, page: &mut Page) {
        let mut used = |name: &str, limit: &str, what: &str, used: Used| {
            page.gauge(name, what, used.now);
            page.gauge(limit, &format!("The most that {name} comes to."), used.limit);
        };
        let what = "Guest instances running now; there is no queue, who finds none free is refused as busy.";
        used("aegis_instances", "aegis_instances_limit", what, self.instances);
        let what = "Memory drawn on the budget of all instances.";
        used("aegis_instance_memory_bytes", "aegis_instance_memory_limit_bytes", what, self.memory);
        let what = "Connections of clients open now.";
        used("aegis_connections", "aegis_connections_limit", what, self.connections);
        let what = "Room taken by the bodies of requests under way.";
        used("aegis_request_body_bytes", "aegis_request_body_limit_bytes", what, self.bodies);
        let what = "Requests of sign-in under way, of the share of instances that they may have.";
        used("aegis_sign_in_requests", "aegis_sign_in_requests_limit", what, self.sign_in_places);
        let what = "Calls that compute for long now.";
        used("aegis_long_work", "aegis_long_work_limit", what, self.long_work);
        let what = "Questions to clients that wait for a reply.";
        used("aegis_questions", "aegis_questions_limit", what, self.questions);
        let what = "Windows of rate limits that are kept.";
        used("aegis_rate_windows", "aegis_rate_windows_limit", what, self.rate_windows);
        used("aegis_streams", "aegis_streams_limit", "Streams kept open now.", self.streams);
        let ended = self.streams_ended.iter().copied();
        let help = "Streams that have ended, by reason.";
        page.by(("aegis_streams_ended_total", "counter"), help, "reason", ended);
    }

    fn in_force(&self, page: &mut Page) {
        page.gauge("aegis_writes_on", "1 while changes may be sent to Gitea.", u8::from(self.writes));
        let help = "1, labelled with the SHA-256 of the policy in force.";
        page.info("aegis_policy_info", help, self.policy);
        let (digest, generation) = self.guest;
        page.info("aegis_guest_info", "1, labelled with the SHA-256 of the guest in force.", digest);
        let help = "How often a guest was put in force since the start, the first included.";
        page.gauge("aegis_guest_generation", help, generation);
    }
}

impl Kept {
    fn write(&self, page: &mut Page) {
        let help = "1 when the audit trail can be written.";
        page.gauge("aegis_audit_writable", help, u8::from(self.writable));
        page.counter("aegis_audit_lines_total", "Audit lines written since the start.", self.lines);
        let help = "Audit entries that wait for the writer.";
        page.gauge("aegis_audit_queue_entries", help, self.queue.now);
        let help = "Audit entries that may wait; beyond it calls are refused.";
        page.gauge("aegis_audit_queue_limit", help, self.queue.limit);
        let help = "Audit entries that nobody waited for and that were lost; the log tells of them.";
        page.counter("aegis_audit_lost_entries_total", help, self.lost);
        let help = "Bytes that are free on the volume of the audit log.";
        page.known("aegis_audit_free_bytes", help, self.free);
        let help = "Lines of the log that its last checkpoint covers.";
        page.known("aegis_audit_signed_lines", help, self.signed);
        let help = "Lines that the last checkpoint covers which AUDIT_ANCHOR_URL has taken.";
        page.known("aegis_audit_anchored_lines", help, self.anchored);
        let help = "Time that the disk took to make lines of the audit log durable, in seconds.";
        page.timed("aegis_audit_sync_duration_seconds", help, [], &self.syncs);
    }
}

impl GiteaGauges<'_> {
    fn write(&self, page: &mut Page) {
        let help = "1 while Gitea is left alone, since it could not be connected to.";
        page.gauge("aegis_gitea_left_alone", help, u8::from(self.left_alone));
        let help = "Requests not sent while Gitea was left alone.";
        page.counter("aegis_gitea_kept_back_total", help, self.kept_back);
        let help = "Reads sent to Gitea again after a failure in passing.";
        page.counter("aegis_gitea_repeated_total", help, self.repeated);
        let help = "Requests to Gitea that wait for the head of their answer.";
        page.gauge("aegis_gitea_requests_in_flight", help, self.in_flight);
        let help =
            "Time until the head of Gitea's answer was there, in seconds, by method and class of status.";
        page.timed("aegis_gitea_request_duration_seconds", help, ["method", "status"], self.took);
    }
}

fn pushed(page: &mut Page, pushed: &[Told]) {
    let rows = |of: fn(&Told) -> u64| pushed.iter().map(move |told| (told.name, of(told)));
    let help = "Audit lines that a receiver has taken.";
    page.by(("aegis_audit_pushed_lines_total", "counter"), help, "receiver", rows(|told| told.taken));
    let help = "Audit lines that a receiver will not get; they are in the log.";
    page.by(("aegis_audit_push_lost_lines_total", "counter"), help, "receiver", rows(|told| told.lost));
    let help = "Audit lines on disk that a receiver has not taken yet.";
    page.by(("aegis_audit_push_waiting_lines", "gauge"), help, "receiver", rows(|told| told.waiting));
}

fn caches(page: &mut Page, caches: &[Cached]) {
    let rows = |of: fn(&Cached) -> usize| caches.iter().map(move |cache| (cache.name, of(cache)));
    let sized = |of: fn(&Used) -> usize| {
        caches.iter().filter_map(move |cache| Some((cache.name, of(cache.bytes.as_ref()?))))
    };
    let found = |of: fn(&Cached) -> u64| caches.iter().map(move |cache| (cache.name, of(cache)));
    page.by(("aegis_cache_entries", "gauge"), "Entries of a cache.", "cache", rows(|it| it.entries.now));
    let help = "Entries that a cache may have; the oldest make room.";
    page.by(("aegis_cache_entries_limit", "gauge"), help, "cache", rows(|it| it.entries.limit));
    page.by(("aegis_cache_bytes", "gauge"), "Bytes of a cache's values.", "cache", sized(|it| it.now));
    let help = "Bytes that a cache's values may have; the oldest make room.";
    page.by(("aegis_cache_limit_bytes", "gauge"), help, "cache", sized(|it| it.limit));
    let help = "Questions that a cache had the answer to.";
    page.by(("aegis_cache_hits_total", "counter"), help, "cache", found(|it| it.hits));
    let help = "Questions that a cache had no answer to.";
    page.by(("aegis_cache_misses_total", "counter"), help, "cache", found(|it| it.misses));
}

fn traces(page: &mut Page, traces: Outcome) {
    let outcomes = [("sent", traces.sent), ("dropped", traces.dropped), ("refused", traces.refused)];
    let help = "Spans of traces by what became of them.";
    page.by(("aegis_trace_spans_total", "counter"), help, "outcome", outcomes);
    page.gauge("aegis_trace_queue_spans", "Spans of traces that wait to be sent.", traces.waiting);
    page.gauge(
        "aegis_trace_queue_spans_limit",
        "The most that aegis_trace_queue_spans comes to.",
        Outcome::LIMIT,
    );
}

fn registry(page: &mut Page, registry: Option<&Registry>) {
    let help = "Logins of clients whose tokens are good now.";
    page.known("aegis_token_families", help, registry.map(|it| it.families));
    page.known("aegis_grants", "Grants of Gitea that are good now.", registry.map(|it| it.grants));
    let rows = || registry.into_iter().flat_map(|it| &it.rows);
    let help = "Rows of the registry, those that are over included, by kind.";
    page.by(("aegis_registry_rows", "gauge"), help, "kind", rows().map(|(kind, now, _)| (*kind, *now)));
    let help = "Rows that the registry may have, by kind.";
    let limits = rows().filter_map(|(kind, _, limit)| Some((*kind, (*limit)?)));
    page.by(("aegis_registry_rows_limit", "gauge"), help, "kind", limits);
    page.known("aegis_registry_bytes", "Length of the registry's file.", registry.map(|it| it.bytes));
    let help = "1 while what sign-in remembers is on the volume.";
    page.known("aegis_registry_durable", help, registry.map(|it| u8::from(it.durable)));
}
