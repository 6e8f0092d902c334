/* Programs: steps of a plan as instructions, and running them. */
#include "tape/program.h"

#include <stdlib.h>
#include <string.h>

#include "base/strings.h"
#include "tape/blocks.h"
#include "tape/code.h"
#include "tape/indexed.h"
#include "tape/optimise.h"
#include "tape/plan.h"
#include "tape/profile.h"
#include "tape/program_open.h"

enum { ALIGNMENT = 64, SLOTS = 8 };

/* Work of its own kind (code.h). */
typedef struct LoopWork {
    Work work;
    EwLoop loop; /* an elementwise operation over more than one line */
    const KernelEnv *env;
} LoopWork;

typedef struct BlocksWork {
    Work work;
    BlockLoop blocks; /* several steps */
    const KernelEnv *env;
} BlocksWork;

typedef struct CallWork {
    Work work;
    KernelFn *kernel; /* any other operation */
    KernelCall call;
} CallWork;

/* A stretch of numbers that CONCAT copies. */
typedef struct Stretch {
    real *to;
    const real *from;
    int64_t n, stride; /* of what it reads */
} Stretch;

typedef struct JoinWork {
    Work work;
    int n;
    Stretch *stretches;
} JoinWork;

typedef struct GuardWork {
    Work work;
    const Tensor *watched, *expected;
} GuardWork;

/* What the code emitted so far leaves in the registers of the loop that runs it: the last number, the last lanes. */
typedef struct AtHand {
    const real *number, *lanes; /* where they are in memory too; NULL: nothing */
    int64_t nlanes;
} AtHand;

/* An address that depends on where an input vector is. */
typedef struct Patch {
    const real **where;
    int slot;
    int64_t offset;
} Patch;

/* Of a program that is measured. */
typedef struct Timing {
    ProfileSource source; /* first: a Timing is one */
    const Program *program;
    double *seconds; /* by instruction, in the runs that were measured one by one */
    double total;    /* of all runs */
    long runs;
    double cost; /* of reading the clock */
} Timing;

struct Program {
    Arena *arena;
    Timing *timing; /* NULL: not measured */
    Instr *instrs; /* and CODE_END */
    int ninstrs;
    CodeRunFn *code_run;
    bool quick, chained; /* codes for short operations are used; and what is at hand */
    AtHand at_hand;
    char *buffer;
    KernelEnv env;
    const real *slots[SLOTS]; /* those of the last run: what is patched in */
    int nslots;               /* the first so many are read */
    Patch *patches;
    int npatches, patch_room;
    Plan plan; /* for the outputs, and to say what each instruction is */
    int *output;  /* by output asked for: which of them, and its first element there */
    int64_t *element;
};

/* -- Addresses -- */

static void add_patch(Program *p, const real **where, int slot, int64_t offset) {
    ARENA_GROW(p->arena, p->patches, p->npatches, p->patch_room, 16);
    p->patches[p->npatches++] = (Patch){where, slot, offset};
    if (p->nslots <= slot) p->nslots = slot + 1;
}

static int64_t offset_in_base(const Tensor *t) {
    return ((intptr_t)t->data - (intptr_t)PLAN_ORIGIN) / (intptr_t)sizeof(real);
}

/* Where value v is now; where that depends on an input, `where` is patched before a run. */
static void resolve(Program *p, int v, const real **where) {
    const Value *value = &p->plan.values[v], *base = &p->plan.values[value->base];
    if (base->home == HOME_INPUT) add_patch(p, where, base->slot, base->start + offset_in_base(value->tensor));
}

static void address_values(Program *p) {
    for (int v = 0; v < p->plan.nvalues; v++) {
        Value *value = &p->plan.values[v];
        const Value *base = &p->plan.values[value->base];
        int64_t offset = base->home == HOME_CONSTANT ? 0 : offset_in_base(value->tensor);
        if (base->home == HOME_BUFFER) value->tensor->data = (real *)(p->buffer + base->place) + offset;
        if (base->home == HOME_PLACE && value != base) value->tensor->data = base->tensor->data + offset;
    }
    /* Bases in a caller's place were set by the plan; inputs wait for the first run. */
}

/* -- Instructions -- */

static bool run_loop(const Work *w) {
    const LoopWork *l = (const LoopWork *)w;
    ew_run_shared(&l->loop, l->env->team);
    return true;
}

static bool run_blocks(const Work *w) {
    const BlocksWork *b = (const BlocksWork *)w;
    blocks_run(&b->blocks, b->env->team);
    return true;
}

static bool run_kernel(const Work *w) {
    const CallWork *c = (const CallWork *)w;
    return c->kernel(&c->call);
}

static bool run_join(const Work *w) {
    const JoinWork *j = (const JoinWork *)w;
    for (const Stretch *s = j->stretches, *end = s + j->n; s < end; s++)
        if (s->n == 1)
            *s->to = *s->from;
        else if (s->stride == 1)
            memcpy(s->to, s->from, (size_t)s->n * sizeof(real));
        else
            for (int64_t k = 0; k < s->n; k++) s->to[k] = s->from[k * s->stride];
    return true;
}

static bool run_guard(const Work *w) {
    const GuardWork *g = (const GuardWork *)w;
    const Tensor *a = g->watched, *b = g->expected;
    bool dense = tensor_is_dense(a) && tensor_is_dense(b);
    for (int64_t i = 0, n = shape_size(a->shape); i < n; i++) {
        real x = dense ? a->data[i] : tensor_item(a, i), y = dense ? b->data[i] : tensor_item(b, i);
        if (x != y && (x == x || y == y)) return false;
    }
    return true;
}

static void emit_work(Program *p, Instr *i, const Work *w) {
    *i = (Instr){.code = CODE_WORK, .work = w};
    p->at_hand = (AtHand){0};
}

/* What an instruction writes is at hand after it, and what it writes over is not. */
static void leave_at_hand(Program *p, const real *out, int64_t lanes) {
    AtHand *h = &p->at_hand;
    int64_t n = lanes ? lanes : 1;
    if (h->number >= out && h->number < out + n) h->number = NULL;
    if (h->lanes && h->lanes < out + n && out < h->lanes + h->nlanes) h->lanes = NULL;
    if (!p->chained) return;
    if (lanes)
        h->lanes = out, h->nlanes = lanes;
    else
        h->number = out;
}

/* `at`: where operand v of the step is. */
static From operand_from(const Program *p, int v, const real *at, int64_t stride, int64_t lanes) {
    const AtHand *h = &p->at_hand;
    if (p->plan.values[p->plan.values[v].base].home == HOME_INPUT) return lanes && !stride ? FROM_SPREAD : FROM_MEMORY;
    if (!lanes) return at == h->number ? FROM_LAST : FROM_MEMORY;
    if (!stride) return at == h->number ? FROM_LAST_NUMBER : FROM_SPREAD;
    return at == h->lanes && h->nlanes == lanes ? FROM_LAST : FROM_MEMORY;
}

/* May all lanes be written where the step's result is? Arrays of the buffer are padded. */
static bool has_room(const Program *p, int v) {
    return p->plan.values[v].home == HOME_BUFFER && p->plan.values[v].base == v && p->plan.values[v].whole < 0;
}

static bool emit_quick(Program *p, Instr *i, const Step *s, const EwLoop *loop) {
    int64_t n = loop->dim[0], lanes = n > 1 ? n : 0;
    bool registers = lines_here()->quick_lanes, vector = code_is_vector(s->op);
    if (!p->quick || n > (registers ? QUICK_LANES : 1) || n < 1 || (vector && !registers)) return false;
    From from[EW_MAX];
    for (int k = 0; k < s->n; k++) {
        if (lanes && loop->stride[k][0] != 0 && loop->stride[k][0] != 1) return false;
        from[k] = operand_from(p, s->in[k], loop->in[k], loop->stride[k][0], lanes);
    }
    if (s->n == 2 && from[0] == FROM_LAST && from[1] == FROM_LAST) from[1] = FROM_MEMORY;
    Code code = code_quick(s->op, lanes > 0, from);
    if (code == CODE_END) return false;
    *i = (Instr){.code = (uint16_t)code, .out = loop->out};
    if (lanes) i->lanes = (uint8_t)((1 << n) - 1), i->whole = n == QUICK_LANES || has_room(p, s->out);
    for (int k = 0; k < s->n; k++) {
        i->in[k] = loop->in[k];
        resolve(p, s->in[k], &i->in[k]);
    }
    if (vector) p->at_hand = (AtHand){0};
    leave_at_hand(p, loop->out, lanes);
    return true;
}

/* Of n operands, values v. */
static void emit_row(Program *p, Instr *i, int n, const int *v, RowCall call) {
    RowCall *kept = arena_copy(p->arena, &call, sizeof call);
    for (int k = 0; k < n; k++) resolve(p, v[k], &kept->in[k]);
    *i = (Instr){.code = CODE_ROW, .row = kept};
    p->at_hand = (AtHand){0};
}

/* The line for a step, and the one it takes, whose operands have these strides. */
static RowFn *choose_row(const Program *p, const Step *s, int64_t n, const int64_t *stride) {
    return s->takes ? step_pair_row(&p->plan, s, stride) : lines_choose(s->op, s->n, n, stride);
}

/* What they do; gives the number of operands, and which values these are. */
static int prepare_loop(const Program *p, EwLoop *loop, const Step *s, int *v) {
    const Tensor *in[EW_MAX];
    int n = step_operands(&p->plan, s, v);
    for (int k = 0; k < n; k++) in[k] = p->plan.values[v[k]].tensor;
    ew_prepare(loop, s->op, p->plan.values[s->out].tensor, n, in);
    return n;
}

static void emit_elementwise(Program *p, Instr *i, const Step *s) {
    EwLoop loop;
    int v[EW_MAX], n = prepare_loop(p, &loop, s, v);
    if (loop.rank == 1 && loop.dim[0] < SHARED_ELEMENTS) {
        if (!s->takes && emit_quick(p, i, s, &loop)) return;
        RowCall call = {.n = loop.dim[0], .out = loop.out};
        for (int k = 0; k < n; k++) call.in[k] = loop.in[k], call.stride[k] = loop.stride[k][0];
        call.row = choose_row(p, s, call.n, call.stride);
        emit_row(p, i, n, v, call);
        return;
    }
    LoopWork *w = ARENA_NEW(p->arena, LoopWork);
    int64_t stride[EW_MAX] = {0};
    for (int k = 0; k < n; k++) stride[k] = loop.stride[k][loop.rank - 1];
    if (s->takes) loop.row = choose_row(p, s, loop.dim[loop.rank - 1], stride);
    *w = (LoopWork){{run_loop}, loop, &p->env};
    for (int k = 0; k < n; k++) resolve(p, v[k], &w->loop.in[k]);
    emit_work(p, i, &w->work);
}

/* Nothing but the step after it needs what step s gives, a dense array of the buffer of n numbers. */
static bool gives_to_next_alone(const Program *p, const Step *s, int64_t n) {
    const Value *v = &p->plan.values[s->out];
    return p->chained && op_class(s->op) == CLASS_EW && s->n <= 2 && v->home == HOME_BUFFER && v->whole < 0 &&
           v->last == v->step + 1 && shape_size(v->tensor->shape) == n;
}

/* Is operand k of step t all that step s gives, in its order? */
static bool takes_all(const Program *p, const Step *t, int k, const Step *s) {
    const Value *v = &p->plan.values[t->in[k]], *from = &p->plan.values[s->out];
    return v->base == s->out && v->tensor->data == from->tensor->data && tensor_is_dense(v->tensor) &&
           shape_size(v->tensor->shape) == shape_size(from->tensor->shape);
}

static const real *operand_at(const Program *p, int v) { return p->plan.values[v].tensor->data; }

/* Steps s and t on numbers as one instruction (PAIRS). */
static bool emit_pair(Program *p, Instr *i, const Step *s, const Step *t) {
    if (s->n != 2 || t->n != 2 || !gives_to_next_alone(p, s, 1) || shape_size(p->plan.values[t->out].tensor->shape) != 1)
        return false;
    int last = operand_from(p, s->in[1], operand_at(p, s->in[1]), 0, 0) == FROM_LAST;
    int given = takes_all(p, t, 1, s);
    if (!last && operand_from(p, s->in[0], operand_at(p, s->in[0]), 0, 0) != FROM_LAST) return false;
    if (!takes_all(p, t, given, s) || p->plan.values[t->in[!given]].base == s->out) return false;
    Code code = code_pair(s->op, last, t->op, given);
    if (code == CODE_END) return false;
    const int others[2] = {s->in[!last], t->in[!given]};
    *i = (Instr){.code = (uint16_t)code, .out = p->plan.values[t->out].tensor->data};
    for (int k = 0; k < 2; k++) {
        i->in[k] = operand_at(p, others[k]);
        resolve(p, others[k], &i->in[k]);
    }
    leave_at_hand(p, i->out, 0);
    return true;
}

/* The sum t of the squares or products of lanes s. */
static bool emit_sum_of(Program *p, Instr *i, const Step *s, const Step *t) {
    if (t->op != OP_SUM || (s->op != OP_SQUARE && s->op != OP_MUL) || !lines_here()->quick_lanes) return false;
    int64_t n = shape_size(p->plan.values[s->out].tensor->shape);
    if (n < 2 || n > QUICK_LANES || !gives_to_next_alone(p, s, n) || !takes_all(p, t, 0, s)) return false;
    if (shape_size(p->plan.values[t->out].tensor->shape) != 1) return false;
    bool product = s->op == OP_MUL, last = false, swapped = false;
    for (int k = 0; k < s->n; k++) {
        const Tensor *x = p->plan.values[s->in[k]].tensor;
        if (!tensor_is_dense(x) || shape_size(x->shape) != n) return false;
        if (last || operand_from(p, s->in[k], x->data, 1, n) != FROM_LAST) continue;
        last = true, swapped = k == 1;
    }
    Code code = product ? last ? CODE_SUM_MUL_LAST : CODE_SUM_MUL_MEMORY : last ? CODE_SUM_SQUARE_LAST : CODE_SUM_SQUARE_MEMORY;
    *i = (Instr){.code = (uint16_t)code, .lanes = (uint8_t)((1 << n) - 1), .out = p->plan.values[t->out].tensor->data};
    for (int k = 0; k < s->n; k++) {
        i->in[swapped ? !k : k] = operand_at(p, s->in[k]);
        resolve(p, s->in[k], &i->in[swapped ? !k : k]);
    }
    leave_at_hand(p, i->out, 0);
    return true;
}

/* All of an array to one number. */
static bool emit_reduction(Program *p, Instr *i, const Step *s, const Tensor *in) {
    const Tensor *out = p->plan.values[s->out].tensor;
    RowFn *row = op_row(s->op);
    if (!row || shape_size(out->shape) != 1) return false;
    if (s->takes) {
        int v[EW_MAX], n = step_operands(&p->plan, s, v);
        RowCall products = {.row = lines_here()->sum_products, .n = shape_size(in->shape), .out = out->data};
        for (int k = 0; k < n; k++) products.in[k] = p->plan.values[v[k]].tensor->data;
        emit_row(p, i, n, v, products);
        return true;
    }
    RowCall call = {.row = row, .out = out->data, .in = {in->data}};
    reduce_plan(in, __builtin_popcount(s->attr->dims), &call.n, &call.stride[0]);
    bool quick = p->quick && lines_here()->quick_lanes && s->op == OP_SUM && call.stride[0] == 1;
    if (!quick || call.n < 1 || call.n > QUICK_LANES) {
        emit_row(p, i, 1, s->in, call);
        return true;
    }
    bool last = operand_from(p, s->in[0], in->data, 1, call.n) == FROM_LAST;
    *i = (Instr){.code = last ? CODE_SUM_LAST : CODE_SUM_MEMORY, .lanes = (uint8_t)((1 << call.n) - 1)};
    i->out = out->data, i->in[0] = in->data;
    resolve(p, s->in[0], &i->in[0]);
    leave_at_hand(p, out->data, 0);
    return true;
}

static void emit_call(Program *p, Instr *i, const Step *s, const Tensor *const *in) {
    CallWork *w = ARENA_NEW(p->arena, CallWork);
    *w = (CallWork){.work = {run_kernel}, .kernel = op_kernel(s->op)};
    w->call = (KernelCall){
        .op = s->op, .out = p->plan.values[s->out].tensor, .n = s->n, .in = in, .attr = s->attr, .env = &p->env};
    w->call.indexed = s->indexed;
    w->call.ahead = normals_ahead_new(&w->call, p->arena);
    emit_work(p, i, &w->work);
}

/* The numbers of a part in their order, when they lie equally far apart. */
static bool as_stretch(const Tensor *t, real *to, Stretch *s) {
    *s = (Stretch){to, t->data, shape_size(t->shape), 1};
    if (tensor_is_dense(t)) return true;
    int lines = 0;
    for (int d = 0; d < t->shape.rank; d++)
        if (t->shape.dim[d] != 1) s->stride = t->stride[d], lines++;
    return lines == 1;
}

/* Parts that follow each other in the result, as stretches as long as they lie in memory; those that are in their places
 * already are left out. False: the parts do not follow each other, or are no stretches. */
static bool emit_join(Program *p, Instr *i, const Step *s, const Tensor *const *in) {
    const Tensor *out = p->plan.values[s->out].tensor;
    if (s->op != OP_CONCAT || !p->quick) return false;
    for (int d = 0; d < s->attr->dim; d++)
        if (out->shape.dim[d] != 1) return false;
    JoinWork *w = ARENA_NEW(p->arena, JoinWork);
    *w = (JoinWork){{run_join}, 0, ARENA_ARRAY(p->arena, Stretch, s->n)};
    real *to = out->data;
    for (int k = 0; k < s->n; k++) {
        Stretch part, *last = w->n ? &w->stretches[w->n - 1] : NULL;
        if (!as_stretch(in[k], to, &part)) return false;
        to += part.n;
        if (part.n == 0 || part.from == part.to) continue;
        bool input = p->plan.values[p->plan.values[s->in[k]].base].home == HOME_INPUT;
        if (last && !input && part.stride == 1 && last->stride == 1 && last->to + last->n == part.to &&
            last->from + last->n == part.from) {
            last->n += part.n;
        } else {
            w->stretches[w->n] = part;
            resolve(p, s->in[k], &w->stretches[w->n++].from);
        }
    }
    if (w->n)
        emit_work(p, i, &w->work);
    else
        *i = (Instr){.code = CODE_NOTHING};
    return true;
}

static void emit_guard(Program *p, Instr *i, const Step *s, const Tensor *watched) {
    GuardWork *w = ARENA_NEW(p->arena, GuardWork);
    *w = (GuardWork){{run_guard}, watched, s->expected};
    emit_work(p, i, &w->work);
}

static void emit(Program *p, Instr *i, const Step *s) {
    const Tensor **in = ARENA_ARRAY(p->arena, const Tensor *, s->n);
    for (int k = 0; k < s->n; k++) in[k] = p->plan.values[s->in[k]].tensor;
    if (s->op == OP_GUARD)
        emit_guard(p, i, s, in[0]);
    else if (op_class(s->op) == CLASS_EW)
        emit_elementwise(p, i, s);
    else if (!emit_join(p, i, s, in) && (s->n != 1 || !emit_reduction(p, i, s, in[0])))
        emit_call(p, i, s, in);
}

/* -- Several steps block by block -- */

/* Operand k of an op: a block of the unit, or an address. */
static void place_operand(Program *p, BlockOp *op, int k, int v, const real *at) {
    const Value *base = &p->plan.values[p->plan.values[v].base];
    op->slot[k] = base->home == HOME_BLOCK ? (int)base->place : -1;
    op->in[k] = at;
    if (base->home != HOME_BLOCK) resolve(p, v, &op->in[k]);
}

static void emit_block_sum(Program *p, BlockOp *op, const Step *s, const Unit *u) {
    int v[EW_MAX];
    op->n = step_operands(&p->plan, s, v);
    op->sums = ARENA_ARRAY(p->arena, double, u->rows * blocks_of_sums(u->columns));
    for (int k = 0; k < op->n; k++) {
        op->stride[k] = 1;
        op->row_stride[k] = u->columns;
        place_operand(p, op, k, v[k], p->plan.values[v[k]].tensor->data);
    }
}

static void emit_block_row(Program *p, BlockOp *op, const Step *s, const Unit *u) {
    EwLoop loop;
    int v[EW_MAX];
    op->n = prepare_loop(p, &loop, s, v);
    for (int k = 0; k < op->n; k++) {
        op->stride[k] = loop.stride[k][loop.rank - 1];
        op->row_stride[k] = loop.rank == 2 ? loop.stride[k][0] : u->columns * op->stride[k];
        place_operand(p, op, k, v[k], loop.in[k]);
    }
    op->row = choose_row(p, s, BLOCK, op->stride);
}

static void emit_block_gather(Program *p, BlockOp *op, const Step *s, const Unit *u) {
    bool whole = s->indexed->M == u->rows * u->columns; /* one row of its own */
    op->n = 1;
    op->at = s->indexed->at;
    op->at_stride = whole ? u->columns : 0;
    op->row_stride[0] = whole ? 0 : s->indexed->K;
    place_operand(p, op, 0, s->in[0], operand_at(p, s->in[0]));
}

static void emit_unit(Program *p, Instr *i, const Unit *u) {
    BlocksWork *w = ARENA_NEW(p->arena, BlocksWork);
    *w = (BlocksWork){.work = {run_blocks}, .env = &p->env};
    w->blocks = (BlockLoop){.slots = u->slots, .rows = u->rows, .columns = u->columns};
    w->blocks.ops = ARENA_ARRAY(p->arena, BlockOp, u->count);
    emit_work(p, i, &w->work);
    for (int k = 0; k < u->count; k++) {
        const Step *s = &p->plan.steps[u->first + k];
        const Value *out = &p->plan.values[s->out];
        if (s->taken) continue;
        BlockOp *op = &w->blocks.ops[w->blocks.nops++];
        *op = (BlockOp){.out_slot = out->home == HOME_BLOCK ? (int)out->place : -1, .out = out->tensor->data};
        if (s->op == OP_SUM)
            emit_block_sum(p, op, s, u);
        else if (s->op == OP_GATHER)
            emit_block_gather(p, op, s, u);
        else
            emit_block_row(p, op, s, u);
    }
}

static void plan_tape(Program *p, const Tape *t, int n, const Var *outputs, real *const *place, Arena *spent) {
    Arena *scratch = arena_new();
    Graph g;
    optimise(&g, scratch, t, n, outputs, place, spent);
    plan_make(&p->plan, &g.tape, g.noutputs, g.outputs, g.place);
    p->output = arena_copy(p->arena, g.output, sizeof *g.output * (size_t)(n + 1));
    p->element = arena_copy(p->arena, g.element, sizeof *g.element * (size_t)(n + 1));
    arena_free(scratch);
}

/* What is known of an instruction's time goes to the row of its statement. */
static void report_timing(ProfileSource *source) {
    const Timing *m = (const Timing *)source;
    const Program *p = m->program;
    double measured = 0;
    for (int k = 0; k < p->ninstrs; k++) measured += m->seconds[k];
    for (int k = 0; k < p->ninstrs && measured > 0; k++) {
        const Unit *u = &p->plan.units[k];
        const Step *s = &p->plan.steps[u->first];
        Buf what = {0};
        for (int j = 0; j < u->count || j == 0; j++) buf_printf(&what, "%s%s", j ? " " : "", op_info(s[j].op)->name);
        profile_add(source->profile, what.text, s->span, s->backward, (double)m->runs,
                    m->total * m->seconds[k] / measured);
        buf_free(&what);
    }
}

/* An instruction for each unit, or for two. */
static void emit_units(Program *p) {
    for (int k = 0; k < p->plan.nunits; k++) {
        const Unit *u = &p->plan.units[k];
        const Step *s = &p->plan.steps[u->first + u->count - 1];
        Instr *i = &p->instrs[p->ninstrs++];
        bool two = k + 1 < p->plan.nunits && u->count == 1 && u[1].count == 1;
        if (two && (emit_pair(p, i, s, s + 1) || emit_sum_of(p, i, s, s + 1)))
            k++;
        else if (u->rows)
            emit_unit(p, i, u);
        else
            emit(p, i, s);
    }
}

/* What the kernel that wants most works in. */
static size_t most_room(const Plan *plan) {
    size_t most = 0;
    for (int s = 0; s < plan->nsteps; s++) {
        const Step *step = &plan->steps[s];
        const Tensor *in[1] = {step->n ? plan->values[step->in[0]].tensor : NULL};
        size_t room = kernel_room(step->op, in, step->attr);
        if (room > most) most = room;
    }
    return (most + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

Program *program_new(Tape *t, int n, const Var *outputs, real *const *place) {
    return program_new_last(t, n, outputs, place, NULL);
}

Program *program_new_last(Tape *t, int n, const Var *outputs, real *const *place, Arena *spent) {
    Ctx *ctx = t->ctx;
    Arena *arena = arena_new();
    Program *p = ARENA_NEW(arena, Program);
    *p = (Program){.arena = arena, .plan = {.ctx = ctx, .arena = arena}};
    p->env.team = ctx->team;
    plan_tape(p, t, n, outputs, place, spent);
    size_t arrays = p->plan.bytes + ALIGNMENT, bytes = arrays + most_room(&p->plan);
    p->buffer = aligned_alloc(ALIGNMENT, bytes);
    if (!p->buffer) {
        arena_free(arena);
        ctx_raise_here(ctx, ERROR_PROGRAM, "a program of %.3g MB of arrays is more than there is room for",
                       (double)bytes / 1e6);
    }
    memset(p->buffer, 0, arrays);
    p->env.room = p->buffer + arrays;
    p->instrs = ARENA_ARRAY(arena, Instr, p->plan.nunits + 1); /* 0 is CODE_END */
    p->code_run = lines_here()->code_run;
    p->quick = optimise_enabled();
    p->chained = p->quick && !ctx->profile; /* what is measured runs one by one */
    for (int v = 0; v < p->plan.nvalues; v++) resolve(p, v, (const real **)&p->plan.values[v].tensor->data);
    address_values(p);
    emit_units(p);
    if (ctx->profile) {
        p->timing = ARENA_NEW(arena, Timing);
        *p->timing = (Timing){.source.report = report_timing,
                              .program = p,
                              .seconds = ARENA_ARRAY(arena, double, p->ninstrs + 1),
                              .cost = profile_clock_cost()};
        profile_join(ctx->profile, &p->timing->source);
    }
    return p;
}

void program_free(Program *p) {
    if (!p) return;
    if (p->timing) profile_leave(&p->timing->source);
    free(p->buffer);
    arena_free(p->arena);
}

/* -- Running -- */

static __attribute__((noinline)) void patch_inputs(Program *p, const RunInputs *in) {
    memcpy(p->slots, in->slots, sizeof p->slots);
    for (int k = 0; k < p->npatches; k++) *p->patches[k].where = p->slots[p->patches[k].slot] + p->patches[k].offset;
}

/* One that takes nothing from those before it. */
static bool run_alone(const Program *p, const Instr *i) {
    const Instr code[2] = {*i, {.code = CODE_END}};
    return p->code_run(code);
}

static RunStatus run_all(const Program *p) { return p->code_run(p->instrs) ? RUN_DONE : RUN_GUARD_FAILED; }

static RunStatus run_one_by_one(Program *p) {
    Timing *m = p->timing;
    double last = profile_clock();
    for (int k = 0; k < p->ninstrs; k++) {
        if (!run_alone(p, &p->instrs[k])) return RUN_GUARD_FAILED;
        double now = profile_clock(), took = now - last - m->cost;
        m->seconds[k] += took > 0 ? took : 0;
        m->total += took > 0 ? took : 0;
        last = now;
    }
    return RUN_DONE;
}

static __attribute__((noinline)) RunStatus run_timed(Program *p) {
    Timing *m = p->timing;
    long run = m->runs++;
    if (run < PROFILE_FIRST || run % PROFILE_EVERY == 0) return run_one_by_one(p);
    double start = profile_clock();
    RunStatus status = run_all(p);
    double took = profile_clock() - start - m->cost;
    m->total += took > 0 ? took : 0;
    return status;
}

RunStatus program_run(Program *p, const RunInputs *in) {
    p->env.step = in->step, p->env.particle = in->particle;
    bool same = true;
    for (int k = 0; k < p->nslots; k++) same &= p->slots[k] == in->slots[k];
    if (!same) patch_inputs(p, in);
    return p->timing ? run_timed(p) : run_all(p);
}

const real *program_output(const Program *p, int k) {
    return p->plan.values[p->plan.outputs[p->output[k]]].tensor->data + p->element[k];
}

int program_length(const Program *p) { return p->plan.nsteps; }

size_t program_buffer_bytes(const Program *p) { return p->plan.bytes; }

double program_flops(const Program *p) {
    double sum = 0;
    for (int k = 0; k < p->plan.nsteps; k++) {
        const Step *s = &p->plan.steps[k];
        if (s->op != OP_MATMUL) continue;
        Shape a = p->plan.values[s->in[0]].tensor->shape, out = p->plan.values[s->out].tensor->shape;
        sum += 2 * (double)shape_size(out) * (double)a.dim[a.rank - 1];
    }
    return sum;
}

/* -- Step by step -- */

const Plan *program_plan(const Program *p) { return &p->plan; }

static bool run_unit_openly(Program *p, const Unit *u, Arena *room, LookFn *look, void *self) {
    Plan *plan = &p->plan;
    for (int v = 0; v < plan->nvalues && u->count > 1; v++) {
        Tensor *t = plan->values[v].tensor;
        const Value *base = &plan->values[plan->values[v].base];
        if (base->home != HOME_BLOCK || base->step < u->first || base->step >= u->first + u->count) continue;
        if (base == &plan->values[v]) t->data = ARENA_ARRAY(room, real, shape_size(t->shape));
        t->data = base->tensor->data; /* views in a unit begin where their base does, which comes first */
    }
    const Program kept = *p;
    p->chained = false, p->at_hand = (AtHand){0};
    bool done = true;
    for (int s = u->first; s < u->first + u->count && done; s++) {
        Instr alone;
        Step step = plan->steps[s];
        step.takes = 0;
        p->arena = room, p->npatches = p->patch_room = 0; /* tensors of inputs have their addresses: nothing to patch */
        emit(p, &alone, &step);
        done = run_alone(p, &alone) && look(self, s);
    }
    *p = kept;
    return done;
}

void program_run_openly(Program *p, LookFn *look, void *self) {
    bool done = true;
    for (int u = 0; u < p->plan.nunits && done; u++) {
        Arena *room = arena_new();
        done = run_unit_openly(p, &p->plan.units[u], room, look, self);
        arena_free(room);
    }
}
