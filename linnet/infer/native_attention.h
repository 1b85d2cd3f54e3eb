/* Attention of new tokens to the cache, a tile of 6 queries at a time; part of native.c. */

static void turn(float *restrict x, const float *restrict cos, const float *restrict sin, int64_t half) {
    for (int64_t i = 0; i < half; i++) {
        float a = x[i], b = x[i + half];
        x[i] = a * cos[i] - b * sin[i], x[i + half] = b * cos[i] + a * sin[i];
    }
}

/* Gate, norms and rotation of one token, and its keys and values into the cache. */
static void place(const Net *net, const Block *b, const Pass *p, const Work *w, int64_t layer, const Run *run, int64_t i) {
    int64_t t = run->first + i, d = net->width, G = net->kv_heads;
    float *q = w->query + t * w->wide, *k = w->key + t * w->wide, *v = w->value + t * w->wide;
    const float *given = p->values[layer];
    for (int64_t h = 0; h < net->heads + G; h++) {
        float *x = h < net->heads ? q + h * d : k + (h - net->heads) * d;
        const float *gain = h < net->heads ? b->query_gain : b->key_gain;
        if (net->qk_norm) norm_row(0, net->epsilon, gain, NULL, x, x, d);
        if (net->rotary) turn(x, p->cos + t * (d / 2), p->sin + t * (d / 2), d / 2);
    }
    for (int64_t g = 0; g < G; g++) {
        if (given && b->value_gate) {
            float gate = 2 * sigmoid(all(dot(b->value_gate + g * net->hidden, w->normed + t * w->wide, net->hidden)))[0];
            for (int64_t j = 0; j < d; j++) v[g * d + j] += gate * given[(t * G + g) * d + j];
        }
        store(p, place_of(net, p, layer, 0, run->row, g, run->start + i), k + g * d, d);
        store(p, place_of(net, p, layer, 1, run->row, g, run->start + i), v + g * d, d);
    }
}

/* Scores of one query at place `at` [from, end) become weights that are still to be divided by what is returned.

   `from` and `end` are multiples of 16. */
static float weights(float *s, int64_t from, int64_t end, int64_t at, const Net *net, const Block *b, int64_t head) {
    float sink = b->sink_logits ? b->sink_logits[head] : -INFINITY;
    if (b->window)
        for (int64_t j = from > net->sink_tokens ? from : net->sink_tokens; j <= at - b->window; j++) s[j] = -INFINITY;
    for (int64_t j = at + 1; j < end; j++) s[j] = -INFINITY;
    vf most = all(sink / net->scale), total = {};
    for (int64_t j = from; j < end; j += 16) most = larger(most, load(s + j));
    float top = largest(most) * net->scale;
    for (int64_t j = from; j < end; j += 16) {
        vf one = exponential(load(s + j) * net->scale - top);
        *(vf *)(s + j) = one, total += one;
    }
    return sum_of(total) + (b->sink_logits ? exponential_of(sink - top) : 0);
}

INLINE void score_tile(const int R, const float *const *q, const float *turned, int64_t d, int64_t step, float *s, int64_t wide) {
    vf sum[ROWS][GROUPS];
    for (int r = 0; r < R; r++)
        for (int g = 0; g < GROUPS; g++) sum[r][g] = (vf){};
    for (int64_t j = 0; j < d; j++)
        for (int r = 0; r < R; r++)
            for (int g = 0; g < GROUPS; g++) sum[r][g] += load(turned + j * step + 16 * g) * q[r][j];
    for (int r = 0; r < R; r++)
        for (int g = 0; g < GROUPS; g++) *(vf *)(s + r * wide + 16 * g) = sum[r][g];
}

INLINE void mix_tile(const int R, const int parts, const float *s, int64_t wide, const float *v, int64_t d, int64_t from,
                     int64_t end, vf (*out)[GROUPS]) {
    vf sum[ROWS][GROUPS];
    for (int r = 0; r < R; r++)
        for (int g = 0; g < parts; g++) sum[r][g] = (vf){};
    for (int64_t j = from; j < end; j++)
        for (int g = 0; g < parts; g++) {
            vf row = load(v + j * d + 16 * g);
            for (int r = 0; r < R; r++) sum[r][g] += row * s[r * wide + j];
        }
    for (int r = 0; r < R; r++)
        for (int g = 0; g < parts; g++) out[r][g] = sum[r][g];
}

#define MIX(R, G) case R * 8 + G: mix_tile(R, G, s, wide, v, d, from, end, out); break;
#define MIX_EACH(R) MIX(R, 1) MIX(R, 2) MIX(R, 3) MIX(R, 4)
static void mix(int R, int parts, const float *s, int64_t wide, const float *v, int64_t d, int64_t from, int64_t end,
                vf (*out)[GROUPS]) {
    switch (R * 8 + parts) { MIX_EACH(1) MIX_EACH(2) MIX_EACH(3) MIX_EACH(4) MIX_EACH(5) MIX_EACH(6) }
}

/* `count` <= ROWS queries of one run and key/value head: heads fastest, so that they share the keys. */
static void attend(const Net *net, const Block *b, const Work *w, const Run *run, int64_t g, int64_t first, int count,
                   const float *keys, const float *values, const float *turned, int64_t step, float *s) {
    int64_t d = net->width, share = net->heads / net->kv_heads;
    const float *q[ROWS];
    float total[ROWS];
    int64_t low = run->start + first / share, high = run->start + (first + count - 1) / share + 1;
    int64_t from = b->window && !net->sink_tokens && low >= b->window ? (low - b->window + 1) / 64 * 64 : 0;
    int64_t end = (high + 63) / 64 * 64;
    for (int r = 0; r < ROWS; r++) {
        int64_t one = first + (r < count ? r : 0);
        q[r] = w->query + (run->first + one / share) * w->wide + (g * share + one % share) * d;
    }
    if (turned)
        for (int64_t j = from; j < high; j += 64) score_tile(ROWS, q, turned + j, d, step, s + j, step);
    else
        for (int64_t j = from; j < high; j++)
            for (int r = 0; r < count; r++) s[r * step + j] = dot(q[r], keys + j * d, d);
    for (int r = 0; r < count; r++) {
        int64_t one = first + r;
        total[r] = weights(s + r * step, from, end, run->start + one / share, net, b, g * share + one % share);
    }
    for (int64_t part = 0; part < d; part += 16 * GROUPS) {
        int parts = d - part >= 64 ? 4 : (d - part) / 16;
        vf sum[ROWS][GROUPS] = {};
        mix(count, parts, s, step, values + part, d, from, high, sum);
        for (int r = 0; r < count; r++) {
            int64_t one = first + r;
            float *out = w->mixed + (run->first + one / share) * w->wide + (g * share + one % share) * d + part;
            for (int k = 0; k < parts; k++) *(vf *)(out + 16 * k) = sum[r][k] / total[r];
            for (int64_t k = 16 * parts; part + k < d && k < 64; k++) { /* a head that is no multiple of 16 wide */
                float rest = 0;
                for (int64_t j = from; j < high; j++) rest += s[r * step + j] * values[j * d + part + k];
                out[k] = rest / total[r];
            }
        }
    }
}

#define PIECE 128 /* tokens of a prompt that one thread looks after at a time */

static void attention(const Net *net, const Block *b, const Pass *p, Work *w, int64_t *taken, int64_t layer, int me) {
    int64_t d = net->width, share = net->heads / net->kv_heads, item = 0;
    int64_t mine = __atomic_fetch_add(taken, 1, __ATOMIC_RELAXED);
    float *own = w->own + me * w->own_step;
    for (int64_t i = 0; i < p->runs; i++)
        for (int64_t g = 0; g < net->kv_heads; g++)
            for (int64_t piece = 0; piece < p->run[i].count; piece += PIECE, item++) {
                if (item != mine) continue;
                mine = __atomic_fetch_add(taken, 1, __ATOMIC_RELAXED);
                const Run *run = p->run + i;
                int64_t tokens = run->count - piece < PIECE ? run->count - piece : PIECE, keys = run->start + piece + tokens;
                int64_t step = (keys + 63) / 64 * 64;
                float *turned = NULL, *scores = own + 3 * d * step;
                const float *from = fetch(p, place_of(net, p, layer, 0, run->row, g, 0), keys * d, own);
                const float *values = fetch(p, place_of(net, p, layer, 1, run->row, g, 0), keys * d, own + d * step);
                if (tokens * share >= 16) { /* keys stand side by side: 16 of them a vector */
                    turned = own + 2 * d * step;
                    for (int64_t k = 0; k < keys; k += 16)
                        for (int64_t j = 0; j < d; j++)
                            for (int64_t one = k; one < k + 16; one++) turned[j * step + one] = one < keys ? from[one * d + j] : 0;
                }
                for (int64_t first = piece * share; first < (piece + tokens) * share; first += ROWS) {
                    int64_t left = (piece + tokens) * share - first;
                    attend(net, b, w, run, g, first, left < ROWS ? left : ROWS, from, values, turned, step, scores);
                }
            }
}
