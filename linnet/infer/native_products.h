/* Products with packed matrices, a tile of 6 tokens and 64 outputs at a time; part of native.c. */

typedef uint8_t vbytes __attribute__((vector_size(16), aligned(1), may_alias));
typedef int8_t vsigned __attribute__((vector_size(16), aligned(1), may_alias));

#ifdef WHOLE_DOT /* compilers take the general form apart */
INLINE vi widen_bytes(const char *at) { return (vi)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)at)); }
INLINE vi widen_signed(const char *at) { return (vi)_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)at)); }
#else
INLINE vi widen_bytes(const char *at) { return __builtin_convertvector(*(const vbytes *)at, vi); }
INLINE vi widen_signed(const char *at) { return __builtin_convertvector(*(const vsigned *)at, vi); }
#endif
#define ROWS 6   /* of a tile: 6 x 4 sums fill the registers beside 4 vectors of weights */
#define GROUPS 4
INLINE int64_t per_step(int kind) { return kind == INT8 ? 4 : kind == BFLOAT16 || kind == WIDENED4 ? 2 : 1; }
INLINE int64_t step_bytes(int kind) { return kind == WIDENED8 || kind == WIDENED4 ? 16 : 64; }

INLINE void tile(const int kind, const int R, const int G, const Linear *l, const char *a, int64_t wide,
                 const float *reach, int64_t group, float *y, int64_t y_wide, int add) {
    vf sum[ROWS][GROUPS];
    vi whole[ROWS][GROUPS];
    for (int r = 0; r < R; r++)
        for (int g = 0; g < G; g++) sum[r][g] = (vf){}, whole[r][g] = (vi){};
    int64_t steps = (l->in + per_step(kind) - 1) / per_step(kind);
    const char *w = (const char *)l->weight + group * steps * step_bytes(kind);
    int64_t parts = kind == WIDENED4 ? l->in / l->group : 1, each = steps / parts;
    vf scale[GROUPS] = {}, zero[GROUPS] = {};
    for (int64_t k = 0; k < steps; k++) {
        vi four[GROUPS];
        vf first[GROUPS], second[GROUPS];
        if (kind == WIDENED4 && k % each == 0)
            for (int g = 0; g < G; g++) {
                int64_t at = ((group + g) * parts + k / each) * 16;
                scale[g] = load(l->scale + at), zero[g] = load((const float *)l->shift + at);
            }
        for (int g = 0; g < G; g++) {
            const char *at = w + (g * steps + k) * step_bytes(kind);
            if (kind == WIDENED4) {
                vi both = widen_bytes(at);
                first[g] = __builtin_convertvector(both & 15, vf) * scale[g] + zero[g];
                second[g] = __builtin_convertvector(both >> 4, vf) * scale[g] + zero[g];
            } else if (kind == WIDENED8)
                first[g] = __builtin_convertvector(widen_signed(at), vf);
            else
                four[g] = *(const vi *)at;
        }
        for (int r = 0; r < R; r++) {
            const char *at = a + r * wide;
            if (kind == INT8) {
                int32_t bytes;
                memcpy(&bytes, at + 4 * k, 4);
                for (int g = 0; g < G; g++) {
#ifdef WHOLE_DOT
                    whole[r][g] = (vi)_mm512_dpbusd_epi32((__m512i)whole[r][g], _mm512_set1_epi32(bytes), (__m512i)four[g]);
#else
                    for (int j = 0; j < 4; j++)
                        whole[r][g] += (four[g] << (24 - 8 * j) >> 24) * (int32_t)(bytes >> 8 * j & 255);
#endif
                }
            } else if (kind == BFLOAT16) {
                const float *pair = (const float *)at + 2 * k;
                for (int g = 0; g < G; g++) {
                    vi high = four[g] & (int32_t)0xffff0000, low = four[g] << 16;
                    sum[r][g] += (vf)low * pair[0];
                    sum[r][g] += (vf)high * pair[1];
                }
            } else if (kind == WIDENED4) {
                const float *pair = (const float *)at + 2 * k;
                for (int g = 0; g < G; g++) {
                    sum[r][g] += first[g] * pair[0];
                    sum[r][g] += second[g] * pair[1];
                }
            } else
                for (int g = 0; g < G; g++)
                    sum[r][g] += (kind == WIDENED8 ? first[g] : (vf)four[g]) * ((const float *)at)[k];
        }
    }
    for (int r = 0; r < R; r++)
        for (int g = 0; g < G; g++) {
            int64_t at = (group + g) * 16;
            vf out = sum[r][g];
            if (kind == INT8)
                out = __builtin_convertvector(whole[r][g] - *(const vi *)((const int32_t *)l->shift + at), vf) * load(l->scale + at) * reach[r];
            if (kind == WIDENED8) out *= load(l->scale + at);
            if (l->bias) out += load(l->bias + at);
            vf *to = (vf *)(y + r * y_wide + at);
            if (add) out += *to;
            *to = out;
        }
}

#define CASE(R, G) case R * 8 + G: tile(kind, R, G, l, a, wide, reach, group, y, y_wide, add); break;
#define EACH(R) CASE(R, 1) CASE(R, 2) CASE(R, 3) CASE(R, 4)
#define TILES(name, KIND)                                                                                              \
    static void name(int R, int G, const Linear *l, const char *a, int64_t wide, const float *reach, int64_t group,     \
                     float *y, int64_t y_wide, int add) {                                                              \
        const int kind = KIND;                                                                                         \
        switch (R * 8 + G) { EACH(1) EACH(2) EACH(3) EACH(4) EACH(5) EACH(6) }                                         \
    }
TILES(tile_float, FLOAT32)
TILES(tile_half, BFLOAT16)
TILES(tile_whole, INT8)
TILES(tile_eight, WIDENED8)
TILES(tile_four, WIDENED4)

typedef void (*Tiles)(int, int, const Linear *, const char *, int64_t, const float *, int64_t, float *, int64_t, int);
static const Tiles tiles_of[] = {tile_float, tile_half, tile_whole, tile_eight, tile_four};

/* y [n, ...] = or += x W^T + b. Threads take pieces of the outputs as they come: none waits for one that is held up. */
static void product(const Linear *l, const Work *w, int64_t *taken, const float *x, int64_t n, float *y, int64_t y_wide,
                    int add, int threads) {
    int64_t groups = PAD(l->out) / 16, share = n < ROWS ? groups / (8 * threads) / GROUPS * GROUPS : 0;
    int64_t piece = share > GROUPS ? share : GROUPS, g;
    int whole = l->kind == INT8;
    int64_t wide = whole ? w->whole_wide : w->wide * 4;
    const char *a = whole ? (const char *)w->whole : (const char *)x;
    Tiles tiles = tiles_of[l->kind];
    while ((g = __atomic_fetch_add(taken, piece, __ATOMIC_RELAXED)) < groups)
        for (int64_t to = g + piece < groups ? g + piece : groups; g < to; g += GROUPS)
            for (int64_t r = 0; r < n; r += ROWS)
                tiles(n - r < ROWS ? n - r : ROWS, to - g < GROUPS ? to - g : GROUPS, l, a + r * wide, wide, w->reach + r, g,
                      y + r * y_wide, y_wide, add);
}
