//! gateway.wasm: the product.

use aegis_core::offer::{Offer, PRODUCT};
use aegis_shell::{Offered, Shell};

/// What the product offers.
struct Product;

impl Offered for Product {
    const OFFER: &'static Offer = &PRODUCT;
}

type Component = Shell<Product>;

aegis_shell::bindings::export!(Component with_types_in aegis_shell::bindings);
