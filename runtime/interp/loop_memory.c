/* What the steps of a loop leave behind. A loop that has left little works in the arena around it; after that each round of
 * steps has an arena of its own, out of which the loop's names are carried into the next one. */
#include <string.h>

#include "interp/internal.h"
#include "interp/session.h"

enum { LEFT_BEHIND = 16 << 20 };

void loop_memory_begin(Interp *in, Frame *f, LoopMemory *m) {
    *m = (LoopMemory){.frame = f, .limit = arena_asked(in->arena) + LEFT_BEHIND};
    m->can = (!f || f->function->kind == FUNCTION_FN) && in->tape == in->plain && !in->handler && !in->nplates && !in->round &&
             !in->draw && !in->address && !in->dist_level;
}

/* What steps may have changed. What a name of the frame holds from before them stays where it is. */
static int roots(Interp *in, const LoopMemory *m, Value *last, Value ***values) {
    Frame *f = m->frame;
    *values = ARENA_ARRAY(in->arena, Value *, (f ? f->nslots : in->nglobals) + 1);
    int n = f ? 0 : session_changed(in, *values);
    for (int k = 0; f && k < f->nslots; k++)
        if (f->slots[k].kind == VALUE_CELLS || memcmp(&f->slots[k], &m->slots[k], sizeof(Value)) != 0) (*values)[n++] = &f->slots[k];
    (*values)[n++] = last;
    return n;
}

static void leave_outer(Interp *in, LoopMemory *m) {
    m->outer = in->arena, m->tape = in->tape, m->plain = in->plain;
    m->born = in->frames;
    if (m->frame) m->slots = arena_copy(in->arena, m->frame->slots, sizeof(Value) * (size_t)m->frame->nslots);
}

void loop_memory_step(Interp *in, LoopMemory *m, Value *last) {
    if (!m->can || arena_asked(in->arena) < m->limit) return;
    Arena *left = m->outer ? in->arena : NULL;
    if (!left) leave_outer(in, m);
    in->arena = arena_child(m->outer);
    in->plain = in->tape = tape_new(in->ctx, in->arena, false);
    in->renewals++;
    if (left) {
        Value **values;
        int n = roots(in, m, last, &values);
        values_carry(in, in->arena, m->born, n, values);
        arena_free(left);
    }
    m->limit = LEFT_BEHIND + 3 * arena_asked(in->arena);
}

/* The last arena stays until the one around it goes. */
void loop_memory_end(Interp *in, const LoopMemory *m) {
    if (!m->outer) return;
    arena_charge(m->outer, arena_asked(in->arena));
    in->arena = m->outer, in->tape = m->tape, in->plain = m->plain;
}
