#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fogline_tests::fuzz::range_set(data));
