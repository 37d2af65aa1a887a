// All loops, and the table of them: included once for every instruction set, which has set TABLE.
#include "Bits.h"

#include "Classes.h"
#include "Differences.h"
#include "Fields.h"
#include "Fold.h"
#include "Packs.h"
#include "Tokens.h"

const codec_table TABLE = {
    .fields_count = fields_count,
    .fields_symbols = fields_symbols,
    .fields_escapes = fields_escapes,
    .rest_pack = rest_pack,
    .fields_join = fields_join,
    .halves_split = halves_split,
    .halves_join = halves_join,
    .classes_choose = classes_choose,
    .classes_gather = classes_gather,
    .classes_scatter = classes_scatter,
    .difference = difference,
    .difference_apply = difference_apply,
    .contexts = contexts,
    .contexts_index = contexts_index,
    .contexts_sort = contexts_sort,
    .contexts_unsort = contexts_unsort,
    .tokens_encode = tokens_encode,
    .tokens_decode = tokens_decode,
    .values_count = values_count,
    .packs_encode = packs_encode,
    .packs_decode = packs_decode,
    .runs_encode = runs_encode,
    .runs_decode = runs_decode,
    .fold = fold,
};
