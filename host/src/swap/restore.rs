//! At the start: what was swapped in before is put in force again, unless the program has come with another guest since.

use std::sync::Arc;

use serde_json::json;

use super::record::File;
use super::{By, Cause, Refused, Step, Swaps, Switch, What, entry, kept, put_in_force, tell_refused};
use crate::serve::Server;
use crate::settings::Settings;

/// From here on the guest can be replaced; one that was swapped in before serves again.
pub(crate) async fn begin(server: Arc<Server>, settings: Arc<Settings>) {
    let image = server.shared.in_force.guest().linked.clone();
    if server.swaps.set(Arc::new(Swaps::new(&settings, image))).is_ok() {
        restore(&server).await;
    }
}

/// Put in force what was before the last stop. Whatever hinders that, the program's own guest serves.
async fn restore(server: &Arc<Server>) {
    let Some(swaps) = server.swaps.get().cloned() else { return };
    let runtime = server.shared.runtime.clone();
    let folder = swaps.record().folder().to_owned();
    let read = runtime.spawn_blocking(move || kept::history(&folder)).await;
    let file = match read.map_err(|error| error.to_string()).flatten() {
        Ok(None) => return,
        Ok(Some(file)) => file,
        Err(why) => {
            tracing::warn!(
                event = "guest_history_unusable",
                why,
                "the guest that came with the program serves"
            );
            let refused = Cause::NotKept.because(why.clone());
            tell_refused(server, &refused, "", By::Start);
            swaps.record().troubled(why);
            return;
        }
    };
    let image = server.shared.in_force.guest();
    let Some(top) = file.line.last().cloned() else {
        swaps.record().go_on(file, &[]);
        return;
    };
    if file.image != image.digest() {
        swaps.record().go_on(file, &[]);
        note(server, &swaps, What::NewerImage, &top);
        let _ = swaps.write(&runtime, None).await;
        return;
    }
    if let Err(refused) = again(server, &swaps, file, &top).await {
        tell_refused(server, &refused, &top, By::Start);
        note(server, &swaps, What::NotRestored, &top);
        // The files stay until the next change: whatever hinders may be mended.
    }
}

async fn again(server: &Arc<Server>, swaps: &Arc<Swaps>, file: File, top: &str) -> Result<(), Refused> {
    let line = file.line.clone();
    swaps.record().go_on(file, &line);
    let image = server.shared.in_force.guest();
    let (linked, signer) = swaps.fetch(&image, Step::unread(top), &server.shared.runtime).await?;
    let switch = Switch { what: What::Restored, by: By::Start, signer, in_place_of: None };
    put_in_force(server, linked, switch).await?;
    let _ = swaps.write(&server.shared.runtime, None).await;
    Ok(())
}

/// The program's own guest is in force in place of `top`.
fn note(server: &Arc<Server>, swaps: &Arc<Swaps>, what: What, top: &str) {
    let force = server.shared.in_force.now();
    let detail = json!({"before": top, "after": force.guest.digest()});
    let line = entry(what.reason(), (force.guest.digest(), &force.policy.digest), By::Start.tell(detail));
    server.shared.trail.push(line);
    swaps.record().note(what, top, Step::new(force.guest.linked.clone(), By::Start, None));
    tracing::warn!(event = what.reason(), before = top, component = force.guest.digest());
}
