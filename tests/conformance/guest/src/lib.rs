use aegis_core::offer::{Offer, PRODUCT};
