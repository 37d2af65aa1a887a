#define _GNU_SOURCE
#include <sys/mman.h>

#include "FuzzDriver.h"

int fuzz_memory_file(void) { return memfd_create("input", 0); }
