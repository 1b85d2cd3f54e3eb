/* One pass of a decoder over new tokens on a CPU, all blocks in one call: what linnet/infer/native.py compiles.

   The arithmetic is that of linnet/model; tests hold both equal. n tokens, D hidden size, H query heads, G key/value
   heads, d head size. Outputs of a product come in groups of 16, one vector; rows of all buffers are padded to that. */
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__AVX512VNNI__) && !defined(PLAIN)
#include <immintrin.h>
#define WHOLE_DOT 1
#endif

typedef float vf __attribute__((vector_size(64), aligned(4), may_alias));
typedef int32_t vi __attribute__((vector_size(64), aligned(4), may_alias));
#define INLINE static inline __attribute__((always_inline))
#define PAD(n) (((n) + 15) / 16 * 16)
#define MIDDLE 128 /* of unsigned 8 bits: where zero is */

enum { FLOAT32, BFLOAT16, INT8, WIDENED8, WIDENED4 };
enum { RELU2, SWIGLU, SWIGLU_CLAMPED, GELU, GELU_EXACT, RELU, GEGLU };

/* A matrix [out, in], packed as [out / 16][in / s][16][s] with s = 1, 2, 4 numbers of a row side by side by kind.

   INT8 multiplies whole numbers on both sides; WIDENED8 and WIDENED4 (two codes a byte, the first in the low half)
   multiply what enters as it is. */
typedef struct {
    int64_t kind, in, out, group;
    const void *weight;
    const float *scale; /* INT8, WIDENED8: of each output; WIDENED4: of each group of a row, [out / 16][groups][16] */
    const void *shift;  /* INT8: int32, MIDDLE x the sum of its codes; WIDENED4: fp32, what a code of 0 stands for */
    const float *bias;    /* or NULL */
} Linear;

typedef struct {
    Linear query, key, value, output, up, gate, down;
    const float *norm1, *shift1, *norm2, *shift2, *query_gain, *key_gain, *sink_logits; /* each may be NULL */
    const float *value_gate;                                                           /* [G, D] or NULL */
    float mix[2];
    int64_t window; /* 0: sees everything */
} Block;

typedef struct {
    int64_t layers, hidden, heads, kv_heads, width, mlp;
    int64_t layer_norm, qk_norm, rotary, mixes, activation, sink_tokens;
    float epsilon, scale;
    const Block *blocks;
    const float *norm, *shift;
    Linear head;
    char *work; /* our own buffers, grown as needed */
    int64_t work_bytes;
} Net;

/* What is read: `count` tokens of a row of the cache from place `start` on. */
typedef struct {
    int64_t row, start, count, first;
} Run;

typedef struct {
    int64_t runs, tokens, wanted, threads;
    const Run *run;
    float *x;                   /* [n, PAD(D)] embedded tokens; is overwritten */
    const float *cos, *sin;     /* [n, d / 2] */
    const float *const *values; /* by layer: token-indexed values [n, G d], or NULL */
    const int64_t *after;       /* [wanted] tokens whose logits are asked for */
    float *logits;              /* [wanted, PAD(V)] */
    void *cache;                /* [2 x layers][rows][G][capacity][d], in fp32 or, where it is `half`, in bf16 */
    int64_t rows, capacity, layer_step, half;
} Pass;

typedef struct {
    float *normed, *query, *key, *value, *mixed, *up, *gate, *reach, *last;
    uint8_t *whole;
    float *own;     /* of each thread */
    int64_t *taken; /* by product and attention in their order: how much of it is in some thread's hands */
    int64_t wide, whole_wide, own_step;
} Work;

INLINE vf load(const float *p) { return *(const vf *)p; }
INLINE vf all(float x) { return x - (vf){}; }
INLINE vf either(vi where, vf a, vf b) { return (vf)(((vi)a & where) | ((vi)b & ~where)); }
INLINE vf larger(vf a, vf b) { return either(a > b, a, b); }
INLINE vf at_most(vf x, float bound) { return either(x > bound, all(bound), x); }

/* e^x by 2^n and a polynomial on [-ln 2 / 2, ln 2 / 2] (Cephes): relative error below 2e-7. Far below zero it is 0. */
INLINE vf exponential(vf x) {
    vi none = x < -87.0f;
    x = either(none, all(0.0f), at_most(x, 88.0f));
    vi n = __builtin_convertvector(x * 1.44269504f + either(x < 0.0f, all(-0.5f), all(0.5f)), vi);
    vf times = __builtin_convertvector(n, vf), r = (x - times * 0.693359375f) + times * 2.12194440e-4f;
    vf p = r * 1.9875691500e-4f + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f, p = p * r + 4.1665795894e-2f, p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f, p = p * r * r + r + 1.0f;
    return either(none, all(0.0f), p * (vf)((n + 127) << 23));
}
INLINE float exponential_of(float x) { return exponential(all(x))[0]; }
INLINE vf sigmoid(vf x) { return 1.0f / (1.0f + exponential(-x)); }
INLINE vf gelu(vf x) { return x * sigmoid(1.5957691216f * (x + 0.044715f * x * x * x)); }

INLINE float sum_of(vf v) {
    float s = 0;
    for (int i = 0; i < 16; i++) s += v[i];
    return s;
}

INLINE float largest(vf v) {
    float most = v[0];
    for (int i = 1; i < 16; i++) most = v[i] > most ? v[i] : most;
    return most;
}

INLINE float dot(const float *a, const float *b, int64_t n) {
    vf s = {};
    float rest = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16) s += load(a + i) * load(b + i);
    for (; i < n; i++) rest += a[i] * b[i];
#ifdef WHOLE_DOT
    return _mm512_reduce_add_ps((__m512)s) + rest;
#else
    return sum_of(s) + rest;
#endif
}

/* The cache's place of row, key/value head and token; `of` 0: keys, 1: values. */
INLINE int64_t place_of(const Net *net, const Pass *p, int64_t layer, int of, int64_t row, int64_t g, int64_t token) {
    return (2 * layer + of) * p->layer_step + ((row * net->kv_heads + g) * p->capacity + token) * net->width;
}

static void store(const Pass *p, int64_t at, const float *from, int64_t n) {
    if (!p->half) {
        memcpy((float *)p->cache + at, from, n * sizeof(float));
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, from + i, 4);
        ((uint16_t *)p->cache)[at + i] = (bits + 0x7fff + (bits >> 16 & 1)) >> 16; /* to the nearest, ties to even */
    }
}

/* n numbers of the cache in fp32: where they lie, or in `own`. */
static const float *fetch(const Pass *p, int64_t at, int64_t n, float *own) {
    if (!p->half) return (const float *)p->cache + at;
    const uint16_t *from = (const uint16_t *)p->cache + at;
    uint32_t *bits = (uint32_t *)own;
    for (int64_t i = 0; i < n; i++) bits[i] = (uint32_t)from[i] << 16;
    return own;
}

#include "native_products.h"

/* A row of x in unsigned 8 bits around MIDDLE; its largest number becomes 127. */
static void round_row(const Work *w, const float *x, int64_t n, int64_t row) {
    vf parts = all(1e-30f);
    int64_t k = 0;
    for (; k + 16 <= n; k += 16) parts = larger(parts, larger(load(x + k), -load(x + k)));
    float most = largest(parts);
    for (; k < n; k++) most = fabsf(x[k]) > most ? fabsf(x[k]) : most;
    uint8_t *to = w->whole + row * w->whole_wide;
    float by = 127.0f / most;
    for (int64_t i = 0; i < n; i++) to[i] = (uint8_t)(int32_t)(x[i] * by + (MIDDLE + 0.5f));
    for (int64_t i = n; i < (n + 3) / 4 * 4; i++) to[i] = MIDDLE;
    w->reach[row] = most;
}

static void norm_row(int layer, float epsilon, const float *gain, const float *shift, const float *x, float *y, int64_t n) {
    float mean = 0, square = 0;
    if (layer) {
        for (int64_t i = 0; i < n; i++) mean += x[i];
        mean /= n;
    }
    for (int64_t i = 0; i < n; i++) square += (x[i] - mean) * (x[i] - mean);
    float by = 1.0f / sqrtf(square / n + epsilon);
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * by * (gain ? gain[i] : 1.0f) + (shift ? shift[i] : 0.0f);
}

#include "native_attention.h"

/* The activation of a row, in place; rows are padded, so that all is vectors. */
static void bend(const Net *net, float *up, const float *gate, int64_t n) {
    int kind = net->activation;
    for (int64_t i = 0; i < n; i += 16) {
        vf x = load(up + i), g = load(gate + i);
        if (kind == SWIGLU) x *= g * sigmoid(g);
        else if (kind == GEGLU) x *= gelu(g);
        else if (kind == SWIGLU_CLAMPED) {
            g = at_most(g, 7.0f);
            x = g * sigmoid(1.702f * g) * (1.0f - at_most(-at_most(x, 7.0f), 7.0f));
        } else if (kind == GELU) x = gelu(x);
        else if (kind == GELU_EXACT)
            for (int j = 0; j < 16; j++) x[j] = 0.5f * x[j] * (1 + erff(x[j] * 0.70710678f));
        else {
            x = either(x > 0.0f, x, all(0.0f));
            if (kind == RELU2) x *= x;
        }
        *(vf *)(up + i) = x;
    }
}

static int whole(const Linear *l) { return l->out && l->kind == INT8; }

static void blocks(const Net *net, const Pass *p, Work *w, int me, int threads) {
    int64_t n = p->tokens, D = net->hidden, wide = w->wide, from = n * me / threads, to = n * (me + 1) / threads;
    int64_t x_wide = PAD(D);
    for (int64_t layer = 0; layer < net->layers; layer++) {
        const Block *b = net->blocks + layer;
        int64_t *taken = w->taken + 8 * layer;
        for (int64_t t = from; t < to; t++) {
            float *x = p->x + t * x_wide, *y = w->normed + t * wide;
            const float *first = w->last + t * x_wide;
            if (net->mixes)
                for (int64_t i = 0; i < D; i++) x[i] = b->mix[0] * x[i] + b->mix[1] * first[i];
            norm_row(net->layer_norm, net->epsilon, b->norm1, b->shift1, x, y, D);
            if (whole(&b->query) || whole(&b->key) || whole(&b->value)) round_row(w, y, D, t);
        }
#pragma omp barrier
        product(&b->query, w, taken + 0, w->normed, n, w->query, wide, 0, threads);
        product(&b->key, w, taken + 1, w->normed, n, w->key, wide, 0, threads);
        product(&b->value, w, taken + 2, w->normed, n, w->value, wide, 0, threads);
#pragma omp barrier
        for (int64_t i = 0, t = 0; i < p->runs; i++)
            for (int64_t k = 0; k < p->run[i].count; k++, t++)
                if (t >= from && t < to) place(net, b, p, w, layer, p->run + i, k);
#pragma omp barrier
        attention(net, b, p, w, taken + 7, layer, me);
#pragma omp barrier
        if (whole(&b->output)) {
            for (int64_t t = from; t < to; t++) round_row(w, w->mixed + t * wide, net->heads * net->width, t);
#pragma omp barrier
        }
        product(&b->output, w, taken + 3, w->mixed, n, p->x, x_wide, 1, threads);
#pragma omp barrier
        for (int64_t t = from; t < to; t++) {
            norm_row(net->layer_norm, net->epsilon, b->norm2, b->shift2, p->x + t * x_wide, w->normed + t * wide, D);
            if (whole(&b->up) || whole(&b->gate)) round_row(w, w->normed + t * wide, D, t);
        }
#pragma omp barrier
        product(&b->up, w, taken + 4, w->normed, n, w->up, wide, 0, threads);
        if (b->gate.out) product(&b->gate, w, taken + 5, w->normed, n, w->gate, wide, 0, threads);
#pragma omp barrier
        for (int64_t t = from; t < to; t++) {
            bend(net, w->up + t * wide, w->gate + t * wide, net->mlp);
            if (whole(&b->down)) round_row(w, w->up + t * wide, net->mlp, t);
        }
#pragma omp barrier
        product(&b->down, w, taken + 6, w->up, n, p->x, x_wide, 1, threads);
#pragma omp barrier
    }
    from = p->wanted * me / threads, to = p->wanted * (me + 1) / threads;
    for (int64_t i = from; i < to; i++) {
        norm_row(net->layer_norm, net->epsilon, net->norm, net->shift, p->x + p->after[i] * x_wide, w->normed + i * wide, D);
        if (whole(&net->head)) round_row(w, w->normed + i * wide, D, i);
    }
#pragma omp barrier
    product(&net->head, w, w->taken + 8 * net->layers, w->normed, p->wanted, p->logits, PAD(net->head.out), 0, threads);
}

static float *cut(char **at, int64_t bytes) {
    float *found = (float *)*at;
    *at += (bytes + 63) / 64 * 64;
    return found;
}

/* Read the tokens of a pass; returns 0, or 1 where there is no memory. */
int linnet_pass(Net *net, const Pass *p) {
    int64_t n = p->tokens, most = 0, wide = PAD(net->hidden);
    if (PAD(net->heads * net->width) > wide) wide = PAD(net->heads * net->width);
    if (PAD(net->mlp) > wide) wide = PAD(net->mlp);
    for (int64_t i = 0; i < p->runs; i++)
        if (p->run[i].start + p->run[i].count > most) most = p->run[i].start + p->run[i].count;
    most = (most + 63) / 64 * 64 + 64;
    Work w = {.wide = wide, .whole_wide = (wide + 63) / 64 * 64, .own_step = most * (3 * net->width + ROWS)};
    int64_t bytes = (7 * n * wide + n + n * PAD(net->hidden) + p->threads * w.own_step) * 4 + n * w.whole_wide + 16 * 64 + (net->layers + 1) * 64;
    if (bytes > net->work_bytes) {
        free(net->work);
        net->work = aligned_alloc(64, (bytes + 4095) / 4096 * 4096);
        net->work_bytes = net->work ? bytes : 0;
        if (!net->work) return 1;
    }
    char *at = net->work;
    float **each[] = {&w.normed, &w.query, &w.key, &w.value, &w.mixed, &w.up, &w.gate};
    for (int i = 0; i < 7; i++) *each[i] = cut(&at, n * wide * 4);
    w.reach = cut(&at, n * 4), w.last = cut(&at, n * PAD(net->hidden) * 4);
    w.own = cut(&at, p->threads * w.own_step * 4);
    w.whole = (uint8_t *)cut(&at, n * w.whole_wide), w.taken = (int64_t *)cut(&at, (net->layers + 1) * 64);
    memset(w.taken, 0, (net->layers + 1) * 64);
    if (net->mixes) memcpy(w.last, p->x, n * PAD(net->hidden) * 4);
#pragma omp parallel num_threads(p->threads)
    blocks(net, p, &w, omp_get_thread_num(), omp_get_num_threads());
    return 0;
}

void linnet_close(Net *net) {
    free(net->work);
    net->work = NULL, net->work_bytes = 0;
}

/* Bytes of each structure, for who describes them anew. */
int64_t linnet_size(int which) {
    const int64_t sizes[] = {sizeof(Linear), sizeof(Block), sizeof(Net), sizeof(Run), sizeof(Pass)};
    return sizes[which];
}
