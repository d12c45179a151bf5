//! How a run is told: while it runs (`progress`), and afterwards as JSON (`result`), HDR interval
//! log (`hlog`), terminal text and Markdown (`text`), and a page (`html`, drawn by `chart`).

pub mod chart;
pub mod hlog;
pub mod html;
pub mod progress;
pub mod result;
pub mod text;
