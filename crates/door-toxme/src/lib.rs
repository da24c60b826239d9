//! door-toxme
