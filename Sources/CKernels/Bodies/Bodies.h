// The kernels for one instruction set; the including file defines WIDTH, REGISTERS, HAS_FMA and TABLE first.

#include "../Table.h"
#include "Vector.h"
#include "Elementwise.h"
#include "Normalization.h"
#include "Tile.h"
#include "Attention.h"
#include "FewRows.h"
#include "Decoding.h"
#include "Rows.h"
#include "Divergence.h"

extern const kernel_table TABLE;
const kernel_table TABLE = {
    .bf16_from_f32 = bf16_from_f32,
    .f32_from_bf16 = f32_from_bf16,
    .f32_from_f16 = f32_from_f16,
    .add = add,
    .scale = scale,
    .ema = ema,
    .adamw = adamw,
    .squared_norm = squared_norm,
    .sum = sum,
    .swiglu_forward = swiglu_forward,
    .swiglu_backward = swiglu_backward,
    .column_sums = column_sums,
    .rmsnorm_forward = rmsnorm_forward,
    .rmsnorm_backward = rmsnorm_backward,
    .rmsnorm_weight = rmsnorm_weight,
    .rope = rope,
    .attention_forward_scratch = attention_forward_scratch,
    .attention_forward = attention_forward,
    .attention_backward_scratch = attention_backward_scratch,
    .attention_backward = attention_backward,
    .attention_decode = attention_decode,
    .few_rows_product = few_rows_product,
    .statistics = statistics,
    .softmax = softmax,
    .log_softmax = log_softmax,
    .argmax = argmax,
    .divergence = divergence,
};
