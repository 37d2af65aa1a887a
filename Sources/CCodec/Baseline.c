// The loops for what every processor of the architecture has.
#include "Table.h"

#define TABLE codec_baseline
#include "Bodies/Bodies.h"
