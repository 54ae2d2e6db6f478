//! gateway.wasm: aegis-core behind the WIT world aegis:gateway/gateway.
