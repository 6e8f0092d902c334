/* Rolling: what its two files share. Nodes of the old tape that compute the same of different operands, none from
 * another, are the members of a group; the group becomes one operation on an array with a new first dimension.
 * Superword-level parallelism (Larsen and Amarasinghe 2000) with arrays instead of words. */
#ifndef TAPE_OPTIMISE_ROLL_H
#define TAPE_OPTIMISE_ROLL_H

#include "tape/optimise.h"

enum { ROLL_LEAST = 8 }; /* members; fewer are not worth an array */

typedef struct Group {
    int n;
    NodeId *members; /* old nodes, in the order of the array */
    NodeId array;    /* new: [n, shape of a member] */
} Group;

typedef struct Roll {
    Graph *g;
    Tape old;
    Arena *work;   /* of the pass alone */
    int *group;    /* by old node: its group, or -1 */
    int *position; /* in it */
    NodeId *fresh; /* by old node: the new one, or NODE_NONE (of members: until one is wanted by itself) */
    struct Piece {
        NodeId array;
        int64_t at;
    } * piece; /* by old node: where stack_pieces has put it; array NODE_NONE: nowhere */
    Group *groups;
    int ngroups, group_room;
} Roll;

/* Where a node's numbers lie: element `at` along dimension `dim` of something. */
typedef enum PlaceKind {
    PLACE_NODE, /* nowhere in particular */
    PLACE_CONSTANT,
    PLACE_INPUT,   /* base: the slot */
    PLACE_ELEMENT, /* base: an old node that is sliced */
    PLACE_GROUP    /* base: the group */
} PlaceKind;

typedef struct Place {
    PlaceKind kind;
    int64_t base, at;
    int dim;
} Place;
Place roll_place(const Roll *r, NodeId id);
/* Do places a, b follow each other `*step` apart? The first pair of a row sets the step. */
bool roll_follows(const Roll *r, const Place *a, const Place *b, int64_t *step, bool first);

/* -- optimise_stack.c: old nodes become new ones -- */
NodeId roll_fresh(Roll *r, NodeId id);
void roll_emit_single(Roll *r, NodeId id);
void roll_emit_group(Roll *r, Group *group);
/* Outputs that lie side by side and whose places do become one. */
void roll_outputs(Roll *r);

#endif
