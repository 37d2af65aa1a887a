// The kernels for what every processor of the architecture has.
#define WIDTH 4
#if defined(__aarch64__)
#define REGISTERS 32
#define HAS_FMA 1
#else
#define REGISTERS 16
#define HAS_FMA 0
#endif
#define TABLE kernels_baseline
#include "Bodies/Bodies.h"
