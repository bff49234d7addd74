//! candle-sine (skeleton)

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod gradcheck;
