//! What the engine needs of the world: traits only. Adapters live in `store` and `outbound`.

pub mod store;
