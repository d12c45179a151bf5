//! Reading what a gateway sends, without building a document: a cursor that walks JSON where it
//! lies, decimals as text, and the few shapes of protocol v2. Unknown fields are walked over.

pub mod cursor;
pub mod decimal;
pub mod items;
pub mod message;
