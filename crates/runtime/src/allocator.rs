//! The allocator of every service. Events are many small values that one thread makes and another drops, which the C
//! library's allocator answers with locks and with memory that it keeps.

use mimalloc::MiMalloc;

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;
