//! What a guest offers: tools, resources and prompts, and what a client is told of them.
//!
//! A table and nothing else. Who may use what is decided where it is used.

use crate::prompts::{PROMPTS, Prompt};
use crate::resources::{RESOURCES, Resource};
use crate::tools::{CATALOGUE, Catalogue};

/// Everything that one guest offers.
pub struct Offer {
    /// The tools.
    pub tools: &'static Catalogue,
    /// What can be read by address.
    pub resources: &'static [&'static dyn Resource],
    /// Beginnings of conversations.
    pub prompts: &'static [&'static dyn Prompt],
}

/// What the product offers.
pub static PRODUCT: Offer = Offer { tools: &CATALOGUE, resources: RESOURCES, prompts: PROMPTS };
