/* Numbers of operations: at once, or, on a lazy tape, when they are read. */
#include "tape/kernels.h"

static Tensor *compute_elementwise(const Operands *o, Shape shape) {
    Tensor *out = tensor_new(o->ctx, o->arena, shape);
    static const int64_t stride[EW_MAX] = {1, 1, 1};
    if (shape.rank == 0) {
        const real *in[EW_MAX];
        for (int k = 0; k < o->n; k++) in[k] = o->in[k]->data;
        lines_here()->rows[o->op].one(1, out->data, in, stride);
        return out;
    }
    EwLoop loop;
    ew_prepare(&loop, o->op, out, o->n, o->in);
    ew_run_shared(&loop, o->ctx->team);
    return out;
}

static Tensor *compute_call(const Tape *t, const Operands *o, Shape shape) {
    const Tensor **in = ARENA_ARRAY(t->arena, const Tensor *, o->n);
    for (int k = 0; k < o->n; k++) {
        bool copy;
        in[k] = kernel_operand(o, k, &copy);
        if (copy) in[k] = tensor_dense(t->ctx, t->arena, in[k]);
    }
    char why[WHY_SIZE] = "it could not be computed";
    Tensor *out = tensor_new(t->ctx, t->arena, shape);
    ArenaMark mark = arena_mark(t->arena);
    size_t room = kernel_room(o->op, in, o->attr);
    KernelEnv env = {t->step, t->particle, t->ctx->team, room ? arena_alloc(t->arena, room) : NULL};
    KernelCall call = {.op = o->op, .out = out, .n = o->n, .in = in, .attr = o->attr, .env = &env, .why = why};
    bool done = op_kernel(o->op)(&call);
    arena_rewind(t->arena, mark);
    if (!done) ctx_raise_here(t->ctx, ERROR_PROGRAM, "%s: %s", op_info(o->op)->name, why);
    return out;
}

const Tensor *op_compute(const Tape *t, const Operands *o, Shape shape) {
    OpClass class = op_class(o->op);
    return class == CLASS_EW     ? compute_elementwise(o, shape)
           : class == CLASS_VIEW ? op_view(o, shape)
                                 : compute_call(t, o, shape);
}

/* -- Lazily -- */

const Tensor *op_layout(const Operands *o, Shape shape) {
    real nowhere = 0;
    tensor_check_size(o->ctx, o->arena, shape);
    bool view = op_class(o->op) == CLASS_VIEW && (o->op != OP_RESHAPE || tensor_can_reshape(o->in[0], shape));
    if (!view) return tensor_borrow(o->arena, shape, NULL);
    Tensor operand = *o->in[0];
    operand.data = &nowhere;
    Operands same = *o;
    same.in = (const Tensor *[]){&operand};
    Tensor *layout = op_view(&same, shape);
    layout->data = NULL;
    layout->storage = NULL;
    return layout;
}

/* What the node reads is there. */
static void compute_node(Tape *t, const Node *node) {
    const Tensor **in = ARENA_ARRAY(t->arena, const Tensor *, node->ninputs);
    for (int k = 0; k < node->ninputs; k++) in[k] = t->nodes[node->inputs[k]].value;
    Operands o = {.ctx = t->ctx, .arena = t->arena, .op = node->op, .n = node->ninputs, .in = in, .attr = node->attr};
    Span span = t->ctx->span;
    t->ctx->span = node->span;
    Tensor *shared = (Tensor *)(uintptr_t)node->value; /* by all who hold the Var */
    *shared = *op_compute(t, &o, node->value->shape);
    t->ctx->span = span;
}

typedef struct Stack {
    NodeId *nodes;
    int n, room;
} Stack;

static void push(Stack *s, Arena *a, NodeId id) {
    ARENA_GROW(a, s->nodes, s->n, s->room, 64);
    s->nodes[s->n++] = id;
}

const Tensor *tape_value(Tape *t, Var v) {
    Stack s = {0};
    if (!v.value->data) push(&s, t->arena, v.node);
    while (s.n > 0) {
        const Node *node = &t->nodes[s.nodes[s.n - 1]];
        int before = s.n;
        for (int k = 0; k < node->ninputs && !node->value->data; k++)
            if (!t->nodes[node->inputs[k]].value->data) push(&s, t->arena, node->inputs[k]);
        if (s.n > before) continue;
        if (!node->value->data) compute_node(t, node);
        s.n--;
    }
    return v.value;
}
