//! What a guest may ask for, one file for each interface of `wit/`. Each answers from [`crate::shared::Shared`]
//! and from what the host bound to the request; none decides policy.

pub(crate) mod audit;
pub(crate) mod automation;
pub(crate) mod cache;
pub(crate) mod clients;
pub(crate) mod gitea;
pub(crate) mod identity;
pub(crate) mod limits;
pub(crate) mod login;
pub(crate) mod mailbox;
pub(crate) mod seal;
pub(crate) mod settings;
pub(crate) mod telemetry;

use crate::component::bindings::aegis::gateway::types;
use crate::instance::State;

impl types::Host for State {}
