//! Gathers what `/metrics` reads at the moment of asking, from everything that knows how full it is.

use std::sync::Arc;

use aegis_custody::audit::Note;
use tokio::sync::Semaphore;

use super::Server;
use super::probes::checkpoint;
use crate::audit::QUEUE;
use crate::metrics::{Gauges, Kept, Registry, Used};
use crate::sign_in::SignIn;

/// The text of `/metrics`.
pub(super) fn text(server: &Server) -> String {
    let shared = &server.shared;
    let force = shared.in_force.now();
    let audit = audit(server);
    let pushed = shared.pushed.told(audit.lines);
    let bodies = taken(&server.bodies, server.limits.body_room);
    shared.metrics.render(&Gauges {
        instances: taken(&server.permits, server.capacity),
        memory: Used { now: shared.memory.used(), limit: shared.memory.limit() },
        connections: taken(&server.connections, server.limits.connections),
        bodies: Used { now: bytes(bodies.now), limit: bytes(bodies.limit) },
        sign_in_places: server.places.used(),
        long_work: shared.long_work.used(),
        questions: shared.mailbox.questions.used(),
        rate_windows: shared.counters.used(),
        streams: Used { now: shared.mailbox.streams.open(), limit: shared.mailbox.streams.most() },
        streams_ended: shared.mailbox.streams.ended().to_vec(),
        audit,
        pushed,
        gitea: shared.gitea.gauges(),
        caches: vec![shared.cache.cached(), shared.gitea.cached()],
        registry: shared.sign_in.as_deref().map(registry),
        traces: shared.tracing.told(),
        policy: &force.policy.digest,
        guest: (force.guest.digest(), force.guest.number),
        writes: shared.writes.are_on(),
    })
}

/// What is not available.
fn taken(semaphore: &Arc<Semaphore>, limit: usize) -> Used {
    Used { now: limit.saturating_sub(semaphore.available_permits()), limit }
}

/// Of KiB.
fn bytes(kibibytes: usize) -> usize {
    kibibytes.saturating_mul(1 << 10)
}

fn audit(server: &Server) -> Kept {
    let trail = &server.shared.trail;
    let health = trail.health();
    Kept {
        writable: health.writable,
        lines: health.lines,
        queue: Used { now: health.queue_depth, limit: QUEUE },
        lost: health.lost,
        free: health.free,
        signed: checkpoint(server).and_then(|note| Note::parse(&note).ok()).map(|note| note.checkpoint.size),
        anchored: server.shared.anchored.lines(),
        syncs: trail.sync_times(),
    }
}

fn registry(sign_in: &SignIn) -> Registry {
    let health = sign_in.records.store.health();
    sign_in.records.read(|registry, now| {
        let (stats, bounds, live) = (registry.stats(), registry.bounds(), registry.live(now));
        Registry {
            families: live.families,
            grants: live.grants,
            rows: vec![
                ("families", stats.families, Some(bounds.families)),
                ("grants", stats.grants, None),
                ("approvals", stats.approvals, Some(bounds.approvals)),
                ("clients", stats.clients, Some(bounds.clients)),
                ("refused_clients", stats.refused_clients, Some(bounds.refused_clients)),
                ("users", stats.users, Some(bounds.users)),
                ("codes", stats.codes, Some(bounds.codes)),
                ("claims", stats.claims, None),
            ],
            bytes: health.bytes,
            durable: health.durable,
        }
    })
}
