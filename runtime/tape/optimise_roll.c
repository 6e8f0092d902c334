/* Which nodes belong together: by form, then by independence, then by where their operands lie. */
#include <stdlib.h>
#include <string.h>

#include "tape/optimise_roll.h"

enum {
    LARGEST = 256, /* elements of a member: larger ones are arrays enough */
    DEPTH = 3,     /* levels of operands that tell forms apart: within an iteration, not along a recurrence */
    LOOSE_LEAST = 16
};

/* Units: live nodes, and groups, each known by its first member. */
typedef struct Order {
    NodeId *unit;    /* by position; NODE_NONE: nothing any more */
    NodeId *behind;  /* room for as many */
    int *position;   /* by unit */
    int *reach;      /* by unit, while members are looked at: how many of them lie on the longest way to it */
    bool *is_member; /* by node, while they are looked at */
    int n;
} Order;

/* -- Form -- */

static bool can_roll(const Node *node) {
    const Shape s = node->value->shape;
    if (s.rank + 1 >= MAX_RANK || shape_size(s) > LARGEST || shape_size(s) == 0) return false;
    switch (node->op) {
    case OP_SUM:
    case OP_PROD:
    case OP_LOGSUMEXP:
    case OP_REDUCE_MAX:
    case OP_REDUCE_MIN: return shape_size(node->value->shape) <= LARGEST;
    case OP_NORMAL:
    case OP_UNIFORM: return node->attr->random->n > 0 && node->ninputs == 0;
    default: return op_class(node->op) == CLASS_EW;
    }
}

static uint64_t hash_shape(uint64_t h, Shape s) {
    h = hash_mix(h, (uint64_t)s.rank);
    for (int d = 0; d < s.rank; d++) h = hash_mix(h, (uint64_t)s.dim[d]);
    return h;
}

/* What a node looks like without its operands. */
static uint64_t hash_self(const Roll *r, NodeId id) {
    const Node *node = &r->old.nodes[id];
    Place p = roll_place(r, id);
    uint64_t h = hash_shape((uint64_t)p.kind + 1, node->value->shape);
    if (p.kind == PLACE_INPUT || p.kind == PLACE_ELEMENT)
        return hash_mix(hash_mix(h, (uint64_t)p.base), (uint64_t)p.dim);
    if (p.kind == PLACE_CONSTANT) return h;
    h = hash_mix(h, (uint64_t)node->op);
    if (node->attr) h = hash_mix(h, node->attr->dims);
    if (node->attr && node->attr->random) h = hash_mix(h, node->attr->random->key);
    return h;
}

/* -- Nodes of one form that read the same and differ in constants alone: 2 x and -0.5 x in each iteration are told
 * apart by their order, but not y - mu for each y of the data, nor k x for many k -- */

typedef struct Siblings {
    uint64_t key;
    int n, met;
} Siblings;

/* What the form and the operands that are no constants come to; 0: the constants are not those of an operation. */
static uint64_t sibling_key(const Roll *r, NodeId id, uint64_t form, const int *uses) {
    const Node *node = &r->old.nodes[id];
    bool constant = false;
    if (!can_roll(node) || node->ninputs < 2) return 0;
    for (int k = 0; k < node->ninputs; k++) {
        NodeId input = node->inputs[k];
        if (r->old.nodes[input].op != OP_CONSTANT)
            form = hash_mix(form, (uint64_t)input + 1);
        else if (uses[input] < ROLL_LEAST)
            return 0;
        else
            constant = true;
    }
    return constant ? form | 1 : 0;
}

static void number_siblings(const Roll *r, uint64_t *form) {
    Arena *a = r->work;
    int n = r->old.nnodes, room = 64, *uses = ARENA_ARRAY(a, int, n + 1);
    int *place = ARENA_ARRAY(a, int, n + 1);
    for (NodeId id = 0; id < n; id++)
        for (int k = 0; k < r->old.nodes[id].ninputs; k++) uses[r->old.nodes[id].inputs[k]]++;
    while (room < 2 * n) room *= 2;
    Siblings *table = ARENA_ARRAY(a, Siblings, room);
    for (NodeId id = 0; id < n; id++) {
        uint64_t key = sibling_key(r, id, form[id], uses);
        size_t at = key >> 1 & (size_t)(room - 1);
        place[id] = -1;
        if (!key) continue;
        while (table[at].n && table[at].key != key) at = (at + 1) & (size_t)(room - 1);
        table[at].key = key;
        table[at].n++;
        place[id] = (int)at;
    }
    for (NodeId id = 0; id < n; id++) {
        Siblings *s = place[id] < 0 ? NULL : &table[place[id]];
        if (s && s->n < ROLL_LEAST) form[id] = hash_mix(form[id], (uint64_t)s->met++);
    }
}

static uint64_t *hash_forms(const Roll *r) {
    int n = r->old.nnodes;
    uint64_t *self = ARENA_ARRAY(r->work, uint64_t, n + 1),
             *h = ARENA_ARRAY(r->work, uint64_t, n + 1),
             *next = ARENA_ARRAY(r->work, uint64_t, n + 1);
    for (NodeId id = 0; id < n; id++) h[id] = self[id] = hash_self(r, id);
    for (int k = 0; k < DEPTH; k++) {
        for (NodeId id = 0; id < n; id++) {
            const Node *node = &r->old.nodes[id];
            next[id] = self[id];
            if (node->op == OP_RESHAPE) next[id] = hash_mix(self[id], h[node->inputs[0]]);
            if (!can_roll(node)) continue;
            next[id] = hash_mix(hash_mix(next[id], (uint64_t)node->span.line), (uint64_t)node->span.column);
            for (int j = 0; j < node->ninputs; j++) next[id] = hash_mix(next[id], h[node->inputs[j]]);
        }
        uint64_t *swap = h;
        h = next;
        next = swap;
    }
    number_siblings(r, h);
    return h;
}

static bool random_alike(const RandomSite *a, const RandomSite *b) {
    bool alike = a->key == b->key && a->n == b->n && a->particle_dim == b->particle_dim;
    for (int k = 0; alike && k < a->n; k++)
        alike = a->index[k].dim == b->index[k].dim && a->index[k].ids == b->index[k].ids;
    return alike;
}

/* Equal but for operands and indices of random sites. */
static bool is_alike(const Roll *r, NodeId i, NodeId j) {
    const Node *a = &r->old.nodes[i], *b = &r->old.nodes[j];
    if (a->op != b->op || a->ninputs != b->ninputs || !shape_equal(a->value->shape, b->value->shape)) return false;
    for (int k = 0; k < a->ninputs; k++)
        if (!shape_equal(r->old.nodes[a->inputs[k]].value->shape, r->old.nodes[b->inputs[k]].value->shape))
            return false;
    if (op_class(a->op) == CLASS_RANDOM) return random_alike(a->attr->random, b->attr->random);
    return attr_equal(a->attr, b->attr);
}

/* -- Independence -- */

static NodeId unit_of(const Roll *r, NodeId id) { return r->group[id] < 0 ? id : r->groups[r->group[id]].members[0]; }

static int unit_reach(const Roll *r, const Order *o, NodeId unit) {
    bool single = r->group[unit] < 0;
    int reach = 0, n = single ? 1 : r->groups[r->group[unit]].n;
    const NodeId *members = single ? &unit : r->groups[r->group[unit]].members;
    for (int m = 0; m < n; m++) {
        const Node *node = &r->old.nodes[members[m]];
        for (int k = 0; k < node->ninputs; k++) {
            NodeId input = unit_of(r, node->inputs[k]);
            int through = o->reach[input] + o->is_member[input];
            if (through > reach) reach = through;
        }
    }
    return reach;
}

/* Members are single nodes. Marks them and what depends on them between the first and the last of them. */
static void mark(const Roll *r, Order *o, int n, const NodeId *members, int *low, int *high) {
    *low = o->n, *high = -1;
    for (int m = 0; m < n; m++) {
        int p = o->position[members[m]];
        if (p < *low) *low = p;
        if (p > *high) *high = p;
        o->is_member[members[m]] = true;
    }
    for (int p = *low; p <= *high; p++)
        if (o->unit[p] != NODE_NONE) o->reach[o->unit[p]] = unit_reach(r, o, o->unit[p]);
}

static void unmark(Order *o, int n, const NodeId *members, int low, int high) {
    for (int p = low; p <= high; p++)
        if (o->unit[p] != NODE_NONE) o->reach[o->unit[p]] = 0;
    for (int m = 0; m < n; m++) o->is_member[members[m]] = false, o->reach[members[m]] = 0;
}

static void add_group(Roll *r, int n, const NodeId *members) {
    ARENA_GROW(r->work, r->groups, r->ngroups, r->group_room, 32);
    for (int m = 0; m < n; m++) {
        r->group[members[m]] = r->ngroups;
        r->position[members[m]] = m;
    }
    r->groups[r->ngroups++] = (Group){n, arena_copy(r->work, members, sizeof *members * (size_t)n), NODE_NONE};
}

/* Joins the members into a group if none depends on another: what does not depend on them first, then the group, then
 * what does. */
static void join(Roll *r, Order *o, int n, const NodeId *members) {
    int low, high, nbehind = 0;
    mark(r, o, n, members, &low, &high);
    bool independent = true;
    for (int m = 0; m < n; m++) independent = independent && o->reach[members[m]] == 0;
    if (!independent) {
        unmark(o, n, members, low, high);
        return;
    }
    int at = low;
    for (int p = low; p <= high; p++) {
        NodeId unit = o->unit[p];
        o->unit[p] = NODE_NONE;
        if (unit == NODE_NONE || o->is_member[unit]) continue;
        if (o->reach[unit] > 0)
            o->behind[nbehind++] = unit;
        else
            o->unit[at] = unit, o->position[unit] = at++;
        o->reach[unit] = 0;
    }
    o->unit[at] = members[0];
    o->position[members[0]] = at++;
    for (int k = 0; k < nbehind; k++) {
        o->unit[at] = o->behind[k];
        o->position[o->behind[k]] = at++;
    }
    unmark(o, n, members, low, high);
    add_group(r, n, members);
}

/* -- Where operands lie -- */

static int64_t element_of(const OpAttr *attr, int k) { return attr->random->index[k].first; }

/* One index counts on from a to b, the others stay. */
static bool random_follows(const OpAttr *a, const OpAttr *b, int *which, bool first) {
    for (int k = 0; k < a->random->n; k++) {
        int64_t step = element_of(b, k) - element_of(a, k);
        if (step == 0) continue;
        if (step != 1 || a->random->index[k].dim >= 0 || (!first && *which != k)) return false;
        if (first && *which >= 0) return false;
        *which = k;
    }
    return *which >= 0;
}

/* How many members from the first on have operands that follow each other; `loose`: one operand may be anywhere, it is
 * copied together. */
static int run_length(const Roll *r, int n, const NodeId *members, bool loose) {
    const Node *first = &r->old.nodes[members[0]];
    int which = -1, apart = -1, length = 1, ninputs = first->ninputs;
    ArenaMark mark = arena_mark(r->work);
    int64_t *step = ARENA_ARRAY(r->work, int64_t, ninputs + 1);
    for (; length < n; length++) {
        const Node *a = &r->old.nodes[members[length - 1]], *b = &r->old.nodes[members[length]];
        if (op_class(a->op) == CLASS_RANDOM && !random_follows(a->attr, b->attr, &which, length == 1)) break;
        bool follows = true;
        for (int k = 0; follows && k < ninputs; k++) {
            Place p = roll_place(r, a->inputs[k]), q = roll_place(r, b->inputs[k]);
            if (loose && p.kind == PLACE_NODE && q.kind == PLACE_NODE && (apart < 0 || apart == k)) {
                if (a->inputs[k] != b->inputs[k]) apart = k;
                continue;
            }
            follows = roll_follows(r, &p, &q, &step[k], length == 1);
        }
        if (!follows) break;
    }
    arena_rewind(r->work, mark);
    return length;
}

/* Where the operands run backwards, so do the members: arrays are read forwards. */
static void orient(const Roll *r, int n, NodeId *members) {
    const Node *a = &r->old.nodes[members[0]], *b = &r->old.nodes[members[1]];
    for (int k = 0; k < a->ninputs; k++) {
        Place p = roll_place(r, a->inputs[k]), q = roll_place(r, b->inputs[k]);
        int64_t ahead = p.kind == PLACE_NODE ? q.base - p.base : q.at - p.at;
        if (p.kind != q.kind || (p.kind != PLACE_NODE && p.base != q.base) || p.kind == PLACE_CONSTANT || ahead == 0)
            continue;
        if (ahead > 0) return;
        for (int i = 0, j = n - 1; i < j; i++, j--) {
            NodeId swap = members[i];
            members[i] = members[j], members[j] = swap;
        }
        return;
    }
}

/* Members that do not depend on each other, by number. */
static void group_members(Roll *r, Order *o, int n, NodeId *members) {
    for (int at = 0; at < n;) {
        int strict = run_length(r, n - at, members + at, false);
        int loose = strict < ROLL_LEAST ? run_length(r, n - at, members + at, true) : 0;
        int length = loose >= LOOSE_LEAST ? loose : strict;
        if (length >= ROLL_LEAST) {
            orient(r, length, members + at);
            join(r, o, length, members + at);
        }
        at += length;
    }
}

/* -- Classes: nodes of one form, of which none depends on another -- */

typedef struct Candidate {
    uint64_t form;
    NodeId id, middle; /* the middle one of its class: classes come behind those they read */
    int level;         /* how many of its form lie on the longest way to it */
} Candidate;

static int by_form(const void *x, const void *y) {
    const Candidate *a = x, *b = y;
    if (a->form != b->form) return a->form < b->form ? -1 : 1;
    if (a->level != b->level) return a->level < b->level ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static int by_class(const void *x, const void *y) {
    const Candidate *a = x, *b = y;
    if (a->middle != b->middle) return a->middle < b->middle ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

/* The levels of nodes of one form; gives how many are alike, and puts these first. */
static int find_levels(const Roll *r, Order *o, int n, Candidate *c) {
    NodeId *members = ARENA_ARRAY(r->work, NodeId, n);
    int low, high, kept = 0;
    for (int k = 0; k < n; k++)
        if (is_alike(r, c[0].id, c[k].id)) c[kept] = c[k], members[kept++] = c[k].id;
    mark(r, o, kept, members, &low, &high);
    for (int k = 0; k < kept; k++) c[k].level = o->reach[c[k].id];
    unmark(o, kept, members, low, high);
    return kept;
}

static int same_form(const Candidate *c, int at, int n) {
    int end = at;
    while (end < n && c[end].form == c[at].form && c[end].level == c[at].level) end++;
    return end;
}

/* The candidates that have enough others in their class, class after class. */
static int find_classes(const Roll *r, Order *o, const bool *live, Candidate **out) {
    const uint64_t *form = hash_forms(r);
    int n = 0, kept = 0, left = 0;
    Candidate *c = *out = ARENA_ARRAY(r->work, Candidate, r->old.nnodes + 1);
    for (NodeId id = 0; id < r->old.nnodes; id++)
        if (live[id] && can_roll(&r->old.nodes[id])) c[n++] = (Candidate){form[id], id, id, 0};
    qsort(c, (size_t)n, sizeof *c, by_form);
    for (int at = 0, end; at < n; at = end) {
        end = same_form(c, at, n);
        if (end - at < ROLL_LEAST) continue;
        memmove(c + kept, c + at, sizeof *c * (size_t)(end - at));
        kept += find_levels(r, o, end - at, c + kept);
    }
    qsort(c, (size_t)kept, sizeof *c, by_form);
    for (int at = 0, end; at < kept; at = end) {
        end = same_form(c, at, kept);
        if (end - at < ROLL_LEAST) continue;
        NodeId middle = c[(at + end) / 2].id;
        for (int k = at; k < end; k++, left++) c[left] = c[k], c[left].middle = middle;
    }
    qsort(c, (size_t)left, sizeof *c, by_class);
    return left;
}

static void find_groups(Roll *r, Order *o, const bool *live) {
    Candidate *c;
    int n = find_classes(r, o, live, &c);
    NodeId *members = ARENA_ARRAY(r->work, NodeId, n + 1);
    for (int at = 0, end; at < n; at = end) {
        for (end = at; end < n && c[end].middle == c[at].middle; end++) members[end - at] = c[end].id;
        group_members(r, o, end - at, members);
    }
}

void optimise_roll(Graph *g) {
    Arena *a = arena_new();
    bool *live = graph_live(g, a);
    Roll r = {.g = g, .old = graph_restart(g), .work = a};
    int n = r.old.nnodes;
    r.group = ARENA_ARRAY(a, int, n + 1);
    r.position = ARENA_ARRAY(a, int, n + 1);
    r.fresh = ARENA_ARRAY(a, NodeId, n + 1);
    r.piece = ARENA_ARRAY(a, struct Piece, n + 1);
    Order o = {.unit = ARENA_ARRAY(a, NodeId, n + 1),
               .behind = ARENA_ARRAY(a, NodeId, n + 1),
               .position = ARENA_ARRAY(a, int, n + 1),
               .reach = ARENA_ARRAY(a, int, n + 1),
               .is_member = ARENA_ARRAY(a, bool, n + 1)};
    for (NodeId id = 0; id < n; id++) {
        r.group[id] = -1;
        r.fresh[id] = r.piece[id].array = NODE_NONE;
        if (live[id]) o.unit[o.n] = id, o.position[id] = o.n++;
    }
    find_groups(&r, &o, live);
    if (r.ngroups == 0) {
        g->tape = r.old;
        arena_free(a);
        return;
    }
    for (int p = 0; p < o.n; p++) {
        NodeId unit = o.unit[p];
        if (unit == NODE_NONE) continue;
        if (r.group[unit] < 0)
            roll_emit_single(&r, unit);
        else
            roll_emit_group(&r, &r.groups[r.group[unit]]);
    }
    roll_outputs(&r);
    arena_free(a);
}
