//! The record of a request, the bounded queue, the writer.
