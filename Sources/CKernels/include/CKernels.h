/// The numeric kernels of the native engine, in C.
///
/// One letter a dimension: T tokens of a packed batch (sequences one after the other, no padding), D hidden size,
/// F intermediate size, H query heads, K key/value heads, E head size, V vocabulary, S keys seen by one query,
/// B sequences, R rows of anything. Matrices are row-major; `ld` is the distance between rows, in elements.
/// Activations are fp32; weights are stored as Hugging Face does, [out, in].
///
/// Every function takes a pool: its threads and its instruction set do the work, and the call returns when all is
/// done. A result depends on the input, the instruction set and, in products alone, on the number of threads; never
/// on timing. Outputs are overwritten unless a comment says "adds". An output may be the very input it replaces
/// where a comment says "in place"; otherwise arguments do not overlap. Sizes are the caller's promise, and are not
/// checked; token ids are checked, since they come from data. NaN and infinity pass through.
#ifndef CKERNELS_H
#define CKERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// How a call that can fail ended.
typedef enum {
    PAWL_OK = 0,
    /// No memory, or no thread could be started.
    PAWL_OUT_OF_MEMORY = 1,
    /// A token id or a target lies outside [0, V).
    PAWL_OUT_OF_RANGE = 2,
    /// libdnnl refused a product.
    PAWL_LIBRARY_FAILED = 3,
} pawl_status;

/// What the elements of a matrix are.
typedef enum {
    PAWL_F32 = 0,
    /// The upper half of an fp32; `uint16_t` here.
    PAWL_BF16 = 1,
} pawl_type;

// MARK: Threads and instruction sets

/// What the kernels are compiled for.
typedef enum {
    /// What every processor of the architecture has (SSE2 on x86-64, NEON on arm64).
    PAWL_ISA_BASELINE = 0,
    /// AVX2, FMA and F16C.
    PAWL_ISA_AVX2 = 1,
    /// AVX-512 F, BW, DQ and VL.
    PAWL_ISA_AVX512 = 2,
    /// The best that this processor has.
    PAWL_ISA_BEST = 100,
} pawl_isa;

/// Threads that wait for work. A pool serves one call at a time; a second caller waits. A call made by work that
/// runs on the pool runs on that thread alone.
typedef struct pawl_pool pawl_pool;

/// Whether this processor can run `isa`.
bool pawl_isa_available(pawl_isa isa);

/// A pool of `threads` threads, the calling one counted (below 1: one for each processor that the process may use).
/// `isa` falls back to the best available below it. NULL when threads cannot be started.
pawl_pool *pawl_pool_create(int threads, pawl_isa isa);

/// Ends the threads. No call may be running.
void pawl_pool_destroy(pawl_pool *pool);

int pawl_pool_threads(const pawl_pool *pool);
pawl_isa pawl_pool_isa(const pawl_pool *pool);

/// Calls `work(context, i)` for every i in 0..<count, each once, spread over the threads in no fixed order.
void pawl_pool_run(pawl_pool *pool, intptr_t count, void (*work)(void *context, intptr_t index), void *context);

// MARK: Matrix products

/// Whether this processor multiplies bf16 in hardware. Where it does not, packed bf16 weights are held and multiplied
/// in fp32 (same rounding of the weights, none of the activations), and `pawl_product` widens.
bool pawl_bf16_is_native(void);

/// Whether that is also faster than fp32 for large products. Intel's AVX-512 alone runs bf16 at half the rate of fp32;
/// AMX and AMD's AVX-512 run it faster (decision 0013). Reading few rows' weights is faster in bf16 everywhere.
bool pawl_bf16_is_fast(void);

/// C[M, N] = op(A) · op(B), or adds it to C. A is [M, K], or [K, M] when `a_transposed`; B is [K, N], or [N, K] when
/// `b_transposed`. A and B are of `type`, C and the sums are fp32.
pawl_status pawl_product(
    pawl_pool *pool, float *c, intptr_t ldc, const void *a, intptr_t lda, bool a_transposed, const void *b,
    intptr_t ldb, bool b_transposed, pawl_type type, intptr_t m, intptr_t n, intptr_t k, bool add);

/// What a packed weight is multiplied for.
typedef enum {
    /// C[R, out] = A[R, in] · Wᵀ.
    PAWL_FORWARD = 0,
    /// C[R, in] = A[R, out] · W: the gradient of the input.
    PAWL_BACKWARD = 1,
} pawl_direction;

/// A weight [out, in] in the layout that its products ask for; made once, filled again after an optimizer step.
typedef struct pawl_packed pawl_packed;

/// Room for a weight, in `type`, cut for the pool's threads. NULL without memory.
pawl_packed *pawl_packed_create(
    pawl_pool *pool, intptr_t out, intptr_t in, pawl_type type, pawl_direction direction);

/// Fills it from W [out, in], rows `in` apart, of `source_type` (rounded when it is wider).
pawl_status pawl_packed_fill(pawl_pool *pool, pawl_packed *packed, const void *w, pawl_type source_type);

/// Bytes it holds.
size_t pawl_packed_bytes(const pawl_packed *packed);
void pawl_packed_destroy(pawl_packed *packed);

/// C[rows, ...] = A · op(W), or adds it to C: see `pawl_direction`. A is fp32 or bf16 (`a_type`); an fp32 A is rounded to bf16
/// first when the weight is bf16. Round A once yourself where several weights read it.
pawl_status pawl_packed_product(
    pawl_pool *pool, float *c, intptr_t ldc, const void *a, intptr_t lda, pawl_type a_type,
    const pawl_packed *packed, intptr_t rows, bool add);

/// C[R, N] = A[R, K] · Wᵀ, or adds it to C, for few rows and W [N, K] row-major as stored, fp32 or bf16, read once from
/// memory: what decoding needs. A is fp32 and not rounded, sums are fp32. A row's result depends on nothing but that row
/// and the weights' values: not on the other rows, the number of threads or the type that holds the weights. Right for
/// any R (tools/bench/kernels shows where other products become faster).
void pawl_small_product(
    pawl_pool *pool, float *c, intptr_t ldc, const float *a, intptr_t lda, const void *w, pawl_type type,
    intptr_t rows, intptr_t n, intptr_t k, bool add);

// MARK: Conversion and element-wise

/// Rounds to nearest even; a NaN stays one (made quiet).
void pawl_bf16_from_f32(pawl_pool *pool, uint16_t *out, const float *in, intptr_t count);
void pawl_f32_from_bf16(pawl_pool *pool, float *out, const uint16_t *in, intptr_t count);
/// IEEE half precision, as some checkpoints are stored.
void pawl_f32_from_f16(pawl_pool *pool, float *out, const uint16_t *in, intptr_t count);

/// x += y: the residual, and its gradient.
void pawl_add(pawl_pool *pool, float *x, const float *y, intptr_t count);
/// x *= factor.
void pawl_scale(pawl_pool *pool, float *x, float factor, intptr_t count);

/// x[R, N] += bias[N].
void pawl_bias_add(pawl_pool *pool, float *x, intptr_t ldx, const float *bias, intptr_t rows, intptr_t n);
/// dbias[N] adds the sum of dx[R, N] over rows, in row order.
void pawl_bias_backward(
    pawl_pool *pool, float *dbias, const float *dx, intptr_t lddx, intptr_t rows, intptr_t n);

/// out[R, F] = silu(gate) * up: SwiGLU. `out` may be `gate` or `up`. Rows of gate and up are `ld` apart, so that both
/// may be halves of one product; out's rows are F apart.
void pawl_swiglu_forward(
    pawl_pool *pool, float *out, const float *gate, const float *up, intptr_t ld, intptr_t rows, intptr_t f);
/// dgate and dup (rows `ld` apart, as gate and up) from dout [R, F]; in place over gate and up.
void pawl_swiglu_backward(
    pawl_pool *pool, float *dgate, float *dup, const float *dout, const float *gate, const float *up,
    intptr_t ld, intptr_t rows, intptr_t f);

// MARK: Embedding

/// out[T, D] = table[token]. The table is fp32 or bf16 [V, D].
pawl_status pawl_embedding_forward(
    pawl_pool *pool, float *out, const void *table, pawl_type type, const int32_t *tokens, intptr_t t,
    intptr_t d, intptr_t v);
/// dtable[V, D] adds dout[T, D] at each token's row, in token order.
pawl_status pawl_embedding_backward(
    pawl_pool *pool, float *dtable, const float *dout, const int32_t *tokens, intptr_t t, intptr_t d,
    intptr_t v);

// MARK: RMSNorm

/// out = x / sqrt(mean(x²) + epsilon) * weight over groups of `n`: R rows of `groups` groups each, all with the one
/// weight [n]. groups = 1 is the usual norm; groups = H, n = E norms each head (Qwen3's QK norm). Rows of x and out are
/// `ldx` and `ldo` apart. `inverse` [R, groups] keeps 1/sqrt(...) for the way back and may be NULL. In place.
void pawl_rmsnorm_forward(
    pawl_pool *pool, float *out, intptr_t ldo, float *inverse, const float *x, intptr_t ldx,
    const float *weight, intptr_t rows, intptr_t groups, intptr_t n, float epsilon);
/// dx (or adds to it, when `add`) from dout, and dweight [n] adds its gradient, summed in row order (NULL: not wanted).
/// dx may be dout. x is the input of the forward pass.
void pawl_rmsnorm_backward(
    pawl_pool *pool, float *dx, intptr_t lddx, bool add, float *dweight, const float *dout, intptr_t lddo,
    const float *x, intptr_t ldx, const float *weight, const float *inverse, intptr_t rows, intptr_t groups,
    intptr_t n);

// MARK: Rotary embedding

/// cosine[P, E/2] and sine[P, E/2] of position p times each of E/2 inverse frequencies (a product in fp32, as the
/// references have it; all else in double), multiplied by `attention_factor` (1 but for some scalings), for positions
/// first ..< first + P.
void pawl_rope_table(
    float *cosine, float *sine, const double *inverse_frequencies, intptr_t half, intptr_t first,
    intptr_t positions, double attention_factor);

/// Rotates `heads` heads of E in each of T rows of x, in place; Hugging Face's half-split layout: component i pairs
/// with i + E/2. `positions` [T] index the table's rows.
void pawl_rope_forward(
    pawl_pool *pool, float *x, intptr_t ldx, const int32_t *positions, const float *cosine,
    const float *sine, intptr_t t, intptr_t heads, intptr_t e);
/// The inverse rotation: the gradient of x, in place.
void pawl_rope_backward(
    pawl_pool *pool, float *dx, intptr_t lddx, const int32_t *positions, const float *cosine,
    const float *sine, intptr_t t, intptr_t heads, intptr_t e);

// MARK: Attention

/// Causal attention of packed sequences: sequence b is tokens starts[b] ..< starts[b + 1]. Query head h reads key/value
/// head h / (H / K). A sequence may follow a prefix that all of them share, given from outside or the batch's own first
/// sequence.
typedef struct {
    /// [T, H, E], [T, K, E], [T, K, E]; rows `ldq`, `ldk`, `ldv` apart (so that they may be parts of one product).
    const float *q, *k, *v;
    intptr_t ldq, ldk, ldv;
    /// [B + 1], from 0 to T.
    const int32_t *starts;
    intptr_t sequences;
    /// [S0, K, E] each, contiguous rows of K·E, rotated already; NULL when prefix_length is 0. Gets no gradient.
    const float *prefix_k, *prefix_v;
    intptr_t prefix_length;
    /// The others follow the first sequence and not a prefix from outside; unlike such a one it gets its gradient.
    bool first_is_shared;
    /// A query sees the last `window` keys, itself counted; 0: all.
    intptr_t window;
    /// H, K and E.
    intptr_t heads, kv_heads, head_size;
    /// Usually 1/sqrt(E).
    float scale;
} pawl_attention;

/// out [T, H, E], rows `ldo` apart; lse [T, H], the log of the sum of exp(scale · q·k), kept for the way back (NULL:
/// not wanted). No T x S matrix is kept.
pawl_status pawl_attention_forward(
    pawl_pool *pool, float *out, intptr_t ldo, float *lse, const pawl_attention *attention);

/// dq, dk, dv in the layout of q, k, v (rows lddq, lddk, lddv apart) from dout [T, H, E] (rows `lddo` apart) and what
/// the forward pass left.
pawl_status pawl_attention_backward(
    pawl_pool *pool, float *dq, intptr_t lddq, float *dk, intptr_t lddk, float *dv, intptr_t lddv,
    const float *dout, intptr_t lddo, const float *out, intptr_t ldo, const float *lse,
    const pawl_attention *attention);

/// One new token for each of B sequences over a cache of keys and values of `type` (fp32 or bf16).
typedef struct {
    /// [B, H, E], rows `ldq` apart.
    const float *q;
    intptr_t ldq;
    /// For each sequence, keys and values of its own tokens, [length, K, E] contiguous, the new one included (so a
    /// length is at least 1).
    const void *const *k;
    const void *const *v;
    const int32_t *lengths;
    intptr_t sequences;
    /// As in `pawl_attention`, but of `type`.
    const void *prefix_k, *prefix_v;
    intptr_t prefix_length;
    pawl_type type;
    intptr_t window, heads, kv_heads, head_size;
    float scale;
} pawl_decoding;

/// out [B, H, E], rows `ldo` apart.
pawl_status pawl_attention_decode(
    pawl_pool *pool, float *out, intptr_t ldo, const pawl_decoding *decoding);

// MARK: Rows of logits

/// out[R, V] = softmax(x / temperature), or its logarithm; in place.
void pawl_softmax(
    pawl_pool *pool, float *out, const float *x, intptr_t rows, intptr_t v, float temperature);
void pawl_log_softmax(
    pawl_pool *pool, float *out, const float *x, intptr_t rows, intptr_t v, float temperature);

/// The index of each row's largest element; the lowest of equals; NaN counts as larger than anything.
void pawl_argmax(pawl_pool *pool, int32_t *out, const float *x, intptr_t rows, intptr_t v);

/// Sum of each row, in double.
void pawl_row_sums(pawl_pool *pool, double *out, const float *x, intptr_t ldx, intptr_t rows, intptr_t n);

/// A draw from each row of weights x[R, V], none below 0: the first index at which the running sum exceeds shares[r], in
/// [0, 1), of the row's sum. Only indices of weight above 0 are drawn; a row without any gives 0. totals[R]: the sums.
void pawl_draw(
    pawl_pool *pool, int32_t *out, double *totals, const float *x, const double *shares, intptr_t rows,
    intptr_t v);

/// log softmax(x)[target] of each row.
pawl_status pawl_log_likelihood(
    pawl_pool *pool, float *out, const float *x, const int32_t *targets, intptr_t rows, intptr_t v);

/// The k largest of each row in falling order, lower index first among equals, NaN last: indices[R, k], values[R, k].
/// k lies in 1...V.
pawl_status pawl_top_k(
    pawl_pool *pool, int32_t *indices, float *values, const float *x, intptr_t rows, intptr_t v, intptr_t k);

/// loss[R] = -log softmax(x)[target], unweighted; dx[R, V] = weight[r] · its gradient (NULL: not wanted; in place). A
/// negative target: loss 0, gradient 0. `weights` NULL: all 1.
pawl_status pawl_cross_entropy(
    pawl_pool *pool, float *loss, float *dx, const float *x, const int32_t *targets, const float *weights,
    intptr_t rows, intptr_t v);

/// Which divergence of teacher p and student q.
typedef enum {
    /// KL(p || q).
    PAWL_FORWARD_KL = 0,
    /// KL(q || p).
    PAWL_REVERSE_KL = 1,
    /// beta KL(p || m) + (1 - beta) KL(q || m), m = beta p + (1 - beta) q.
    PAWL_JENSEN_SHANNON = 2,
} pawl_divergence_kind;

typedef struct {
    pawl_divergence_kind kind;
    /// In (0, 1); for Jensen-Shannon alone.
    float beta;
    /// Both logits are divided by it.
    float temperature;
} pawl_divergence_settings;

/// loss[R], unweighted, of student and teacher logits [R, V]; dstudent[R, V] = weight[r] · gradient with respect to the
/// student's logits (NULL: not wanted; in place over student). Rows of weight 0 get loss 0 and gradient 0.
void pawl_divergence(
    pawl_pool *pool, float *loss, float *dstudent, const float *student, const float *teacher,
    const float *weights, intptr_t rows, intptr_t v, pawl_divergence_settings settings);

/// The same on the teacher's top K alone: support[R, K] are distinct indices, teacher[R, K] its logits there,
/// renormalised over the support. The student is renormalised over it too when `renormalise_student`; otherwise q is
/// its probability among all V (then forward KL is the cross-entropy of the renormalised teacher less its entropy).
pawl_status pawl_divergence_top_k(
    pawl_pool *pool, float *loss, float *dstudent, const float *student, const int32_t *support,
    const float *teacher, const float *weights, intptr_t rows, intptr_t v, intptr_t k,
    bool renormalise_student, pawl_divergence_settings settings);

// MARK: Optimizer

typedef struct {
    double learning_rate, beta1, beta2, epsilon, weight_decay;
    /// Multiplies the gradient: clipping, and averaging over accumulated batches.
    double gradient_scale;
    /// 1 for the first step.
    int64_t step;
} pawl_adamw_settings;

/// One AdamW step (decoupled weight decay, bias correction) on fp32 master weights and moments. `rounded` gets the new
/// weights as bf16 (NULL: not wanted).
void pawl_adamw(
    pawl_pool *pool, float *w, float *m, float *v, const float *gradient, uint16_t *rounded, intptr_t count,
    const pawl_adamw_settings *settings);

/// Sum of squares in double, in an order that depends on `count` alone.
double pawl_squared_norm(pawl_pool *pool, const float *x, intptr_t count);

/// average += rate · (x - average).
void pawl_ema(pawl_pool *pool, float *average, const float *x, float rate, intptr_t count);

#ifdef __cplusplus
}
#endif
#endif
