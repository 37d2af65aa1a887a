/// libFuzzer as a library: this program's own main chooses what is fuzzed.
#ifndef FUZZ_DRIVER_H
#define FUZZ_DRIVER_H

#include <stddef.h>
#include <stdint.h>

/// Runs the fuzzer with a command line of libFuzzer's; `callback` returns 0 for every input.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

/// A new empty file in memory; -1 when there is none to be had.
int fuzz_memory_file(void);

#endif
