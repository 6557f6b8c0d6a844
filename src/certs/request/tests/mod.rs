//! From a filled-in form to a request that others read, and on until its key is discarded.

mod form;
mod life;
