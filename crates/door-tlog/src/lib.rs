//! door-tlog
