//! Build tool: gateway.wasm + edge.wasm -> gateway-edge.wasm.

fn main() {}
